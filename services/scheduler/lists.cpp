// The scheduler's lists, page by page.
#include <algorithm>
#include <charconv>

#include "core/list/page_builder.hpp"
#include "services/scheduler/computeset_filter.hpp"
#include "services/scheduler/keys.hpp"
#include "services/scheduler/plan/budgets.hpp"
#include "services/scheduler/plan/isolation.hpp"
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

/// Encoded, of one node in a computeset's list of nodes: an id, which has 32 digits.
constexpr std::size_t node_bytes = 34;

std::size_t node_count_of(const View& view, msg::ComputesetId id) {
  if (const auto* stored = view.computeset(id)) return stored->computeset.nodes.size();
  return view.finished().find(id)->node_count;
}

/// The computesets of one page, and the cursor of the next page if they do not end the list.
struct IdPage {
  std::vector<msg::ComputesetId> ids = {};
  std::string next = {};
};

IdPage ids_of_page(const View& view, const ComputesetFilter& filter, msg::ComputesetId after,
                   const msg::Page& page) {
  const std::size_t limit = page.limit == 0 ? msg::page_entries_default : page.limit;
  const auto all = find_computesets(view, filter, after, limit + 1);
  IdPage found;
  // No more are read from the archive than fit into a reply.
  std::size_t bytes = 0;
  for (const auto id : all) {
    if (found.ids.size() == limit || (bytes > core::page_bytes_max && !found.ids.empty())) break;
    bytes += node_bytes * node_count_of(view, id);
    found.ids.push_back(id);
  }
  if (found.ids.size() < all.size()) found.next = std::to_string(found.ids.back());
  return found;
}

/// The filter for what is charged.
core::Result<ComputesetFilter> filter_of(const msg::ListUsage& request) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  const auto period = period_of(request.from_unix_s, request.to_unix_s);
  if (!period) return std::unexpected(period.error());
  return ComputesetFilter{.viewer = request.viewer,
                          .cluster_id = request.cluster_id,
                          .allocation_id = request.allocation_id,
                          .project_id = request.project_id,
                          .person_id = request.person_id,
                          .on_behalf_of = request.on_behalf_of,
                          .period = *period,
                          .is_charged = true};
}

/// Of a list of names, of which one may be empty: a cursor that is not empty.
std::string cursor_of(const std::string& name) {
  return "=" + name;
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
    host.node_count = static_cast<std::uint32_t>(view_.nodes_on(id).size());
    heartbeats_.describe(host);
    if (!page.add(std::move(host), id.value)) break;
  }
  return msg::Hosts{.hosts = page.take(), .next = page.next()};
}

core::Result<msg::ClusterIsolations> Service::list_isolations(const msg::ListIsolations& request,
                                                              core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  if (!request.cluster_id.empty())
    if (auto found = find_cluster(view_, request.viewer, request.cluster_id); !found)
      return std::unexpected(found.error());
  core::PageBuilder<msg::ClusterIsolation> page{request.page};
  const auto& clusters = view_.clusters();
  for (auto at = clusters.upper_bound({request.page.after}); at != clusters.end(); ++at) {
    const auto& [id, stored] = *at;
    const bool is_wanted = request.cluster_id.empty() || request.cluster_id == id;
    if (!is_wanted || !msg::sees(request.viewer, stored.cluster.project_id)) continue;
    auto isolation = isolation_of(view_, {}, stored);
    isolation.checked_unix_s = heartbeats_.checked_unix_s(hosts_of(view_, {}, id));
    if (!page.add(std::move(isolation), id.value)) break;
  }
  return msg::ClusterIsolations{.clusters = page.take(), .next = page.next()};
}

/// With what heartbeats alone say of it.
msg::NodeStatus Service::status_now(const StoredNode& node) const {
  auto status = status_of(node, view_.computeset(node.computeset_id));
  status.image_copy = heartbeats_.image_copy(node.host_id, node.definition.node_id);
  return status;
}

core::Result<msg::NodeStatuses> Service::list_node_statuses(const msg::ListNodeStatuses& request,
                                                            core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  if (!request.name.empty()) {
    const auto node =
        find_node(view_, request.viewer, {.cluster_id = request.cluster_id, .name = request.name});
    if (!node) return std::unexpected(node.error());
    return msg::NodeStatuses{.nodes = {status_now(**node)}};
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
      is_full =
          !page.add(status_now(node), request.cluster_id.empty() ? id.value + "/" + index : index);
    }
  }
  return msg::NodeStatuses{.nodes = page.take(), .next = page.next()};
}

/// What unfinished ones have now, and what the archive has of the others.
void Service::read_computesets(
    const std::vector<msg::ComputesetId>& ids,
    std::function<void(core::Result<std::vector<StoredComputeset>>)> done) {
  std::map<msg::ComputesetId, StoredComputeset> unfinished;
  std::vector<core::Key<StoredComputeset>> archived;
  for (const auto id : ids)
    if (const auto* stored = view_.computeset(id))
      unfinished[id] = *stored;
    else
      archived.push_back(keys::computeset(id));
  auto join = [ids, unfinished = std::move(unfinished), done = std::move(done)](
                  core::Result<std::vector<StoredComputeset>> finished) mutable {
    if (!finished) return done(std::unexpected(finished.error()));
    std::vector<StoredComputeset> all;
    auto next = finished->begin();
    for (const auto id : ids) {
      const auto found = unfinished.find(id);
      all.push_back(std::move(found == unfinished.end() ? *next++ : found->second));
    }
    done(std::move(all));
  };
  if (archived.empty()) return join(std::vector<StoredComputeset>{});
  store_.read_archived<StoredComputeset>(archived, std::move(join));
}

void Service::list_computesets(const msg::ListComputesets& request, core::Context&,
                               core::Responder<msg::Computesets> respond) {
  if (auto broken = msg::check(request.page)) return respond(std::unexpected(*broken));
  const auto period = period_of(request.from_unix_s, request.to_unix_s);
  if (!period) return respond(std::unexpected(period.error()));
  const auto after = number_in(request.page.after);
  if (!after) return respond(std::unexpected(after.error()));
  const ComputesetFilter filter{.viewer = request.viewer,
                                .states = request.states,
                                .cluster_id = request.cluster_id,
                                .period = *period};
  const auto id = request.computeset_id;
  auto [ids, next] = id == 0 ? ids_of_page(view_, filter, *after, request.page)
                             : IdPage{.ids = find_computesets(view_, filter, id - 1, 1)};
  if (id != 0 && (ids.empty() || ids.front() != id))
    return respond(std::unexpected(no_such_computeset(id)));
  read_computesets(ids, [respond, page = request.page, next = std::move(next)](
                            core::Result<std::vector<StoredComputeset>> found) {
    if (!found) return respond(std::unexpected(found.error()));
    core::PageBuilder<msg::Computeset> built{page};
    for (auto& stored : *found) {
      const auto key = std::to_string(stored.computeset.computeset_id);
      if (!built.add(std::move(stored.computeset), key)) break;
    }
    const auto& cursor = built.next().empty() ? next : built.next();
    respond(msg::Computesets{.computesets = built.take(), .next = cursor});
  });
}

core::Result<msg::Allocations> Service::list_allocations(const msg::ListAllocations& request,
                                                         core::Context& context) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  // One that was never defined is charged by a computeset that names it.
  std::map<msg::AllocationId, StoredAllocation> all;
  for (const auto& [id, stored] : view_.allocations())
    if (id.value > request.page.after) all[id] = stored;
  for (const auto id : view_.active()) {
    const auto& stored = *view_.computeset(id);
    const auto& payer_id = stored.computeset.allocation_id;
    if (payer_id.value <= request.page.after) continue;
    auto& payer = all[payer_id].allocation;
    payer.allocation_id = payer_id;
    if (payer.project_id.empty()) payer.project_id = stored.computeset.project_id;
  }
  core::PageBuilder<msg::Allocation> page{request.page};
  for (const auto& [id, stored] : all) {
    const bool is_named = request.allocations.empty() ||
                          std::ranges::find(request.allocations, id) != request.allocations.end();
    const bool is_wanted = is_named && msg::sees(request.viewer, stored.allocation.project_id);
    if (is_wanted && !page.add(allocation_shown(view_, stored, context.now_unix_s()), id.value))
      break;
  }
  return msg::Allocations{.allocations = page.take(), .next = page.next()};
}

core::Result<msg::Reservations> Service::list_reservations(const msg::ListReservations& request,
                                                           core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  const auto after = number_in(request.page.after);
  if (!after) return std::unexpected(after.error());
  const auto is_seen = [&](const msg::Reservation& reservation) {
    return reservation.project_id.empty() || msg::sees(request.viewer, reservation.project_id);
  };
  if (!request.name.empty()) {
    const auto* named = view_.reservation_named(request.name);
    if (named && is_seen(named->reservation))
      return msg::Reservations{.reservations = {named->reservation}};
    return core::refuse(core::ErrorCode::not_found,
                        "no such reservation: " + msg::shown(request.name), "name");
  }
  core::PageBuilder<msg::Reservation> page{request.page};
  const auto& all = view_.reservations();
  for (auto at = all.upper_bound(*after); at != all.end(); ++at)
    if (is_seen(at->second.reservation) &&
        !page.add(at->second.reservation, std::to_string(at->first)))
      break;
  return msg::Reservations{.reservations = page.take(), .next = page.next()};
}

void Service::list_usage(const msg::ListUsage& request, core::Context& context,
                         core::Responder<msg::Usage> respond) {
  const auto filter = filter_of(request);
  if (!filter) return respond(std::unexpected(filter.error()));
  const auto after = number_in(request.page.after);
  if (!after) return respond(std::unexpected(after.error()));
  auto [ids, next] = ids_of_page(view_, *filter, *after, request.page);
  read_computesets(ids, [this, respond, page = request.page, period = filter->period,
                         next = std::move(next), now_unix_s = context.now_unix_s()](
                            const core::Result<std::vector<StoredComputeset>>& found) {
    if (!found) return respond(std::unexpected(found.error()));
    core::PageBuilder<msg::UsageEntry> built{page};
    for (const auto& stored : *found)
      if (!built.add(usage_of(view_, stored, period, now_unix_s),
                     std::to_string(stored.computeset.computeset_id)))
        break;
    const auto& cursor = built.next().empty() ? next : built.next();
    respond(msg::Usage{.entries = built.take(), .next = cursor});
  });
}

void Service::sum_usage(const msg::SumUsage& request, core::Context& context,
                        core::Responder<msg::UsageTotals> respond) {
  if (auto broken = msg::check(request)) return respond(std::unexpected(*broken));
  const auto filter = filter_of(request.usage);
  if (!filter) return respond(std::unexpected(filter.error()));
  const auto& page = request.usage.page;
  if (!page.after.empty() && page.after.front() != '=')
    return respond(std::unexpected(not_a_cursor()));
  const auto sums = std::make_shared<UsageSums>(request.by, filter->period, context.now_unix_s());
  sums->add_all(view_, *filter);
  add_archived(sums, [sums, page, respond](const core::Result<void>& done) {
    if (!done) return respond(std::unexpected(done.error()));
    core::PageBuilder<msg::UsageTotal> built{page};
    const auto& totals = sums->totals();
    auto at = page.after.empty() ? totals.begin() : totals.upper_bound(page.after.substr(1));
    for (; at != totals.end(); ++at)
      if (!built.add(at->second, cursor_of(at->first))) break;
    respond(msg::UsageTotals{.totals = built.take(), .next = built.next()});
  });
}

/// Adds the finished computesets whose charge must be read from the archive.
void Service::add_archived(const std::shared_ptr<UsageSums>& sums,
                           std::function<void(core::Result<void>)> done) {
  const auto ids = sums->take_unread(core::archived_read_max);
  if (ids.empty()) return done({});
  read_computesets(ids, [this, sums, done = std::move(done)](
                            const core::Result<std::vector<StoredComputeset>>& found) {
    if (!found) return done(std::unexpected(found.error()));
    for (const auto& stored : *found) sums->add(stored);
    add_archived(sums, done);
  });
}

}  // namespace nucleus::scheduler
