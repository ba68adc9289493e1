#include "services/scheduler/plan/completion.hpp"

#include <algorithm>

#include "core/hostlist/hostlist.hpp"

namespace nucleus::scheduler {

void complete(Draft& draft, msg::ComputesetId id, ComputesetEvent event) {
  StoredComputeset& stored = draft.edit(id);
  auto& computeset = stored.computeset;
  std::int64_t end_unix_s = std::max(stored.off_unix_s, computeset.start_unix_s);
  std::vector<std::string> names;
  for (const auto& node_id : computeset.nodes) {
    if (!draft.node(node_id)) continue;
    StoredNode& node = draft.edit(node_id);
    end_unix_s = std::max(end_unix_s, node.off_unix_s);
    if (node.computeset_id == id) node.computeset_id = 0;
    names.push_back(node.definition.name);
  }
  stored.node_list = core::hostlist::collect(names);
  computeset.state = next_state(computeset.state, event);
  computeset.end_unix_s = end_unix_s;
  const auto* payer = draft.allocation(computeset.allocation_id);
  StoredAllocation charged = payer ? *payer
                                   : StoredAllocation{{.allocation_id = computeset.allocation_id,
                                                       .project_id = computeset.project_id}};
  charged.allocation.used_core_s += charged_core_s(stored, end_unix_s);
  const auto half_life_s = draft.view().config().usage_half_life_s;
  charged.recent_core_s =
      decayed(charged.recent_core_s, draft.now_unix_s() - charged.recent_unix_s, half_life_s) +
      charged_recent_core_s(stored, draft.now_unix_s(), half_life_s);
  charged.recent_unix_s = draft.now_unix_s();
  draft.changes().allocations[computeset.allocation_id] = std::move(charged);
}

}  // namespace nucleus::scheduler
