#include "services/scheduler/plan/adapters.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "services/scheduler/plan/finish.hpp"

namespace nucleus::scheduler {

namespace {

bool is_of(const StoredAdapterUse& use, const msg::NodeId& node_id, std::uint64_t epoch) {
  return use.node_id == node_id && use.epoch == epoch;
}

bool is_free(const StoredHost& host, const msg::Adapter& adapter) {
  return std::ranges::none_of(host.adapter_uses, [&](const StoredAdapterUse& use) {
    return use.adapter.pci_address == adapter.pci_address;
  });
}

/// Of each NUMA cell of the host, how many sets of adapters are free.
std::map<std::int32_t, std::int64_t> sets_by_cell(const StoredHost& host,
                                                  const std::vector<msg::FabricLease>& fabrics) {
  std::map<std::int32_t, std::map<std::string, std::int64_t>> free;
  for (const auto& adapter : host.adapters)
    if (is_free(host, adapter)) ++free[adapter.numa_node][adapter.fabric];
  std::map<std::int32_t, std::int64_t> sets;
  for (auto& [cell, counts] : free) {
    auto& least = sets[cell];
    least = static_cast<std::int64_t>(host.adapters.size());
    for (const auto& lease : fabrics) least = std::min(least, counts[lease.fabric]);
  }
  return sets;
}

/// The first free one on the fabric, of this cell if it has one; null if there is none.
const msg::Adapter* pick(const StoredHost& host, const std::string& fabric, std::int32_t cell) {
  const msg::Adapter* picked = nullptr;
  for (const auto& adapter : host.adapters) {
    if (adapter.fabric != fabric || !is_free(host, adapter)) continue;
    if (adapter.numa_node == cell) return &adapter;
    if (!picked) picked = &adapter;
  }
  return picked;
}

}  // namespace

void lease_adapters(Draft& draft, StoredNode& node) {
  node.adapters.clear();
  node.has_joined = false;
  node.joining_reason.clear();
  if (node.size.adapters == 0) return;
  StoredHost& host = draft.edit(node.host_id);
  const auto sets = sets_by_cell(host, node.fabrics);
  const auto roomiest = std::ranges::max_element(
      sets, {}, [](const auto& entry) { return entry.second; });  // the first of equals
  const auto cell = roomiest == sets.end() ? -1 : roomiest->first;
  for (const auto& lease : node.fabrics) {
    const auto* adapter = pick(host, lease.fabric, cell);
    if (!adapter) {
      node.joining_reason = "its host has no free adapter on fabric " + lease.fabric;
      continue;
    }
    node.adapters.push_back({.adapter = *adapter, .pkey = lease.pkey});
    host.adapter_uses.push_back(
        {.adapter = *adapter, .node_id = node.definition.node_id, .epoch = node.epoch});
  }
}

void release_adapters(Draft& draft, StoredNode& node) {
  if (node.adapters.empty()) return;
  for (auto& use : draft.edit(node.host_id).adapter_uses)
    if (is_of(use, node.definition.node_id, node.epoch)) use.is_leaving = true;
  node.adapters.clear();
  node.has_joined = false;
  node.joining_reason.clear();
}

Plan plan_partitions_joined(const View& view, const msg::PartitionsJoined& event,
                            std::int64_t now_unix_ms) {
  const auto* before = view.node(event.node_id);
  const bool is_current = before && !before->host_id.empty() && before->epoch == event.epoch;
  if (!is_current || before->has_joined || before->adapters.size() < before->fabrics.size())
    return {};
  Draft draft{view, now_unix_ms};
  StoredNode& node = draft.edit(event.node_id);
  node.has_joined = event.reason.empty();
  node.joining_reason = event.reason;
  if (node.has_joined) draft.change_grant(node);
  return finish(draft);
}

Plan plan_partitions_left(const View& view, const msg::PartitionsLeft& event,
                          std::int64_t now_unix_ms) {
  const auto has_left = [&](const StoredAdapterUse& use) {
    return use.is_leaving && is_of(use, event.node_id, event.epoch);
  };
  for (const auto& [id, host] : view.hosts()) {
    if (std::ranges::none_of(host.adapter_uses, has_left)) continue;
    Draft draft{view, now_unix_ms};
    std::erase_if(draft.edit(id).adapter_uses, has_left);
    return finish(draft);
  }
  return {};
}

}  // namespace nucleus::scheduler
