// The registry's messages about clusters and nodes, as their owners define them. Those about people
// and credentials: messages/people.hpp.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "messages/people.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(NodeKind, frontend, compute)

/// Who answers DHCP and DNS in a cluster's private network: its frontend, as its admin installs it,
/// or Nucleus.
NUCLEUS_ENUM(AddressMode, frontend, nucleus)

/// The definition of a node. Its id never changes; its name may.
struct Node {
  NodeId node_id = {};
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::string name = {};  // unique in its cluster
  NodeKind kind = NodeKind::unknown;
  std::uint32_t index = 0;      // 0 = the frontend, computes from 1; fixes order and address
  std::uint32_t cpus = 0;       // 1..1024
  std::uint64_t memory_mb = 0;  // 64..16,777,216
  std::uint64_t disk_gb = 0;    // 1..65,536
  ImageId image_id = {};  // its volume is a clone of this image, PROJECT/NAME, or of what a tag
                          // names, PROJECT/NAME:TAG; empty = an empty disk
  ImageId iso_id = {};    // attached at the next power-on; empty = none
  std::uint64_t revision = 0;            // of this definition; grows by one with each change
  bool save_at_power_off = false;        // when it has gone off, its disk is saved as a generation
  bool boots_from_network = false;       // first, then from its ISO and its disk; from the next
                                         // power-on
  std::uint32_t save_every_minutes = 0;  // while it runs on a host that keeps its disk, that is
                                         // saved so often; 0..10,080, 0 = never
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, name, kind, index, cpus, memory_mb, disk_gb,
                 image_id, iso_id, revision, save_at_power_off, boots_from_network,
                 save_every_minutes);
};

/// A week.
constexpr std::uint32_t save_minutes_max = 10'080;

inline std::optional<Error> check_save_minutes(const std::optional<std::uint32_t>& minutes) {
  if (minutes.value_or(0) <= save_minutes_max) return std::nullopt;
  return invalid("save_every_minutes", "save_every_minutes must be 0 to 10080");
}

/// The definition of a cluster; ListNodes lists its nodes.
struct Cluster {
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::string description = {};                // 0..1024 bytes
  std::vector<AllocationId> allocations = {};  // 0..64; may be charged for its computesets
  std::uint32_t node_count = 0;                // 1..4097: the frontend and its computes
  std::uint64_t revision = 0;   // grows by one with each change of the cluster or one of its nodes
  bool has_infiniband = false;  // it is leased a partition of each fabric
  AddressMode address_mode = AddressMode::frontend;
  NUCLEUS_FIELDS(cluster_id, project_id, description, allocations, node_count, revision,
                 has_infiniband, address_mode);
};

struct NodeSize {
  std::uint32_t cpus = 1;
  std::uint64_t memory_mb = 512;
  std::uint64_t disk_gb = 1;
  NUCLEUS_FIELDS(cpus, memory_mb, disk_gb);
};

/// Creates a cluster: a frontend with the cluster's name, and compute nodes from `vm-CLUSTER-00`
/// on. `wrong_state` if the name is taken.
struct DefineCluster {
  static constexpr std::string_view topic = "registry.define-cluster";
  using Reply = Cluster;
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::string description = {};  // 0..1024 bytes
  std::vector<AllocationId> allocations = {};
  std::uint32_t compute_count = 0;  // 0..4096
  NodeSize frontend_size = {};
  NodeSize compute_size = {};
  ImageId image_id = {};
  bool has_infiniband = false;  // see Cluster
  AddressMode address_mode = AddressMode::frontend;
  NUCLEUS_FIELDS(cluster_id, project_id, description, allocations, compute_count, frontend_size,
                 compute_size, image_id, has_infiniband, address_mode);
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

/// Removes a cluster with its nodes and their volumes; nodes that run are stopped.
struct RemoveCluster {
  static constexpr std::string_view topic = "registry.remove-cluster";
  using Reply = Done;
  ClusterId cluster_id = {};
  Viewer viewer = {};
  std::uint64_t if_revision = 0;  // 0 = any; `conflict` if the cluster has another one
  NUCLEUS_FIELDS(cluster_id, viewer, if_revision);
};

/// Changes a cluster; a field that is not set stays. Nodes that run keep their addresses; the
/// address mode takes effect at each node's next power-on.
struct ChangeCluster {
  static constexpr std::string_view topic = "registry.change-cluster";
  using Reply = Cluster;
  ClusterId cluster_id = {};
  Viewer viewer = {};
  std::optional<std::string> description = {};  // 0..1024 bytes
  std::optional<std::vector<AllocationId>> allocations = {};
  std::uint64_t if_revision = 0;  // 0 = any; `conflict` if the cluster has another one
  std::optional<AddressMode> address_mode = {};
  NUCLEUS_FIELDS(cluster_id, viewer, description, allocations, if_revision, address_mode);
};

/// Changes a node; a field that is not set stays. Size, ISO and what it boots from take effect at
/// the next power-on. A frontend keeps its name.
struct ChangeNode {
  static constexpr std::string_view topic = "registry.change-node";
  using Reply = Node;
  NodeRef node = {};
  Viewer viewer = {};
  std::optional<std::string> name = {};
  std::optional<std::uint32_t> cpus = {};
  std::optional<std::uint64_t> memory_mb = {};
  std::optional<ImageId> iso_id = {};  // empty = detach
  std::uint64_t if_revision = 0;       // 0 = any; `conflict` if the node has another one
  std::optional<bool> save_at_power_off = {};
  std::optional<bool> boots_from_network = {};
  std::optional<std::uint32_t> save_every_minutes = {};
  NUCLEUS_FIELDS(node, viewer, name, cpus, memory_mb, iso_id, if_revision, save_at_power_off,
                 boots_from_network, save_every_minutes);
};

/// Changes several nodes of a cluster at once, or none of them.
struct ChangeNodes {
  static constexpr std::string_view topic = "registry.change-nodes";
  using Reply = Cluster;
  ClusterId cluster_id = {};
  Viewer viewer = {};
  std::vector<std::string> nodes = {};  // 1..4097 names, each once
  std::vector<std::string> names = {};  // their new names, in the same order; empty = unchanged
  std::optional<ImageId> iso_id = {};   // of each of them; empty = detach
  std::uint64_t if_revision = 0;        // 0 = any; `conflict` if the cluster has another one
  std::optional<bool> save_at_power_off = {};            // of each of them
  std::optional<bool> boots_from_network = {};           // likewise
  std::optional<std::uint32_t> save_every_minutes = {};  // likewise
  NUCLEUS_FIELDS(cluster_id, viewer, nodes, names, iso_id, if_revision, save_at_power_off,
                 boots_from_network, save_every_minutes);
};

struct NodesAdded {
  Cluster cluster = {};           // including the new nodes
  std::uint32_t first_index = 0;  // of the new nodes; they have the highest indexes
  NUCLEUS_FIELDS(cluster, first_index);
};

/// Adds compute nodes; their names and indexes continue those of the last one.
struct AddNodes {
  static constexpr std::string_view topic = "registry.add-nodes";
  using Reply = NodesAdded;
  ClusterId cluster_id = {};
  Viewer viewer = {};
  std::uint32_t count = 0;  // 1..4096; the cluster may have 4096 computes
  NodeSize size = {};
  ImageId image_id = {};
  std::uint64_t if_revision = 0;  // 0 = any; `conflict` if the cluster has another one
  NUCLEUS_FIELDS(cluster_id, viewer, count, size, image_id, if_revision);
};

/// Removes a compute node with its volume; it is stopped first if it runs.
struct RemoveNode {
  static constexpr std::string_view topic = "registry.remove-node";
  using Reply = Done;
  NodeRef node = {};
  Viewer viewer = {};
  std::uint64_t if_revision = 0;  // 0 = any; `conflict` if the node has another one
  NUCLEUS_FIELDS(node, viewer, if_revision);
};

struct Clusters {
  std::vector<Cluster> clusters = {};  // by name
  std::string next = {};               // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(clusters, next);
};

struct ListClusters {
  static constexpr std::string_view topic = "registry.list-clusters";
  using Reply = Clusters;
  Viewer viewer = {};
  ProjectId project_id = {};  // empty = of all projects
  ClusterId cluster_id = {};  // if set, this cluster alone, or `not_found`
  Page page = {};
  NUCLEUS_FIELDS(viewer, project_id, cluster_id, page);
};

struct Nodes {
  std::vector<Node> nodes = {};  // by cluster, then by index
  std::string next = {};         // cursor of the next page; empty = this is the last
  Cluster cluster = {};          // the one that the request names
  NUCLEUS_FIELDS(nodes, next, cluster);
};

/// Nodes of one cluster, or of all clusters that the viewer sees. `not_found` if there is no such
/// cluster, or no node of that name in it.
struct ListNodes {
  static constexpr std::string_view topic = "registry.list-nodes";
  using Reply = Nodes;
  Viewer viewer = {};
  ClusterId cluster_id = {};  // empty = all clusters
  std::string name = {};      // if set, this node of the cluster alone
  Page page = {};  // `after` is an index, or CLUSTER/INDEX in a list of all clusters' nodes
  NUCLEUS_FIELDS(viewer, cluster_id, name, page);
};

/// Event: a cluster was created or changed; the whole new definition.
struct ClusterDefined {
  static constexpr std::string_view topic = "registry.cluster-defined";
  Cluster cluster = {};
  NUCLEUS_FIELDS(cluster);
};

/// Event: a node was created or changed; the whole new definition.
struct NodeDefined {
  static constexpr std::string_view topic = "registry.node-defined";
  Node node = {};
  NUCLEUS_FIELDS(node);
};

/// Event: a compute node was removed from its cluster.
struct NodeRemoved {
  static constexpr std::string_view topic = "registry.node-removed";
  Node node = {};
  NUCLEUS_FIELDS(node);
};

/// Event: a cluster was removed with all its nodes.
struct ClusterRemoved {
  static constexpr std::string_view topic = "registry.cluster-removed";
  Cluster cluster = {};
  std::vector<NodeId> nodes = {};
  NUCLEUS_FIELDS(cluster, nodes);
};

}  // namespace nucleus::msg
