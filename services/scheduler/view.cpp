#include "services/scheduler/view.hpp"

#include <algorithm>

#include "core/hostlist/peer_ranges.hpp"
#include "services/scheduler/reserved_hosts.hpp"

namespace nucleus::scheduler {

namespace {

/// How many of its adapters nodes have or can be given, by fabric.
std::map<std::string, std::int64_t> adapters_by_fabric(const StoredHost& host) {
  std::map<std::string, std::string> fabrics;  // by PCI address
  for (const auto& adapter : host.adapters) fabrics[adapter.pci_address] = adapter.fabric;
  for (const auto& use : host.adapter_uses) fabrics[use.adapter.pci_address] = use.adapter.fabric;
  std::map<std::string, std::int64_t> counts;
  for (const auto& [address, fabric] : fabrics) ++counts[fabric];
  return counts;
}

std::int64_t least_of(const std::map<std::string, std::int64_t>& counts) {
  const auto least =
      std::ranges::min_element(counts, {}, [](const auto& of_fabric) { return of_fabric.second; });
  return least == counts.end() ? 0 : least->second;
}

using msg::ComputesetState;

/// Erases an element of a set in a map of sets, and the set when it is empty.
template <class Sets, class Key, class Element>
void erase_from(Sets& sets, const Key& key, const Element& element) {
  const auto found = sets.find(key);
  if (found == sets.end()) return;
  found->second.erase(element);
  if (found->second.empty()) sets.erase(found);
}

template <class Id, class Record, class Records>
void apply_all(Writes<Id, Record>& writes, Records& records) {
  for (auto& [id, record] : writes)
    if (record)
      records.insert_or_assign(id, std::move(*record));
    else
      records.erase(id);
}

/// It counts in the occupancy of its computeset.
bool is_on(const StoredNode& node) {
  return !node.host_id.empty() || node.is_desired_on;
}

bool is_peer_changed(const StoredNode* before, const StoredNode* after) {
  return !before || !after || before->definition.name != after->definition.name ||
         before->is_removed != after->is_removed || !(before->ports == after->ports);
}

std::pair<std::int64_t, msg::ComputesetId> walltime_end(const msg::Computeset& computeset) {
  return {walltime_end_unix_s(computeset), computeset.computeset_id};
}

std::pair<std::int64_t, std::int64_t> next_step(const msg::Reservation& reservation,
                                                const Config& config) {
  switch (reservation.state) {
    case msg::ReservationState::planned:
      return {reservation.start_unix_s, reservation.reservation_id};
    case msg::ReservationState::active:
      return {reservation.end_unix_s, reservation.reservation_id};
    case msg::ReservationState::ended:
    case msg::ReservationState::unknown:
      break;
  }
  return {reservation.end_unix_s + config.reservation_keep_s, reservation.reservation_id};
}

HostPool::Hold hold_of(const msg::Reservation& reservation) {
  return {.from_unix_s = reservation.start_unix_s,
          .reservation_id = reservation.reservation_id,
          .is_active = reservation.state == msg::ReservationState::active};
}

std::optional<HostPool::Hold> batch_hold_of(const StoredHost& host) {
  if (host.batch_state.empty()) return std::nullopt;
  return HostPool::Hold{
      .from_unix_s = 0, .reservation_id = batch_hold(host.job_computeset_id), .is_active = true};
}

}  // namespace

Resources total_of(const StoredHost& host, const Config& config) {
  return {.cpus = static_cast<std::int64_t>(host.cpus) * config.cpu_overcommit,
          .memory_mb = static_cast<std::int64_t>(host.memory_mb),
          .adapters = least_of(adapters_by_fabric(host))};
}

Resources leaving_of(const StoredHost& host) {
  const auto all = adapters_by_fabric(host);
  auto left = all;
  for (const auto& use : host.adapter_uses)
    if (use.is_leaving) --left[use.adapter.fabric];
  return {.adapters = least_of(all) - least_of(left)};
}

HostPlace place_of(const StoredHost& host) {
  HostPlace place{.host_class = host.host_class, .rack = host.rack};
  for (const auto& [fabric, count] : adapters_by_fabric(host)) place.fabrics.push_back(fabric);
  return place;
}

void View::Indexes::add(const StoredNode& node) {
  const auto& definition = node.definition;
  const auto& id = definition.node_id;
  // The name of a removed cluster may be another cluster's by now.
  if (!node.is_removed) {
    nodes_by_cluster[definition.cluster_id][definition.index] = id;
    nodes_by_name[{definition.cluster_id, definition.name}].insert(id);
  }
  if (!node.host_id.empty()) {
    pool.use(node.host_id, node.size);
    nodes_by_host[node.host_id].insert(id);
    ++placed_count;
  }
  if (is_waiting(node)) waiting_nodes.insert(id);
  if (is_start_failing(node)) failing_nodes.insert(id);
  if (msg::is_under_way(node.disk_work)) nodes_with_disk_work.insert(id);
  if (node.is_save_due) nodes_with_save_due.insert(id);
  if (has_memory(node)) memories_by_host[node.memory.host_id].insert(id);
  if (definition.save_every_minutes > 0 && !node.host_id.empty())
    nodes_saved_periodically.insert(id);
  if (node.computeset_id != 0 && is_on(node)) {
    auto& nodes = occupancy[node.computeset_id];
    nodes.placed += !node.host_id.empty();
    ++nodes.on;
  }
}

void View::Indexes::remove(const StoredNode& node) {
  const auto& definition = node.definition;
  const auto& id = definition.node_id;
  if (!node.is_removed) {
    if (const auto nodes = nodes_by_cluster.find(definition.cluster_id);
        nodes != nodes_by_cluster.end()) {
      const auto at = nodes->second.find(definition.index);
      if (at != nodes->second.end() && at->second == id) nodes->second.erase(at);
      if (nodes->second.empty()) nodes_by_cluster.erase(nodes);
    }
    erase_from(nodes_by_name, std::pair{definition.cluster_id, definition.name}, id);
  }
  if (!node.host_id.empty()) {
    pool.release(node.host_id, node.size);
    erase_from(nodes_by_host, node.host_id, id);
    --placed_count;
  }
  waiting_nodes.erase(id);
  failing_nodes.erase(id);
  nodes_with_disk_work.erase(id);
  nodes_with_save_due.erase(id);
  if (has_memory(node)) erase_from(memories_by_host, node.memory.host_id, id);
  nodes_saved_periodically.erase(id);
  if (node.computeset_id != 0 && is_on(node)) {
    auto& nodes = occupancy[node.computeset_id];
    nodes.placed -= !node.host_id.empty();
    --nodes.on;
    if (nodes == Occupancy{}) occupancy.erase(node.computeset_id);
  }
}

void View::Indexes::add(const StoredComputeset& stored) {
  const auto& computeset = stored.computeset;
  const auto id = computeset.computeset_id;
  if (computeset.state == ComputesetState::submitted) submitted.insert(id);
  const bool is_running = computeset.state == ComputesetState::running ||
                          computeset.state == ComputesetState::hibernating;
  if (is_running || computeset.state == ComputesetState::ending) active.insert(id);
  if (is_running) walltime_ends.insert(walltime_end(computeset));
  unfinished_by_allocation[computeset.allocation_id].insert(id);
}

void View::Indexes::remove(const StoredComputeset& stored) {
  const auto id = stored.computeset.computeset_id;
  submitted.erase(id);
  active.erase(id);
  walltime_ends.erase(walltime_end(stored.computeset));
  erase_from(unfinished_by_allocation, stored.computeset.allocation_id, id);
}

void View::Indexes::add(const msg::Reservation& reservation, const Config& config) {
  reservations_by_name[reservation.name] = reservation.reservation_id;
  reservation_steps.insert(next_step(reservation, config));
  if (reservation.state == msg::ReservationState::ended) return;
  for (auto& id : reserved_hosts(reservation)) add_hold(id, hold_of(reservation));
}

void View::Indexes::remove(const msg::Reservation& reservation, const Config& config) {
  reservations_by_name.erase(reservation.name);
  reservation_steps.erase(next_step(reservation, config));
  if (reservation.state == msg::ReservationState::ended) return;
  for (auto& id : reserved_hosts(reservation)) remove_hold(id, hold_of(reservation));
}

void View::Indexes::add_hold(const msg::HostId& id, const HostPool::Hold& hold) {
  auto& of_host = holds[id];
  of_host.insert(hold);
  pool.hold(id, *of_host.begin());
}

void View::Indexes::remove_hold(const msg::HostId& id, const HostPool::Hold& hold) {
  erase_from(holds, id, hold);
  const auto left = holds.find(id);
  pool.hold(id, left == holds.end() ? HostPool::Hold{} : *left->second.begin());
}

void View::Indexes::add(const StoredHost& host, const Config& config) {
  pool.put(host.host_id, total_of(host, config), is_open(host), host.keeps_volumes,
           is_suspect(host), place_of(host));
  pool.use(host.host_id, leaving_of(host));
  if (const auto hold = batch_hold_of(host)) add_hold(host.host_id, *hold);
}

void View::Indexes::remove(const StoredHost& host) {
  pool.release(host.host_id, leaving_of(host));
  pool.put(host.host_id, {}, false);
  if (const auto hold = batch_hold_of(host)) remove_hold(host.host_id, *hold);
}

void View::apply(Changes changes) {
  ++generation_;
  apply_all(changes.clusters, clusters_);
  apply_all(changes.projects, projects_);
  apply_all(changes.unacknowledged, unacknowledged_);
  apply_all(changes.allocations, allocations_);
  apply_all(changes.reporters, reporters_);
  apply_all(changes.removed_disks, removed_disks_);
  apply_all(changes.host_classes, host_classes_);
  for (auto& [id, host] : changes.hosts) apply_host(id, std::move(host));
  for (auto& [id, node] : changes.nodes) apply_node(id, std::move(node));
  for (auto& [id, stored] : changes.computesets) apply_computeset(id, std::move(stored));
  for (auto& [id, stored] : changes.reservations)
    if (!stored) apply_reservation(id, std::nullopt);  // its name may be another one's now
  for (auto& [id, stored] : changes.reservations)
    if (stored) apply_reservation(id, std::move(stored));
  if (changes.computeset_count) computeset_count_ = *changes.computeset_count;
  if (changes.reservation_count) reservation_count_ = *changes.reservation_count;
  if (changes.waits) waits_ = std::move(*changes.waits);
}

void View::load(Changes records, const std::vector<ComputesetSummary>& finished) {
  const auto generation = generation_;
  *this = View(config_);
  generation_ = generation;
  for (const auto& one : finished) finished_.put(one);
  apply(std::move(records));
}

void View::apply_host(const msg::HostId& id, std::optional<StoredHost> host) {
  if (const auto* old = find(hosts_, id)) indexes_.remove(*old);
  if (host) indexes_.add(*host, config_);
  if (host)
    hosts_.insert_or_assign(id, std::move(*host));
  else
    hosts_.erase(id);
}

void View::apply_node(const msg::NodeId& id, std::optional<StoredNode> node) {
  const auto before = nodes_.find(id);
  const auto* old = before == nodes_.end() ? nullptr : &before->second;
  if (!old && !node) return;
  if (is_peer_changed(old, node ? &*node : nullptr)) {
    const auto& cluster_id = (old ? old : &*node)->definition.cluster_id;
    peers_.erase(cluster_id);
    clusters_renamed_.insert(cluster_id);
  }
  if (old) indexes_.remove(*old);
  if (node) indexes_.add(*node);
  if (node)
    nodes_.insert_or_assign(id, std::move(*node));
  else
    nodes_.erase(id);
}

void View::apply_computeset(msg::ComputesetId id, std::optional<StoredComputeset> stored) {
  if (const auto* old = find(computesets_, id)) indexes_.remove(*old);
  if (stored && !is_finished(stored->computeset.state)) {
    indexes_.add(*stored);
    computesets_.insert_or_assign(id, std::move(*stored));
    return;
  }
  if (stored) finished_.put(summary_of(*stored));
  computesets_.erase(id);
}

void View::apply_reservation(std::int64_t id, std::optional<StoredReservation> stored) {
  if (const auto* old = find(reservations_, id)) indexes_.remove(old->reservation, config_);
  if (stored) {
    indexes_.add(stored->reservation, config_);
    reservations_.insert_or_assign(id, std::move(*stored));
  } else {
    reservations_.erase(id);
  }
}

msg::Price View::price_of(const std::string& host_class) const {
  const auto* stored = this->host_class(host_class);
  return stored ? stored->price : msg::Price{};
}

const StoredReservation* View::reservation_named(const std::string& name) const {
  const auto* id = find(indexes_.reservations_by_name, name);
  return id ? reservation(*id) : nullptr;
}

std::vector<const StoredReservation*> View::reservations_of(const msg::HostId& id) const {
  std::vector<const StoredReservation*> all;
  if (const auto* holds = find(indexes_.holds, id))
    for (const auto& hold : *holds)
      if (hold.reservation_id > 0) all.push_back(reservation(hold.reservation_id));
  return all;
}

const StoredNode* View::node_named(const msg::ClusterId& cluster_id,
                                   const std::string& name) const {
  const auto* ids = find(indexes_.nodes_by_name, std::pair{cluster_id, name});
  return ids ? node(*ids->begin()) : nullptr;
}

const std::set<msg::NodeId>& View::nodes_on(const msg::HostId& id) const {
  static const std::set<msg::NodeId> none;
  const auto* nodes = find(indexes_.nodes_by_host, id);
  return nodes ? *nodes : none;
}

const std::set<msg::NodeId>& View::memories_on(const msg::HostId& id) const {
  static const std::set<msg::NodeId> none;
  const auto* nodes = find(indexes_.memories_by_host, id);
  return nodes ? *nodes : none;
}

const std::set<msg::ComputesetId>& View::unfinished_of(const msg::AllocationId& id) const {
  static const std::set<msg::ComputesetId> none;
  const auto* computesets = find(indexes_.unfinished_by_allocation, id);
  return computesets ? *computesets : none;
}

View::Occupancy View::occupancy(msg::ComputesetId id) const {
  const auto* nodes = find(indexes_.occupancy, id);
  return nodes ? *nodes : Occupancy{};
}

const std::vector<msg::PeerRange>& View::peers_of(const msg::ClusterId& id) const {
  const auto [known, is_new] = peers_.try_emplace(id);
  if (is_new) known->second = make_peers(id);
  return known->second;
}

std::vector<msg::PeerRange> View::make_peers(const msg::ClusterId& id) const {
  const auto* nodes = nodes_of(id);
  std::vector<msg::Peer> peers;
  if (nodes)
    for (const auto& [index, node_id] : *nodes) {
      const auto& peer = *node(node_id);
      for (const auto& port : peer.ports)
        if (!port.is_public) peers.push_back({.name = peer.definition.name, .ip = port.ip});
    }
  return core::hostlist::collect_peers(peers);
}

std::vector<std::string> View::check() const {
  Indexes made;
  for (const auto& [id, host] : hosts_) made.add(host, config_);
  for (const auto& [id, node] : nodes_) made.add(node);
  for (const auto& [id, stored] : computesets_) made.add(stored);
  for (const auto& [id, stored] : reservations_) made.add(stored.reservation, config_);

  std::vector<std::string> wrong;
  const auto same = [&wrong](const char* index, bool is_same) {
    if (!is_same) wrong.push_back(std::string(index) + " differs from the records");
  };
  same("nodes_by_cluster", made.nodes_by_cluster == indexes_.nodes_by_cluster);
  same("nodes_by_name", made.nodes_by_name == indexes_.nodes_by_name);
  same("nodes_by_host", made.nodes_by_host == indexes_.nodes_by_host);
  same("placed_count", made.placed_count == indexes_.placed_count);
  same("waiting_nodes", made.waiting_nodes == indexes_.waiting_nodes);
  same("failing_nodes", made.failing_nodes == indexes_.failing_nodes);
  same("nodes_with_disk_work", made.nodes_with_disk_work == indexes_.nodes_with_disk_work);
  same("nodes_with_save_due", made.nodes_with_save_due == indexes_.nodes_with_save_due);
  same("nodes_saved_periodically",
       made.nodes_saved_periodically == indexes_.nodes_saved_periodically);
  same("memories_by_host", made.memories_by_host == indexes_.memories_by_host);
  same("submitted", made.submitted == indexes_.submitted);
  same("active", made.active == indexes_.active);
  same("unfinished_by_allocation",
       made.unfinished_by_allocation == indexes_.unfinished_by_allocation);
  same("walltime_ends", made.walltime_ends == indexes_.walltime_ends);
  same("occupancy", made.occupancy == indexes_.occupancy);
  same("reservations_by_name", made.reservations_by_name == indexes_.reservations_by_name);
  same("reservation_steps", made.reservation_steps == indexes_.reservation_steps);
  same("holds", made.holds == indexes_.holds);
  same("pool", made.pool == indexes_.pool);
  for (const auto& [id, peers] : peers_)
    same(("peers of " + id.value).c_str(), make_peers(id) == peers);
  for (const auto& [id, stored] : computesets_) same("finished computesets", !finished_.find(id));
  return wrong;
}

}  // namespace nucleus::scheduler
