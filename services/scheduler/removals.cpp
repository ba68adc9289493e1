// A compute node that its owner took away: stopped by force, and forgotten once it is off.
#include "services/scheduler/keys.hpp"
#include "services/scheduler/service.hpp"

namespace nucleus::scheduler {

using msg::ComputesetState;

core::Result<void> Service::forget_node(const msg::NodeRemoved& event, core::Context& context) {
  auto change = begin(context);
  const auto& node_id = event.node.node_id;
  const auto* found = change.tx.read(keys::node(node_id));
  if (!found) return {};
  const bool has_left =
      found->computeset_id != 0 && leave_computeset(change, *found, context.now_unix_ms());
  StoredNode node = *change.tx.read(keys::node(node_id));
  node.is_removed = true;
  if (has_left) node.computeset_id = 0;
  if (auto nodes = nodes_of_.find(event.node.cluster_id); nodes != nodes_of_.end())
    if (const auto at = nodes->second.find(event.node.index);
        at != nodes->second.end() && at->second == node_id)
      nodes->second.erase(at);
  peers_of_.erase(event.node.cluster_id);
  if (!node.host_id.empty()) {
    stop(change, std::move(node), false, context.now_unix_ms());
  } else {
    change.nodes.erase(node_id);
    change.tx.remove(keys::node(node_id));
    waiting_.erase(node_id);
  }
  return commit(change);
}

/// One that waits cannot start without the node and is cancelled; one that runs goes on without it,
/// at the price it began with, and ends where it was the last.
/// True where the set goes on without the node.
bool Service::leave_computeset(Change& change, const StoredNode& node, std::int64_t now_unix_ms) {
  const auto id = node.computeset_id;
  const auto* found = change.tx.read(keys::computeset(id));
  if (!found || found->computeset.state == ComputesetState::ending) return false;
  StoredComputeset stored = *found;
  const std::string reason = "node " + node.definition.name + " was removed";
  if (stored.computeset.state == ComputesetState::submitted ||
      stored.computeset.nodes.size() == 1) {
    end_computeset(change, std::move(stored), false, reason, now_unix_ms);
    return false;
  }
  const auto& node_id = node.definition.node_id;
  for (std::size_t i = 0; i < stored.computeset.nodes.size(); ++i)
    if (stored.computeset.nodes[i] == node_id && i < stored.hosts.size())
      stored.hosts.erase(stored.hosts.begin() + static_cast<std::ptrdiff_t>(i));
  std::erase(stored.computeset.nodes, node_id);
  stored.computeset.reason = reason;
  write_computeset(change, std::move(stored));
  return true;
}

}  // namespace nucleus::scheduler
