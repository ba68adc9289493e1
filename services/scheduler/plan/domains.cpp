#include "services/scheduler/plan/domains.hpp"

#include <algorithm>

#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/placements.hpp"

namespace nucleus::scheduler {

using msg::DomainState;

core::Result<Plan> plan_domain_change(const View& view, const msg::DomainChanged& event,
                                      const std::string& sender, std::int64_t now_unix_ms) {
  const auto* known = view.node(event.node_id);
  if (!known || known->host_id != event.host_id || known->epoch != event.epoch) return Plan{};
  const auto* host = view.host(event.host_id);
  if (!host || host->process != sender)
    return core::refuse(
        core::ErrorCode::forbidden,
        msg::shown(sender) + " is not the provisioner of host " + event.host_id.value);
  Draft draft{view, now_unix_ms};
  StoredNode& node = draft.edit(event.node_id);
  node.observed = event.state;
  node.observed_reason = event.reason;
  const bool is_ended = event.state == DomainState::shutoff ||
                        event.state == DomainState::crashed ||
                        (event.state == DomainState::absent && !node.is_grant_on);
  if (!is_ended) return finish(draft);
  if (node.is_grant_on) node.is_desired_on = false;  // it ended by itself
  const bool is_unwatched = event.last_seen_unix_ms > 0;
  const auto off_unix_s = is_unwatched
                              ? std::min(event.last_seen_unix_ms / 1000, draft.now_unix_s())
                              : draft.now_unix_s();
  const auto computeset_id = node.computeset_id;
  end_placement(draft, event.node_id, off_unix_s);
  // A provisioner that was only restarted leaves time to power them on again.
  if (is_unwatched && now_unix_ms - event.last_seen_unix_ms > view.config().host_lease_ms)
    end_deserted(draft, computeset_id);
  return finish(draft);
}

}  // namespace nucleus::scheduler
