// The network service's records in memory, with indexes over them: which VLANs, addresses and MACs
// are taken, and which clusters and nodes wait. `apply` is the only mutator. Runs on the loop.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "services/network/config.hpp"
#include "services/network/records.hpp"

namespace nucleus::network {

/// What one decision changes: the records to write and to remove. The events follow from them.
struct Plan {
  std::vector<StoredNetwork> networks = {};
  std::vector<StoredPorts> ports = {};
  std::vector<StoredVlanQuarantine> vlan_quarantines = {};
  std::vector<StoredPkeyQuarantine> pkey_quarantines = {};
  std::vector<StoredAddressQuarantine> address_quarantines = {};
  std::uint64_t macs_issued = 0;  // the new count; 0 = unchanged
  std::vector<msg::ClusterNetwork> networks_removed = {};
  std::vector<msg::NodeId> ports_removed = {};
  std::vector<std::uint32_t> vlan_quarantines_ended = {};
  std::vector<msg::FabricLease> pkey_quarantines_ended = {};
  std::vector<StoredAddressQuarantine> address_quarantines_ended = {};
  std::vector<StoredMembers> members = {};
  std::vector<StoredMembers> members_left = {};  // removed
};

using MembersId = std::pair<msg::NodeId, std::uint64_t>;  // with the epoch of the placement

inline MembersId id_of(const StoredMembers& stored) {
  return {stored.node_id, stored.epoch};
}

class View {
 public:
  struct Cluster {
    StoredNetwork stored = {};
    std::set<msg::NodeId> nodes = {};  // that have a StoredPorts
    std::set<Ipv4> addresses = {};     // private ones, leased or quarantined; the service address
  };

  struct Members {
    StoredMembers stored = {};
    std::uint64_t since_change = 0;  // that leased or released them
  };

  explicit View(const Config& config);

  /// Null if there is none.
  const Cluster* cluster(const msg::ClusterId& cluster_id) const;
  const StoredPorts* ports(const msg::NodeId& node_id) const;
  const Members* members(const MembersId& id) const;
  const std::map<msg::ClusterId, Cluster>& clusters() const { return clusters_; }
  const std::map<MembersId, Members>& members() const { return members_; }
  /// Those that have the port.
  const std::set<MembersId>& members_with(const std::string& port_guid) const;
  /// Counts leases and releases of members: a check of a fabric that began earlier does not know
  /// the later ones.
  std::uint64_t member_changes() const { return member_changes_; }
  const NumberPool& vlans() const { return vlans_; }
  /// The pkeys of each fabric in the settings, and of those that still have leases.
  const std::map<std::string, NumberPool>& pkeys() const { return pkeys_; }
  /// The fabrics in the settings.
  const std::set<std::string>& fabrics() const { return fabrics_; }
  std::uint32_t public_vlan() const { return public_vlan_; }
  const Subnet& public_subnet() const { return public_subnet_; }
  const std::set<Ipv4>& public_addresses() const { return public_addresses_; }
  std::size_t mac_count() const { return macs_.size(); }
  bool is_mac_taken(const std::string& mac) const { return macs_.contains(mac); }
  std::uint64_t macs_issued() const { return macs_issued_; }
  /// Clusters without a VLAN or their pkeys, and nodes of other clusters without ports, oldest
  /// first.
  const std::map<std::uint64_t, msg::ClusterId>& clusters_waiting() const {
    return clusters_waiting_;
  }
  const std::map<std::uint64_t, msg::NodeId>& nodes_waiting() const { return nodes_waiting_; }
  /// Clusters of mode `nucleus` for which no service address was free.
  const std::set<msg::ClusterId>& name_servers_waiting() const { return name_servers_waiting_; }
  /// The quarantined addresses whose quarantine has ended; or all of one cluster.
  std::vector<StoredAddressQuarantine> addresses_due(std::int64_t now_unix_s) const;
  std::vector<StoredAddressQuarantine> addresses_quarantined(const msg::ClusterId& id) const;

  void apply(const Plan& plan);
  /// Fills an empty view with all stored records. Counts the members as changes after
  /// `member_changes`.
  void load(const Plan& records, std::uint64_t member_changes = 0);
  /// Asserts that the indexes agree with the records, and that nothing is leased twice.
  void check() const;

 private:
  using Quarantine = std::tuple<std::int64_t, msg::ClusterId, std::string>;  // end, cluster, IP

  void put(const StoredNetwork& network);
  void put(const StoredPorts& ports);
  void put(const StoredMembers& members);
  void remove_members(const MembersId& id);
  void remove_ports(const msg::NodeId& node_id);
  void remove_network(const msg::ClusterNetwork& network);
  void check_ports(const StoredPorts& stored) const;
  void check_members() const;

  std::uint32_t public_vlan_;
  Subnet public_subnet_;
  NumberPool vlans_;
  std::map<std::string, NumberPool> pkeys_ = {};
  std::set<std::string> fabrics_ = {};
  std::map<msg::ClusterId, Cluster> clusters_ = {};
  std::unordered_map<msg::NodeId, StoredPorts> ports_ = {};
  std::map<MembersId, Members> members_ = {};
  std::map<std::string, std::set<MembersId>> members_with_ = {};  // by msg::table_port
  std::uint64_t member_changes_ = 0;
  std::set<Quarantine> address_quarantines_ = {};
  std::set<Ipv4> public_addresses_ = {};
  std::unordered_set<std::string> macs_ = {};
  std::uint64_t macs_issued_ = 0;
  std::map<std::uint64_t, msg::ClusterId> clusters_waiting_ = {};  // by the event that defined them
  std::map<std::uint64_t, msg::NodeId> nodes_waiting_ = {};
  std::set<msg::ClusterId> name_servers_waiting_ = {};
};

}  // namespace nucleus::network
