// The server's JSON as listings with the columns that first-generation clients print. Pure.
#pragma once

#include "client/api/json.hpp"
#include "client/output/listing.hpp"

namespace nucleus::client {

/// One row per cluster: Name, Project, Count, Nodes, Frontend (Fe), State (Fe), Type (Fe),
/// allocations, Description.
Listing list_view(const Json& clusters);

enum class NodeColumns { all_table, all_data, concise, status };

/// One row per node, sorted by cluster and MAC address, or by `sort_key`, which may be a column
/// that is not shown. `computesets` give the allocation of each node. `invalid_argument`: no such
/// key.
core::Result<Listing> node_view(const Json& clusters, const Json& computesets, NodeColumns columns,
                                const std::string& sort_key = {});

/// `Cluster: X<TAB>Frontend: Y<TAB>IP: Z`, one line per cluster.
std::string cluster_heads(const Json& clusters);

/// True if a node of these clusters is in an active computeset.
bool has_active_set(const Json& clusters);

/// name, state, type, mac, cpus, cluster, host, memory of a computeset's nodes.
Listing computeset_view(const Json& computeset);

/// One row per port: node, network, VLAN, address, MAC; and one per partition of InfiniBand.
Listing network_view(const Json& networks);

/// Attribute and value of one node.
Listing attribute_view(const Json& node);

/// One row per allocation: allocation, project, used, limit and what is left, in core hours.
Listing limit_view(const Json& allocations);
/// One row per computeset with its charge in core hours, and the sum of all.
Listing usage_view(const Json& entries);
/// One row per project, person, … with what its computesets were charged, and the sum of all.
Listing usage_total_view(const Json& totals, const std::string& by);

/// One row per reservation: name, state, project, start, end, hosts, reason.
Listing reservation_view(const Json& reservations);

/// One row per recording of a console: ID, cluster, node, begin, duration, size, state.
Listing recording_view(const Json& recordings);

/// One row per class of hosts: name, number of hosts, and the prices of an hour in SU.
Listing host_class_view(const Json& classes);

/// Core seconds as core hours with two digits.
std::string shown_core_hours(std::int64_t core_s);
/// Thousandths as a number: 2.5.
std::string shown_milli(std::int64_t milli);
/// A time in the local time zone: 2026-11-26 01:02:03.
std::string shown_time(std::int64_t unix_s);

/// The names of the cluster's compute nodes.
std::vector<std::string> compute_names(const Json& cluster);

}  // namespace nucleus::client
