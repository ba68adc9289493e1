// The registry knows who there is: projects, people, keys and tokens; clusters and nodes as their
// owners define them. It alone writes them. Everything here runs on the service's one loop.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/runtime/runtime.hpp"
#include "messages/registry.hpp"
#include "services/registry/config.hpp"
#include "services/registry/metrics.hpp"
#include "services/registry/nonce_index.hpp"
#include "services/registry/randomness.hpp"
#include "services/registry/records.hpp"

namespace nucleus::registry {

class Service {
 public:
  Service(core::Runtime& runtime, Config config,
          std::unique_ptr<Randomness> randomness = std::make_unique<SodiumRandomness>());

 private:
  // people.cpp
  core::Result<msg::Done> define_project(const msg::DefineProject& request, core::Context& context);
  core::Result<msg::Done> define_person(const msg::DefinePerson& request, core::Context& context);
  core::Result<msg::Person> get_person(const msg::GetPerson& request, core::Context& context);
  core::Result<msg::ApiKey> issue_key(const msg::IssueKey& request, core::Context& context);
  core::Result<msg::Token> issue_token(const msg::IssueToken& request, core::Context& context);
  core::Result<msg::Principal> check_token(const msg::CheckToken& request, core::Context& context);
  core::Result<msg::Principal> check_signature(const msg::CheckSignature& request,
                                               core::Context& context);
  core::Result<msg::Principal> accept_signature(const msg::CheckSignature& request,
                                                core::Context& context);
  core::Result<msg::Principal> principal(const msg::PersonId& person_id) const;
  void sweep_nonces(core::Context& context);

  // clusters.cpp
  core::Result<msg::Cluster> define_cluster(const msg::DefineCluster& request,
                                            core::Context& context);
  core::Result<msg::Clusters> list_clusters(const msg::ListClusters& request,
                                            core::Context& context);
  core::Result<msg::Done> rename_node(const msg::RenameNode& request, core::Context& context);
  core::Result<msg::Done> attach_iso(const msg::AttachIso& request, core::Context& context);
  core::Result<msg::Done> remove_cluster(const msg::RemoveCluster& request, core::Context& context);
  core::Result<msg::Done> change_node(const msg::Node& node, core::Context& context);
  core::Result<msg::Node> find_node(const msg::NodeId& node_id) const;
  msg::ClusterWithNodes with_nodes(const msg::Cluster& cluster) const;

  void rebuild_indexes();
  void show_counts();

  core::Store& store_;
  const Config config_;
  std::unique_ptr<Randomness> randomness_;
  Metrics metrics_;
  NonceIndex nonces_ = {};
  std::unordered_map<msg::ClusterId, std::vector<msg::NodeId>> nodes_of_ = {};  // by index
  std::size_t node_count_ = 0;
};

}  // namespace nucleus::registry
