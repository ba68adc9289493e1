// Nodes: the view of them, their power, their placement.
#include <algorithm>

#include "core/hostlist/peer_ranges.hpp"
#include "core/log/log.hpp"
#include "services/scheduler/keys.hpp"
#include "services/scheduler/node_state.hpp"
#include "services/scheduler/service.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;

core::Result<void> Service::take_cluster(const msg::ClusterDefined& event, core::Context& context) {
  auto change = begin(context);
  change.tx.write(keys::cluster(event.cluster.cluster_id), StoredCluster{event.cluster});
  return commit(change);
}

core::Result<void> Service::take_node(const msg::NodeDefined& event, core::Context& context) {
  auto change = begin(context);
  const auto& definition = event.node;
  const auto* known = change.tx.read(keys::node(definition.node_id));
  StoredNode node = known ? *known : StoredNode{};
  if (!node.host_id.empty()) {
    // It runs as it was defined then; what was taken from its host stays what is given back.
    Used& used = used_[node.host_id];
    used.cpus += static_cast<std::int64_t>(definition.cpus) - node.definition.cpus;
    used.memory_mb += static_cast<std::int64_t>(definition.memory_mb) -
                      static_cast<std::int64_t>(node.definition.memory_mb);
  }
  node.definition = definition;
  nodes_of_[definition.cluster_id][definition.index] = definition.node_id;
  peers_of_.erase(definition.cluster_id);
  write_node(change, std::move(node));
  return commit(change);
}

/// Its nodes are stopped by force, and forgotten once they are off.
core::Result<void> Service::forget_cluster(const msg::ClusterRemoved& event,
                                           core::Context& context) {
  auto change = begin(context);
  const std::int64_t now_unix_ms = context.now_unix_ms();
  std::set<msg::ComputesetId> computesets;
  for (const auto& node_id : event.nodes) {
    const auto* found = change.tx.read(keys::node(node_id));
    if (!found) continue;
    StoredNode node = *found;
    if (node.computeset_id != 0) computesets.insert(node.computeset_id);
    node.is_removed = true;
    if (!node.host_id.empty()) {
      stop(change, std::move(node), false, now_unix_ms);
    } else {
      change.tx.remove(keys::node(node_id));
      waiting_.erase(node_id);
    }
  }
  for (const auto id : computesets)
    end_computeset(change, *change.tx.read(keys::computeset(id)), false, "its cluster was removed",
                   now_unix_ms);
  nodes_of_.erase(event.cluster.cluster_id);
  peers_of_.erase(event.cluster.cluster_id);
  change.tx.remove(keys::cluster(event.cluster.cluster_id));
  return commit(change);
}

core::Result<void> Service::take_ports(const msg::PortsLeased& event, core::Context& context) {
  auto change = begin(context);
  const auto* found = change.tx.read(keys::node(event.node_id));
  if (!found) return {};  // removed meanwhile
  StoredNode node = *found;
  node.ports = event.ports;
  node.ports_reason = event.reason;
  peers_of_.erase(node.definition.cluster_id);
  write_node(change, std::move(node));
  place_waiting(change, context.now_unix_s());
  return commit(change);
}

core::Result<void> Service::take_volume(const msg::VolumePlaced& event, core::Context& context) {
  auto change = begin(context);
  const auto* found = change.tx.read(keys::node(event.volume.node_id));
  if (!found) return {};  // removed meanwhile
  StoredNode node = *found;
  node.volume = event.volume;
  node.is_volume_ready = event.is_ready;
  node.volume_reason = event.reason;
  write_node(change, std::move(node));
  place_waiting(change, context.now_unix_s());
  return commit(change);
}

/// A domain runs once under an epoch: where it has ended, so has its placement.
core::Result<void> Service::take_domain(const msg::DomainChanged& event, core::Context& context) {
  auto change = begin(context);
  const auto* found = change.tx.read(keys::node(event.node_id));
  if (!found || found->host_id != event.host_id || found->epoch != event.epoch) return {};
  const auto* host = change.tx.read(keys::host(event.host_id));
  if (!host || host->process != context.sender())
    return core::refuse(
        ErrorCode::forbidden,
        msg::shown(context.sender()) + " tells of a domain on host " + event.host_id.value);
  StoredNode node = *found;
  node.observed = event.state;
  node.observed_reason = event.reason;
  const bool is_ended = event.state == msg::DomainState::shutoff ||
                        event.state == msg::DomainState::crashed ||
                        (event.state == msg::DomainState::absent && !node.is_grant_on);
  if (!is_ended) {
    write_node(change, std::move(node));
    return commit(change);
  }
  if (node.is_grant_on) node.is_desired_on = false;  // it ended by itself, nobody asked for it
  const std::int64_t now_unix_s = context.now_unix_s();
  // A provisioner that was only restarted leaves time to power them on again.
  const bool is_unwatched = event.seen_unix_ms > 0;
  const bool is_long_ago =
      is_unwatched && context.now_unix_ms() - event.seen_unix_ms > config_.host_lease_ms;
  const auto computeset_id = node.computeset_id;
  end_placement(change, std::move(node),
                is_unwatched ? std::min(event.seen_unix_ms / 1000, now_unix_s) : now_unix_s);
  if (is_long_ago && computeset_id != 0) end_deserted(change, computeset_id);
  place_waiting(change, context.now_unix_s());
  return commit(change);
}

core::Result<msg::NodeStatus> Service::power_node(const msg::PowerNode& request,
                                                  core::Context& context) {
  auto change = begin(context);
  const auto* found = change.tx.read(keys::node(request.node_id));
  if (!found || found->is_removed)
    return core::refuse(ErrorCode::not_found, "no such node", "node_id");
  const StoredNode node = *found;
  if (node.definition.kind == msg::NodeKind::compute) {
    const auto* stored = change.tx.read(keys::computeset(node.computeset_id));
    if (!stored || stored->computeset.state != msg::ComputesetState::running)
      return core::refuse(ErrorCode::wrong_state,
                          "Compute is not a member of an active computeset");
  }
  core::Result<void> done;
  switch (request.action) {
    case msg::PowerAction::poweron:
      done = check_cleared(node.definition.project_id);
      if (done) done = power_on(change, node);
      break;
    case msg::PowerAction::poweroff:
      stop(change, node, false, context.now_unix_ms());
      break;
    case msg::PowerAction::shutdown:
      stop(change, node, true, context.now_unix_ms());
      break;
    case msg::PowerAction::reboot:
      done = reboot(change, node, false);
      break;
    case msg::PowerAction::reset:
      done = reboot(change, node, true);
      break;
    case msg::PowerAction::unknown:
      done = core::refuse(ErrorCode::invalid_argument, "no such power action", "action");
  }
  if (!done) return std::unexpected(done.error());
  return commit(change, told(*change.tx.read(keys::node(request.node_id))));
}

/// On a host at once; or, where its network, volume or end is still awaited, as soon as that is
/// there. Refused where no host has room.
core::Result<void> Service::power_on(Change& change, StoredNode node) {
  const bool is_on = !node.host_id.empty() && node.is_grant_on;
  if (is_on || node.is_desired_on) {
    if (!node.is_desired_on) {
      node.is_desired_on = true;
      write_node(change, std::move(node));
    }
    return {};
  }
  node.is_desired_on = true;
  if (!node.host_id.empty() || !what_is_missing(node).empty()) {
    write_node(change, std::move(node));
    return {};
  }
  auto free = rooms(change);
  const auto hosts =
      place_together(free, {{.cpus = node.definition.cpus,
                             .memory_mb = static_cast<std::int64_t>(node.definition.memory_mb)}});
  if (!hosts)
    return core::refuse(ErrorCode::no_capacity,
                        free.empty() ? "no host is up" : "no host has room for this node now");
  place(change, std::move(node), hosts->front());
  return {};
}

void Service::stop(Change& change, StoredNode node, bool is_graceful, std::int64_t now_unix_ms) {
  node.is_desired_on = false;
  if (node.host_id.empty()) return write_node(change, std::move(node));
  const bool is_forced_now = !node.is_grant_on && node.is_graceful && !is_graceful;
  if (!node.is_grant_on && !is_forced_now) return write_node(change, std::move(node));
  node.is_grant_on = false;
  node.is_graceful = is_graceful;
  node.stop_by_unix_ms = is_graceful ? now_unix_ms + config_.shutdown_ms : 0;
  write_node(change, std::move(node), true);
}

core::Result<void> Service::reboot(Change& change, StoredNode node, bool is_reset) {
  if (node.host_id.empty() || !node.is_grant_on)
    return core::refuse(ErrorCode::wrong_state, "node " + node.definition.name + " is not running");
  ++(is_reset ? node.resets : node.reboots);
  write_node(change, std::move(node), true);
  return {};
}

void Service::place(Change& change, StoredNode node, const msg::HostId& host_id) {
  node.is_desired_on = true;
  node.host_id = host_id;
  ++node.epoch;
  node.is_grant_on = true;
  node.is_graceful = false;
  node.stop_by_unix_ms = 0;
  node.reboots = node.resets = 0;
  node.observed = msg::DomainState::absent;
  node.observed_reason.clear();
  Used& used = used_[host_id];
  used.cpus += node.definition.cpus;
  used.memory_mb += static_cast<std::int64_t>(node.definition.memory_mb);
  placed_[host_id].insert(node.definition.node_id);
  ++placed_count_;
  write_node(change, std::move(node), true);
}

/// It has no host any more since `off_unix_s`: one of a removed cluster is forgotten, and a
/// computeset may be over. The host's grants are others now: a list from before must not pass for
/// one from after.
void Service::end_placement(Change& change, StoredNode node, std::int64_t off_unix_s) {
  Used& used = used_[node.host_id];
  used.cpus -= node.definition.cpus;
  used.memory_mb -= static_cast<std::int64_t>(node.definition.memory_mb);
  placed_count_ -= placed_[node.host_id].erase(node.definition.node_id);
  change.granted[node.host_id];
  node.host_id = {};
  node.is_grant_on = false;
  const auto computeset_id = node.computeset_id;
  if (node.is_removed) {
    change.tx.remove(keys::node(node.definition.node_id));
    waiting_.erase(node.definition.node_id);
  } else {
    write_node(change, std::move(node));
  }
  if (computeset_id == 0) return;
  StoredComputeset stored = *change.tx.read(keys::computeset(computeset_id));
  stored.off_unix_s = std::max({stored.off_unix_s, off_unix_s, stored.computeset.start_unix_s});
  off_unix_s = stored.off_unix_s;
  change.tx.write(keys::computeset(computeset_id), std::move(stored));
  complete_computeset(change, computeset_id, off_unix_s);
}

/// Writes a node with the state that follows from it; `finish` tells it where that is another.
void Service::write_node(Change& change, StoredNode node, bool is_grant_changed) {
  const auto& node_id = node.definition.node_id;
  const auto* host = node.host_id.empty() ? nullptr : change.tx.read(keys::host(node.host_id));
  const auto next = told_state(node, host);
  node.state = next.state;
  node.reason = next.reason;
  change.nodes.insert(node_id);
  if (node.is_desired_on && node.host_id.empty())
    waiting_.insert(node_id);
  else
    waiting_.erase(node_id);
  if (is_grant_changed) change.granted[node.host_id].push_back(node_id);
  const auto key = keys::node(node_id);
  change.tx.write(key, std::move(node));
}

/// Whoever waits for a host and now finds one: nodes first, then computesets in their order; a
/// later one that fits passes an earlier one that does not.
void Service::place_waiting(Change& change, std::int64_t now_unix_s) {
  if (waiting_.empty() && submitted_.empty()) return;
  auto free = rooms(change);
  place_waiting_nodes(change, free);
  place_computesets(change, free, now_unix_s);
}

void Service::place_waiting_nodes(Change& change, std::vector<HostRoom>& free) {
  const auto waiting = waiting_;
  for (const auto& node_id : waiting) {
    StoredNode node = *change.tx.read(keys::node(node_id));
    if (!what_is_missing(node).empty()) continue;
    const auto hosts =
        place_together(free, {{.cpus = node.definition.cpus,
                               .memory_mb = static_cast<std::int64_t>(node.definition.memory_mb)}});
    if (hosts) place(change, std::move(node), hosts->front());
  }
}

/// What the hosts that are up have left.
std::vector<HostRoom> Service::rooms(const Change& change) const {
  std::vector<HostRoom> free;
  for (const auto& [host_id, live] : live_) {
    const auto* host = change.tx.read(keys::host(host_id));
    if (!host || host->state != msg::HostState::up || host->is_drained) continue;
    const auto used = used_.find(host_id);
    const Used taken = used == used_.end() ? Used{} : used->second;
    free.push_back(
        {.host_id = host_id,
         .cpus_free = static_cast<std::int64_t>(host->cpus) * config_.cpu_overcommit - taken.cpus,
         .memory_free_mb = static_cast<std::int64_t>(host->memory_mb) - taken.memory_mb});
  }
  return free;
}

core::Result<msg::NodeStatuses> Service::list_node_statuses(const msg::ListNodeStatuses& request,
                                                            core::Context&) {
  msg::NodeStatuses reply;
  if (request.cluster_id.empty()) {
    store_.for_each<StoredNode>(keys::nodes(),
                                [&](const StoredNode& node) { reply.nodes.push_back(told(node)); });
    return reply;
  }
  const auto nodes = nodes_of_.find(request.cluster_id);
  if (nodes == nodes_of_.end()) return reply;
  for (const auto& [index, node_id] : nodes->second)
    if (const auto* node = store_.read(keys::node(node_id))) reply.nodes.push_back(told(*node));
  return reply;
}

msg::NodeStatus Service::told(const StoredNode& node) const {
  return told(node, store_.read(keys::computeset(node.computeset_id)));
}

msg::NodeStatus Service::told(const StoredNode& node, const StoredComputeset* computeset) const {
  msg::NodeStatus state{.node_id = node.definition.node_id,
                        .cluster_id = node.definition.cluster_id,
                        .project_id = node.definition.project_id,
                        .state = node.state,
                        .reason = node.reason,
                        .is_desired_on = node.is_desired_on,
                        .host_id = node.host_id,
                        .computeset_id = node.computeset_id,
                        .ports = node.ports};
  if (computeset) state.computeset_state = computeset->computeset.state;
  return state;
}

msg::Grant Service::grant_of(const StoredNode& node) {
  const auto& definition = node.definition;
  return {.node_id = definition.node_id,
          .cluster_id = definition.cluster_id,
          .project_id = definition.project_id,
          .node_name = definition.name,
          .epoch = node.epoch,
          .revision = node.revision,
          .is_on = node.is_grant_on,
          .is_graceful = node.is_graceful,
          .stop_by_unix_ms = node.stop_by_unix_ms,
          .reboots = node.reboots,
          .resets = node.resets,
          .cpus = definition.cpus,
          .memory_mb = definition.memory_mb,
          .ports = node.ports,
          .peers = peers_of(definition.cluster_id),
          .volume = node.volume};
}

/// Every node of the cluster that has its address.
const std::vector<msg::PeerRange>& Service::peers_of(const msg::ClusterId& cluster_id) {
  const auto [known, is_new] = peers_of_.try_emplace(cluster_id);
  const auto nodes = nodes_of_.find(cluster_id);
  if (!is_new || nodes == nodes_of_.end()) return known->second;
  std::vector<msg::Peer> peers;
  for (const auto& [index, node_id] : nodes->second) {
    const auto* peer = store_.read(keys::node(node_id));
    if (!peer) continue;
    for (const auto& port : peer->ports)
      if (!port.is_public) peers.push_back({.name = peer->definition.name, .ip = port.ip});
  }
  known->second = core::hostlist::collect_peers(peers);
  return known->second;
}

}  // namespace nucleus::scheduler
