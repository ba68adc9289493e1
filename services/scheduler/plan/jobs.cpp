#include "services/scheduler/plan/jobs.hpp"

#include <algorithm>
#include <set>

#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/draft.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

using msg::ComputesetState;

namespace {

constexpr std::string_view drain_prefix = "nucleus drain: ";  // of the reasons that are ours

bool is_over(const Job& job) {
  return job.state == JobState::completing || job.state == JobState::ended ||
         job.state == JobState::cancelled;
}

/// How it went, for the reason of its computeset.
std::string shown(const std::string& job_id, const Job* job) {
  const std::string name = "its batch job " + job_id;
  if (!job) return name + " is not known to the batch system any more";
  if (job->state == JobState::pending) return name + " was put back into the queue";
  if (job->state == JobState::cancelled) return name + " was cancelled";
  if (job->state == JobState::completing) return name + " was ended";
  return name + " ended: " + job->reason;
}

std::int64_t limit_mins(const StoredComputeset& stored, const Config& config) {
  return stored.computeset.walltime_mins + config.slurm.grace_mins;
}

/// After a restart between submitting it and recording that.
void adopt(Draft& draft, msg::ComputesetId id, const BatchSnapshot& batch) {
  for (const auto& job : batch.jobs) {
    if (job.computeset_id != id || is_over(job) || job.state == JobState::unknown) continue;
    StoredComputeset& stored = draft.edit(id);
    stored.computeset.batch_job = job.job_id;
    stored.job_limit_mins = job.limit_mins;
    ++stored.job_count;
    return;
  }
}

/// A waiting computeset lost its job: it gets another one, unless a person cancelled it, or too
/// many failed.
void lose_job(Draft& draft, const StoredComputeset& before, const Job* job) {
  const auto id = before.computeset.computeset_id;
  const auto how = shown(before.computeset.batch_job, job);
  const bool is_cancelled = job && job->state == JobState::cancelled;
  if (is_cancelled || before.job_count >= draft.view().config().slurm.jobs_max)
    return end_computeset(draft, id, false, how);
  draft.edit(id).computeset.batch_job.clear();
  set_wait(draft, id, {.reason = WaitReason::job_missing, .detail = how});
}

bool has_graceful_stop(const Draft& draft, const StoredComputeset& stored) {
  return std::ranges::any_of(stored.computeset.nodes, [&](const msg::NodeId& id) {
    const auto* node = draft.node(id);
    return node && !node->host_id.empty() && (node->is_grant_on || node->is_graceful);
  });
}

/// An operator changed the limit of the job: the walltime follows.
void follow_limit(Draft& draft, const StoredComputeset& before, const Job& job) {
  const auto& config = draft.view().config();
  const bool is_settled = before.job_limit_mins == limit_mins(before, config);
  if (!is_settled || job.limit_mins == 0 || job.limit_mins == before.job_limit_mins) return;
  StoredComputeset& stored = draft.edit(before.computeset.computeset_id);
  stored.job_limit_mins = job.limit_mins;
  stored.computeset.walltime_mins =
      std::max<std::int64_t>(1, job.limit_mins - config.slurm.grace_mins);
}

void follow_job(Draft& draft, const StoredComputeset& before, const BatchSnapshot& batch) {
  const auto& computeset = before.computeset;
  const auto id = computeset.computeset_id;
  if (computeset.batch_job.empty()) {
    if (computeset.state == ComputesetState::submitted) adopt(draft, id, batch);
    return;
  }
  const auto* job = batch.find(computeset.batch_job);
  if (job && job->state == JobState::unknown) return;
  const bool is_waiting = computeset.state == ComputesetState::submitted;
  const bool is_lost = !job || is_over(*job) || (!is_waiting && job->state == JobState::pending);
  if (!is_lost) return follow_limit(draft, before, *job);
  if (is_waiting && job && job->state == JobState::completing) return;  // how it ended is not known
  if (is_waiting) return lose_job(draft, before, job);
  // Its hosts are others' now.
  if (computeset.state == ComputesetState::running || has_graceful_stop(draft, before))
    end_computeset(draft, id, false, shown(computeset.batch_job, job));
}

/// The hosts of each job that a computeset has.
std::map<msg::HostId, msg::ComputesetId> hosts_of_jobs(const Draft& draft,
                                                       const BatchSnapshot& batch) {
  std::map<msg::HostId, msg::ComputesetId> holders;
  for (const auto& job : batch.jobs) {
    const auto* stored = draft.computeset(job.computeset_id);
    const bool has_hosts = job.state == JobState::preparing || job.state == JobState::ready;
    if (!has_hosts || !stored || stored->computeset.batch_job != job.job_id) continue;
    for (const auto& host_id : job.hosts) holders[host_id] = job.computeset_id;
  }
  return holders;
}

void follow_nodes(Draft& draft, const BatchSnapshot& batch) {
  const auto holders = hosts_of_jobs(draft, batch);
  for (const auto& [id, host] : draft.view().hosts()) {
    const auto node = batch.nodes.find(id);
    const bool is_batch = node != batch.nodes.end();
    const auto holder = holders.find(id);
    const auto job_computeset_id = is_batch && holder != holders.end() ? holder->second : 0;
    const auto state = is_batch ? node->second.state : "";
    const auto reason = is_batch ? node->second.reason : "";
    if (host.batch_state == state && host.batch_reason == reason &&
        host.job_computeset_id == job_computeset_id)
      continue;
    StoredHost& changed = draft.edit(id);
    changed.batch_state = state;
    changed.batch_reason = reason;
    changed.job_computeset_id = job_computeset_id;
  }
}

/// It has what it needs but hosts: until then a job would keep hosts idle.
bool can_use_hosts(const View& view, const StoredComputeset& stored) {
  return std::ranges::none_of(stored.computeset.nodes, [&](const msg::NodeId& id) {
    const auto* node = view.node(id);
    return !node || is_missing_something(*node) || !node->host_id.empty();
  });
}

/// It has joined, and is of the right class.
bool may_use(const StoredHost* host, const msg::Computeset& computeset) {
  return host && host->host_class == computeset.host_class;
}

JobRequest request_of(const Draft& draft, const BatchSnapshot& batch,
                      const StoredComputeset& stored) {
  const auto& config = draft.view().config();
  const auto& computeset = stored.computeset;
  const auto count = computeset.nodes.size();
  JobRequest request{.computeset_id = computeset.computeset_id,
                     .host_count_min = static_cast<std::uint32_t>(node_count_min(stored, count)),
                     .host_count_max = static_cast<std::uint32_t>(count),
                     .limit_mins = limit_mins(stored, config),
                     .reservation = computeset.reservation,
                     .account = computeset.allocation_id.value};
  std::set<msg::HostId> hosts;
  std::int64_t vcpus = 1;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& node = *draft.node(computeset.nodes[i]);
    vcpus = std::max(vcpus, node.size.cpus);
    const auto& disk_host_id = disk_place_of(node).host_id;
    const auto& host_id = disk_host_id.empty() ? requested_host(stored, i) : disk_host_id;
    if (!host_id.empty()) hosts.insert(host_id);
  }
  request.cpus_per_host = (vcpus + config.cpu_overcommit - 1) / config.cpu_overcommit;
  request.hosts = {hosts.begin(), hosts.end()};
  for (const auto& [id, node] : batch.nodes)
    if (!may_use(draft.host(id), computeset)) request.excluded.push_back(id);
  return request;
}

void add_job_actions(const View& view, const BatchSnapshot& batch,
                     std::vector<JobAction>& actions) {
  for (const auto& [id, stored] : view.computesets()) {
    const auto& computeset = stored.computeset;
    if (computeset.state == ComputesetState::submitted && computeset.batch_job.empty()) {
      if (can_use_hosts(view, stored) && !is_too_large_for(view, batch, stored))
        actions.push_back(SubmitJob{request_of(Draft{view, 0}, batch, stored)});
      continue;
    }
    const auto* job = batch.find(computeset.batch_job);
    const auto wanted_mins = limit_mins(stored, view.config());
    if (job && !is_over(*job) && computeset.state != ComputesetState::ending &&
        stored.job_limit_mins != wanted_mins)
      actions.push_back(
          ChangeJobLimit{.computeset_id = id, .job_id = job->job_id, .limit_mins = wanted_mins});
  }
  for (const auto& job : batch.jobs) {
    const auto* stored = view.computeset(job.computeset_id);
    if (!is_over(job) && (!stored || stored->computeset.batch_job != job.job_id))
      actions.push_back(CancelJob{job.job_id});
  }
}

void add_node_actions(const View& view, const BatchSnapshot& batch,
                      std::vector<JobAction>& actions) {
  for (const auto& [id, node] : batch.nodes) {
    const auto* host = view.host(id);
    if (!host) continue;
    const bool is_ours = node.reason.starts_with(drain_prefix);
    if (host->is_drained && !node.is_drained)
      actions.push_back(DrainBatchNode{
          .host_id = id,
          .reason = std::string(drain_prefix) +
                    (host->drain_reason.empty() ? "by the operator" : host->drain_reason)});
    if (!host->is_drained && node.is_drained && is_ours) actions.push_back(ResumeBatchNode{id});
  }
}

}  // namespace

const Job* BatchSnapshot::find(const std::string& job_id) const {
  const auto found = std::ranges::find(jobs, job_id, &Job::job_id);
  return found == jobs.end() ? nullptr : &*found;
}

bool is_too_large_for(const View& view, const BatchSnapshot& batch,
                      const StoredComputeset& stored) {
  const auto usable = std::ranges::count_if(batch.nodes, [&](const auto& node) {
    return may_use(view.host(node.first), stored.computeset);
  });
  return static_cast<std::size_t>(usable) < node_count_min(stored, stored.computeset.nodes.size());
}

Plan plan_jobs(const View& view, const BatchSnapshot& batch, std::int64_t now_unix_ms) {
  if (!batch.is_known || !batch.fault.empty()) return {};
  Draft draft{view, now_unix_ms};
  for (const auto& [id, stored] : view.computesets()) follow_job(draft, stored, batch);
  follow_nodes(draft, batch);
  return finish(draft);
}

std::vector<JobAction> job_actions(const View& view, const BatchSnapshot& batch) {
  std::vector<JobAction> actions;
  if (!batch.is_known || !batch.fault.empty()) return actions;
  add_job_actions(view, batch, actions);
  add_node_actions(view, batch, actions);
  return actions;
}

std::optional<JobRequest> job_of_start(const View& view, const BatchSnapshot& batch, Plan start,
                                       std::int64_t now_unix_ms) {
  const auto id = *start.changes.computeset_count;
  Draft draft{view, now_unix_ms};
  draft.changes() = std::move(start.changes);
  const auto& stored = *draft.computeset(id);
  const bool waits = stored.computeset.state == ComputesetState::submitted;
  if (!waits || is_too_large_for(view, batch, stored)) return std::nullopt;
  return request_of(draft, batch, stored);
}

Plan plan_job_submitted(const View& view, const JobRequest& request,
                        const core::Result<std::string>& job_id, std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  const auto id = request.computeset_id;
  const auto* before = view.computeset(id);
  if (!before || before->computeset.state != ComputesetState::submitted) return {};
  if (job_id) {
    StoredComputeset& stored = draft.edit(id);
    stored.computeset.batch_job = *job_id;
    stored.job_limit_mins = request.limit_mins;
    ++stored.job_count;
    set_wait(draft, id, {.reason = WaitReason::job_pending, .subject = *job_id});
  } else if (job_id.error().code == core::ErrorCode::invalid_argument) {
    end_computeset(draft, id, false, "the batch system refused its job: " + job_id.error().detail);
  } else {
    set_wait(draft, id, {.reason = WaitReason::job_missing, .detail = job_id.error().detail});
  }
  return finish(draft);
}

Plan plan_job_limit_changed(const View& view, const ChangeJobLimit& change,
                            std::int64_t now_unix_ms) {
  const auto* before = view.computeset(change.computeset_id);
  if (!before || before->computeset.batch_job != change.job_id) return {};
  Draft draft{view, now_unix_ms};
  draft.edit(change.computeset_id).job_limit_mins = change.limit_mins;
  return finish(draft);
}

}  // namespace nucleus::scheduler
