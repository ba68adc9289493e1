// The registry keeps projects, people, API keys and tokens, and the definitions of clusters and
// nodes. It is their only writer. Everything here runs on the service's one loop.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/runtime/runtime.hpp"
#include "messages/registry.hpp"
#include "services/registry/config.hpp"
#include "services/registry/metrics.hpp"
#include "services/registry/nonce_index.hpp"
#include "services/registry/randomness.hpp"
#include "services/registry/records.hpp"

namespace nucleus::registry {

constexpr core::Milliseconds hash_timeout{30'000};  // hashing is slow on a loaded machine

std::unexpected<core::Error> no_such_person(const msg::PersonId& id);
std::unexpected<core::Error> no_such_project(const msg::ProjectId& id, const char* field);
/// Marks the project as used by a person or a cluster. False if the project does not exist.
bool use_project(core::Transaction& tx, const msg::ProjectId& id);
std::unexpected<core::Error> no_such_cluster(const msg::ClusterId& id);
/// `conflict` if a change was meant for another revision; 0 = for any.
std::optional<msg::Error> check_revision(std::uint64_t if_revision, std::uint64_t revision);

class Service {
 public:
  Service(core::Runtime& runtime, Config config,
          std::unique_ptr<Randomness> randomness = std::make_unique<SodiumRandomness>());

 private:
  // people.cpp
  core::Result<msg::Done> define_project(const msg::DefineProject& request, core::Context& context);
  core::Result<msg::Project> change_project(const msg::ChangeProject& request,
                                            core::Context& context);
  core::Result<msg::Projects> list_projects(const msg::ListProjects& request,
                                            core::Context& context);
  core::Result<msg::Done> remove_project(const msg::RemoveProject& request, core::Context& context);
  core::Result<msg::Done> define_person(const msg::DefinePerson& request, core::Context& context);
  core::Result<msg::Person> get_person(const msg::GetPerson& request, core::Context& context);
  core::Result<msg::Person> change_profile(const msg::ChangeProfile& request,
                                           core::Context& context);
  core::Result<msg::People> list_people(const msg::ListPeople& request, core::Context& context);
  core::Result<msg::Done> remove_person(const msg::RemovePerson& request, core::Context& context);
  core::Result<void> check_operator_remains(const msg::Person& before, const char* field) const;

  // acknowledgements.cpp
  core::Result<msg::AcknowledgementText> set_acknowledgement_text(
      const msg::SetAcknowledgementText& request, core::Context& context);
  core::Result<msg::Acknowledgement> sign_acknowledgement(const msg::SignAcknowledgement& request,
                                                          core::Context& context);
  core::Result<msg::AcknowledgementStatus> get_acknowledgements(
      const msg::GetAcknowledgements& request, core::Context& context);
  msg::AcknowledgementText acknowledgement_text() const;
  std::vector<msg::Acknowledgement> acknowledgements_of(const msg::ProjectId& project_id) const;

  // keys_and_tokens.cpp
  core::Result<msg::ApiKey> issue_key(const msg::IssueKey& request, core::Context& context);
  core::Result<msg::ApiKey> replace_key(const msg::ReplaceKey& request, core::Context& context);
  StoredKey make_key(core::Transaction& tx, StoredPerson& person, bool is_strict);
  core::Result<msg::Token> issue_token(const msg::IssueToken& request, core::Context& context);
  core::Result<msg::Tokens> list_tokens(const msg::ListTokens& request, core::Context& context);
  static void remove_token(core::Transaction& tx, StoredPerson& person, const std::string& token_id,
                           bool with_those_it_made);
  core::Result<msg::Done> revoke_token(const msg::RevokeToken& request, core::Context& context);
  void set_password(const msg::SetPassword& request, core::Context& context,
                    core::Responder<msg::Done> respond);
  core::Result<msg::Done> store_password(const msg::PersonId& person_id, std::string hash,
                                         core::Context& context);

  // credential_checks.cpp
  core::Result<msg::Principal> check_token(const msg::CheckToken& request, core::Context& context);
  core::Result<msg::Principal> recheck_credential(const msg::RecheckCredential& request,
                                                  core::Context& context);
  core::Result<msg::Principal> token_principal(const std::string& hash,
                                               std::int64_t now_unix_s) const;
  core::Result<msg::Principal> check_signature(const msg::CheckSignature& request,
                                               core::Context& context);
  core::Result<msg::Principal> accept_signature(const msg::CheckSignature& request,
                                                core::Context& context);
  void check_password(const msg::CheckPassword& request, core::Context& context,
                      core::Responder<msg::Principal> respond);
  bool begin_hashing();  // false = too many at the same time
  static std::unexpected<core::Error> too_many_failures(std::int64_t refused_ms);
  static std::unexpected<core::Error> too_many_hashes();
  core::Result<msg::Principal> principal(const msg::PersonId& person_id) const;
  void sweep_nonces(core::Context& context);

  // clusters.cpp
  core::Result<msg::Cluster> define_cluster(const msg::DefineCluster& request,
                                            core::Context& context);
  core::Result<msg::Clusters> list_clusters(const msg::ListClusters& request,
                                            core::Context& context);
  core::Result<msg::Nodes> list_nodes(const msg::ListNodes& request, core::Context& context);
  core::Result<msg::Done> remove_cluster(const msg::RemoveCluster& request, core::Context& context);
  core::Result<msg::Cluster> find_cluster(const msg::ClusterId& cluster_id,
                                          const msg::Viewer& viewer) const;
  core::Result<msg::Node> find_node(const msg::NodeRef& ref, const msg::Viewer& viewer) const;
  std::vector<msg::Node> nodes_of(const msg::ClusterId& cluster_id) const;

  // cluster_changes.cpp
  core::Result<msg::Cluster> change_cluster(const msg::ChangeCluster& request,
                                            core::Context& context);
  core::Result<msg::Node> change_node(const msg::ChangeNode& request, core::Context& context);
  core::Result<msg::Cluster> change_nodes(const msg::ChangeNodes& request, core::Context& context);
  core::Result<msg::NodesAdded> add_nodes(const msg::AddNodes& request, core::Context& context);
  core::Result<msg::Done> remove_node(const msg::RemoveNode& request, core::Context& context);
  /// `wrong_state` if two nodes of the cluster would have one name after these changes.
  core::Result<void> check_names(const msg::ClusterId& cluster_id,
                                 const std::vector<msg::Node>& changed) const;
  msg::Cluster write_cluster(core::Transaction& tx, msg::Cluster cluster);
  msg::NodeId new_node_id(core::Context& context) const;

  // idempotency_keys.cpp
  core::Result<msg::Done> bind_idempotency_key(const msg::BindIdempotencyKey& request,
                                               core::Context& context);
  void sweep_idempotency_keys(core::Context& context);

  void rebuild_indexes();
  /// Emits the projects that release 0.1 defined without an event.
  void announce_projects(const core::Context& context);
  void show_counts();

  core::Loop& loop_;
  core::Workers& workers_;
  core::Store& store_;
  const Config config_;
  std::unique_ptr<Randomness> randomness_;
  Metrics metrics_;
  AttemptLimit person_attempts_;
  AttemptLimit origin_attempts_;
  std::size_t hashes_running_ = 0;
  NonceIndex nonces_ = {};
  std::map<msg::ClusterId, std::vector<msg::NodeId>> nodes_of_ = {};  // of every cluster, by index
  std::size_t node_count_ = 0;
};

}  // namespace nucleus::registry
