// Which VLAN, pkeys, subnet, addresses and MACs a cluster and its nodes lease, and what is
// quarantined when they are removed. Pure functions over the view; the caller applies the plan.
#pragma once

#include <optional>

#include "messages/registry.hpp"
#include "services/network/view.hpp"

namespace nucleus::network {

/// A network for a new cluster: a VLAN, and a pkey of each fabric if it has InfiniBand. If one of
/// them is not free, it is leased none: its VLAN is 0, and it waits.
Plan plan_network(const View& view, const msg::ClusterDefined& event, std::uint64_t event_id);

/// Why a cluster without a VLAN waits.
std::string waiting_reason(const View& view, StoredNetwork stored);

/// Ports for a node whose cluster is in the view, the public port first; or the reason why it must
/// wait. Widens the cluster's subnet if that is full, which gives all its nodes the new prefix.
Plan plan_ports(const View& view, StoredPorts node);

/// Takes the cluster's address mode, if that has changed: leases the service address that it needs,
/// and gives all its ports the name server, or takes it from them. Widens a subnet that is full; if
/// no address is free at all, the cluster waits for one. The cluster is in the view.
std::optional<Plan> plan_address_mode(const View& view, const msg::ClusterId& cluster_id,
                                      msg::AddressMode mode);

/// Removes a cluster with its ports; its VLAN and pkeys are quarantined, and its members of
/// partitions must leave. The cluster is in the view.
Plan plan_cluster_removal(const View& view, const msg::ClusterId& cluster_id,
                          std::int64_t quarantine_end_unix_s);

/// Removes a node's ports; its private address is quarantined for this long. The node is in the
/// view.
Plan plan_node_removal(const View& view, const msg::NodeId& node_id, std::int64_t now_unix_s,
                       std::int64_t quarantine_s);

/// Ends the quarantines that are over, except of pkeys that have members; nothing if none is.
std::optional<Plan> plan_quarantine_ends(const View& view, std::int64_t now_unix_s);

/// Serves one of those that wait: the oldest cluster that can have its VLAN and pkeys, else ports
/// for the oldest node that can have them. Nothing if all must continue to wait.
std::optional<Plan> plan_waiting(const View& view);

}  // namespace nucleus::network
