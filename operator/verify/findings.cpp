#include "operator/verify/findings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace nucleus::operator_ {

namespace {

using scheduler::Resources;

class Verifier {
 public:
  explicit Verifier(const Evidence& evidence) : evidence_{evidence} {
    for (const auto& stored : evidence_.placed_nodes) placed_[stored.definition.node_id] = &stored;
    for (const auto& stored : evidence_.nodes) defined_[stored.node.node_id] = &stored.node;
    for (const auto& stored : evidence_.clusters) clusters_.insert(stored.cluster.cluster_id);
  }

  std::vector<Violation> run() {
    check_domains();
    check_missing_domains();
    check_switches();
    check_capacity();
    check_adapters();
    check_isolation();
    check_vlans();
    check_addresses();
    check_definitions();
    check_computesets();
    check_jobs();
    check_charges();
    check_events();
    std::ranges::sort(violations_);
    return std::move(violations_);
  }

 private:
  void add(std::string what, std::string command = {}) {
    violations_.push_back({std::move(what), std::move(command)});
  }

  const scheduler::StoredNode* placed(const msg::NodeId& id) const {
    const auto found = placed_.find(id);
    return found == placed_.end() ? nullptr : found->second;
  }

  static std::string shown(const msg::Node& node) {
    return fmt::format("{}/{}", node.cluster_id.value, node.name);
  }

  const scheduler::StoredComputeset* unfinished(msg::ComputesetId id) const {
    const auto found = std::ranges::find_if(evidence_.computesets, [&](const auto& stored) {
      return stored.computeset.computeset_id == id;
    });
    return found == evidence_.computesets.end() ? nullptr : &*found;
  }

  /// Every batch job belongs to an unfinished computeset, whose nodes run only on the job's hosts.
  /// Every running computeset has a job.
  void check_jobs() {
    if (!evidence_.has_batch_system) return;
    std::set<msg::ComputesetId> with_hosts;
    for (const auto& job : evidence_.jobs) {
      const bool has_hosts =
          job.state == scheduler::JobState::preparing || job.state == scheduler::JobState::ready;
      if (!has_hosts && job.state != scheduler::JobState::pending) continue;
      const auto* stored = unfinished(job.computeset_id);
      if (!stored || stored->computeset.batch_job != job.job_id) {
        add(fmt::format("batch job {} is of computeset {}, which does not have it", job.job_id,
                        job.computeset_id),
            "scancel " + job.job_id);
        continue;
      }
      if (has_hosts) with_hosts.insert(job.computeset_id);
      check_hosts_of(job, stored->computeset);
    }
    for (const auto& stored : evidence_.computesets)
      if (stored.computeset.state == msg::ComputesetState::running &&
          !with_hosts.contains(stored.computeset.computeset_id))
        add(fmt::format("computeset {} runs, but its batch job {} does not",
                        stored.computeset.computeset_id, stored.computeset.batch_job));
  }

  void check_hosts_of(const scheduler::Job& job, const msg::Computeset& computeset) {
    for (const auto& id : computeset.nodes) {
      const auto* node = placed(id);
      if (!node || node->host_id.empty() ||
          std::ranges::find(job.hosts, node->host_id) != job.hosts.end())
        continue;
      add(fmt::format("{} is placed on {}, which is not a host of its batch job {}",
                      shown(node->definition), node->host_id.value, job.job_id));
    }
  }

  /// Every domain has a node that is placed on its host, and so on one host alone.
  void check_domains() {
    for (const auto& host : evidence_.read_hosts)
      for (const auto& name : host.domains) {
        const auto* node = placed({name});
        if (node && node->host_id == host.host_id) continue;
        const auto owner =
            !node ? std::string("no node has this id")
            : node->host_id.empty()
                ? shown(node->definition) + " is placed nowhere"
                : fmt::format("{} is placed on {}", shown(node->definition), node->host_id.value);
        add(fmt::format("domain {} runs on {}, but {}", name, host.host_id.value, owner),
            fmt::format("virsh -c '{}' destroy {}", host.libvirt_uri, name));
      }
  }

  /// Every node that is recorded as running has a domain.
  void check_missing_domains() {
    for (const auto& host : evidence_.read_hosts)
      for (const auto& stored : evidence_.placed_nodes) {
        const bool is_recorded = stored.observed == msg::DomainState::running ||
                                 stored.observed == msg::DomainState::paused;
        if (stored.host_id != host.host_id || !is_recorded || !stored.is_grant_on) continue;
        if (!host.domains.contains(stored.definition.node_id.value))
          add(fmt::format("{} is recorded as running on {}, which has no domain {}",
                          shown(stored.definition), host.host_id.value,
                          stored.definition.node_id.value));
      }
  }

  /// The VLANs of the domains of a host.
  std::set<std::uint32_t> vlans_on(const HostEvidence& host) const {
    std::set<std::uint32_t> vlans;
    for (const auto& stored : evidence_.ports)
      if (host.domains.contains(stored.node_id.value))
        for (const auto& port : stored.ports) vlans.insert(port.vlan);
    return vlans;
  }

  /// PREFIX-s101 answers DHCP and DNS in VLAN 101, if a node of that cluster is here.
  void check_service_port(const HostEvidence& host, const std::string& name, std::uint32_t vlan,
                          const std::string& removal) {
    if (!name.ends_with("-s" + std::to_string(vlan)))
      add(fmt::format("port {} of {} is in VLAN {}", name, host.host_id.value, vlan), removal);
    else if (!vlans_on(host).contains(vlan))
      add(fmt::format("port {} of {} serves no domain", name, host.host_id.value), removal);
  }

  /// A port is of a node on this host, and in the VLAN that was leased to it.
  void check_switches() {
    std::map<std::string, std::pair<const network::StoredPorts*, std::uint32_t>> by_tail;
    for (const auto& stored : evidence_.ports)
      for (const auto& port : stored.ports) {
        std::string tail = port.mac.size() > 9 ? port.mac.substr(9) : port.mac;
        std::erase(tail, ':');
        by_tail[tail] = {&stored, port.vlan};
      }
    for (const auto& host : evidence_.read_hosts)
      for (const auto& [name, vlan] : host.tap_ports) {
        const auto removal = fmt::format("OVS_RUNDIR={} ovs-vsctl --if-exists del-port {}",
                                         host.switch_folder, name);
        if (name.find("-s") != std::string::npos) {
          check_service_port(host, name, vlan, removal);
          continue;
        }
        const auto found = by_tail.find(name.substr(name.rfind('-') + 1));
        if (found == by_tail.end() || !host.domains.contains(found->second.first->node_id.value))
          add(fmt::format("port {} of {} belongs to no domain", name, host.host_id.value), removal);
        else if (found->second.second != vlan)
          add(fmt::format("port {} of {} is in VLAN {}, leased is {}", name, host.host_id.value,
                          vlan, found->second.second),
              fmt::format("OVS_RUNDIR={} ovs-vsctl set port {} tag={}", host.switch_folder, name,
                          found->second.second));
      }
  }

  /// What the hosts found themselves, with real frames: also hosts of other machines.
  void check_isolation() {
    for (const auto& host : evidence_.hosts) {
      const auto& id = host.host_id.value;
      if (host.isolation == msg::IsolationState::unchecked)
        add(fmt::format("{} cannot check the isolation of clusters: {}", id, host.isolation_reason),
            "nucleus host check " + id);
      for (const auto& fault : host.isolation_faults)
        add(fmt::format("{} breaks the isolation of {}: {}{}", id,
                        fault.cluster_id.empty() ? "clusters" : fault.cluster_id.value,
                        fault.port.empty() ? "" : "port " + fault.port + ": ", fault.reason),
            "nucleus host check " + id);
    }
  }

  void check_adapters() {
    std::map<std::pair<msg::HostId, std::string>, std::string> holders;  // by PCI address
    for (const auto& node : evidence_.placed_nodes)
      for (const auto& leased : node.adapters) {
        const auto& address = leased.adapter.pci_address;
        const auto [held, is_new] =
            holders.try_emplace({node.host_id, address}, node.definition.name);
        if (!is_new)
          add(fmt::format("{} and {} have the same adapter {} of {}", held->second,
                          node.definition.name, address, node.host_id.value),
              "nucleus host drain " + node.host_id.value);
      }
  }

  void check_capacity() {
    std::map<msg::HostId, Resources> used;
    for (const auto& stored : evidence_.placed_nodes)
      if (!stored.host_id.empty()) used[stored.host_id] += stored.size;
    for (const auto& host : evidence_.hosts) {
      const auto& held = used[host.host_id];
      const Resources room{.cpus = host.cpus * evidence_.cpu_overcommit,
                           .memory_mb = static_cast<std::int64_t>(host.memory_mb),
                           .adapters = held.adapters};  // compared one by one
      if (!fits(held, room))
        add(fmt::format("{} has {} CPUs and {} MB, its nodes hold {} and {}", host.host_id.value,
                        room.cpus, room.memory_mb, held.cpus, held.memory_mb),
            fmt::format("nucleus host drain {}", host.host_id.value));
    }
    for (const auto& [host_id, held] : used)
      if (std::ranges::find(evidence_.hosts, host_id, &scheduler::StoredHost::host_id) ==
          evidence_.hosts.end())
        add(fmt::format("nodes are placed on {}, an unknown host", host_id.value));
  }

  /// A VLAN is leased to one cluster, which exists, or is quarantined.
  void check_vlans() {
    std::map<std::uint32_t, std::string> holders;
    for (const auto& one : evidence_.vlan_quarantines) holders[one.vlan] = "the quarantine";
    for (const auto& stored : evidence_.networks) {
      const auto& network = stored.network;
      const auto cluster = "cluster " + network.cluster_id.value;
      if (!clusters_.contains(network.cluster_id))
        add(fmt::format("{} has a network and does not exist", cluster));
      if (network.vlan == 0) continue;
      const auto [holder, is_first] = holders.try_emplace(network.vlan, cluster);
      if (!is_first)
        add(fmt::format("VLAN {} is leased to {} and {}", network.vlan, holder->second, cluster));
    }
  }

  /// MACs are unique; addresses are within their cluster, or on the public segment.
  void check_addresses() {
    std::map<std::string, std::string> macs;
    std::map<std::string, std::string> addresses;
    const auto check = [this](auto& holders, const std::string& key, const std::string& holder,
                              const std::string& shown) {
      const auto [known, is_first] = holders.try_emplace(key, holder);
      if (!is_first)
        add(fmt::format("{} is leased to nodes {} and {}", shown, known->second, holder));
    };
    for (const auto& stored : evidence_.ports)
      for (const auto& port : stored.ports) {
        check(macs, port.mac, stored.node_id.value, "MAC " + port.mac);
        const auto segment = port.is_public ? std::string("public") : stored.cluster_id.value;
        if (!port.ip.empty())
          check(addresses, segment + " " + port.ip, stored.node_id.value,
                fmt::format("address {} ({})", port.ip, segment));
      }
  }

  /// What the registry defined is known to all who need it, and nothing else is.
  void check_definitions() {
    const auto compare = [this](const std::string& what, const auto& records, auto id_of) {
      std::set<msg::NodeId> known;
      for (const auto& stored : records)
        if (const std::optional<msg::NodeId> id = id_of(stored)) {
          known.insert(*id);
          if (!defined_.contains(*id))
            add(fmt::format("{} of node {}: the registry has no such node", what, id->value));
        }
      for (const auto& [id, node] : defined_)
        if (!known.contains(id)) add(fmt::format("{} has no {}", shown(*node), what));
    };
    using Id = std::optional<msg::NodeId>;
    compare("record of the scheduler", evidence_.placed_nodes, [](const auto& stored) {
      return stored.is_removed ? Id{} : Id{stored.definition.node_id};
    });
    compare("ports", evidence_.ports, [](const auto& stored) { return Id{stored.node_id}; });
    compare("volume", evidence_.volumes, [](const auto& stored) {
      return stored.state == image_store::VolumeState::removed ? Id{} : Id{stored.node.node_id};
    });
  }

  /// A node is in the unfinished computeset that has it, and in no other.
  void check_computesets() {
    std::map<msg::NodeId, msg::ComputesetId> members;
    for (const auto& stored : evidence_.computesets)
      for (const auto& id : stored.computeset.nodes) {
        const auto [known, is_first] = members.try_emplace(id, stored.computeset.computeset_id);
        if (!is_first)
          add(fmt::format("node {} is in computesets {} and {}", id.value, known->second,
                          stored.computeset.computeset_id));
      }
    for (const auto& stored : evidence_.placed_nodes) {
      const auto found = members.find(stored.definition.node_id);
      if (stored.computeset_id != 0 &&
          (found == members.end() || found->second != stored.computeset_id))
        add(fmt::format("{} is held by computeset {}, which does not have it",
                        shown(stored.definition), stored.computeset_id));
    }
  }

  /// An allocation has paid for its finished computesets, each once.
  void check_charges() {
    std::map<msg::AllocationId, std::int64_t> owed;
    for (const auto& stored : evidence_.finished)
      if (stored.computeset.state == msg::ComputesetState::completed)
        owed[stored.computeset.allocation_id] +=
            charged_core_s(stored, stored.computeset.end_unix_s);
    for (const auto& stored : evidence_.allocations) {
      const auto& allocation = stored.allocation;
      const auto due = owed[allocation.allocation_id];
      if (due == allocation.used_core_s) continue;
      add(
          fmt::format("allocation {} was charged {} core seconds, its finished computesets used "
                      "{}",
                      allocation.allocation_id.value, allocation.used_core_s, due));
    }
  }

  /// Numbers are dense, and the newest event is stored.
  void check_events() {
    const auto& [first, last, count] = evidence_.events;
    if (count > 0 && last - first + 1 != count)
      add(fmt::format("events {} to {} are {} only", first, last, count));
    if (evidence_.last_event != last)
      add(fmt::format("{} events were counted, the newest that is stored is {}",
                      evidence_.last_event, last));
  }

  const Evidence& evidence_;
  std::map<msg::NodeId, const scheduler::StoredNode*> placed_ = {};
  std::map<msg::NodeId, const msg::Node*> defined_ = {};
  std::set<msg::ClusterId> clusters_ = {};
  std::vector<Violation> violations_ = {};
};

}  // namespace

std::vector<Violation> find_violations(const Evidence& evidence) {
  return Verifier(evidence).run();
}

}  // namespace nucleus::operator_
