// Slurm, by its own commands (sbatch, squeue, sinfo, scancel, scontrol): their text formats are
// stable over its releases, unlike its libraries and its JSON. Tried with 22.05.
#pragma once

#include "core/runtime/child_process.hpp"
#include "services/scheduler/config.hpp"
#include "services/scheduler/driver/batch_system.hpp"

namespace nucleus::scheduler {

class Slurm final : public BatchSystem {
 public:
  explicit Slurm(SlurmConfig config) : config_{std::move(config)} {}

  core::Result<std::vector<Job>> list_jobs() override;
  core::Result<std::vector<BatchNode>> list_nodes() override;
  core::Result<std::string> submit(const JobRequest& request) override;
  core::Result<std::int64_t> expected_start_unix_s(const JobRequest& request) override;
  core::Result<void> cancel(const std::string& job_id) override;
  core::Result<void> change_limit(const std::string& job_id, std::int64_t limit_mins) override;
  core::Result<void> drain(const msg::HostId& host_id, const std::string& reason) override;
  core::Result<void> resume(const msg::HostId& host_id) override;

 private:
  std::vector<std::string> sbatch(const JobRequest& request) const;
  core::Result<core::ChildOutput> run_child(std::vector<std::string> argv) const;
  core::Result<std::string> run(std::vector<std::string> argv) const;

  SlurmConfig config_;
};

// The texts of Slurm's commands, for the driver and its tests.

/// One line of `squeue`; nothing if the job does not belong to deployment `name`.
std::optional<Job> parse_job(std::string_view line, const std::string& name);
/// One line of `sinfo`; nothing if it is malformed.
std::optional<BatchNode> parse_node(std::string_view line);
/// From what `sbatch --test-only` says; 0 if it says none.
std::int64_t parse_expected_start(std::string_view text);
/// `[DAYS-][[HOURS:]MINUTES:]SECONDS`, rounded up; 0 for `UNLIMITED` and anything else.
std::int64_t minutes_of(std::string_view time_limit);

}  // namespace nucleus::scheduler
