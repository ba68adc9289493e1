// The registry's messages: who there is. Projects, people, keys; clusters and nodes as their owners
// define them.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "messages/common.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(NodeKind, frontend, compute)
NUCLEUS_ENUM(Role, cluster_admin, op)  // `op`: an operator of the centre, who sees every project

/// Who speaks: the answer to every kind of credential.
struct Principal {
  PersonId person_id = {};
  Role role = Role::unknown;
  std::vector<ProjectId> projects = {};  // 0..256
  NUCLEUS_FIELDS(person_id, role, projects);
};

/// Makes a project, or does nothing where it is there.
struct DefineProject {
  static constexpr std::string_view topic = "registry.define-project";
  using Reply = Done;
  ProjectId project_id = {};
  NUCLEUS_FIELDS(project_id);
};

struct Person {
  PersonId person_id = {};
  std::string email = {};
  std::string first_name = {};
  std::string last_name = {};
  Role role = Role::cluster_admin;
  std::vector<ProjectId> projects = {};
  NUCLEUS_FIELDS(person_id, email, first_name, last_name, role, projects);
};

/// Makes or changes a person; the projects must be there.
struct DefinePerson {
  static constexpr std::string_view topic = "registry.define-person";
  using Reply = Done;
  Person person = {};
  NUCLEUS_FIELDS(person);
};

struct GetPerson {
  static constexpr std::string_view topic = "registry.get-person";
  using Reply = Person;
  PersonId person_id = {};
  NUCLEUS_FIELDS(person_id);
};

/// A person's API key; made at the first call, the same one at each later call.
struct ApiKey {
  std::string key_name = {};
  std::string secret = {};  // 24 letters and digits
  NUCLEUS_FIELDS(key_name, secret);
};

struct IssueKey {
  static constexpr std::string_view topic = "registry.issue-key";
  using Reply = ApiKey;
  PersonId person_id = {};
  NUCLEUS_FIELDS(person_id);
};

struct Token {
  std::string token = {};  // 40 hex digits; only its hash is stored
  NUCLEUS_FIELDS(token);
};

struct IssueToken {
  static constexpr std::string_view topic = "registry.issue-token";
  using Reply = Token;
  PersonId person_id = {};
  NUCLEUS_FIELDS(person_id);
};

struct CheckToken {
  static constexpr std::string_view topic = "registry.check-token";
  using Reply = Principal;
  std::string token = {};
  NUCLEUS_FIELDS(token);
};

/// Checks an API-key signature (compat section 1.5): HMAC-SHA256 over `signed_text`, one use a
/// nonce, clock within 1800 s.
struct CheckSignature {
  static constexpr std::string_view topic = "registry.check-signature";
  using Reply = Principal;
  std::string key_name = {};
  std::string signed_text = {};       // the lines that the client signed
  std::string signature_base64 = {};  // as sent
  std::string nonce = {};             // 1..64 characters
  std::int64_t timestamp_unix_s = 0;
  NUCLEUS_FIELDS(key_name, signed_text, signature_base64, nonce, timestamp_unix_s);
};

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
  NUCLEUS_FIELDS(node_id, cluster_id, project_id, name, kind, index, cpus, memory_mb, disk_gb,
                 image_id, iso_id);
};

struct Cluster {
  ClusterId cluster_id = {};
  ProjectId project_id = {};
  std::string description = {};                // 0..1024 bytes
  std::vector<AllocationId> allocations = {};  // 0..64; who may be charged
  NUCLEUS_FIELDS(cluster_id, project_id, description, allocations);
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
  NUCLEUS_FIELDS(cluster_id);
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

/// Event: a cluster and all its nodes are gone.
struct ClusterRemoved {
  static constexpr std::string_view topic = "registry.cluster-removed";
  Cluster cluster = {};
  std::vector<NodeId> nodes = {};
  NUCLEUS_FIELDS(cluster, nodes);
};

}  // namespace nucleus::msg
