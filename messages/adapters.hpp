// The InfiniBand adapters of placed nodes: the scheduler leases them, and the network service makes
// their ports members of the cluster's partitions before the node may start.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/common.hpp"
#include "messages/fabrics.hpp"

namespace nucleus::msg {

/// Event: a placement has these adapters of its host. Their ports must become full members of the
/// partitions; PartitionsJoined answers it.
struct AdaptersLeased {
  static constexpr std::string_view topic = "scheduler.adapters-leased";
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::uint64_t epoch = 0;                   // of the placement
  std::vector<LeasedAdapter> adapters = {};  // one of each fabric, by fabric
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, epoch, adapters);
};

/// Event: the placement has ended. Its ports must leave the partitions before another one has the
/// adapters; PartitionsLeft answers it.
struct AdaptersReleased {
  static constexpr std::string_view topic = "scheduler.adapters-released";
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::uint64_t epoch = 0;
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, epoch);
};

/// Event: the ports of a placement's adapters are members of its partitions, as their own tables
/// show, or why they are not yet.
struct PartitionsJoined {
  static constexpr std::string_view topic = "network.partitions-joined";
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::uint64_t epoch = 0;
  std::string reason = {};  // why they are not; empty = they are
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, epoch, reason);
};

/// Event: the ports of a placement's adapters are in none of its partitions any more, or are not on
/// the fabric.
struct PartitionsLeft {
  static constexpr std::string_view topic = "network.partitions-left";
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::uint64_t epoch = 0;
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, epoch);
};

}  // namespace nucleus::msg
