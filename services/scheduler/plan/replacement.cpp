#include "services/scheduler/plan/replacement.hpp"

#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/placements.hpp"

namespace nucleus::scheduler {

namespace {

/// Takes the room that it will have elsewhere, for this pass; otherwise returns why it stays.
std::string why_it_stays(Draft& draft, const StoredNode& node) {
  const auto attempts_max = draft.view().config().start_attempts_max;
  if (static_cast<std::int64_t>(node.start_failures.size()) >= attempts_max)
    return "it is tried on " + std::to_string(attempts_max) + " hosts at most";
  StoredNode moved = node;
  forget_fresh_disk(moved);
  const Need need = need_of(draft, moved);
  if (has_memory(node)) return "its memory is there";
  if (!need.host_id.empty()) return "its disk is there";
  const auto* found = draft.pool().find_roomiest(need, hosts_failed(node));
  if (!found) return "no other host has room";
  draft.pool().take(msg::HostId{*found}, need.size);
  return {};
}

}  // namespace

std::vector<msg::HostId> hosts_failed(const StoredNode& node) {
  std::vector<msg::HostId> hosts;
  for (const auto& failure : node.start_failures) hosts.push_back(failure.host_id);
  return hosts;
}

void replace_failing(Draft& draft) {
  for (const auto& id : draft.view().failing_nodes()) {
    const auto* node = draft.node(id);
    if (!node || !is_start_failing(*node)) continue;
    Wait wait{.reason = WaitReason::start_failed,
              .subject = node->host_id.value,
              .detail = why_it_stays(draft, *node)};
    const bool is_leaving = wait.detail.empty();
    if (is_leaving) {
      wait.detail = node->observed_reason;
      stop(draft, id, false);
      draft.edit(id).is_desired_on = true;
    }
    if (!(draft.node(id)->wait == wait)) draft.edit(id).wait = wait;
  }
}

}  // namespace nucleus::scheduler
