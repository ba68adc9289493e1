// The server's JSON as the columns that old clients know (compat section 1.7). Pure.
#pragma once

#include "client/api.hpp"
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

/// name, state, type, mac, cpus, cluster, host, memory of a computeset's nodes.
Listing computeset_view(const Json& computeset);

/// Attribute and value of one node.
Listing attribute_view(const Json& node);

/// A text or number of an object as text; empty where there is none.
std::string text_at(const Json& object, const char* key);

/// Names of the cluster's compute nodes.
std::vector<std::string> compute_names(const Json& cluster);

}  // namespace nucleus::client
