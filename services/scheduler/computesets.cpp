// Computesets: nodes of a cluster started and ended together, and the allocations that pay.
#include <algorithm>

#include "core/log/log.hpp"
#include "services/scheduler/charge.hpp"
#include "services/scheduler/keys.hpp"
#include "services/scheduler/node_state.hpp"
#include "services/scheduler/service.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;
using msg::ComputesetState;

core::Result<msg::Computeset> Service::start_computeset(const msg::StartComputeset& request,
                                                        core::Context& context) {
  if (auto broken = msg::check(request)) return std::unexpected(*broken);
  auto nodes = pick_nodes(request);
  if (!nodes) return std::unexpected(nodes.error());
  if (auto cleared = check_cleared(nodes->front().definition.project_id); !cleared)
    return std::unexpected(cleared.error());
  auto allocation_id = pick_allocation(request);
  if (!allocation_id) return std::unexpected(allocation_id.error());
  for (const auto& host_id : request.hosts)
    if (!store_.read(keys::host(host_id)))
      return core::refuse(ErrorCode::invalid_argument, "no host " + msg::shown(host_id.value),
                          "hosts");

  auto change = begin(context);
  const auto* count = change.tx.read(keys::computeset_count());
  const std::int64_t id = (count ? count->count : 0) + 1;
  StoredComputeset stored{
      .computeset = {.computeset_id = id,
                     .cluster_id = request.cluster_id,
                     .project_id = nodes->front().definition.project_id,
                     .state = ComputesetState::submitted,
                     .allocation_id = *allocation_id,
                     .reservation = request.reservation,
                     .walltime_mins =
                         request.walltime_mins ? request.walltime_mins : msg::walltime_default_mins,
                     .created_unix_s = context.now_unix_s()},
      .hosts = request.hosts};
  for (const auto& node : *nodes) {
    stored.computeset.nodes.push_back(node.definition.node_id);
    stored.cores += node.definition.cpus;
  }
  const std::int64_t wanted_core_s = stored.cores * stored.computeset.walltime_mins * 60;
  if (auto allowed = check_allocation(*allocation_id, wanted_core_s); !allowed)
    return std::unexpected(allowed.error());

  change.tx.write(keys::computeset_count(), StoredCount{id});
  write_computeset(change, stored);
  for (auto& node : *nodes) {
    node.computeset_id = id;
    write_node(change, node);
  }
  place_waiting(change, context.now_unix_s());
  return commit(change, change.tx.read(keys::computeset(id))->computeset);
}

/// The nodes named, or the first free ones: each a compute of this cluster in no unfinished
/// computeset.
core::Result<std::vector<StoredNode>> Service::pick_nodes(
    const msg::StartComputeset& request) const {
  const auto cluster = nodes_of_.find(request.cluster_id);
  if (cluster == nodes_of_.end())
    return core::refuse(ErrorCode::not_found, "no cluster " + msg::shown(request.cluster_id.value),
                        "cluster");
  std::vector<StoredNode> picked;
  std::set<msg::NodeId> seen;
  for (const auto& node_id : request.nodes) {
    if (!seen.insert(node_id).second)
      return core::refuse(ErrorCode::invalid_argument, "a node is named twice", "computes");
    auto node = free_compute(request.cluster_id, node_id);
    if (!node) return std::unexpected(node.error());
    picked.push_back(std::move(*node));
  }
  if (!request.nodes.empty()) return picked;
  std::uint32_t free_count = 0;
  for (const auto& [index, node_id] : cluster->second) {
    auto node = free_compute(request.cluster_id, node_id);
    if (!node || node->state == msg::NodeState::active) continue;
    ++free_count;
    if (picked.size() < request.count) picked.push_back(std::move(*node));
  }
  if (request.count == 0 || picked.size() < request.count)
    return core::refuse(ErrorCode::invalid_argument,
                        "There are " + std::to_string(free_count) +
                            " nodes available for starting. Requested number should be greater "
                            "than zero.",
                        "count");
  return picked;
}

core::Result<StoredNode> Service::free_compute(const msg::ClusterId& cluster_id,
                                               const msg::NodeId& node_id) const {
  const auto* node = store_.read(keys::node(node_id));
  if (!node || node->definition.cluster_id != cluster_id || node->is_removed)
    return core::refuse(ErrorCode::invalid_argument, "a node is not of this cluster", "computes");
  if (node->definition.kind != msg::NodeKind::compute)
    return core::refuse(ErrorCode::invalid_argument, node->definition.name + " is no compute node",
                        "computes");
  if (node->computeset_id == 0) return *node;
  const auto* stored = store_.read(keys::computeset(node->computeset_id));
  return core::refuse(
      ErrorCode::invalid_argument,
      node->definition.name + " is in computeset " + std::to_string(node->computeset_id) + " (" +
          std::string(msg::name_of(stored ? stored->computeset.state : ComputesetState::unknown)) +
          ")",
      "computes");
}

core::Result<msg::AllocationId> Service::pick_allocation(
    const msg::StartComputeset& request) const {
  const auto* stored = store_.read(keys::cluster(request.cluster_id));
  if (!stored) return core::refuse(ErrorCode::not_found, "no such cluster", "cluster");
  const auto& allocations = stored->cluster.allocations;
  if (request.allocation_id.empty()) {
    if (allocations.size() == 1) return allocations.front();
    return core::refuse(ErrorCode::invalid_argument, "Please specify the allocation", "allocation");
  }
  if (std::ranges::find(allocations, request.allocation_id) == allocations.end())
    return core::refuse(ErrorCode::invalid_argument,
                        "Allocation " + msg::shown(request.allocation_id.value) +
                            " does not belong to the cluster.",
                        "allocation");
  return request.allocation_id;
}

/// Refused where what is used, what unfinished computesets may still use, and this one are more
/// than the limit.
core::Result<void> Service::check_allocation(const msg::AllocationId& id,
                                             std::int64_t core_s) const {
  const auto* stored = store_.read(keys::allocation(id));
  if (!stored || stored->allocation.limit_core_s == 0) return {};
  std::int64_t left = stored->allocation.limit_core_s - stored->allocation.used_core_s;
  for (const auto* unfinished : {&submitted_, &active_})
    for (const auto computeset_id : *unfinished)
      if (const auto* other = store_.read(keys::computeset(computeset_id));
          other && other->computeset.allocation_id == id)
        left -= other->cores * other->computeset.walltime_mins * 60;
  if (core_s <= left) return {};
  return core::refuse(ErrorCode::no_capacity,
                      "allocation " + id.value + " has " +
                          std::to_string(std::max<std::int64_t>(left, 0)) +
                          " core-seconds left, this needs " + std::to_string(core_s),
                      "allocation");
}

void Service::place_computesets(Change& change, std::vector<HostRoom>& free,
                                std::int64_t now_unix_s) {
  const auto submitted = submitted_;
  for (const auto id : submitted) {
    StoredComputeset stored = *change.tx.read(keys::computeset(id));
    std::vector<Need> needs;
    std::string missing;
    for (std::size_t i = 0; i < stored.computeset.nodes.size(); ++i) {
      const auto& node = *change.tx.read(keys::node(stored.computeset.nodes[i]));
      if (missing.empty() && !what_is_missing(node).empty())
        missing = node.definition.name + " " + what_is_missing(node);
      if (missing.empty() && !node.host_id.empty()) missing = node.definition.name + " still runs";
      needs.push_back({.cpus = node.definition.cpus,
                       .memory_mb = static_cast<std::int64_t>(node.definition.memory_mb),
                       .host_id = stored.hosts.empty() ? msg::HostId{} : stored.hosts[i]});
    }
    const auto hosts = missing.empty() ? place_together(free, needs) : std::nullopt;
    if (!hosts) {
      const std::string reason =
          missing.empty() ? "waits for hosts with room for all its nodes" : missing;
      if (stored.computeset.reason == reason) continue;
      stored.computeset.reason = reason;
      write_computeset(change, std::move(stored));
      continue;
    }
    stored.computeset.state = ComputesetState::running;
    stored.computeset.reason.clear();
    stored.computeset.start_unix_s = now_unix_s;
    const auto nodes = stored.computeset.nodes;
    write_computeset(change, std::move(stored));
    for (std::size_t i = 0; i < nodes.size(); ++i)
      place(change, *change.tx.read(keys::node(nodes[i])), (*hosts)[i]);
  }
}

core::Result<msg::Computeset> Service::power_computeset(const msg::PowerComputeset& request,
                                                        core::Context& context) {
  auto change = begin(context);
  const auto key = keys::computeset(request.computeset_id);
  const auto* found = change.tx.read(key);
  if (!found)
    return core::refuse(ErrorCode::not_found,
                        "no computeset " + std::to_string(request.computeset_id), "computeset_id");
  const StoredComputeset stored = *found;
  const bool is_unfinished = submitted_.contains(request.computeset_id) ||
                             stored.computeset.state == ComputesetState::running;
  switch (request.action) {
    case msg::PowerAction::poweroff:
    case msg::PowerAction::shutdown:
      // Asked once more while it ends, by force this time: its nodes are.
      if (is_unfinished || stored.computeset.state == ComputesetState::ending)
        end_computeset(change, stored, request.action == msg::PowerAction::shutdown, "",
                       context.now_unix_ms());
      return commit(change, change.tx.read(key)->computeset);
    case msg::PowerAction::reboot:
    case msg::PowerAction::reset:
      if (stored.computeset.state != ComputesetState::running)
        return core::refuse(
            ErrorCode::wrong_state,
            "computeset " + std::to_string(request.computeset_id) + " is not running");
      for (const auto& node_id : stored.computeset.nodes) {
        const StoredNode node = *change.tx.read(keys::node(node_id));
        if (node.is_grant_on) (void)reboot(change, node, request.action == msg::PowerAction::reset);
      }
      return commit(change, stored.computeset);
    case msg::PowerAction::poweron:
    case msg::PowerAction::unknown:
      break;
  }
  return core::refuse(ErrorCode::invalid_argument, "no such action on a computeset", "action");
}

void Service::end_computeset(Change& change, StoredComputeset stored, bool is_graceful,
                             const std::string& reason, std::int64_t now_unix_ms) {
  const auto id = stored.computeset.computeset_id;
  const auto nodes = stored.computeset.nodes;
  if (!reason.empty()) stored.computeset.reason = reason;
  const bool is_waiting = stored.computeset.state == ComputesetState::submitted;
  stored.computeset.state = is_waiting ? ComputesetState::cancelled : ComputesetState::ending;
  if (is_waiting) stored.computeset.end_unix_s = now_unix_ms / 1000;
  const bool is_news = !(stored.computeset == change.tx.read(keys::computeset(id))->computeset);
  if (is_news) write_computeset(change, std::move(stored));
  for (const auto& node_id : nodes) {
    const auto* found = change.tx.read(keys::node(node_id));
    if (!found) continue;
    StoredNode node = *found;
    if (is_waiting) node.computeset_id = 0;
    stop(change, std::move(node), is_graceful, now_unix_ms);
  }
  if (!is_waiting) complete_computeset(change, id, now_unix_ms / 1000);
}

/// For longer than a host's lease nobody watched, as when all of the deployment was down, and its
/// nodes ended: where none is on any more it is over, and was since the last of them was seen.
void Service::end_deserted(Change& change, msg::ComputesetId id) {
  StoredComputeset stored = *change.tx.read(keys::computeset(id));
  const auto& nodes = stored.computeset.nodes;
  if (stored.computeset.state != ComputesetState::running) return;
  // From where one was on at the last look: each is looked at once, in whatever order they end.
  auto& from = still_on_[id];
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::size_t at = (from + i) % nodes.size();
    const auto* node = change.tx.read(keys::node(nodes[at]));
    if (!node || (node->host_id.empty() && !node->is_desired_on)) continue;
    from = at;
    return;
  }
  still_on_.erase(id);
  const std::int64_t off_unix_s = stored.off_unix_s;
  stored.computeset.state = ComputesetState::ending;
  stored.computeset.reason = "all its nodes had ended while nobody watched";
  write_computeset(change, std::move(stored));
  complete_computeset(change, id, off_unix_s);
}

/// Where it is ending and none of its nodes has a host any more: it is over, and charged.
void Service::complete_computeset(Change& change, msg::ComputesetId id, std::int64_t end_unix_s) {
  StoredComputeset stored = *change.tx.read(keys::computeset(id));
  if (stored.computeset.state != ComputesetState::ending) return;
  // While it ends none of its nodes gets a host, so those looked at before need no second look.
  for (auto& i = vacated_[id]; i < stored.computeset.nodes.size(); ++i)
    if (const auto* node = change.tx.read(keys::node(stored.computeset.nodes[i]));
        node && !node->host_id.empty())
      return;
  vacated_.erase(id);
  still_on_.erase(id);
  stored.computeset.state = ComputesetState::completed;
  stored.computeset.end_unix_s = end_unix_s;
  const auto key = keys::allocation(stored.computeset.allocation_id);
  const auto* known = change.tx.read(key);
  StoredAllocation payer = known
                               ? *known
                               : StoredAllocation{{.allocation_id = stored.computeset.allocation_id,
                                                   .project_id = stored.computeset.project_id}};
  payer.allocation.used_core_s +=
      charge_core_s(stored.cores, stored.computeset.start_unix_s, end_unix_s);
  change.tx.write(key, std::move(payer));
  const auto nodes = stored.computeset.nodes;
  write_computeset(change, std::move(stored));
  for (const auto& node_id : nodes)
    if (const auto* found = change.tx.read(keys::node(node_id))) {
      StoredNode node = *found;
      node.computeset_id = 0;
      write_node(change, std::move(node));
    }
}

void Service::end_walltimes(core::Context& context) {
  std::vector<msg::ComputesetId> over;
  for (const auto id : active_) {
    const auto& computeset = store_.read(keys::computeset(id))->computeset;
    if (computeset.state == ComputesetState::running &&
        context.now_unix_s() >= computeset.start_unix_s + computeset.walltime_mins * 60)
      over.push_back(id);
  }
  if (over.empty()) return;
  auto change = begin(context);
  for (const auto id : over)
    end_computeset(change, *change.tx.read(keys::computeset(id)), true, "its walltime is over",
                   context.now_unix_ms());
  (void)commit(change);
}

void Service::write_computeset(Change& change, StoredComputeset stored) {
  const auto& computeset = stored.computeset;
  const auto id = computeset.computeset_id;
  submitted_.erase(id);
  active_.erase(id);
  if (computeset.state == ComputesetState::submitted) submitted_.insert(id);
  if (computeset.state == ComputesetState::running || computeset.state == ComputesetState::ending)
    active_.insert(id);
  core::log::info("computeset_changed", {{"computeset", id},
                                         {"state", msg::name_of(computeset.state)},
                                         {"reason", computeset.reason}});
  change.tx.emit(msg::ComputesetChanged{computeset});
  change.tx.write(keys::computeset(id), std::move(stored));
}

core::Result<msg::Computesets> Service::list_computesets(const msg::ListComputesets& request,
                                                         core::Context&) {
  msg::Computesets reply;
  const auto take = [&](const StoredComputeset& stored) {
    const auto& computeset = stored.computeset;
    const bool is_theirs =
        request.is_operator ||
        std::ranges::find(request.projects, computeset.project_id) != request.projects.end();
    const bool is_wanted =
        request.states.empty() ||
        std::ranges::find(request.states, computeset.state) != request.states.end();
    if (is_theirs && is_wanted) reply.computesets.push_back(computeset);
  };
  if (request.computeset_id == 0) {
    store_.for_each<StoredComputeset>(keys::computesets(), take);
  } else {
    if (const auto* stored = store_.read(keys::computeset(request.computeset_id))) take(*stored);
    if (reply.computesets.empty())
      return core::refuse(ErrorCode::not_found,
                          "no computeset " + std::to_string(request.computeset_id),
                          "computeset_id");
  }
  return reply;
}

core::Result<msg::Allocation> Service::define_allocation(const msg::DefineAllocation& request,
                                                         core::Context& context) {
  if (auto broken = msg::check_name("allocation_id", request.allocation_id.value))
    return std::unexpected(*broken);
  if (auto broken = msg::check_name("project_id", request.project_id.value))
    return std::unexpected(*broken);
  if (request.limit_core_s < 0)
    return std::unexpected(msg::invalid("limit_core_s", "limit_core_s is below 0"));
  auto change = begin(context);
  const auto* known = change.tx.read(keys::allocation(request.allocation_id));
  StoredAllocation stored = known ? *known : StoredAllocation{};
  stored.allocation.allocation_id = request.allocation_id;
  stored.allocation.project_id = request.project_id;
  stored.allocation.limit_core_s = request.limit_core_s;
  const auto reply = stored.allocation;
  change.tx.write(keys::allocation(request.allocation_id), std::move(stored));
  return commit(change, reply);
}

/// What is used counts what runs now, up to this second.
core::Result<msg::Allocations> Service::list_allocations(const msg::ListAllocations&,
                                                         core::Context& context) {
  std::map<msg::AllocationId, msg::Allocation> all;
  store_.for_each<StoredAllocation>(keys::allocations(), [&](const StoredAllocation& stored) {
    all[stored.allocation.allocation_id] = stored.allocation;
  });
  for (const auto id : active_) {
    const auto& stored = *store_.read(keys::computeset(id));
    auto& payer = all[stored.computeset.allocation_id];
    payer.allocation_id = stored.computeset.allocation_id;
    if (payer.project_id.empty()) payer.project_id = stored.computeset.project_id;
    payer.used_core_s +=
        charge_core_s(stored.cores, stored.computeset.start_unix_s, context.now_unix_s());
  }
  msg::Allocations reply;
  for (auto& [id, allocation] : all) reply.allocations.push_back(std::move(allocation));
  return reply;
}

}  // namespace nucleus::scheduler
