#include "services/scheduler/batch_backend.hpp"

#include "services/scheduler/placement.hpp"
#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/queue.hpp"

namespace nucleus::scheduler {

void BatchBackend::place_submitted(Draft& draft) {
  for (const auto id : draft.view().submitted()) place(draft, id);
}

void BatchBackend::place(Draft& draft, msg::ComputesetId id) {
  const auto& stored = *draft.computeset(id);
  if (const Wait missing = missing_for_all(draft, stored); missing.reason != WaitReason::unknown)
    return set_wait(draft, id, missing);
  const auto* job = batch_.find(stored.computeset.batch_job);
  if (!job || job->state != JobState::ready)
    return set_wait(draft, id, wait_of(draft.view(), stored, job),
                    job ? job->expected_start_unix_s : 0);
  const auto needs = needs_of(draft, stored);
  if (const auto hosts = place_most(draft.pool(), needs, draft.search_steps_left()))
    return start_computeset(draft, id, *hosts);
  set_wait(draft, id, {.reason = WaitReason::job_full});
}

/// On hosts of its job that none of its nodes is on: those of nodes that left.
std::expected<std::vector<msg::HostId>, Wait> BatchBackend::find_more(
    Draft& draft, const StoredComputeset& stored, const Needs& needs) {
  auto& pool = draft.pool();
  for (const auto& [id, host] : draft.view().hosts())
    if (host.job_computeset_id == stored.computeset.computeset_id && is_open(host) &&
        !draft.view().nodes_on(id).empty())
      pool.take(id, pool.free(id));
  if (auto hosts = place_together(pool, needs.all, draft.search_steps_left()))
    return *std::move(hosts);
  return std::unexpected(
      Wait{.reason = WaitReason::job_full, .subject = stored.computeset.batch_job});
}

/// `job` is null if the last look did not show it.
Wait BatchBackend::wait_of(const View& view, const StoredComputeset& stored, const Job* job) const {
  const auto& job_id = stored.computeset.batch_job;
  if (!batch_.fault.empty())
    return {.reason = job_id.empty() ? WaitReason::job_missing : WaitReason::job_pending,
            .subject = job_id,
            .detail = "the batch system does not answer: " + batch_.fault};
  if (job_id.empty() && batch_.is_known && is_too_large_for(view, batch_, stored))
    return {.reason = WaitReason::too_large_for_all};
  // After a restart, nothing is known before the first look.
  const bool is_kept =
      job_id.empty() ? stored.wait.reason == WaitReason::job_missing : !job && !batch_.is_known;
  if (is_kept) return stored.wait;
  if (job_id.empty()) return {.reason = WaitReason::job_missing};
  const bool is_preparing = job && job->state == JobState::preparing;
  return {.reason = WaitReason::job_pending,
          .subject = job_id,
          .detail = is_preparing ? "its hosts are checked" : (job ? job->reason : "")};
}

}  // namespace nucleus::scheduler
