// The registry's handlers that check credentials: tokens, API-key signatures, passwords.
#include <algorithm>

#include "core/digest/digest.hpp"
#include "services/registry/credentials.hpp"
#include "services/registry/keys.hpp"
#include "services/registry/service.hpp"

namespace nucleus::registry {
namespace {

constexpr std::size_t sweep_nonces_max = 5000;  // in one commit

core::Result<msg::Principal> invalid_token() {
  return core::refuse(core::ErrorCode::unauthenticated, "Invalid token.", "token");
}

std::unexpected<core::Error> wrong_password() {
  return core::refuse(core::ErrorCode::unauthenticated,
                      "Unable to log in with provided credentials.", "password");
}

}  // namespace

core::Result<msg::Principal> Service::check_token(const msg::CheckToken& request,
                                                  core::Context& context) {
  auto who = msg::is_token(request.token)
                 ? token_principal(core::sha256_hex(request.token), context.now_unix_s())
                 : invalid_token();
  metrics_.count_check("token", who.has_value());
  return who;
}

core::Result<msg::Principal> Service::token_principal(const std::string& hash,
                                                      std::int64_t now_unix_s) const {
  const auto* token = store_.read(keys::token(hash));
  if (!token || (token->expires_unix_s != 0 && token->expires_unix_s <= now_unix_s))
    return invalid_token();
  auto who = principal(token->person_id);
  if (!who) return who;
  who->rights = rights_of(who->role, token->rights);
  who->token_id = token_id_of(hash);
  who->expires_unix_s = token->expires_unix_s;
  return who;
}

core::Result<msg::Principal> Service::recheck_credential(const msg::RecheckCredential& request,
                                                         core::Context& context) {
  const auto* person = store_.read(keys::person(request.person_id));
  if (!person || (!request.person_uid.empty() && request.person_uid != person->uid))
    return invalid_token();
  if (request.token_id.empty()) return principal(request.person_id);
  for (const auto& hash : person->token_hashes)
    if (token_id_of(hash) == request.token_id) return token_principal(hash, context.now_unix_s());
  return invalid_token();
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
  // An unknown key costs as much time, so that timing does not reveal which keys exist.
  const std::string secret = key ? key->secret : std::string(24, '-');
  const bool is_right = is_signature(request.signature_base64, secret, request.signed_text);
  if (!key || !is_right)
    return core::refuse(core::ErrorCode::unauthenticated, "unknown API key or wrong signature",
                        "signature");
  if (key->is_strict)
    if (auto broken = check_strict(request.covers)) return std::unexpected(*broken);
  const auto nonce_key = keys::nonce(request.key_name, request.nonce);
  if (tx.read(nonce_key))
    return core::refuse(core::ErrorCode::unauthenticated, "Nonce check failed", "nonce");
  if (nonces_.size() >= config_.nonces_max ||
      nonces_.count(key->person_id) >= config_.nonces_per_key_max)
    return core::refuse(
        core::ErrorCode::no_capacity,
        "too many signed requests within " + std::to_string(config_.signature_age_s) + " s");
  auto who = principal(key->person_id);
  if (!who) return who;
  const StoredNonce nonce{.key_name = request.key_name,
                          .nonce = request.nonce,
                          .expires_unix_s = request.timestamp_unix_s + config_.signature_age_s,
                          .person_id = key->person_id};
  tx.write(nonce_key, nonce);
  auto reply = tx.commit(std::move(*who));
  if (reply) nonces_.add(nonce);
  show_counts();
  return reply;
}

std::unexpected<core::Error> Service::too_many_failures(std::int64_t refused_ms) {
  const auto refused_s = std::max<std::int64_t>(1, (refused_ms + 999) / 1000);
  return std::unexpected(core::Error{
      .code = core::ErrorCode::no_capacity,
      .detail = "too many failed log-ins; try again in " + std::to_string(refused_s) + " s",
      .retry_after_s = static_cast<std::uint32_t>(refused_s)});
}

std::unexpected<core::Error> Service::too_many_hashes() {
  return core::refuse(core::ErrorCode::no_capacity, "too many log-ins at the same time; try again");
}

bool Service::begin_hashing() {
  if (hashes_running_ >= config_.password_checks_max) return false;
  ++hashes_running_;
  return true;
}

void Service::check_password(const msg::CheckPassword& request, core::Context&,
                             core::Responder<msg::Principal> respond) {
  // A malformed name or password is refused without hashing.
  const auto& person_id = request.person_id;
  if (!msg::is_name(person_id.value) || registry::check_password(request.password))
    return respond(wrong_password());
  const auto now = loop_.steady_ms();
  if (!begin_hashing()) return respond(too_many_hashes());
  const std::string origin = request.origin.substr(0, 64);
  const bool is_allowed = person_attempts_.begin(person_id.value, now);
  if (!is_allowed || !(origin.empty() || origin_attempts_.begin(origin, now))) {
    if (is_allowed) person_attempts_.withdraw(person_id.value);
    --hashes_running_;
    metrics_.count_check("password", false);
    return respond(too_many_failures(std::max(person_attempts_.refused_ms(person_id.value, now),
                                              origin_attempts_.refused_ms(origin, now))));
  }
  const auto* stored = store_.read(keys::person(person_id));
  const std::string hash = stored ? stored->password_hash : "";
  workers_.run<bool>(
      loop_, hash_timeout,
      [password = request.password, hash, cost = config_.password_cost]() -> core::Result<bool> {
        return is_password(password, hash, cost);
      },
      [this, person_id, origin, hash, respond = std::move(respond)](core::Result<bool> is_right) {
        --hashes_running_;
        // The password may have been changed or removed meanwhile.
        const auto* now_stored = store_.read(keys::person(person_id));
        const bool is_correct =
            is_right && *is_right && now_stored && now_stored->password_hash == hash;
        metrics_.count_check("password", is_correct);
        if (is_right && !is_correct) return respond(wrong_password());
        origin_attempts_.withdraw(origin);
        if (!is_right) {
          person_attempts_.withdraw(person_id.value);
          return respond(std::unexpected(is_right.error()));
        }
        person_attempts_.forgive(person_id.value);
        respond(principal(person_id));
      });
}

core::Result<msg::Principal> Service::principal(const msg::PersonId& person_id) const {
  const auto* stored = store_.read(keys::person(person_id));
  if (!stored) return core::refuse(core::ErrorCode::unauthenticated, "no such person");
  return msg::Principal{.person_id = person_id,
                        .role = stored->person.role,
                        .projects = stored->person.projects,
                        .rights = rights_of(stored->person.role, {}),
                        .person_uid = stored->uid};
}

void Service::sweep_nonces(core::Context& context) {
  const auto expired = nonces_.take_expired(context.now_unix_s(), sweep_nonces_max);
  if (expired.empty()) return;
  auto tx = store_.begin(context);
  for (const auto& nonce : expired) tx.remove(keys::nonce(nonce.key_name, nonce.nonce));
  // If the commit fails, the store and this index are loaded again.
  (void)tx.commit();
  show_counts();
}

}  // namespace nucleus::registry
