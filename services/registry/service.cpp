// The registry's table of messages, and its indexes over the records.
#include "services/registry/service.hpp"

#include <algorithm>

#include "services/registry/keys.hpp"

namespace nucleus::registry {

namespace {
constexpr core::Milliseconds idempotency_sweep_interval{60'000};
}

Service::Service(core::Runtime& runtime, Config config, std::unique_ptr<Randomness> randomness)
    : loop_{runtime.loop},
      workers_{runtime.workers},
      store_{runtime.store},
      config_{config},
      randomness_{std::move(randomness)},
      metrics_{runtime.metrics},
      person_attempts_{
          {.failures_max = config.login_failures_max, .window_ms = config.login_window_s * 1000},
          new_secret(*randomness_)},
      origin_attempts_{{.failures_max = config.login_failures_origin_max,
                        .window_ms = config.login_window_s * 1000},
                       new_secret(*randomness_)} {
  auto& bus = runtime.bus;
  store_.on_loaded([this, &bus] {
    rebuild_indexes();
    loop_.post([this, &bus] { announce_projects(bus.context()); });
  });
  bus.serve<msg::DefineProject>(*this, &Service::define_project);
  bus.serve<msg::ChangeProject>(*this, &Service::change_project);
  bus.serve<msg::ListProjects>(*this, &Service::list_projects);
  bus.serve<msg::RemoveProject>(*this, &Service::remove_project);
  bus.serve<msg::DefinePerson>(*this, &Service::define_person);
  bus.serve<msg::GetPerson>(*this, &Service::get_person);
  bus.serve<msg::ListPeople>(*this, &Service::list_people);
  bus.serve<msg::ChangeProfile>(*this, &Service::change_profile);
  bus.serve<msg::RemovePerson>(*this, &Service::remove_person);
  bus.serve_later<msg::SetPassword>(*this, &Service::set_password);
  bus.serve_later<msg::CheckPassword>(*this, &Service::check_password);
  bus.serve<msg::ReplaceKey>(*this, &Service::replace_key);
  bus.serve<msg::ListTokens>(*this, &Service::list_tokens);
  bus.serve<msg::RevokeToken>(*this, &Service::revoke_token);
  bus.serve<msg::SetAcknowledgementText>(*this, &Service::set_acknowledgement_text);
  bus.serve<msg::SignAcknowledgement>(*this, &Service::sign_acknowledgement);
  bus.serve<msg::GetAcknowledgements>(*this, &Service::get_acknowledgements);
  bus.serve<msg::IssueKey>(*this, &Service::issue_key);
  bus.serve<msg::IssueToken>(*this, &Service::issue_token);
  bus.serve<msg::CheckToken>(*this, &Service::check_token);
  bus.serve<msg::RecheckCredential>(*this, &Service::recheck_credential);
  bus.serve<msg::CheckSignature>(*this, &Service::check_signature);
  bus.serve<msg::DefineCluster>(*this, &Service::define_cluster);
  bus.serve<msg::ListClusters>(*this, &Service::list_clusters);
  bus.serve<msg::ListNodes>(*this, &Service::list_nodes);
  bus.serve<msg::RemoveCluster>(*this, &Service::remove_cluster);
  bus.serve<msg::ChangeCluster>(*this, &Service::change_cluster);
  bus.serve<msg::ChangeNode>(*this, &Service::change_node);
  bus.serve<msg::ChangeNodes>(*this, &Service::change_nodes);
  bus.serve<msg::AddNodes>(*this, &Service::add_nodes);
  bus.serve<msg::RemoveNode>(*this, &Service::remove_node);
  bus.serve<msg::BindIdempotencyKey>(*this, &Service::bind_idempotency_key);
  bus.every(core::Milliseconds{config_.nonce_sweep_s * 1000}, *this, &Service::sweep_nonces);
  bus.every(idempotency_sweep_interval, *this, &Service::sweep_idempotency_keys);
}

void Service::rebuild_indexes() {
  nonces_.clear();
  store_.for_each<StoredNonce>(keys::nonces(),
                               [this](const StoredNonce& nonce) { nonces_.add(nonce); });
  struct Place {
    std::uint32_t index;
    msg::NodeId node_id;
  };
  std::map<msg::ClusterId, std::vector<Place>> places;
  node_count_ = 0;
  store_.for_each<StoredNode>(keys::nodes(), [&](const StoredNode& stored) {
    places[stored.node.cluster_id].push_back({stored.node.index, stored.node.node_id});
    ++node_count_;
  });
  nodes_of_.clear();
  for (auto& [cluster_id, nodes] : places) {
    std::ranges::sort(nodes, {}, &Place::index);
    for (auto& place : nodes) nodes_of_[cluster_id].push_back(std::move(place.node_id));
  }
  show_counts();
}

void Service::show_counts() {
  metrics_.clusters.Set(static_cast<double>(nodes_of_.size()));
  metrics_.nodes.Set(static_cast<double>(node_count_));
  metrics_.nonces.Set(static_cast<double>(nonces_.size()));
}

}  // namespace nucleus::registry
