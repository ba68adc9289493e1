#include "services/network/service.hpp"

#include <algorithm>

#include "core/list/page_builder.hpp"
#include "core/log/log.hpp"
#include "services/network/keys.hpp"
#include "services/network/lease_plan.hpp"
#include "services/network/member_plan.hpp"

namespace nucleus::network {
namespace {

constexpr std::size_t served_at_once_max = 10'000;  // clusters and nodes in one transaction

}  // namespace

Service::Service(core::Runtime& runtime, Config config, const Fabrics::Drivers& drivers)
    : bus_{runtime.bus},
      store_{runtime.store},
      config_{std::move(config)},
      metrics_{runtime.metrics},
      fabrics_{runtime,
               config_,
               metrics_,
               drivers ? drivers : opensm_drivers(config_),
               {.wanted = [this](const std::string& name) { return wanted(name); },
                .checked = [this] { settle_members(); }}},
      view_{config_} {
  runtime.store.on_loaded([this] { load(); });
  auto& bus = runtime.bus;
  bus.serve<msg::ListNetworks>(*this, &Service::list_networks);
  bus.serve<msg::ListFabrics>(*this, &Service::list_fabrics);
  bus.subscribe<msg::ClusterDefined>(*this, &Service::handle_cluster_defined);
  bus.subscribe<msg::NodeDefined>(*this, &Service::handle_node_defined);
  bus.subscribe<msg::ClusterRemoved>(*this, &Service::handle_cluster_removed);
  bus.subscribe<msg::NodeRemoved>(*this, &Service::handle_node_removed);
  bus.subscribe<msg::AdaptersLeased>(*this, &Service::handle_adapters_leased);
  bus.subscribe<msg::AdaptersReleased>(*this, &Service::handle_adapters_released);
  bus.every(core::Milliseconds{config_.sweep_ms}, *this, &Service::sweep);
  if (!config_.fabrics.empty())
    bus.every(core::Milliseconds{config_.fabric_check_ms}, *this, &Service::check_fabrics);
}

core::Result<msg::ClusterNetworks> Service::list_networks(const msg::ListNetworks& request,
                                                          core::Context&) {
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  core::PageBuilder<msg::ClusterNetwork> page(request.page);
  const auto& clusters = view_.clusters();
  for (auto entry = clusters.upper_bound({request.page.after}); entry != clusters.end(); ++entry) {
    const auto& network = entry->second.stored.network;
    const bool is_wanted = request.cluster_id.empty() || request.cluster_id == network.cluster_id;
    if (network.vlan == 0 || !is_wanted || !msg::sees(request.viewer, network.project_id)) continue;
    if (!page.add(network, network.cluster_id.value)) break;
  }
  return msg::ClusterNetworks{.networks = page.take(), .next = page.next()};
}

core::Result<msg::Fabrics> Service::list_fabrics(const msg::ListFabrics&, core::Context&) {
  msg::Fabrics found;
  for (const auto& name : view_.fabrics()) {
    auto fabric = fabrics_.state(name);
    const auto& pool = view_.pkeys().at(name);
    fabric.pkeys_free = static_cast<std::uint32_t>(pool.count(NumberState::free));
    fabric.pkeys_leased = static_cast<std::uint32_t>(pool.count(NumberState::leased));
    fabric.pkeys_quarantined = static_cast<std::uint32_t>(pool.count(NumberState::quarantined));
    found.fabrics.push_back(std::move(fabric));
  }
  return found;
}

core::Result<void> Service::handle_cluster_defined(const msg::ClusterDefined& event,
                                                   core::Context& context) {
  if (view_.cluster(event.cluster.cluster_id)) return change_address_mode(event.cluster, context);
  const auto plan = plan_network(view_, event, context.event_id());
  if (plan.networks.front().network.vlan == 0)
    core::log::warning("cluster_waits_for_network",
                       {{"cluster", event.cluster.cluster_id.value},
                        {"reason", waiting_reason(view_, plan.networks.front())}});
  auto tx = store_.begin(context);
  apply(tx, plan);
  show_counts();
  return tx.commit();
}

/// Of a changed cluster; nothing else of it concerns its network.
core::Result<void> Service::change_address_mode(const msg::Cluster& cluster,
                                                core::Context& context) {
  const auto plan = plan_address_mode(view_, cluster.cluster_id, cluster.address_mode);
  if (!plan) return {};
  auto tx = store_.begin(context);
  apply(tx, *plan);
  return tx.commit();
}

core::Result<void> Service::handle_node_defined(const msg::NodeDefined& event,
                                                core::Context& context) {
  const auto& node = event.node;
  if (view_.ports(node.node_id)) return {};  // changed, not new: it keeps its ports
  if (!view_.cluster(node.cluster_id))
    return core::refuse(core::ErrorCode::internal,
                        "a node of a cluster without a network: " + node.cluster_id.value);
  auto tx = store_.begin(context);
  apply(tx, plan_ports(view_, {.node_id = node.node_id,
                               .cluster_id = node.cluster_id,
                               .project_id = node.project_id,
                               .is_frontend = node.kind == msg::NodeKind::frontend,
                               .index = node.index,
                               .since_event = context.event_id()}));
  show_counts();
  return tx.commit();
}

core::Result<void> Service::handle_cluster_removed(const msg::ClusterRemoved& event,
                                                   core::Context& context) {
  const auto& cluster_id = event.cluster.cluster_id;
  if (!view_.cluster(cluster_id)) return {};
  auto tx = store_.begin(context);
  const auto plan =
      plan_cluster_removal(view_, cluster_id, context.now_unix_s() + config_.vlan_quarantine_s);
  apply(tx, plan);
  for (const auto& members : plan.members) apply_settled(tx, id_of(members));
  check_fabrics_of(plan.members);
  // The public address it held goes to the frontend that has waited longest, not to the next one
  // that is defined.
  (void)apply_waiting(tx);
  show_counts();
  return tx.commit();
}

core::Result<void> Service::handle_node_removed(const msg::NodeRemoved& event,
                                                core::Context& context) {
  if (!view_.ports(event.node.node_id)) return {};
  auto tx = store_.begin(context);
  apply(tx, plan_node_removal(view_, event.node.node_id, context.now_unix_s(),
                              config_.vlan_quarantine_s));
  show_counts();
  return tx.commit();
}

core::Result<void> Service::handle_adapters_leased(const msg::AdaptersLeased& event,
                                                   core::Context& context) {
  const MembersId id{event.node_id, event.epoch};
  if (view_.members(id)) return {};
  const auto plan = plan_members(view_, event);
  if (const auto& reason = plan.members.front().reason; !reason.empty())
    core::log::error(
        "adapters_refused",
        {{"node", event.node_id.value}, {"cluster", event.cluster_id.value}, {"reason", reason}});
  auto tx = store_.begin(context);
  apply(tx, plan);
  apply_settled(tx, id);
  check_fabrics_of(plan.members);
  show_counts();
  return tx.commit();
}

core::Result<void> Service::handle_adapters_released(const msg::AdaptersReleased& event,
                                                     core::Context& context) {
  const MembersId id{event.node_id, event.epoch};
  auto tx = store_.begin(context);
  if (const auto* members = view_.members(id)) {
    if (members->stored.is_released) return {};
    const auto plan = plan_members_release(view_, id);
    apply(tx, plan);
    apply_settled(tx, id);
    check_fabrics_of(plan.members);
    show_counts();
  } else {
    // They left when their cluster was removed: each release is answered.
    tx.emit(msg::PartitionsLeft{.node_id = event.node_id,
                                .cluster_id = event.cluster_id,
                                .project_id = event.project_id,
                                .epoch = event.epoch});
  }
  return tx.commit();
}

void Service::sweep(core::Context& context) {
  settle_members();  // also those of fabrics that are not checked
  auto tx = store_.begin(context);
  const auto ended = plan_quarantine_ends(view_, context.now_unix_s());
  if (ended) apply(tx, *ended);
  if (!apply_waiting(tx) && !ended) return;
  show_counts();
  (void)tx.commit();  // if it fails, the store loads its records again, and the view with them
}

void Service::check_fabrics(core::Context&) {
  fabrics_.check_idle();
}

WantedMembers Service::wanted(const std::string& fabric) const {
  return {.partitions = wanted_partitions(view_, fabric),
          .unsettled = unsettled_ports(view_, fabric),
          .changes = view_.member_changes()};
}

void Service::check_fabrics_of(const std::vector<StoredMembers>& changed) {
  std::set<std::string> names;
  for (const auto& members : changed)
    for (const auto& leased : members.adapters) names.insert(leased.adapter.fabric);
  for (const auto& name : names) fabrics_.check_changed(name);
}

/// Records which members have joined or left, as the last checks show.
void Service::settle_members() {
  if (!store_.is_loaded()) return;
  auto context = bus_.context();
  auto tx = store_.begin(context);
  std::vector<MembersId> ids;
  const auto seen = fabrics_.seen();
  for (const auto& [id, members] : view_.members())
    if (ids.size() < served_at_once_max && plan_settled(view_, id, seen)) ids.push_back(id);
  if (ids.empty()) return;
  for (const auto& id : ids) apply_settled(tx, id);
  show_counts();
  (void)tx.commit();
}

void Service::apply_settled(core::Transaction& tx, const MembersId& id) {
  if (const auto plan = plan_settled(view_, id, fabrics_.seen())) apply(tx, *plan);
}

/// Serves clusters and nodes that wait, oldest first; false if nothing changed.
bool Service::apply_waiting(core::Transaction& tx) {
  std::size_t served = 0;
  for (; served < served_at_once_max; ++served) {
    const auto plan = plan_waiting(view_);
    if (!plan) break;
    apply(tx, *plan);
  }
  return served > 0;
}

/// Changes the view and adds the same records, with their events, to the transaction.
void Service::apply(core::Transaction& tx, const Plan& plan) {
  view_.apply(plan);
  for (const auto& node_id : plan.ports_removed) tx.remove(keys::ports(node_id));
  for (const auto& one : plan.address_quarantines_ended)
    tx.remove(keys::address_quarantine(one.cluster_id, one.ip));
  for (const auto vlan : plan.vlan_quarantines_ended) tx.remove(keys::vlan_quarantine(vlan));
  for (const auto& lease : plan.pkey_quarantines_ended) tx.remove(keys::pkey_quarantine(lease));
  for (const auto& network : plan.networks_removed) {
    tx.remove(keys::network(network.cluster_id));
    if (network.vlan != 0) tx.emit(msg::NetworkReleased{network});
  }
  for (const auto& one : plan.vlan_quarantines) tx.write(keys::vlan_quarantine(one.vlan), one);
  for (const auto& one : plan.pkey_quarantines) tx.write(keys::pkey_quarantine(one.lease), one);
  for (const auto& one : plan.address_quarantines)
    tx.write(keys::address_quarantine(one.cluster_id, one.ip), one);
  for (const auto& stored : plan.networks) {
    tx.write(keys::network(stored.network.cluster_id), stored);
    if (stored.network.vlan != 0) tx.emit(msg::NetworkLeased{stored.network});
  }
  for (const auto& stored : plan.ports) {
    const auto& cluster = *view_.cluster(stored.cluster_id);
    tx.write(keys::ports(stored.node_id), stored);
    tx.emit(msg::PortsLeased{.node_id = stored.node_id,
                             .cluster_id = stored.cluster_id,
                             .project_id = stored.project_id,
                             .ports = stored.ports,
                             .reason = stored.reason,
                             .fabrics = stored.is_frontend ? std::vector<msg::FabricLease>{}
                                                           : cluster.stored.network.fabrics});
  }
  if (plan.macs_issued != 0) tx.write(keys::mac_count(), StoredMacCount{plan.macs_issued});
  apply_members(tx, plan);
}

void Service::apply_members(core::Transaction& tx, const Plan& plan) {
  for (const auto& stored : plan.members) {
    tx.write(keys::members(stored.node_id, stored.epoch), stored);
    const bool is_answer = stored.is_joined || !stored.reason.empty();
    if (!stored.is_released && is_answer)
      tx.emit(msg::PartitionsJoined{.node_id = stored.node_id,
                                    .cluster_id = stored.cluster_id,
                                    .project_id = stored.project_id,
                                    .epoch = stored.epoch,
                                    .reason = stored.reason});
  }
  for (const auto& stored : plan.members_left) {
    tx.remove(keys::members(stored.node_id, stored.epoch));
    tx.emit(msg::PartitionsLeft{.node_id = stored.node_id,
                                .cluster_id = stored.cluster_id,
                                .project_id = stored.project_id,
                                .epoch = stored.epoch});
  }
}

void Service::load() {
  Plan records;
  const auto all = [this]<class R>(const core::Key<R>& prefix, std::vector<R>& into) {
    store_.for_each<R>(prefix, [&into](const R& record) { into.push_back(record); });
  };
  all(keys::networks(), records.networks);
  all(keys::all_ports(), records.ports);
  all(keys::vlan_quarantines(), records.vlan_quarantines);
  all(keys::pkey_quarantines(), records.pkey_quarantines);
  all(keys::address_quarantines(), records.address_quarantines);
  all(keys::all_members(), records.members);
  if (const auto* count = store_.read(keys::mac_count())) records.macs_issued = count->issued;
  const auto changes = view_.member_changes();
  view_ = View(config_);
  view_.load(records, changes);
  view_.check();
  show_counts();
}

void Service::show_counts() {
  const auto& vlans = view_.vlans();
  const auto show = [](prometheus::Gauge& gauge, std::size_t count) {
    gauge.Set(static_cast<double>(count));
  };
  show(metrics_.vlans_leased, vlans.count(NumberState::leased));
  show(metrics_.vlans_quarantined, vlans.count(NumberState::quarantined));
  show(metrics_.vlans_free, vlans.count(NumberState::free));
  std::size_t pkeys_leased = 0;
  std::size_t pkeys_quarantined = 0;
  std::optional<std::size_t> pkeys_free;
  for (const auto& [fabric, pool] : view_.pkeys()) {
    pkeys_leased += pool.count(NumberState::leased);
    pkeys_quarantined += pool.count(NumberState::quarantined);
    if (view_.fabrics().contains(fabric))
      pkeys_free = std::min(pkeys_free.value_or(pkey_last), pool.count(NumberState::free));
  }
  show(metrics_.pkeys_leased, pkeys_leased);
  show(metrics_.pkeys_quarantined, pkeys_quarantined);
  show(metrics_.pkeys_free, pkeys_free.value_or(0));
  const auto public_addresses = count_public_addresses(view_.public_subnet());
  show(metrics_.public_addresses_free,
       public_addresses - std::min(public_addresses, view_.public_addresses().size()));
  const auto members = count_members(view_);
  show(metrics_.members_joined, members.joined);
  show(metrics_.members_joining, members.joining);
  show(metrics_.members_leaving, members.leaving);
  show(metrics_.clusters_waiting, view_.clusters_waiting().size());
  show(metrics_.nodes_waiting, view_.nodes_waiting().size());
}

}  // namespace nucleus::network
