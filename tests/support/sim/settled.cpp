// The checks of a settled deployment: desired, granted, recorded and observed state are equal.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "services/network/keys.hpp"
#include "services/scheduler/charge.hpp"
#include "services/scheduler/keys.hpp"
#include "services/scheduler/placement.hpp"
#include "services/scheduler/reserved_hosts.hpp"
#include "services/scheduler/states/wait.hpp"
#include "tests/support/sim/invariants.hpp"

namespace nucleus::tests {

namespace {

using msg::ComputesetState;

}  // namespace

std::vector<std::string> Invariants::check_settled() {
  const auto before = std::exchange(broken_, {});
  for (const auto& [key, host] : hosts_.all())
    if (host.state != msg::HostState::up)
      fail(fmt::format("host {} is {}: {}", host.host_id.value, msg::name_of(host.state),
                       host.reason));
  for (const auto& [key, node] : nodes_.all()) check_settled_node(node);
  check_settled_domains();
  check_settled_memories();
  check_settled_computesets();
  check_settled_grants();
  check_same_clusters();
  check_waiting();
  check_charges();
  return std::exchange(broken_, before);
}

void Invariants::check_settled_node(const scheduler::StoredNode& node) {
  const auto& id = node.definition.node_id.value;
  if (node.is_removed) fail("node " + id + " of a removed cluster still exists");
  const auto* stored = computesets_.find(scheduler::keys::computeset(node.computeset_id).name);
  if (node.computeset_id != 0 && !stored) fail("node " + id + " is in an unknown computeset");
  if (stored && std::ranges::find(stored->computeset.nodes, node.definition.node_id) ==
                    stored->computeset.nodes.end())
    fail("node " + id + " is in a computeset that does not name it");
  if (msg::is_under_way(node.disk_work))
    fail("the work on the disk of node " + id + " does not end");
  if (node.host_id.empty()) return;
  if (!node.is_grant_on) fail("node " + id + " does not finish stopping");
  if (node.state != msg::NodeState::active)
    fail("node " + id + " is " + std::string(msg::name_of(node.state)) + ": " + node.reason);
  if (!node.is_desired_on) fail("node " + id + " runs although it should be off");
  const bool is_compute = node.definition.kind == msg::NodeKind::compute;
  if (is_compute && (!stored || stored->computeset.state != ComputesetState::running))
    fail("compute " + id + " runs outside a running computeset");
}

/// Every domain has a grant, and every grant a domain.
void Invariants::check_settled_domains() {
  std::set<std::string> domains;
  for (auto* hypervisor : hypervisors_)
    for (const auto& [name, spec] : hypervisor->running())
      domains.insert(name + " " + std::to_string(spec.epoch));
  std::set<std::string> granted;
  for (const auto& [key, node] : nodes_.all())
    if (!node.host_id.empty())
      granted.insert(node.host_id.value + "." + node.definition.node_id.value + " " +
                     std::to_string(node.epoch));
  for (const auto& name : domains)
    if (!granted.contains(name)) fail("a domain runs without a lease: " + name);
  for (const auto& name : granted)
    if (!domains.contains(name)) fail("a lease has no domain: " + name);
}

/// Hosts keep the memory that the scheduler counts on, and no other.
void Invariants::check_settled_memories() {
  std::set<std::string> expected;
  for (const auto& [key, node] : nodes_.all())
    if (scheduler::has_memory(node))
      expected.insert(node.memory.host_id.value + "." + node.definition.node_id.value + "." +
                      node.memory.hibernation_id + ".memory");
  std::set<std::string> kept;
  for (auto* hypervisor : hypervisors_)
    for (const auto& path : hypervisor->fake().memories())
      kept.insert(path.substr(path.rfind('/') + 1));
  for (const auto& name : expected)
    if (!kept.contains(name)) fail("a host has lost the memory " + name);
  for (const auto& name : kept)
    if (!expected.contains(name)) fail("a host keeps memory that is void: " + name);
}

void Invariants::check_settled_computesets() {
  for (const auto& [key, stored] : computesets_.all()) {
    const auto& computeset = stored.computeset;
    if (computeset.state == ComputesetState::hibernating)
      fail(fmt::format("computeset {} does not finish hibernating", computeset.computeset_id));
    if (computeset.state == ComputesetState::ending)
      fail(fmt::format("computeset {} is ending and does not end", computeset.computeset_id));
    const std::int64_t now_unix_s = (SimLoop::unix_epoch_ms + world_.now_ms()) / 1000;
    if (computeset.state == ComputesetState::running &&
        now_unix_s > scheduler::walltime_end_unix_s(computeset) + 10)
      fail(fmt::format("computeset {} still runs after its walltime", computeset.computeset_id));
    const bool is_held = computeset.state == ComputesetState::submitted ||
                         computeset.state == ComputesetState::running ||
                         computeset.state == ComputesetState::hibernated;
    for (const auto& node_id : computeset.nodes) {
      const auto* node = nodes_.find(scheduler::keys::node(node_id).name);
      if (is_held && (!node || node->computeset_id != computeset.computeset_id))
        fail(fmt::format("node {} is not in its computeset {}", node_id.value,
                         computeset.computeset_id));
      if (node && node->is_leaving)
        fail(fmt::format("node {} leaves computeset {} and is not off", node_id.value,
                         computeset.computeset_id));
      if (!is_held && node && node->computeset_id == computeset.computeset_id)
        fail(fmt::format("node {} is still in computeset {}, which has ended", node_id.value,
                         computeset.computeset_id));
    }
  }
}

/// The grants of a host's provisioner equal the scheduler's placements on the host.
void Invariants::check_settled_grants() {
  std::set<std::string> held;
  for (const auto& [key, stored] : grants_)
    if (!stored.is_revoked && stored.phase != provisioner::GrantPhase::ended)
      held.insert(stored.host_id.value + " " + stored.grant.node_id.value + " " +
                  std::to_string(stored.grant.epoch));
  std::set<std::string> placed;
  for (const auto& [key, node] : nodes_.all())
    if (!node.host_id.empty())
      placed.insert(node.host_id.value + " " + node.definition.node_id.value + " " +
                    std::to_string(node.epoch));
  for (const auto& grant : held)
    if (!placed.contains(grant))
      fail("a host holds a grant that the scheduler does not have: " + grant);
  for (const auto& grant : placed)
    if (!held.contains(grant)) fail("a host lacks a grant of the scheduler: " + grant);
}

/// All services know the same clusters and nodes as the registry.
void Invariants::check_same_clusters() {
  std::set<std::string> clusters;
  std::set<std::string> nodes;
  for (const auto& [key, stored] : clusters_.all())
    clusters.insert(stored.cluster.cluster_id.value);
  for (const auto& [key, stored] : defined_.all()) nodes.insert(stored.node.node_id.value);
  const auto same = [this](const std::set<std::string>& all, const std::set<std::string>& known,
                           const char* room) {
    for (const auto& one : all)
      if (!known.contains(one)) fail(std::string(room) + " does not know " + one);
    for (const auto& one : known)
      if (!all.contains(one)) fail(std::string(room) + " still knows " + one);
  };
  std::set<std::string> known;
  for (const auto& [key, stored] : networks_.all()) known.insert(stored.network.cluster_id.value);
  same(clusters, std::exchange(known, {}), "network");
  for (const auto& [key, stored] : seen_clusters_.all())
    known.insert(stored.cluster.cluster_id.value);
  same(clusters, std::exchange(known, {}), "scheduler");
  for (const auto& [key, record] : ports_.all()) known.insert(record.node_id.value);
  same(nodes, std::exchange(known, {}), "network");
  for (const auto& [key, volume] : volumes_.all()) known.insert(volume.node.node_id.value);
  same(nodes, std::exchange(known, {}), "image_store");
  for (const auto& [key, node] : nodes_.all()) known.insert(node.definition.node_id.value);
  same(nodes, std::exchange(known, {}), "scheduler");
  for (const auto& [key, node] : nodes_.all()) {
    const auto* ports = ports_.find(network::keys::ports(node.definition.node_id).name);
    if (ports && !(ports->ports == node.ports))
      fail("scheduler and network differ in the ports of node " + node.definition.node_id.value);
  }
}

/// Nodes and computesets wait only if no host has capacity.
void Invariants::check_waiting() {
  scheduler::HostPool pool;
  for (const auto& [key, host] : hosts_.all())
    pool.put(host.host_id,
             {.cpus = static_cast<std::int64_t>(host.cpus) * limits_.cpu_overcommit,
              .memory_mb = static_cast<std::int64_t>(host.memory_mb)},
             scheduler::is_open(host));
  for (const auto& [key, node] : nodes_.all())
    if (!node.host_id.empty()) pool.use(node.host_id, node.size);
  // Hosts of any reservation count as held: what may run there is checked after each commit.
  for (const auto& [key, stored] : reservations_.all())
    if (stored.reservation.state != msg::ReservationState::ended)
      for (const auto& host_id : scheduler::reserved_hosts(stored.reservation))
        pool.hold(host_id,
                  {.reservation_id = stored.reservation.reservation_id, .is_active = true});
  const auto have_capacity = [&](const scheduler::Needs& needs) {
    scheduler::HostPoolDraft left{pool};
    std::size_t steps_left = scheduler::search_steps_max;
    return scheduler::place_most(left, needs, steps_left).has_value();
  };
  for (const auto& [key, node] : nodes_.all())
    if (scheduler::is_waiting(node) && !scheduler::is_missing_something(node) &&
        have_capacity({.all = {{.size = node.size}}, .count_min = 1}))
      fail("node " + node.definition.node_id.value + " waits although a host has capacity");
  for (const auto& [key, stored] : computesets_.all()) {
    if (stored.computeset.state != ComputesetState::submitted || stored.reservation_id != 0 ||
        stored.wait.reason == scheduler::WaitReason::behind)
      continue;
    const auto& nodes = stored.computeset.nodes;
    const bool goes_on = stored.computeset.start_unix_s != 0;
    const std::size_t wanted = goes_on ? 0 : stored.computeset.node_count_min;
    scheduler::Needs needs{.count_min = wanted == 0 ? nodes.size() : wanted};
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const auto* node = nodes_.find(scheduler::keys::node(nodes[i]).name);
      if (!node || scheduler::is_missing_something(*node)) continue;
      const auto host_id = scheduler::has_memory(*node) ? node->memory.host_id
                           : stored.hosts.empty()       ? msg::HostId{}
                                                        : stored.hosts[i];
      needs.all.push_back({.size = node->size, .host_id = host_id});
    }
    if (needs.all.size() >= needs.count_min && have_capacity(needs))
      fail(fmt::format("computeset {} waits although hosts have capacity",
                       stored.computeset.computeset_id));
  }
}

/// Usage is charged exactly once, to the second.
void Invariants::check_charges() {
  std::map<std::string, std::int64_t> ran;
  for (const auto& [key, stored] : computesets_.all()) {
    const auto& computeset = stored.computeset;
    if (computeset.state == ComputesetState::completed)
      ran[computeset.allocation_id.value] +=
          scheduler::charged_core_s(stored, computeset.end_unix_s);
  }
  for (const auto& [key, stored] : allocations_.all()) {
    const auto& allocation = stored.allocation;
    if (allocation.used_core_s != ran[allocation.allocation_id.value])
      fail(fmt::format("allocation {} is charged {} core-seconds for {} used",
                       allocation.allocation_id.value, allocation.used_core_s,
                       ran[allocation.allocation_id.value]));
    ran.erase(allocation.allocation_id.value);
  }
  for (const auto& [id, core_s] : ran)
    if (core_s != 0)
      fail(fmt::format("allocation {} was not charged for {} core-seconds", id, core_s));
}

std::vector<std::string> Invariants::check_empty() {
  const auto before = std::exchange(broken_, {});
  for (const auto& [node, hosts] : running())
    fail("a domain exists after its cluster was removed: " + node);
  const auto none = [this](const auto& view, const char* what) {
    for (const auto& [key, record] : view.all()) fail(std::string(what) + " remains: " + key);
  };
  none(clusters_, "a cluster");
  none(defined_, "a node");
  none(networks_, "a network");
  none(ports_, "a port");
  none(volumes_, "a volume");
  none(seen_clusters_, "a cluster of the scheduler");
  none(nodes_, "a node of the scheduler");
  for (const auto& [key, stored] : grants_) fail("a host still holds a void grant: " + key);
  for (const auto& [key, stored] : computesets_.all())
    if (stored.computeset.end_unix_s == 0)
      fail("a computeset is active after its cluster was removed: " + key);
  return std::exchange(broken_, before);
}

}  // namespace nucleus::tests
