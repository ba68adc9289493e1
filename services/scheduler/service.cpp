#include "services/scheduler/service.hpp"

#include "core/log/log.hpp"
#include "services/scheduler/keys.hpp"

namespace nucleus::scheduler {

Service::Service(core::Runtime& runtime, Config config)
    : loop_{runtime.loop},
      bus_{runtime.bus},
      store_{runtime.store},
      config_{config},
      metrics_{runtime.metrics} {
  store_.on_loaded([this] { rebuild_indexes(); });
  bus_.serve<msg::ReportHost>(*this, &Service::report_host);
  bus_.serve<msg::ListHosts>(*this, &Service::list_hosts);
  bus_.serve<msg::DrainHost>(*this, &Service::drain_host);
  bus_.serve<msg::PowerNode>(*this, &Service::power_node);
  bus_.serve<msg::ListNodeStatuses>(*this, &Service::list_node_statuses);
  bus_.serve<msg::StartComputeset>(*this, &Service::start_computeset);
  bus_.serve<msg::PowerComputeset>(*this, &Service::power_computeset);
  bus_.serve<msg::ListComputesets>(*this, &Service::list_computesets);
  bus_.serve<msg::DefineAllocation>(*this, &Service::define_allocation);
  bus_.serve<msg::ListAllocations>(*this, &Service::list_allocations);
  bus_.serve<msg::ListUsage>(*this, &Service::list_usage);
  bus_.subscribe<msg::ClusterDefined>(*this, &Service::take_cluster);
  bus_.subscribe<msg::NodeDefined>(*this, &Service::take_node);
  bus_.subscribe<msg::ClusterRemoved>(*this, &Service::forget_cluster);
  bus_.subscribe<msg::NodeRemoved>(*this, &Service::forget_node);
  bus_.subscribe<msg::AcknowledgementChanged>(*this, &Service::take_clearance);
  bus_.subscribe<msg::PortsLeased>(*this, &Service::take_ports);
  bus_.subscribe<msg::VolumePlaced>(*this, &Service::take_volume);
  bus_.subscribe<msg::DomainChanged>(*this, &Service::take_domain);
  bus_.every(core::Milliseconds{config_.sweep_ms}, *this, &Service::show_ownership);
  bus_.every(core::Milliseconds{config_.sweep_ms}, *this, &Service::look_at_hosts);
  bus_.every(core::Milliseconds{config_.sweep_ms}, *this, &Service::end_walltimes);
}

/// Gives every host whose grants changed its next revision, and the grants with it; tells each node
/// that is now another.
void Service::finish(Change& change) {
  for (const auto& node_id : change.nodes) tell_node(change, node_id);
  for (const auto& [host_id, nodes] : change.granted) {
    StoredHost host = *change.tx.read(keys::host(host_id));
    ++host.revision;
    for (const auto& node_id : nodes) {
      StoredNode node = *change.tx.read(keys::node(node_id));
      node.revision = host.revision;
      change.tx.write(keys::node(node_id), std::move(node));
    }
    change.tx.write(keys::host(host_id), std::move(host));
  }
  show_counts();
}

/// Once a change, however often it was written in it.
void Service::tell_node(Change& change, const msg::NodeId& node_id) {
  const auto* before = store_.read(keys::node(node_id));
  const auto* node = change.tx.read(keys::node(node_id));
  if (!node) return;  // removed
  const bool is_told = before && before->state == node->state && before->reason == node->reason &&
                       before->is_desired_on == node->is_desired_on &&
                       before->host_id == node->host_id &&
                       before->computeset_id == node->computeset_id && before->ports == node->ports;
  if (!is_told)
    change.tx.emit(
        msg::NodeChanged{told(*node, change.tx.read(keys::computeset(node->computeset_id)))});
}

core::Result<void> Service::commit(Change& change) {
  finish(change);
  auto result = change.tx.commit();
  send_granted(change);
  return result;
}

void Service::send_granted(const Change& change) {
  for (const auto& [host_id, nodes] : change.granted)
    if (const auto* host = store_.read(keys::host(host_id))) send_grants(*host, nodes, false);
}

void Service::rebuild_indexes() {
  used_.clear();
  placed_.clear();
  placed_count_ = 0;
  nodes_of_.clear();
  peers_of_.clear();
  waiting_.clear();
  submitted_.clear();
  active_.clear();
  vacated_.clear();
  still_on_.clear();
  live_.clear();
  // Nobody knows when a host was last answered: it may have its whole lease from now on.
  const std::int64_t now_ms = loop_.steady_ms();
  store_.for_each<StoredHost>(keys::hosts(), [&](const StoredHost& host) {
    live_[host.host_id] = {.heard_ms = now_ms, .answered_ms = now_ms};
  });
  store_.for_each<StoredComputeset>(keys::computesets(), [&](const StoredComputeset& stored) {
    const auto& computeset = stored.computeset;
    if (computeset.state == msg::ComputesetState::submitted)
      submitted_.insert(computeset.computeset_id);
    if (computeset.state == msg::ComputesetState::running ||
        computeset.state == msg::ComputesetState::ending)
      active_.insert(computeset.computeset_id);
  });
  store_.for_each<StoredNode>(keys::nodes(), [&](const StoredNode& node) {
    const auto& node_id = node.definition.node_id;
    // A removed cluster's name may be another's already.
    if (!node.is_removed) nodes_of_[node.definition.cluster_id][node.definition.index] = node_id;
    if (!node.host_id.empty()) {
      used_[node.host_id].cpus += node.definition.cpus;
      used_[node.host_id].memory_mb += static_cast<std::int64_t>(node.definition.memory_mb);
      placed_[node.host_id].insert(node_id);
      ++placed_count_;
    } else if (node.is_desired_on) {
      waiting_.insert(node_id);
    }
  });
  show_counts();
}

void Service::show_counts() {
  metrics_.nodes_placed.Set(static_cast<double>(placed_count_));
  metrics_.nodes_waiting.Set(static_cast<double>(waiting_.size()));
  metrics_.computesets_waiting.Set(static_cast<double>(submitted_.size()));
  metrics_.computesets_running.Set(static_cast<double>(active_.size()));
}

}  // namespace nucleus::scheduler
