// The scheduler's lists.
#include <algorithm>

#include "services/scheduler/keys.hpp"
#include "services/scheduler/service.hpp"
#include "services/scheduler/statuses.hpp"

namespace nucleus::scheduler {

namespace {

constexpr std::size_t entries_max = 1'000;

bool is_visible(const std::vector<msg::ProjectId>& projects, bool is_operator,
                const msg::ProjectId& project) {
  return is_operator || std::ranges::find(projects, project) != projects.end();
}

/// It ran at some moment of the period.
bool ran_within(const msg::Computeset& computeset, const Period& period) {
  return computeset.start_unix_s != 0 && computeset.start_unix_s < period.to_unix_s &&
         (computeset.end_unix_s == 0 || computeset.end_unix_s >= period.from_unix_s);
}

}  // namespace

core::Result<msg::Hosts> Service::list_hosts(const msg::ListHosts&, core::Context& context) {
  msg::Hosts reply;
  const auto now_ms = loop_.steady_ms();
  for (const auto& [id, stored] : view_.hosts()) {
    auto host = status_of(stored, view_.pool().find(id)->used);
    host.last_heartbeat_unix_ms =
        context.now_unix_ms() - (now_ms - heartbeats_.heard_ms(id, now_ms));
    reply.hosts.push_back(std::move(host));
  }
  return reply;
}

core::Result<msg::NodeStatuses> Service::list_node_statuses(const msg::ListNodeStatuses& request,
                                                            core::Context&) {
  msg::NodeStatuses reply;
  for (const auto& [cluster_id, nodes] : view_.nodes_by_cluster()) {
    if (!request.cluster_id.empty() && cluster_id != request.cluster_id) continue;
    for (const auto& [index, id] : nodes) {
      const auto& node = *view_.node(id);
      reply.nodes.push_back(status_of(node, view_.computeset(node.computeset_id)));
    }
  }
  return reply;
}

core::Result<msg::Computesets> Service::list_computesets(const msg::ListComputesets& request,
                                                         core::Context&) {
  msg::Computesets reply;
  const auto take = [&](const StoredComputeset& stored) {
    const auto& computeset = stored.computeset;
    const bool is_wanted =
        request.states.empty() ||
        std::ranges::find(request.states, computeset.state) != request.states.end();
    if (is_wanted && is_visible(request.projects, request.is_operator, computeset.project_id))
      reply.computesets.push_back(computeset);
  };
  if (request.computeset_id == 0) {
    store_.for_each<StoredComputeset>(keys::computesets(), take);
    return reply;
  }
  if (const auto* stored = store_.read(keys::computeset(request.computeset_id))) take(*stored);
  if (reply.computesets.empty())
    return core::refuse(core::ErrorCode::not_found,
                        "no such computeset: " + std::to_string(request.computeset_id),
                        "computeset_id");
  return reply;
}

/// What is used includes what runs now, up to this second.
core::Result<msg::Allocations> Service::list_allocations(const msg::ListAllocations&,
                                                         core::Context& context) {
  std::map<msg::AllocationId, msg::Allocation> all;
  for (const auto& [id, stored] : view_.allocations()) all[id] = stored.allocation;
  for (const auto id : view_.active()) {
    const auto& stored = *view_.computeset(id);
    auto& payer = all[stored.computeset.allocation_id];
    payer.allocation_id = stored.computeset.allocation_id;
    if (payer.project_id.empty()) payer.project_id = stored.computeset.project_id;
    payer.used_core_s += charge_core_s(stored.rates, context.now_unix_s());
  }
  msg::Allocations reply;
  for (auto& [id, allocation] : all) reply.allocations.push_back(std::move(allocation));
  return reply;
}

core::Result<msg::Usage> Service::list_usage(const msg::ListUsage& request,
                                             core::Context& context) {
  if (request.from_unix_s < 0 || request.to_unix_s < 0)
    return std::unexpected(msg::invalid("from_unix_s", "a time must not be negative"));
  Period period{.from_unix_s = request.from_unix_s};
  if (request.to_unix_s != 0) period.to_unix_s = request.to_unix_s;
  msg::Usage reply;
  store_.for_each<StoredComputeset>(keys::computesets(), [&](const StoredComputeset& stored) {
    const auto& computeset = stored.computeset;
    const bool is_wanted =
        computeset.computeset_id > request.after && ran_within(computeset, period) &&
        is_visible(request.projects, request.is_operator, computeset.project_id) &&
        (request.allocation_id.empty() || computeset.allocation_id == request.allocation_id);
    if (!is_wanted || reply.is_more) return;
    if (reply.entries.size() == entries_max) {
      reply.is_more = true;
      return;
    }
    const auto until_unix_s =
        computeset.end_unix_s == 0 ? context.now_unix_s() : computeset.end_unix_s;
    reply.entries.push_back({.computeset_id = computeset.computeset_id,
                             .project_id = computeset.project_id,
                             .cluster_id = computeset.cluster_id,
                             .allocation_id = computeset.allocation_id,
                             .node_count = static_cast<std::uint32_t>(computeset.nodes.size()),
                             .cores = static_cast<std::uint64_t>(stored.cores),
                             .start_unix_s = computeset.start_unix_s,
                             .end_unix_s = computeset.end_unix_s,
                             .used_core_s = charge_core_s(stored.rates, until_unix_s, period)});
  });
  return reply;
}

}  // namespace nucleus::scheduler
