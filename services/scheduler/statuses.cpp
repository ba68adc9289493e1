#include "services/scheduler/statuses.hpp"

#include <optional>
#include <utility>

#include "services/scheduler/plan/isolation.hpp"

namespace nucleus::scheduler {

namespace {

using msg::ComputesetState;

/// A computeset that starts, goes on or is hibernated at once still passes through the state before
/// for those who follow events.
std::optional<msg::Computeset> passed_through(const msg::Computeset* before,
                                              const msg::Computeset& after) {
  auto between = before ? *before : after;
  if (!before && after.state == ComputesetState::running) {
    between.state = ComputesetState::submitted;
    between.start_unix_s = 0;
    return between;
  }
  if (!before) return std::nullopt;
  if (before->state == ComputesetState::hibernated && after.state == ComputesetState::running)
    between.state = ComputesetState::submitted;
  if (before->state == ComputesetState::running && after.state == ComputesetState::hibernated)
    between.state = ComputesetState::hibernating;
  return between.state == before->state ? std::nullopt : std::optional(between);
}

bool is_shown_alike(const StoredNode& left, const StoredNode& right) {
  return left.state == right.state && left.reason == right.reason &&
         left.is_desired_on == right.is_desired_on && left.host_id == right.host_id &&
         left.computeset_id == right.computeset_id && left.ports == right.ports &&
         left.adapters == right.adapters && left.memory.bytes == right.memory.bytes;
}

/// Of what is used there, and of heartbeats, no event is made.
bool is_shown_alike(const StoredHost& left, const StoredHost& right) {
  return status_of(left, {}) == status_of(right, {});
}

std::string shown_batch_state(const StoredHost& host) {
  return host.batch_reason.empty() ? host.batch_state : host.batch_state + ": " + host.batch_reason;
}

/// What the nodes on a host use, as `changes` leave it.
Resources used_after(const View& before, const Changes& changes, const msg::HostId& id) {
  const auto* host = before.pool().find(id);
  Resources used = host ? host->used : Resources{};
  for (const auto& [node_id, node] : changes.nodes) {
    const auto* was = before.node(node_id);
    if (was && was->host_id == id) used -= was->size;
    if (node && node->host_id == id) used += node->size;
  }
  return used;
}

}  // namespace

msg::NodeStatus status_of(const StoredNode& node, const StoredComputeset* computeset) {
  const auto computeset_state =
      computeset ? computeset->computeset.state : msg::ComputesetState::unknown;
  return {.node_id = node.definition.node_id,
          .cluster_id = node.definition.cluster_id,
          .project_id = node.definition.project_id,
          .state = node.state,
          .reason = node.reason,
          .is_desired_on = node.is_desired_on,
          .host_id = node.host_id,
          .computeset_id = node.computeset_id,
          .computeset_state = computeset_state,
          .ports = node.ports,
          .adapters = node.adapters,
          .saved_memory_bytes = node.memory.bytes};
}

/// Why it is not up, or takes no nodes, or takes them last.
static std::string shown_reason(const StoredHost& host) {
  const bool is_up = host.state == msg::HostState::up;
  if (host.is_drained && is_up) return host.drain_reason;
  if (is_in_doubt(host) && is_up)
    return "it takes no nodes: isolation " + std::string(msg::name_of(host.isolation)) + ": " +
           host.isolation_reason;
  if (is_suspect(host) && is_up)
    return "other hosts are tried first: " + std::to_string(host.start_failures) +
           " starts in a row failed: " + host.start_failure;
  return host.reason;
}

msg::Host status_of(const StoredHost& host, const Resources& used) {
  const bool is_drained = host.is_drained && host.state == msg::HostState::up;
  return {.host_id = host.host_id,
          .state = is_drained ? msg::HostState::drained : host.state,
          .reason = shown_reason(host),
          .cpus = host.cpus,
          .memory_mb = host.memory_mb,
          .cpus_used = static_cast<std::uint32_t>(used.cpus),
          .memory_used_mb = static_cast<std::uint64_t>(used.memory_mb),
          .driver = host.driver,
          .accelerator = host.accelerator,
          .batch_state = shown_batch_state(host),
          .host_class = host.host_class,
          .rack = host.rack,
          .isolation = host.isolation,
          .isolation_reason = host.isolation_reason,
          .isolation_since_unix_s = host.isolation_since_unix_s,
          .profile = host.profile,
          .profile_reason = host.profile_reason,
          .adapters = host.adapters,
          .adapters_reason = host.adapters_reason};
}

msg::Grant grant_of(const StoredNode& node, const View& view) {
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
          .cpus = static_cast<std::uint32_t>(node.size.cpus),
          .memory_mb = static_cast<std::uint64_t>(node.size.memory_mb),
          .ports = node.ports,
          .peers = view.peers_of(definition.cluster_id),
          .volume = node.volume,
          .is_disk_on_host = !node.disk_host_id.empty(),
          .adapters = node.adapters,
          .boots_from_network = definition.boots_from_network,
          .hibernation_id = node.hibernation_id};
}

Shown shown_by(const View& before, const Changes& changes) {
  Shown shown;
  for (const auto& [id, stored] : changes.computesets) {
    const auto* was = before.computeset(id);
    if (!stored || (was && was->computeset == stored->computeset)) continue;
    if (auto between = passed_through(was ? &was->computeset : nullptr, stored->computeset))
      shown.computesets.push_back(*std::move(between));
    shown.computesets.push_back(stored->computeset);
  }
  for (const auto& [id, host] : changes.hosts) {
    const auto* was = before.host(id);
    if (host && (!was || !is_shown_alike(*was, *host)))
      shown.hosts.push_back(status_of(*host, used_after(before, changes, id)));
  }
  for (const auto& [id, cluster] : changes.clusters) {
    const auto* was = before.cluster(id);
    if (was && cluster && was->is_isolation_broken != cluster->is_isolation_broken)
      shown.isolations.push_back(isolation_of(before, changes, *cluster));
  }
  for (const auto& [id, node] : changes.nodes) {
    const auto* was = before.node(id);
    if (!node || (was && is_shown_alike(*was, *node))) continue;
    const auto set_id = node->computeset_id;
    const auto* computeset = after(changes.computesets, set_id, before.computeset(set_id));
    shown.nodes.push_back(status_of(*node, computeset));
  }
  return shown;
}

}  // namespace nucleus::scheduler
