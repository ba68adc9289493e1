// Slurm, by its own commands (sbatch, squeue, sinfo, scancel, scontrol): their text formats are
// stable over its releases, unlike its libraries and its JSON. Tried with 22.05.
#pragma once

#include "services/scheduler/config.hpp"
#include "services/scheduler/driver/batch_system.hpp"

namespace nucleus::scheduler {

class Slurm final : public BatchSystem {
 public:
  explicit Slurm(SlurmConfig config) : config_{std::move(config)} {}

  core::Result<std::vector<Job>> list_jobs() override;
  core::Result<std::vector<BatchNode>> list_nodes() override;
  core::Result<std::string> submit(const JobRequest& request) override;
  core::Result<void> cancel(const std::string& job_id) override;
  core::Result<void> change_limit(const std::string& job_id, std::int64_t limit_mins) override;
  core::Result<void> drain(const msg::HostId& host_id, const std::string& reason) override;
  core::Result<void> resume(const msg::HostId& host_id) override;

 private:
  core::Result<std::string> run(std::vector<std::string> argv) const;

  SlurmConfig config_;
};

// The texts of Slurm's commands, for the driver and its tests.

/// One line of `squeue`; nothing if the job does not belong to deployment `name`.
std::optional<Job> parse_job(std::string_view line, const std::string& name);
/// One line of `sinfo`; nothing if it is malformed.
std::optional<BatchNode> parse_node(std::string_view line);
/// `[DAYS-][[HOURS:]MINUTES:]SECONDS`, rounded up; 0 for `UNLIMITED` and anything else.
std::int64_t minutes_of(std::string_view time_limit);

}  // namespace nucleus::scheduler
