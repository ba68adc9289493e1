#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

View::Occupancy Draft::occupancy(msg::ComputesetId id) const {
  auto nodes = view_.occupancy(id);
  const auto count = [&](const StoredNode* node, std::int64_t sign) {
    if (!node || node->computeset_id != id) return;
    const bool is_placed = !node->host_id.empty();
    nodes.placed += is_placed ? sign : 0;
    nodes.on += is_placed || node->is_desired_on ? sign : 0;
  };
  for (const auto& [node_id, node] : plan_.changes.nodes) {
    count(view_.node(node_id), -1);
    count(node ? &*node : nullptr, 1);
  }
  return nodes;
}

}  // namespace nucleus::scheduler
