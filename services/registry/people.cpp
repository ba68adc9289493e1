// The registry's handlers for projects, people and credentials.
#include "services/registry/credentials.hpp"
#include "services/registry/keys.hpp"
#include "services/registry/service.hpp"

namespace nucleus::registry {
namespace {

constexpr std::size_t sweep_nonces_max = 5000;  // in one commit

std::unexpected<core::Error> no_person(const msg::PersonId& id) {
  return core::refuse(core::ErrorCode::not_found, "no person " + msg::shown(id.value), "person_id");
}

}  // namespace

core::Result<msg::Done> Service::define_project(const msg::DefineProject& request,
                                                core::Context& context) {
  if (auto broken = check_project("project_id", request.project_id.value))
    return std::unexpected(*broken);
  auto tx = store_.begin(context);
  if (!tx.read(keys::project(request.project_id)))
    tx.write(keys::project(request.project_id), StoredProject{request.project_id});
  return tx.commit(msg::Done{});
}

core::Result<msg::Done> Service::define_person(const msg::DefinePerson& request,
                                               core::Context& context) {
  const auto& person = request.person;
  if (auto broken = check_person(person)) return std::unexpected(*broken);
  auto tx = store_.begin(context);
  for (const auto& project : person.projects)
    if (!tx.read(keys::project(project)))
      return core::refuse(core::ErrorCode::not_found, "no project " + msg::shown(project.value),
                          "projects");
  StoredPerson stored;
  if (const auto* before = tx.read(keys::person(person.person_id))) stored = *before;
  stored.person = person;
  tx.write(keys::person(person.person_id), std::move(stored));
  return tx.commit(msg::Done{});
}

core::Result<msg::Person> Service::get_person(const msg::GetPerson& request, core::Context&) {
  const auto* stored = store_.read(keys::person(request.person_id));
  if (!stored) return no_person(request.person_id);
  return stored->person;
}

core::Result<msg::ApiKey> Service::issue_key(const msg::IssueKey& request, core::Context& context) {
  auto tx = store_.begin(context);
  const auto* found = tx.read(keys::person(request.person_id));
  if (!found) return no_person(request.person_id);
  if (!found->key_name.empty()) {
    const auto* key = tx.read(keys::api_key(found->key_name));
    if (!key) return core::refuse(core::ErrorCode::internal, "the person's API key is not there");
    return msg::ApiKey{.key_name = key->key_name, .secret = key->secret};
  }
  StoredPerson person = *found;
  // Another person's key may stand under a shared e-mail address; usernames are never shared, and
  // hold no @.
  person.key_name = person.person.email;
  if (person.key_name.empty() || tx.read(keys::api_key(person.key_name)))
    person.key_name = person.person.person_id.value;
  const StoredKey key{.key_name = person.key_name,
                      .secret = new_secret(*randomness_),
                      .person_id = request.person_id};
  tx.write(keys::api_key(key.key_name), key);
  tx.write(keys::person(request.person_id), std::move(person));
  return tx.commit(msg::ApiKey{.key_name = key.key_name, .secret = key.secret});
}

core::Result<msg::Token> Service::issue_token(const msg::IssueToken& request,
                                              core::Context& context) {
  auto tx = store_.begin(context);
  const auto* found = tx.read(keys::person(request.person_id));
  if (!found) return no_person(request.person_id);
  StoredPerson person = *found;
  const auto token = new_token(*randomness_);
  const auto hash = hash_token(token);
  while (person.token_hashes.size() >= config_.tokens_max) {
    tx.remove(keys::token(person.token_hashes.front()));
    person.token_hashes.erase(person.token_hashes.begin());
  }
  person.token_hashes.push_back(hash);
  tx.write(keys::token(hash),
           StoredToken{.person_id = request.person_id, .issued_unix_s = context.now_unix_s()});
  tx.write(keys::person(request.person_id), std::move(person));
  // The reply is not kept, for it would be the token itself at rest: a repeat makes another token.
  if (auto landed = tx.commit(); !landed) return std::unexpected(landed.error());
  return msg::Token{token};
}

core::Result<msg::Principal> Service::check_token(const msg::CheckToken& request, core::Context&) {
  const auto* token =
      is_token(request.token) ? store_.read(keys::token(hash_token(request.token))) : nullptr;
  metrics_.count_check("token", token != nullptr);
  if (!token) return core::refuse(core::ErrorCode::unauthenticated, "Invalid token.", "token");
  return principal(token->person_id);
}

core::Result<msg::Principal> Service::check_signature(const msg::CheckSignature& request,
                                                      core::Context& context) {
  auto accepted = accept_signature(request, context);
  metrics_.count_check("signature", accepted.has_value());
  return accepted;
}

core::Result<msg::Principal> Service::accept_signature(const msg::CheckSignature& request,
                                                       core::Context& context) {
  const auto now = context.now_unix_s();
  if (auto broken = check_shape(request, now, config_.signature_age_s))
    return std::unexpected(*broken);
  auto tx = store_.begin(context);
  const auto* key = tx.read(keys::api_key(request.key_name));
  // An unknown key costs the same work, so that time does not tell which keys there are.
  const std::string secret = key ? key->secret : std::string(24, '-');
  const bool is_right = is_signature(request.signature_base64, secret, request.signed_text);
  if (!key || !is_right)
    return core::refuse(core::ErrorCode::unauthenticated, "unknown API key or wrong signature",
                        "signature");
  const auto nonce_key = keys::nonce(request.key_name, request.nonce);
  if (tx.read(nonce_key))
    return core::refuse(core::ErrorCode::unauthenticated, "Nonce check failed", "nonce");
  if (nonces_.size() >= config_.nonces_max ||
      nonces_.count(request.key_name) >= config_.nonces_per_key_max)
    return core::refuse(core::ErrorCode::no_capacity, "too many signed requests in a short time");
  auto who = principal(key->person_id);
  if (!who) return who;
  const StoredNonce nonce{.key_name = request.key_name,
                          .nonce = request.nonce,
                          .expires_unix_s = request.timestamp_unix_s + config_.signature_age_s};
  tx.write(nonce_key, nonce);
  auto reply = tx.commit(std::move(*who));
  if (reply) nonces_.add(nonce);
  show_counts();
  return reply;
}

core::Result<msg::Principal> Service::principal(const msg::PersonId& person_id) const {
  const auto* stored = store_.read(keys::person(person_id));
  if (!stored) return core::refuse(core::ErrorCode::unauthenticated, "the person is gone");
  msg::Principal who{
      .person_id = person_id, .role = stored->person.role, .projects = stored->person.projects};
  for (const auto right : msg::all_rights)
    if (msg::has_right(who.role, right)) who.rights.push_back(right);
  return who;
}

void Service::sweep_nonces(core::Context& context) {
  const auto expired = nonces_.take_expired(context.now_unix_s(), sweep_nonces_max);
  if (expired.empty()) return;
  auto tx = store_.begin(context);
  for (const auto& nonce : expired) tx.remove(keys::nonce(nonce.key_name, nonce.nonce));
  // Where it does not land, the store is loaded again, and the index with it.
  (void)tx.commit();
  show_counts();
}

}  // namespace nucleus::registry
