// The registry's messages about what there is: clusters and nodes as their owners define them.
// Those about who there is: messages/people.hpp.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "messages/people.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(NodeKind, frontend, compute)

/// A node as its owner defined it. Its id never changes; its name may.
struct Node {
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::string name = {};  // unique in its cluster
  NodeKind kind = NodeKind::unknown;
  std::uint32_t index = 0;      // 0 = the frontend, computes from 1: fixes order and address
  std::uint32_t cpus = 0;       // 1..1024
  std::uint64_t memory_mb = 0;  // 64..16,777,216
  std::uint64_t disk_gb = 0;    // 1..65,536
  ImageId image_id = {};        // what its volume is cloned from; empty = an empty disk
  ImageId iso_id = {};          // attached at the next power-on; empty = none
  std::uint64_t revision = 0;   // of this definition: one more with each change
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, name, kind, index, cpus, memory_mb, disk_gb,
                 image_id, iso_id, revision);
};

struct Cluster {
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::string description = {};                // 0..1024 bytes
  std::vector<AllocationId> allocations = {};  // 0..64; who may be charged
  std::uint64_t revision = 0;  // of this definition: one more with each change of it or its nodes
  NUCLEUS_FIELDS(cluster_id, project_id, description, allocations, revision);
};

struct NodeSize {
  std::uint32_t cpus = 1;
  std::uint64_t memory_mb = 512;
  std::uint64_t disk_gb = 1;
  NUCLEUS_FIELDS(cpus, memory_mb, disk_gb);
};

/// Makes a cluster: a frontend named like it, and compute nodes `vm-CLUSTER-00` on. Refused where
/// the name is taken.
struct DefineCluster {
  static constexpr std::string_view topic = "registry.define-cluster";
  using Reply = Cluster;
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::string description = {};
  std::vector<AllocationId> allocations = {};
  std::uint32_t compute_count = 0;  // 0..4096
  NodeSize frontend_size = {};
  NodeSize compute_size = {};
  ImageId image_id = {};
  NUCLEUS_FIELDS(cluster_id, project_id, description, allocations, compute_count, frontend_size,
                 compute_size, image_id);
};

inline std::optional<Error> check(const NodeSize& size, std::string_view field) {
  const auto broken = [&](std::string_view what) {
    return invalid(std::string(field) + "." + std::string(what),
                   std::string(what) + " is out of range");
  };
  if (size.cpus < 1 || size.cpus > 1024) return broken("cpus");
  if (size.memory_mb < 64 || size.memory_mb > 16'777'216) return broken("memory_mb");
  if (size.disk_gb < 1 || size.disk_gb > 65'536) return broken("disk_gb");
  return std::nullopt;
}

inline std::optional<Error> check(const DefineCluster& request) {
  if (auto broken = check_name("cluster_id", request.cluster_id.value)) return broken;
  if (auto broken = check_name("project_id", request.project_id.value)) return broken;
  if (request.description.size() > 1024)
    return invalid("description", "description is over 1024 bytes");
  if (request.compute_count > 4096) return invalid("compute_count", "compute_count is over 4096");
  if (request.allocations.size() > 64) return invalid("allocations", "more than 64 allocations");
  for (const auto& allocation : request.allocations)
    if (auto broken = check_name("allocations", allocation.value)) return broken;
  if (auto broken = check(request.frontend_size, "frontend_size")) return broken;
  return check(request.compute_size, "compute_size");
}

struct RemoveCluster {
  static constexpr std::string_view topic = "registry.remove-cluster";
  using Reply = Done;
  ClusterId cluster_id = {};
  std::uint64_t if_revision = 0;  // 0 = any; else `conflict` where it is another
  NUCLEUS_FIELDS(cluster_id, if_revision);
};

/// Changes what is said of a cluster.
struct ChangeCluster {
  static constexpr std::string_view topic = "registry.change-cluster";
  using Reply = Cluster;
  ClusterId cluster_id = {};
  std::optional<std::string> description = {};
  std::optional<std::vector<AllocationId>> allocations = {};
  std::uint64_t if_revision = 0;  // 0 = any; else `conflict` where it is another
  NUCLEUS_FIELDS(cluster_id, description, allocations, if_revision);
};

/// Changes what is said of a node; size and ISO take effect at its next power-on.
struct ChangeNode {
  static constexpr std::string_view topic = "registry.change-node";
  using Reply = Node;
  NodeId node_id = {};
  std::optional<std::string> name = {};
  std::optional<std::uint32_t> cpus = {};
  std::optional<std::uint64_t> memory_mb = {};
  std::optional<ImageId> iso_id = {};
  std::uint64_t if_revision = 0;  // of the node; 0 = any; else `conflict` where it is another
  NUCLEUS_FIELDS(node_id, name, cpus, memory_mb, iso_id, if_revision);
};

/// Adds compute nodes, named and numbered on from the last one.
struct AddNodes {
  static constexpr std::string_view topic = "registry.add-nodes";
  using Reply = Cluster;
  ClusterId cluster_id = {};
  std::uint32_t count = 0;  // 1..4096, the cluster then has at most 4096
  NodeSize size = {};
  ImageId image_id = {};
  std::uint64_t if_revision = 0;  // of the cluster
  NUCLEUS_FIELDS(cluster_id, count, size, image_id, if_revision);
};

/// Removes one compute node with its volume; it is stopped by force where it runs.
struct RemoveNode {
  static constexpr std::string_view topic = "registry.remove-node";
  using Reply = Done;
  NodeId node_id = {};
  std::uint64_t if_revision = 0;  // of the node
  NUCLEUS_FIELDS(node_id, if_revision);
};

struct ClusterWithNodes {
  Cluster cluster = {};
  std::vector<Node> nodes = {};  // by index: the frontend first
  NUCLEUS_FIELDS(cluster, nodes);
};

struct Clusters {
  std::vector<ClusterWithNodes> clusters = {};  // by name
  bool is_more = false;  // there are others after the last one: ask again with `after`
  NUCLEUS_FIELDS(clusters, is_more);
};

/// The clusters of these projects, or all with `is_operator`; one alone where `cluster_id` is said.
/// One that is not theirs is `not_found`, just like one that does not exist.
struct ListClusters {
  static constexpr std::string_view topic = "registry.list-clusters";
  using Reply = Clusters;
  std::vector<ProjectId> projects = {};
  bool is_operator = false;
  ClusterId cluster_id = {};
  ClusterId after = {};  // only clusters whose names come after this one
  NUCLEUS_FIELDS(projects, is_operator, cluster_id, after);
};

struct RenameNode {
  static constexpr std::string_view topic = "registry.rename-node";
  using Reply = Done;
  NodeId node_id = {};
  std::string name = {};
  NUCLEUS_FIELDS(node_id, name);
};

/// Attaches an ISO to a node (empty: detaches); it takes effect at the next power-on.
struct AttachIso {
  static constexpr std::string_view topic = "registry.attach-iso";
  using Reply = Done;
  NodeId node_id = {};
  ImageId iso_id = {};
  NUCLEUS_FIELDS(node_id, iso_id);
};

/// Event: a cluster was made or changed.
struct ClusterDefined {
  static constexpr std::string_view topic = "registry.cluster-defined";
  Cluster cluster = {};
  std::uint32_t node_count = 0;  // the frontend and its computes; 0 = not said
  NUCLEUS_FIELDS(cluster, node_count);
};

/// Event: a node was made or changed; the whole new node.
struct NodeDefined {
  static constexpr std::string_view topic = "registry.node-defined";
  Node node = {};
  NUCLEUS_FIELDS(node);
};

/// Event: a compute node is gone; its cluster stays.
struct NodeRemoved {
  static constexpr std::string_view topic = "registry.node-removed";
  Node node = {};
  NUCLEUS_FIELDS(node);
};

/// Event: a cluster and all its nodes are gone.
struct ClusterRemoved {
  static constexpr std::string_view topic = "registry.cluster-removed";
  Cluster cluster = {};
  std::vector<NodeId> nodes = {};
  NUCLEUS_FIELDS(cluster, nodes);
};

}  // namespace nucleus::msg
