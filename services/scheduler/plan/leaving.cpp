#include "services/scheduler/plan/leaving.hpp"

#include <algorithm>

#include "services/scheduler/plan/placements.hpp"
#include "services/scheduler/states/computeset_state.hpp"

namespace nucleus::scheduler {

using msg::ComputesetState;

void start_leaving(Draft& draft, const msg::NodeId& id, bool is_graceful) {
  stop(draft, id, is_graceful);
  StoredNode& node = draft.edit(id);
  node.is_leaving = true;
  if (node.host_id.empty()) leave(draft, id, draft.now_unix_s());
}

void leave(Draft& draft, const msg::NodeId& id, std::int64_t off_unix_s) {
  StoredNode& node = draft.edit(id);
  node.is_leaving = false;
  StoredComputeset& stored = draft.edit(node.computeset_id);
  auto& computeset = stored.computeset;
  auto& nodes = computeset.nodes;
  if (nodes.size() == 1) {
    if (computeset.state != ComputesetState::running) return;
    computeset.state = next_state(computeset.state, ComputesetEvent::ended);
    computeset.reason = "its last node left";
    return;
  }
  const auto at = std::ranges::find(nodes, id) - nodes.begin();
  if (!stored.hosts.empty()) stored.hosts.erase(stored.hosts.begin() + at);
  nodes.erase(nodes.begin() + at);
  stored.cores -= node.size.cpus;
  stored.memory_mb -= node.size.memory_mb;
  // A host whose clock is behind may have seen it last before it was placed.
  const auto until_unix_s = std::max(off_unix_s, node.placed_unix_s);
  add_resources(stored.rates, until_unix_s, Resources{} - node.size);
  stored.off_unix_s = std::max(stored.off_unix_s, until_unix_s);
  node.computeset_id = 0;
}

std::string is_leaving_text(const StoredNode& node) {
  return node.definition.name + " leaves computeset " + std::to_string(node.computeset_id) +
         ": it can be started when it is off";
}

}  // namespace nucleus::scheduler
