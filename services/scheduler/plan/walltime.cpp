#include "services/scheduler/plan/walltime.hpp"

#include "services/scheduler/plan/allocations.hpp"
#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/forecast.hpp"
#include "services/scheduler/plan/lookups.hpp"
#include "services/scheduler/plan/reservations.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;
using msg::ComputesetState;

namespace {

core::Result<void> check_reservations(const Draft& draft, const StoredComputeset& stored) {
  const auto* named = draft.reservation(stored.reservation_id);
  if (named && walltime_end_unix_s(stored.computeset) > named->reservation.end_unix_s)
    return core::refuse(ErrorCode::wrong_state,
                        "reservation " + named->reservation.name + " ends before that",
                        "walltime_mins");
  for (const auto& id : stored.computeset.nodes) {
    const auto* node = draft.node(id);
    if (!node || node->host_id.empty()) continue;
    const auto* host = draft.view().pool().find(node->host_id);
    if (!host || is_allowed(host->hold, need_of(draft, *node))) continue;
    return core::refuse(ErrorCode::wrong_state,
                        "a reservation begins on host " + node->host_id.value + " before that",
                        "walltime_mins");
  }
  return {};
}

core::Result<void> check_promises(Draft& draft) {
  if (draft.view().config().has_batch_system()) return {};  // it promises nothing
  for (const auto id : draft.view().submitted()) {
    const auto& waiting = *draft.computeset(id);
    const auto promised_unix_s = waiting.computeset.predicted_start_unix_s;
    if (promised_unix_s == 0) continue;
    const auto found = Outlook{draft}.place(needs_of(draft, waiting), draft.search_steps_left());
    if (found && found->start_unix_s <= std::max(promised_unix_s, draft.now_unix_s())) continue;
    return core::refuse(
        ErrorCode::wrong_state,
        "computeset " + std::to_string(id) + " waits for its hosts and would start later",
        "walltime_mins");
  }
  return {};
}

}  // namespace

core::Result<Plan> plan_change_walltime(const View& view, const msg::ChangeWalltime& request,
                                        std::int64_t now_unix_ms) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  const auto id = request.computeset_id;
  if (!is_computeset_visible(view, request.viewer, id))
    return std::unexpected(no_such_computeset(id));
  Draft draft{view, now_unix_ms};
  const auto* before = view.computeset(id);
  if (!before || before->computeset.state == ComputesetState::ending ||
      before->computeset.state == ComputesetState::hibernating)
    return core::refuse(ErrorCode::wrong_state, "computeset " + std::to_string(id) +
                                                    " has ended, is ending or hibernating");
  const bool is_running = before->computeset.state == ComputesetState::running;
  const auto ran = ran_s(before->computeset, draft.now_unix_s());
  if (ran > 0 && request.walltime_mins * 60 <= ran)
    return core::refuse(
        ErrorCode::invalid_argument,
        "it has run for " + std::to_string(ran / 60) + " minutes already: terminate it instead",
        "walltime_mins");
  const auto more_mins = request.walltime_mins - before->computeset.walltime_mins;
  StoredComputeset& stored = draft.edit(id);
  stored.computeset.walltime_mins = request.walltime_mins;
  if (auto allowed = check_more(draft, stored); more_mins > 0 && !allowed)
    return std::unexpected(allowed.error());
  stored.is_noticed = stored.is_noticed && more_mins <= 0;
  if (is_running && more_mins > 0) {
    if (auto allowed = check_reservations(draft, stored); !allowed)
      return std::unexpected(allowed.error());
    if (auto allowed = check_promises(draft); !allowed) return std::unexpected(allowed.error());
  }
  draft.want_pass();
  return finish(draft);
}

}  // namespace nucleus::scheduler
