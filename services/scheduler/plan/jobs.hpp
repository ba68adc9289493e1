// The batch jobs of computesets: what follows from what the batch system shows, and what it is to
// be asked for. Both are repeated after each look at it, so that a lost answer or a restart of
// either side is made up for by the next.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "services/scheduler/driver/batch_system.hpp"
#include "services/scheduler/plan/plan.hpp"
#include "services/scheduler/view.hpp"

namespace nucleus::scheduler {

/// What the batch system showed at the last look.
struct BatchSnapshot {
  bool is_known = false;   // it was looked at
  std::string fault = {};  // why the last look failed; the rest is older then
  std::vector<Job> jobs = {};
  std::map<msg::HostId, BatchNode> nodes = {};

  const Job* find(const std::string& job_id) const;
};

/// What was asked of the batch system.
struct SubmitJob {
  JobRequest request = {};
};
struct CancelJob {
  std::string job_id = {};
};
struct ChangeJobLimit {
  msg::ComputesetId computeset_id = 0;
  std::string job_id = {};
  std::int64_t limit_mins = 0;
};
struct DrainBatchNode {
  msg::HostId host_id = {};
  std::string reason = {};
};
struct ResumeBatchNode {
  msg::HostId host_id = {};
};
using JobAction =
    std::variant<SubmitJob, CancelJob, ChangeJobLimit, DrainBatchNode, ResumeBatchNode>;

/// The partition has fewer hosts than the computeset needs: it gets no job.
bool is_too_large_for(const View& view, const BatchSnapshot& batch, const StoredComputeset& stored);

/// Which job each computeset has; which hosts each job has; the end of computesets whose job ended;
/// the walltimes that an operator changed at the job.
Plan plan_jobs(const View& view, const BatchSnapshot& batch, std::int64_t now_unix_ms);

/// What is wanted of the batch system, and differs from what it shows. Nothing while it does not
/// answer.
std::vector<JobAction> job_actions(const View& view, const BatchSnapshot& batch);

/// The job that a start, which is only planned, would ask for; none if it asks for none.
std::optional<JobRequest> job_of_start(const View& view, const BatchSnapshot& batch, Plan start,
                                       std::int64_t now_unix_ms);

/// The batch system took a job, or refused it: then the computeset is cancelled with its reason.
Plan plan_job_submitted(const View& view, const JobRequest& request,
                        const core::Result<std::string>& job_id, std::int64_t now_unix_ms);

Plan plan_job_limit_changed(const View& view, const ChangeJobLimit& change,
                            std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler
