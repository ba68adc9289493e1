// The checks after each commit, message and new domain.
#include "tests/support/sim/invariants.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "messages/hibernation.hpp"
#include "services/image_store/keys.hpp"
#include "services/network/keys.hpp"
#include "services/registry/keys.hpp"
#include "services/scheduler/keys.hpp"
#include "services/scheduler/reserved_hosts.hpp"

namespace nucleus::tests {

namespace {

using msg::ComputesetState;

constexpr std::size_t broken_max = 20;  // the first ones are enough

/// Requests that change state: their reply must be durable before it is sent.
const std::set<std::string> mutating_topics = {
    std::string(msg::DefineProject::topic),
    std::string(msg::DefineCluster::topic),
    std::string(msg::RemoveCluster::topic),
    std::string(msg::ChangeNode::topic),
    std::string(msg::ChangeNodes::topic),
    std::string(msg::StartComputeset::topic),
    std::string(msg::PowerComputeset::topic),
    std::string(msg::PowerNode::topic),
    std::string(msg::PowerNodes::topic),
    std::string(msg::DrainHost::topic),
    std::string(msg::DefineAllocation::topic),
    std::string(msg::ApplyGrants::topic),
    std::string(msg::DefineReservation::topic),
    std::string(msg::RemoveReservation::topic),
    std::string(msg::ImportImage::topic),
    std::string(msg::RemoveImage::topic),
    std::string(msg::GrowComputeset::topic),
    std::string(msg::ShrinkComputeset::topic),
    std::string(msg::ChangeDisk::topic),
    std::string(msg::WorkOnDisk::topic),
    std::string(msg::TagImage::topic),
    std::string(msg::UntagImage::topic),
    std::string(msg::HibernateComputeset::topic),
    std::string(msg::ResumeComputeset::topic),
};

bool is_active(ComputesetState state) {
  return state == ComputesetState::created || state == ComputesetState::submitted ||
         state == ComputesetState::running || state == ComputesetState::ending ||
         state == ComputesetState::hibernating || state == ComputesetState::hibernated;
}

bool may_follow(ComputesetState before, ComputesetState after) {
  switch (before) {
    case ComputesetState::unknown:
      return after == ComputesetState::submitted || after == ComputesetState::running;
    case ComputesetState::created:
      return after == ComputesetState::submitted || after == ComputesetState::failed;
    case ComputesetState::submitted:
      return after == ComputesetState::running || after == ComputesetState::cancelled ||
             after == ComputesetState::failed || after == ComputesetState::completed;
    case ComputesetState::running:
      return after == ComputesetState::ending || after == ComputesetState::completed ||
             after == ComputesetState::hibernating || after == ComputesetState::hibernated;
    case ComputesetState::hibernating:
      return after == ComputesetState::hibernated || after == ComputesetState::ending;
    case ComputesetState::hibernated:
      return after == ComputesetState::submitted || after == ComputesetState::completed ||
             after == ComputesetState::running;
    case ComputesetState::ending:
      return after == ComputesetState::completed;
    case ComputesetState::completed:
    case ComputesetState::failed:
    case ComputesetState::cancelled:
      return false;
  }
  return false;
}

template <class R>
const R* copied(const View<R>& view, const std::string& key, std::optional<R>& into) {
  const R* found = view.find(key);
  if (found) into = *found;
  return found ? &*into : nullptr;
}

std::string run_name(const std::string& node, std::uint64_t epoch) {
  return node + " " + std::to_string(epoch);
}

}  // namespace

Invariants::Invariants(SimWorld& world, InvariantLimits limits)
    : world_{world},
      limits_{limits},
      clusters_{registry::keys::clusters()},
      defined_{registry::keys::nodes()},
      networks_{network::keys::networks()},
      ports_{network::keys::all_ports()},
      vlan_quarantines_{network::keys::vlan_quarantines()},
      volumes_{image_store::keys::volumes()},
      seen_clusters_{scheduler::keys::cluster({})},
      nodes_{scheduler::keys::nodes()},
      hosts_{scheduler::keys::hosts()},
      computesets_{scheduler::keys::computesets()},
      allocations_{scheduler::keys::allocations()},
      reservations_{scheduler::keys::reservations()} {
  world_.on_landed = [this](const std::string& service, const core::Commit& commit,
                            std::uint64_t first) { observe_commit(service, commit, first); };
  world_.on_sent = [this](const std::string& process, const core::Frames& frames) {
    observe_message(process, frames);
  };
}

void Invariants::watch(SimHypervisor& hypervisor) {
  hypervisors_.push_back(&hypervisor);
  hypervisor.on_created = [this](const provisioner::DomainSpec& spec) { observe_domain(spec); };
}

void Invariants::fail(const std::string& what) {
  if (broken_.size() < broken_max)
    broken_.push_back(fmt::format("at {} ms: {}", world_.now_ms(), what));
}

void Invariants::keep(const std::vector<std::string>& found) {
  broken_.insert(broken_.end(), found.begin(), found.end());
}

std::map<std::string, std::set<std::string>> Invariants::running() const {
  std::map<std::string, std::set<std::string>> hosts_of;
  for (auto* hypervisor : hypervisors_)
    for (const auto& [name, spec] : hypervisor->running()) {
      const auto dot = name.find('.');
      hosts_of[name.substr(dot + 1)].insert(name.substr(0, dot));
    }
  return hosts_of;
}

/// A domain may be created only under a durable grant that its host holds, once, and nowhere else.
void Invariants::observe_domain(const provisioner::DomainSpec& spec) {
  const auto dot = spec.name.find('.');
  const std::string host = spec.name.substr(0, dot);
  const std::string node = spec.name.substr(dot + 1);
  if (!granted_.contains(host + " " + run_name(node, spec.epoch)))
    fail(fmt::format("domain {} starts at epoch {}, which was never granted", spec.name,
                     spec.epoch));
  if (has_run_.contains(run_name(node, spec.epoch)))
    fail(fmt::format("domain {} starts a second time at epoch {}", spec.name, spec.epoch));
  std::uint64_t memory_mb = 0;
  for (auto* hypervisor : hypervisors_)
    for (const auto& [name, other] : hypervisor->running()) {
      if (name != spec.name && name.substr(name.find('.') + 1) == node)
        fail(fmt::format("node {} runs twice: {} at epoch {} beside {} at epoch {}", node,
                         spec.name, spec.epoch, name, other.epoch));
      if (name.substr(0, name.find('.')) == host && name != host + SimHypervisor::by_hand)
        memory_mb += other.memory_mb;
    }
  const auto* known = hosts_.find(scheduler::keys::host({host}).name);
  if (known && memory_mb > known->memory_mb)
    fail(fmt::format("domains on host {} use {} MB of its {}", host, memory_mb, known->memory_mb));
}

/// Successful replies and events must be durable before they are sent.
void Invariants::observe_message(const std::string& process, const core::Frames& frames) {
  const auto& envelope = frames.envelope;
  if (envelope.kind == msg::MessageKind::reply && !envelope.error &&
      mutating_topics.contains(frames.topic) && !world_.is_reply_kept(process, envelope.request_id))
    fail(fmt::format("{} confirms {} before it is durable", process, frames.topic));
  if (envelope.kind != msg::MessageKind::event) return;
  const auto& events = world_.events();
  const bool is_there = envelope.event_id >= 1 && envelope.event_id <= events.size() &&
                        events[envelope.event_id - 1].topic == frames.topic &&
                        events[envelope.event_id - 1].body == frames.body;
  if (!is_there)
    fail(fmt::format("{} sends event {} {}, which differs from the durable one", process,
                     envelope.event_id, frames.topic));
}

void Invariants::observe_commit(const std::string& service, const core::Commit& commit,
                                std::uint64_t) {
  if (!commit.request_id.empty() && world_.is_reply_kept(service, commit.request_id))
    fail(fmt::format("{} applied request {} twice", service, commit.request_id));
  bool are_computesets_changed = false;
  bool are_placements_changed = false;
  bool are_networks_changed = false;
  for (const auto& change : commit.records) {
    std::optional<scheduler::StoredComputeset> computeset;
    std::optional<scheduler::StoredNode> node;
    const auto* computeset_before = copied(computesets_, change.key, computeset);
    const auto* node_before = copied(nodes_, change.key, node);
    clusters_.take(change) || defined_.take(change) || volumes_.take(change) ||
        seen_clusters_.take(change) || allocations_.take(change);
    if (networks_.take(change) || ports_.take(change)) are_networks_changed = true;
    if (vlan_quarantines_.take(change)) {
      const auto* one = vlan_quarantines_.find(change.key);
      if (one) quarantined_until_s_[std::to_string(one->vlan)] = one->until_unix_s;
      are_networks_changed = true;
    }
    if (hosts_.take(change) || reservations_.take(change)) are_placements_changed = true;
    if (computesets_.take(change)) {
      check_computeset_step(change.key, computeset_before);
      are_computesets_changed = true;
    }
    if (nodes_.take(change)) {
      check_node_step(change.key, node_before);
      are_placements_changed = true;
    }
    if (change.key.find(":grant:") != std::string::npos) {
      const auto known = grants_.find(change.key);
      std::optional<provisioner::StoredGrant> grant_before;
      if (known != grants_.end()) grant_before = known->second;
      if (change.bytes)
        grants_[change.key] = msg::decode<provisioner::StoredGrant>(*change.bytes);
      else
        grants_.erase(change.key);
      check_grant_step(change.key, grant_before ? &*grant_before : nullptr);
    }
  }
  for (const auto& record : commit.archived) {
    std::optional<scheduler::StoredComputeset> computeset;
    const auto* before = copied(computesets_, record.key, computeset);
    if (!computesets_.take({.key = record.key, .bytes = record.bytes})) continue;
    check_computeset_step(record.key, before);
    are_computesets_changed = true;
  }
  check_events(commit);
  if (service == "scheduler") check_emitted(commit);
  if (are_computesets_changed) check_active_computesets();
  if (are_placements_changed) check_capacity();
  if (are_placements_changed) check_lost_hosts();
  if (are_placements_changed) check_reservations();
  if (are_networks_changed) check_networks((SimLoop::unix_epoch_ms + world_.now_ms()) / 1000);
}

void Invariants::check_computeset_step(const std::string& key,
                                       const scheduler::StoredComputeset* before) {
  const auto* now = computesets_.find(key);
  if (!now) return fail("a computeset was forgotten: " + key);
  const auto& after = now->computeset;
  const auto id = after.computeset_id;
  if (!before && id <= last_computeset_) fail(fmt::format("computeset id {} is used twice", id));
  last_computeset_ = std::max(last_computeset_, id);
  const auto was = before ? before->computeset.state : ComputesetState::unknown;
  if (was != after.state && !may_follow(was, after.state))
    fail(fmt::format("computeset {} goes from {} to {}", id, msg::name_of(was),
                     msg::name_of(after.state)));
  // All its nodes start, or at least as many as it asks for.
  const auto node_count = after.nodes.size();
  const bool goes_on = before && before->computeset.start_unix_s != 0;
  const bool starts = after.state == ComputesetState::running && was != after.state && !goes_on;
  if (starts && node_count < after.node_count_min)
    fail(fmt::format("computeset {} starts with {} of at least {} nodes", id, node_count,
                     after.node_count_min));
  if (starts && before && after.node_count_min == 0 &&
      node_count != before->computeset.nodes.size())
    fail(fmt::format("computeset {} starts without all its nodes", id));
  if (before && before->computeset.start_unix_s != 0 &&
      before->computeset.start_unix_s != after.start_unix_s)
    fail(fmt::format("computeset {} starts twice", id));
  if (goes_on && (after.state == ComputesetState::cancelled ||
                  after.hibernated_s < before->computeset.hibernated_s))
    fail(fmt::format("computeset {} loses the time that it has run", id));
  if ((after.state == ComputesetState::hibernated) && after.hibernated_unix_s == 0)
    fail(fmt::format("computeset {} is hibernated since never", id));
  if (after.state != ComputesetState::hibernated && after.state != ComputesetState::submitted &&
      after.hibernated_unix_s != 0)
    fail(fmt::format("computeset {} is hibernated and {}", id, msg::name_of(after.state)));
  if (after.end_unix_s != 0 && after.end_unix_s < after.start_unix_s)
    fail(fmt::format("computeset {} ends before it starts", id));
  if (is_active(after.state) != (after.end_unix_s == 0))
    fail(fmt::format("computeset {} is {} with end {}", id, msg::name_of(after.state),
                     after.end_unix_s));
}

void Invariants::check_node_step(const std::string& key, const scheduler::StoredNode* before) {
  const auto* now = nodes_.find(key);
  if (!now) return;
  const auto& id = now->definition.node_id.value;
  if (!now->host_id.empty() && now->is_grant_on)
    granted_.insert(now->host_id.value + " " + run_name(id, now->epoch));
  const bool is_on_kept_disk = now->host_id == now->disk_host_id;
  if (msg::is_under_way(now->disk_work) && !now->host_id.empty() && !is_on_kept_disk)
    fail("node " + id + " is on a host while its disk is worked on");
  if (scheduler::has_memory(*now) && !now->host_id.empty() && now->host_id != now->memory.host_id)
    fail("node " + id + " is placed on another host than the one that has its memory");
  if (scheduler::has_memory(*now) && now->computeset_id == 0)
    fail("node " + id + " has saved memory and no computeset");
  if (!before) return;
  if (now->epoch < before->epoch) fail("the epoch of node " + id + " decreases");
  const bool was_running = before->is_grant_on && before->observed == msg::DomainState::running;
  if (was_running && scheduler::is_moved(*now) &&
      now->wait.reason == scheduler::WaitReason::start_failed)
    fail("node " + id + " runs and is stopped to be started elsewhere");
  if (now->start_failures.size() > limits_.start_attempts_max)
    fail("node " + id + " is tried on too many hosts");
  const bool is_elsewhere = now->host_id != before->host_id && !now->host_id.empty();
  if (is_elsewhere && now->epoch == before->epoch)
    fail("node " + id + " is placed again without a new epoch");
}

void Invariants::check_grant_step(const std::string& key, const provisioner::StoredGrant* before) {
  const auto now = grants_.find(key);
  if (now == grants_.end()) return;
  const auto& grant = now->second.grant;
  if (now->second.phase != provisioner::GrantPhase::pending)
    has_run_.insert(run_name(grant.node_id.value, grant.epoch));
  if (before && grant.epoch < before->grant.epoch)
    fail("the epoch of a host's grant decreases: " + key);
}

void Invariants::check_active_computesets() {
  std::map<msg::NodeId, msg::ComputesetId> taken;
  for (const auto& [key, stored] : computesets_.all()) {
    if (!is_active(stored.computeset.state)) continue;
    for (const auto& node_id : stored.computeset.nodes) {
      const auto [there, is_first] = taken.emplace(node_id, stored.computeset.computeset_id);
      if (!is_first)
        fail(fmt::format("node {} is in the active computesets {} and {}", node_id.value,
                         there->second, stored.computeset.computeset_id));
    }
  }
}

void Invariants::check_capacity() {
  std::map<msg::HostId, scheduler::Resources> taken;
  for (const auto& [key, node] : nodes_.all())
    if (!node.host_id.empty()) taken[node.host_id] += node.size;
  for (const auto& [key, host] : hosts_.all()) {
    const auto& used = taken[host.host_id];
    if (used.cpus > static_cast<std::int64_t>(host.cpus) * limits_.cpu_overcommit ||
        used.memory_mb > static_cast<std::int64_t>(host.memory_mb))
      fail(fmt::format("host {} has {} of {} CPUs and {} of {} MB in use", host.host_id.value,
                       used.cpus, host.cpus, used.memory_mb, host.memory_mb));
  }
}

void Invariants::check_lost_hosts() {
  for (const auto& [key, node] : nodes_.all()) {
    if (node.host_id.empty()) continue;
    const auto* host = hosts_.find(scheduler::keys::host(node.host_id).name);
    if (host && host->state == msg::HostState::lost)
      fail(fmt::format("node {} is placed on the lost host {}", node.definition.node_id.value,
                       node.host_id.value));
  }
}

/// On the hosts of a reservation that has begun runs only what names it, and that nowhere else.
void Invariants::check_reservations() {
  std::map<msg::HostId, const msg::Reservation*> held;
  for (const auto& [key, stored] : reservations_.all())
    if (stored.reservation.state == msg::ReservationState::active)
      for (const auto& host_id : scheduler::reserved_hosts(stored.reservation))
        if (!held.emplace(host_id, &stored.reservation).second)
          fail("host " + host_id.value + " is in two reservations at a time");
  for (const auto& [key, node] : nodes_.all()) {
    if (node.host_id.empty() || !node.is_grant_on) continue;
    const auto* stored = computesets_.find(scheduler::keys::computeset(node.computeset_id).name);
    const auto own = stored && is_active(stored->computeset.state) ? stored->reservation_id : 0;
    const auto found = held.find(node.host_id);
    const auto of_host = found == held.end() ? 0 : found->second->reservation_id;
    if (own != of_host)
      fail(fmt::format("node {} of reservation {} runs on host {} of reservation {}",
                       node.definition.node_id.value, own, node.host_id.value, of_host));
  }
}

void Invariants::check_networks(std::int64_t now_unix_s) {
  std::map<std::uint32_t, std::string> vlans;
  std::map<std::string, std::string> addresses;
  for (const auto& [key, stored] : networks_.all()) {
    const auto vlan = stored.network.vlan;
    if (vlan == 0) continue;
    const auto& cluster = stored.network.cluster_id.value;
    const auto [there, is_first] = vlans.emplace(vlan, cluster);
    if (!is_first)
      fail(
          fmt::format("VLAN {} is leased to the clusters {} and {}", vlan, there->second, cluster));
    if (vlan_quarantines_.find(network::keys::vlan_quarantine(vlan).name))
      fail(fmt::format("VLAN {} of cluster {} is quarantined", vlan, cluster));
    const auto until = quarantined_until_s_.find(std::to_string(vlan));
    if (until != quarantined_until_s_.end() && now_unix_s < until->second)
      fail(fmt::format("VLAN {} is leased to cluster {} before its quarantine ended", vlan,
                       cluster));
    quarantined_until_s_.erase(std::to_string(vlan));
  }
  for (const auto& [key, record] : ports_.all())
    for (const auto& port : record.ports) {
      if (!addresses.emplace(port.mac, key).second) fail("MAC " + port.mac + " is leased twice");
      if (port.is_public && !addresses.emplace(port.ip, key).second)
        fail("the public address " + port.ip + " is leased twice");
      if (!port.is_public &&
          !addresses.emplace(record.cluster_id.value + " " + port.ip, key).second)
        fail(fmt::format("the address {} is leased twice in cluster {}", port.ip,
                         record.cluster_id.value));
      const auto* of = networks_.find(network::keys::network(record.cluster_id).name);
      if (!port.is_public && (!of || of->network.vlan != port.vlan))
        fail(fmt::format("{} has a port in VLAN {}, which its cluster does not have", key,
                         port.vlan));
    }
}

}  // namespace nucleus::tests
