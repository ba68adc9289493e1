// The registry's handlers that issue and revoke credentials: API keys, tokens, passwords.
#include <algorithm>

#include "core/digest/digest.hpp"
#include "core/list/page_builder.hpp"
#include "services/registry/credentials.hpp"
#include "services/registry/keys.hpp"
#include "services/registry/service.hpp"

namespace nucleus::registry {
namespace {

/// Revokes every token of a person.
void revoke_tokens(core::Transaction& tx, StoredPerson& person) {
  for (const auto& hash : person.token_hashes) tx.remove(keys::token(hash));
  person.token_hashes.clear();
}

void remove_expired_tokens(core::Transaction& tx, StoredPerson& person, std::int64_t now_unix_s) {
  std::erase_if(person.token_hashes, [&](const std::string& hash) {
    const auto* token = tx.read(keys::token(hash));
    const bool is_over =
        !token || (token->expires_unix_s != 0 && token->expires_unix_s <= now_unix_s);
    if (token && is_over) tx.remove(keys::token(hash));
    return is_over;
  });
}

}  // namespace

StoredKey Service::make_key(core::Transaction& tx, StoredPerson& person, bool is_strict) {
  // Two people may share an e-mail address. Usernames are unique and have no @.
  person.key_name = person.person.email;
  if (person.key_name.empty() || tx.read(keys::api_key(person.key_name)))
    person.key_name = person.person.person_id.value;
  StoredKey key{.key_name = person.key_name,
                .secret = new_secret(*randomness_),
                .person_id = person.person.person_id,
                .is_strict = is_strict};
  tx.write(keys::api_key(key.key_name), key);
  return key;
}

core::Result<msg::ApiKey> Service::issue_key(const msg::IssueKey& request, core::Context& context) {
  auto tx = store_.begin(context);
  const auto* found = tx.read(keys::person(request.person_id));
  if (!found) return no_such_person(request.person_id);
  if (!found->key_name.empty()) {
    const auto* key = tx.read(keys::api_key(found->key_name));
    if (!key) return core::refuse(core::ErrorCode::internal, "the person's API key has no record");
    return msg::ApiKey{
        .key_name = key->key_name, .secret = key->secret, .is_strict = key->is_strict};
  }
  StoredPerson person = *found;
  const StoredKey key = make_key(tx, person, false);
  tx.write(keys::person(request.person_id), std::move(person));
  return tx.commit(msg::ApiKey{.key_name = key.key_name, .secret = key.secret});
}

core::Result<msg::ApiKey> Service::replace_key(const msg::ReplaceKey& request,
                                               core::Context& context) {
  auto tx = store_.begin(context);
  const auto* found = tx.read(keys::person(request.person_id));
  if (!found) return no_such_person(request.person_id);
  StoredPerson person = *found;
  if (!person.key_name.empty()) tx.remove(keys::api_key(person.key_name));
  person.key_name.clear();
  msg::ApiKey reply;
  if (!request.is_none) {
    const StoredKey key = make_key(tx, person, request.is_strict);
    reply = {.key_name = key.key_name, .secret = key.secret, .is_strict = key.is_strict};
  }
  tx.write(keys::person(request.person_id), std::move(person));
  tx.emit(msg::CredentialsChanged{request.person_id});
  return tx.commit(reply);
}

core::Result<msg::Token> Service::issue_token(const msg::IssueToken& request,
                                              core::Context& context) {
  auto tx = store_.begin(context);
  const auto* found = tx.read(keys::person(request.person_id));
  if (!found) return no_such_person(request.person_id);
  if (auto broken = check_token_request(request, found->person.role, context.now_unix_s()))
    return std::unexpected(*broken);
  StoredPerson person = *found;
  remove_expired_tokens(tx, person, context.now_unix_s());
  if (person.token_hashes.size() >= config_.tokens_max)
    return core::refuse(core::ErrorCode::wrong_state,
                        "there are " + std::to_string(config_.tokens_max) +
                            " tokens already: revoke one that is not needed",
                        "person_id");
  const auto token = new_token(*randomness_);
  const auto hash = core::sha256_hex(token);
  person.token_hashes.push_back(hash);
  tx.write(keys::token(hash), StoredToken{.person_id = request.person_id,
                                          .issued_unix_s = context.now_unix_s(),
                                          .label = request.label,
                                          .rights = request.rights,
                                          .expires_unix_s = request.expires_unix_s,
                                          .made_by = request.made_by});
  tx.write(keys::person(request.person_id), std::move(person));
  // No reply is stored, because it would hold the token in clear. A repeated request issues another
  // token.
  if (auto landed = tx.commit(); !landed) return std::unexpected(landed.error());
  return msg::Token{
      .token = token, .token_id = token_id_of(hash), .expires_unix_s = request.expires_unix_s};
}

core::Result<msg::Tokens> Service::list_tokens(const msg::ListTokens& request, core::Context&) {
  const auto* person = store_.read(keys::person(request.person_id));
  if (!person) return no_such_person(request.person_id);
  if (auto broken = msg::check(request.page)) return std::unexpected(*broken);
  auto hashes = person->token_hashes;
  std::ranges::sort(hashes);  // a token's id is the beginning of its hash
  core::PageBuilder<msg::TokenEntry> page{request.page};
  for (const auto& hash : hashes) {
    const auto* token = store_.read(keys::token(hash));
    const auto id = token_id_of(hash);
    if (!token || id <= request.page.after) continue;
    if (!page.add({.token_id = id,
                   .label = token->label,
                   .rights = token->rights,
                   .issued_unix_s = token->issued_unix_s,
                   .expires_unix_s = token->expires_unix_s,
                   .made_by = token->made_by},
                  id))
      break;
  }
  return msg::Tokens{.tokens = page.take(), .next = page.next()};
}

/// Removes the token with this id, and those made with it, and so on.
void Service::remove_token(core::Transaction& tx, StoredPerson& person, const std::string& token_id,
                           bool with_those_it_made) {
  std::vector<std::string> made;
  std::vector<std::string> kept;
  for (const auto& hash : person.token_hashes) {
    const auto* token = tx.read(keys::token(hash));
    if (token && token->made_by == token_id) made.push_back(token_id_of(hash));
    if (token_id_of(hash) == token_id)
      tx.remove(keys::token(hash));
    else
      kept.push_back(hash);
  }
  person.token_hashes = std::move(kept);
  if (!with_those_it_made) return;
  for (const auto& id : made) remove_token(tx, person, id, true);
}

core::Result<msg::Done> Service::revoke_token(const msg::RevokeToken& request,
                                              core::Context& context) {
  auto tx = store_.begin(context);
  const auto* found = tx.read(keys::person(request.person_id));
  if (!found) return no_such_person(request.person_id);
  StoredPerson person = *found;
  const auto hash = std::ranges::find_if(person.token_hashes, [&](const std::string& one) {
    return token_id_of(one) == request.token_id;
  });
  if (hash == person.token_hashes.end())
    return core::refuse(core::ErrorCode::not_found,
                        "no such token: " + msg::shown(request.token_id), "token_id");
  remove_token(tx, person, request.token_id, !request.is_log_out);
  tx.write(keys::person(request.person_id), std::move(person));
  tx.emit(msg::CredentialsChanged{request.person_id});
  return tx.commit(msg::Done{});
}

void Service::set_password(const msg::SetPassword& request, core::Context& context,
                           core::Responder<msg::Done> respond) {
  if (auto broken = registry::check_password(request.password))
    return respond(std::unexpected(*broken));
  if (!store_.read(keys::person(request.person_id)))
    return respond(no_such_person(request.person_id));
  if (!begin_hashing()) return respond(too_many_hashes());
  workers_.run<std::string>(
      loop_, hash_timeout,
      [password = request.password, cost = config_.password_cost] {
        return hash_password(password, cost);
      },
      [this, person_id = request.person_id, context,
       respond = std::move(respond)](core::Result<std::string> hash) mutable {
        --hashes_running_;
        if (!hash) return respond(std::unexpected(hash.error()));
        respond(store_password(person_id, std::move(*hash), context));
      });
}

core::Result<msg::Done> Service::store_password(const msg::PersonId& person_id, std::string hash,
                                                core::Context& context) {
  auto tx = store_.begin(context);
  const auto* found = tx.read(keys::person(person_id));
  if (!found) return no_such_person(person_id);
  StoredPerson person = *found;
  person.password_hash = std::move(hash);
  revoke_tokens(tx, person);
  tx.write(keys::person(person_id), std::move(person));
  tx.emit(msg::CredentialsChanged{person_id});
  return tx.commit(msg::Done{});
}

}  // namespace nucleus::registry
