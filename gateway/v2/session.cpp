// v2: the portal's sessions. A session is a token that the registry issues at sign-in and revokes
// at sign-out; the browser keeps it in a cookie.
#include "gateway/credentials/session_cookie.hpp"
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

/// Either a person and their password, or a token.
struct SignIn {
  msg::PersonId person_id = {};
  std::string password = {};
  std::string token = {};
  NUCLEUS_FIELDS(person_id, password, token);
};

/// Times are given by the caller: handlers read no clock.
struct SessionEnd {
  std::int64_t now_unix_s = 0;
  std::int64_t session_s = 0;

  /// The session ends with the token that it was opened with, if that is earlier.
  std::int64_t of(const msg::Principal& who) const {
    const auto end = now_unix_s + session_s;
    return who.expires_unix_s == 0 ? end : std::min(end, who.expires_unix_s);
  }
};

void open_session(const ExchangePtr& exchange, const msg::Principal& who, const SessionEnd& end) {
  const bool is_by_token = !who.token_id.empty();
  exchange->ask(
      msg::IssueToken{.person_id = who.person_id,
                      .label = "portal",
                      .rights = is_by_token ? who.rights : std::vector<msg::Right>{},
                      .expires_unix_s = end.of(who),
                      .made_by = who.token_id},
      [exchange, now_unix_s = end.now_unix_s](const msg::Token& token) {
        reply_one(exchange, 201,
                  Json{{"token_id", token.token_id}, {"expires_unix_s", token.expires_unix_s}}, 0,
                  {{"Set-Cookie", session_cookie(token.token, token.expires_unix_s - now_unix_s,
                                                 exchange->base_url)},
                   {"Cache-Control", "no-store"}});
      });
}

/// Only a page of the gateway signs in: another site must not be able to sign a person in as
/// somebody else.
void sign_in(const ExchangePtr& exchange, const SessionEnd& end) {
  if (!is_from_own_page({exchange->request, exchange->base_url}))
    return exchange->refuse(ErrorCode::forbidden, "Origin must be this gateway's own");
  const auto body = body_as<SignIn>(*exchange, {"person_id", "password", "token"});
  if (!body) return exchange->refuse(body.error());
  const bool is_by_token = sets(*exchange, "token");
  if (is_by_token == (sets(*exchange, "person_id") || sets(*exchange, "password")))
    return exchange->refuse(ErrorCode::invalid_argument,
                            "either token, or person_id and password must be set", "token");
  const auto admit = [exchange, end](const core::Result<msg::Principal>& who) {
    if (who) return open_session(exchange, *who, end);
    if (who.error().code == ErrorCode::no_capacity) return exchange->refuse_log_in(who.error());
    exchange->refuse(who.error());
  };
  if (is_by_token) return exchange->try_ask(msg::CheckToken{.token = body->token}, admit);
  exchange->try_ask(msg::CheckPassword{.person_id = body->person_id,
                                       .password = body->password,
                                       .origin = exchange->request.client_address},
                    admit);
}

/// Revokes the token of the request, as log-out does.
void sign_out(const ExchangePtr& exchange) {
  const auto done = [exchange] {
    exchange->respond(
        {.status = 204, .headers = {{"Set-Cookie", no_session_cookie(exchange->base_url)}}});
  };
  if (exchange->who.token_id.empty()) return done();
  exchange->ask(msg::RevokeToken{.person_id = exchange->who.person_id,
                                 .token_id = exchange->who.token_id,
                                 .is_log_out = true},
                [done](const msg::Done&) { done(); });
}

}  // namespace

void add_v2_session_routes(Router& router, const SessionRules& rules) {
  router.add_public("POST", "/v2/session", [rules](const ExchangePtr& exchange) {
    sign_in(exchange, {.now_unix_s = rules.loop.unix_ms() / 1000, .session_s = rules.session_s});
  });
  router.add("DELETE", "/v2/session", msg::Right::read, sign_out);
}

}  // namespace nucleus::gateway
