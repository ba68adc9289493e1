// The server's JSON as the columns that old clients know (compat section 1.7). Pure.
#pragma once

#include "client/api/json.hpp"
#include "client/listing.hpp"

namespace nucleus::client {

/// One row a cluster: Name, Project, Count, Nodes, Frontend (Fe), State (Fe), Type (Fe),
/// allocations, Description.
Listing list_view(const Json& clusters);

enum class NodeColumns { all_table, all_data, concise, status };

/// One row a node, by cluster and MAC or else by `sort_key`, which may be of a column not shown;
/// `computesets` say which allocation each is charged to. `invalid_argument`: no such key.
core::Result<Listing> node_view(const Json& clusters, const Json& computesets, NodeColumns columns,
                                const std::string& sort_key = {});

/// `Cluster: X<TAB>Frontend: Y<TAB>IP: Z`, a line a cluster.
std::string cluster_heads(const Json& clusters);

/// Is any node of these clusters in a computeset?
bool has_active_set(const Json& clusters);

/// name, state, type, mac, cpus, cluster, host, memory of a computeset's nodes.
Listing computeset_view(const Json& computeset);

/// Attribute and value of one node.
Listing attribute_view(const Json& node);

/// One row an allocation: allocation, project, used, limit and what is left, in core hours.
Listing limit_view(const Json& allocations);
/// One row a computeset: what it was charged, in core hours; and the sum of all.
Listing usage_view(const Json& entries);

/// Core seconds as core hours with two digits.
std::string shown_core_hours(std::int64_t core_s);
/// A time of day as this machine's clock has it: 2026-11-26 01:02:03.
std::string shown_time(std::int64_t unix_s);

/// Names of the cluster's compute nodes.
std::vector<std::string> compute_names(const Json& cluster);

}  // namespace nucleus::client
