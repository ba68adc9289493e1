// The scheduler's lists, page by page.
#include <algorithm>
#include <charconv>

#include "core/list/page_builder.hpp"
#include "services/scheduler/computeset_filter.hpp"
#include "services/scheduler/keys.hpp"
#include "services/scheduler/plan/lookups.hpp"
#include "services/scheduler/service.hpp"
#include "services/scheduler/statuses.hpp"

namespace nucleus::scheduler {

namespace {

core::Error not_a_cursor() {
  return msg::invalid("after", "after is not a cursor of this list");
}

/// A cursor that is a number; 0 if there is none.
core::Result<std::int64_t> number_in(const std::string& cursor) {
  std::int64_t number = 0;
  const auto* end = cursor.data() + cursor.size();
  const auto [stop, fault] = std::from_chars(cursor.data(), end, number);
  if (cursor.empty()) return 0;
  if (fault != std::errc{} || stop != end || number < 0) return std::unexpected(not_a_cursor());
  return number;
}

core::Result<Period> period_of(std::int64_t from_unix_s, std::int64_t to_unix_s) {
  if (from_unix_s < 0) return std::unexpected(msg::invalid("from_unix_s", "from is negative"));
  if (to_unix_s < 0) return std::unexpected(msg::invalid("to_unix_s", "to is negative"));
  Period period{.from_unix_s = from_unix_s};
  if (to_unix_s != 0) period.to_unix_s = to_unix_s;
  return period;
}

/// One more than fit into the page, so that it is known whether there is another.
std::size_t limit_of(const msg::Page& page) {
  return 1 + (page.limit == 0 ? msg::page_entries_default : page.limit);
}

msg::UsageEntry usage_of(const StoredComputeset& stored, const Period& period,
                         std::int64_t now_unix_s) {
  const auto& computeset = stored.computeset;
  const auto until_unix_s = computeset.end_unix_s == 0 ? now_unix_s : computeset.end_unix_s;
  return {.computeset_id = computeset.computeset_id,
          .project_id = computeset.project_id,
          .cluster_id = computeset.cluster_id,
          .allocation_id = computeset.allocation_id,
          .node_count = static_cast<std::uint32_t>(computeset.nodes.size()),
          .cores = static_cast<std::uint64_t>(stored.cores),
          .start_unix_s = computeset.start_unix_s,
          .end_unix_s = computeset.end_unix_s,
          .used_core_s = charge_core_s(stored.rates, until_unix_s, period)};
}

/// A place in a list of nodes by cluster, then by index.
struct Position {
  msg::ClusterId cluster_id = {};
  std::optional<std::uint32_t> index = {};  // none = before all its nodes
};

/// A cursor: an index in a list of one cluster's nodes, else CLUSTER/INDEX.
core::Result<Position> position_in(const std::string& cursor, const msg::ClusterId& only) {
  if (cursor.empty()) return Position{.cluster_id = only};
  const auto slash = cursor.find('/');
  const bool has_cluster = slash != std::string::npos;
  if (has_cluster != only.empty()) return std::unexpected(not_a_cursor());
  const auto number = has_cluster ? cursor.substr(slash + 1) : cursor;
  const auto index = number_in(number);
  if (!index || number.empty()) return std::unexpected(not_a_cursor());
  return Position{.cluster_id = has_cluster ? msg::ClusterId{cursor.substr(0, slash)} : only,
                  .index = static_cast<std::uint32_t>(*index)};
}

}  // namespace

core::Result<msg::Hosts> Service::list_hosts(const msg::ListHosts& request,
                                             core::Context& context) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  core::PageBuilder<msg::Host> page{request.page};
  const auto now_ms = loop_.steady_ms();
  const auto& hosts = view_.hosts();
  for (auto at = hosts.upper_bound({request.page.after}); at != hosts.end(); ++at) {
    const auto& [id, stored] = *at;
    auto host = status_of(stored, view_.pool().find(id)->used);
    const bool is_wanted = (request.host_id.empty() || request.host_id == id) &&
                           (request.states.empty() ||
                            std::ranges::find(request.states, host.state) != request.states.end());
    if (!is_wanted) continue;
    host.last_heartbeat_unix_ms =
        context.now_unix_ms() - (now_ms - heartbeats_.received_ms(id, now_ms));
    if (!page.add(std::move(host), id.value)) break;
  }
  return msg::Hosts{.hosts = page.take(), .next = page.next()};
}

core::Result<msg::NodeStatuses> Service::list_node_statuses(const msg::ListNodeStatuses& request,
                                                            core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  if (!request.name.empty()) {
    const auto node =
        find_node(view_, request.viewer, {.cluster_id = request.cluster_id, .name = request.name});
    if (!node) return std::unexpected(node.error());
    return msg::NodeStatuses{
        .nodes = {status_of(**node, view_.computeset((*node)->computeset_id))}};
  }
  const auto after = position_in(request.page.after, request.cluster_id);
  if (!after) return std::unexpected(after.error());
  core::PageBuilder<msg::NodeStatus> page{request.page};
  const auto& clusters = view_.nodes_by_cluster();
  bool is_full = false;
  for (auto cluster = clusters.lower_bound(after->cluster_id);
       cluster != clusters.end() && !is_full; ++cluster) {
    const auto& [id, nodes] = *cluster;
    if (!request.cluster_id.empty() && id != request.cluster_id) break;
    auto at =
        id == after->cluster_id && after->index ? nodes.upper_bound(*after->index) : nodes.begin();
    for (; at != nodes.end() && !is_full; ++at) {
      const auto& node = *view_.node(at->second);
      if (!msg::sees(request.viewer, node.definition.project_id)) continue;
      const auto index = std::to_string(at->first);
      is_full = !page.add(status_of(node, view_.computeset(node.computeset_id)),
                          request.cluster_id.empty() ? id.value + "/" + index : index);
    }
  }
  return msg::NodeStatuses{.nodes = page.take(), .next = page.next()};
}

core::Result<msg::Computesets> Service::list_computesets(const msg::ListComputesets& request,
                                                         core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  const auto period = period_of(request.from_unix_s, request.to_unix_s);
  if (!period) return std::unexpected(period.error());
  const auto after = number_in(request.page.after);
  if (!after) return std::unexpected(after.error());
  const ComputesetFilter filter{.viewer = request.viewer,
                                .states = request.states,
                                .cluster_id = request.cluster_id,
                                .period = *period};
  const auto id = request.computeset_id;
  const auto ids = id == 0 ? find_computesets(view_, filter, *after, limit_of(request.page))
                           : find_computesets(view_, filter, id - 1, 1);
  if (id != 0 && (ids.empty() || ids.front() != id)) return std::unexpected(no_such_computeset(id));
  core::PageBuilder<msg::Computeset> page{request.page};
  for (const auto each : ids)
    if (!page.add(store_.read(keys::computeset(each))->computeset, std::to_string(each))) break;
  return msg::Computesets{.computesets = page.take(), .next = page.next()};
}

core::Result<msg::Allocations> Service::list_allocations(const msg::ListAllocations& request,
                                                         core::Context& context) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  // One that was never defined is charged by a computeset that names it.
  std::map<msg::AllocationId, msg::Allocation> all;
  for (const auto& [id, stored] : view_.allocations())
    if (id.value > request.page.after) all[id] = stored.allocation;
  for (const auto id : view_.active()) {
    const auto& stored = *view_.computeset(id);
    const auto& payer_id = stored.computeset.allocation_id;
    if (payer_id.value <= request.page.after) continue;
    auto& payer = all[payer_id];
    payer.allocation_id = payer_id;
    if (payer.project_id.empty()) payer.project_id = stored.computeset.project_id;
    payer.used_core_s += charge_core_s(stored.rates, context.now_unix_s());
  }
  core::PageBuilder<msg::Allocation> page{request.page};
  for (auto& [id, allocation] : all) {
    const bool is_named = request.allocations.empty() ||
                          std::ranges::find(request.allocations, id) != request.allocations.end();
    const bool is_wanted = is_named && msg::sees(request.viewer, allocation.project_id);
    if (is_wanted && !page.add(std::move(allocation), id.value)) break;
  }
  return msg::Allocations{.allocations = page.take(), .next = page.next()};
}

core::Result<msg::Usage> Service::list_usage(const msg::ListUsage& request,
                                             core::Context& context) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  const auto period = period_of(request.from_unix_s, request.to_unix_s);
  if (!period) return std::unexpected(period.error());
  const auto after = number_in(request.page.after);
  if (!after) return std::unexpected(after.error());
  const ComputesetFilter filter{.viewer = request.viewer,
                                .allocation_id = request.allocation_id,
                                .period = *period,
                                .is_charged = true};
  core::PageBuilder<msg::UsageEntry> page{request.page};
  for (const auto id : find_computesets(view_, filter, *after, limit_of(request.page)))
    if (!page.add(usage_of(*store_.read(keys::computeset(id)), *period, context.now_unix_s()),
                  std::to_string(id)))
      break;
  return msg::Usage{.entries = page.take(), .next = page.next()};
}

}  // namespace nucleus::scheduler
