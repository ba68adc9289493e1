// Checks that each change of state has exactly one event, which matches the records of its commit.
#include <fmt/format.h>

#include <algorithm>

#include "messages/image_store.hpp"
#include "messages/network.hpp"
#include "services/image_store/keys.hpp"
#include "services/network/keys.hpp"
#include "services/registry/keys.hpp"
#include "services/scheduler/keys.hpp"
#include "tests/support/sim/invariants.hpp"

namespace nucleus::tests {

namespace {

std::string type_of(const core::StoredEvent& event) {
  return event.topic.substr(event.topic.rfind('/') + 1);
}

/// Calls `visit` with the event's message if it is of type Event.
template <class Event, class Visit>
void when(const core::StoredEvent& event, Visit&& visit) {
  if (type_of(event) == Event::topic) visit(msg::decode<Event>(event.body));
}

/// True if the last event reports the recorded state of the node.
bool matches_event(const scheduler::StoredNode& node, const msg::NodeStatus& emitted) {
  return node.state == emitted.state && node.reason == emitted.reason &&
         node.is_desired_on == emitted.is_desired_on && node.host_id == emitted.host_id &&
         node.computeset_id == emitted.computeset_id && node.ports == emitted.ports;
}

}  // namespace

void Invariants::check_events(const core::Commit& commit) {
  for (const auto& event : commit.events) {
    check_scheduler_event(event);
    check_network_event(event);
    when<msg::DomainChanged>(event, [&](const msg::DomainChanged& changed) {
      auto& emitted = emitted_domains_[changed.host_id.value + " " + changed.node_id.value];
      if (emitted == changed)
        fail(fmt::format("the domain of node {} has two equal events of state {}",
                         changed.node_id.value, msg::name_of(changed.state)));
      emitted = changed;
    });
    when<msg::NodeDefined>(event, [&](const msg::NodeDefined& defined) {
      const auto* stored = defined_.find(registry::keys::node(defined.node.node_id).name);
      if (!stored || !(stored->node == defined.node))
        fail("a node's event differs from its record: " + defined.node.node_id.value);
    });
    when<msg::ClusterRemoved>(event, [&](const msg::ClusterRemoved& removed) {
      if (clusters_.find(registry::keys::cluster(removed.cluster.cluster_id).name))
        fail("a cluster is recorded after the event of its removal: " +
             removed.cluster.cluster_id.value);
    });
    when<msg::VolumeChanged>(event, [&](const msg::VolumeChanged& changed) {
      const auto* stored = volumes_.find(image_store::keys::volume(changed.volume.node_id).name);
      if (!stored ||
          (stored->state == image_store::VolumeState::ready) != changed.volume.is_ready ||
          stored->reason != changed.volume.reason)
        fail("a volume's event differs from its record: " + changed.volume.node_id.value);
    });
    when<msg::VolumePlaced>(event, [&](const msg::VolumePlaced& placed) {
      const auto* stored = volumes_.find(image_store::keys::volume(placed.volume.node_id).name);
      if (!stored || !(stored->volume == placed.volume) ||
          (stored->state == image_store::VolumeState::ready) != placed.is_ready)
        fail("a volume's event differs from its recorded place: " + placed.volume.node_id.value);
    });
  }
}

void Invariants::check_scheduler_event(const core::StoredEvent& event) {
  when<msg::ComputesetChanged>(event, [&](const msg::ComputesetChanged& changed) {
    auto& emitted = emitted_computesets_[changed.computeset.computeset_id];
    if (emitted == changed.computeset)
      fail(fmt::format("computeset {} has two equal events of state {}", emitted.computeset_id,
                       msg::name_of(emitted.state)));
    emitted = changed.computeset;
  });
  when<msg::NodeChanged>(event, [&](const msg::NodeChanged& changed) {
    auto& emitted = emitted_nodes_[changed.node.node_id.value];
    if (emitted == changed.node)
      fail(fmt::format("node {} has two equal events of state {}", emitted.node_id.value,
                       msg::name_of(emitted.state)));
    emitted = changed.node;
  });
  when<msg::HostChanged>(event, [&](const msg::HostChanged& changed) {
    const auto* stored = hosts_.find(scheduler::keys::host(changed.host.host_id).name);
    const bool is_drained = changed.host.state == msg::HostState::drained;
    if (!stored || (is_drained ? !stored->is_drained : stored->state != changed.host.state))
      fail("host " + changed.host.host_id.value + " has an event that differs from its record");
  });
}

void Invariants::check_network_event(const core::StoredEvent& event) {
  when<msg::NetworkLeased>(event, [&](const msg::NetworkLeased& leased) {
    const auto* stored = networks_.find(network::keys::network(leased.network.cluster_id).name);
    if (!stored || !(stored->network == leased.network))
      fail("a network's event differs from its record: " + leased.network.cluster_id.value);
  });
  when<msg::NetworkReleased>(event, [&](const msg::NetworkReleased& released) {
    if (networks_.find(network::keys::network(released.network.cluster_id).name) ||
        !vlan_quarantines_.find(network::keys::vlan_quarantine(released.network.vlan).name))
      fail("a network was released and its VLAN is not quarantined: " +
           released.network.cluster_id.value);
  });
  when<msg::PortsLeased>(event, [&](const msg::PortsLeased& leased) {
    const auto* stored = ports_.find(network::keys::ports(leased.node_id).name);
    if (!stored || !(stored->ports == leased.ports) || stored->reason != leased.reason)
      fail("an event of ports differs from their record: " + leased.node_id.value);
  });
}

/// The records of a commit of the scheduler agree with its last events.
void Invariants::check_emitted(const core::Commit& commit) {
  const auto check_computeset = [this](const std::string& key) {
    const auto* stored = computesets_.find(key);
    if (!stored) return;
    const auto emitted = emitted_computesets_.find(stored->computeset.computeset_id);
    if (emitted == emitted_computesets_.end() || !(emitted->second == stored->computeset))
      fail(fmt::format("computeset {} is {}, which no event reports",
                       stored->computeset.computeset_id, msg::name_of(stored->computeset.state)));
  };
  for (const auto& record : commit.archived) check_computeset(record.key);
  for (const auto& change : commit.records) {
    check_computeset(change.key);
    if (const auto* node = nodes_.find(change.key)) {
      const auto emitted = emitted_nodes_.find(node->definition.node_id.value);
      if (emitted == emitted_nodes_.end() || !matches_event(*node, emitted->second))
        fail(fmt::format("node {} is {} ({}), which no event reports",
                         node->definition.node_id.value, msg::name_of(node->state), node->reason));
    }
  }
}

}  // namespace nucleus::tests
