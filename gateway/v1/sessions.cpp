// REST v1: log-in, log-out and password (docs/rest-v1.md, Sessions). Errors are by field, as
// clients of these routes expect.
#include "gateway/credentials/credentials.hpp"
#include "gateway/v1/routes.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

/// Reads a string of the body; answers 400 and returns false if it is missing.
bool read_text(const ExchangePtr& exchange, const Json& body, const char* field,
               std::string& into) {
  const auto found = body.find(field);
  if (found != body.end() && found->is_string() && !found->get_ref<const std::string&>().empty()) {
    into = found->get<std::string>();
    return true;
  }
  exchange->reply(400, Json{{field, Json::array({"This field is required."})}});
  return false;
}

/// Issues a token for a password.
void log_in(const ExchangePtr& exchange) {
  const auto body = parse_object(exchange->request.body);
  if (!body) return exchange->refuse(body.error());
  msg::CheckPassword check{.origin = exchange->request.client_address};
  if (!read_text(exchange, *body, "username", check.person_id.value) ||
      !read_text(exchange, *body, "password", check.password))
    return;
  exchange->try_ask(check, [exchange](const core::Result<msg::Principal>& who) {
    if (!who && who.error().code == ErrorCode::unauthenticated)
      return exchange->reply(400, Json{{"non_field_errors", Json::array({who.error().detail})}});
    if (!who && who.error().code == ErrorCode::no_capacity)
      return exchange->refuse_log_in(who.error());
    if (!who) return exchange->refuse(who.error());
    exchange->ask(
        msg::IssueToken{.person_id = who->person_id, .label = "login"},
        [exchange](const msg::Token& token) {
          exchange->reply(200, Json{{"key", token.token}}, {{"Cache-Control", "no-store"}});
        });
  });
}

/// Revokes the token of the request; after another kind of credential there is nothing to revoke.
void log_out(const ExchangePtr& exchange) {
  const auto done = [exchange] {
    exchange->reply(200, Json{{"detail", "Successfully logged out."}});
  };
  if (exchange->who.token_id.empty()) return done();
  exchange->ask(msg::RevokeToken{.person_id = exchange->who.person_id,
                                 .token_id = exchange->who.token_id,
                                 .is_log_out = true},
                [done](const msg::Done&) { done(); });
}

void change_password(const ExchangePtr& exchange) {
  const auto body = parse_object(exchange->request.body);
  if (!body) return exchange->refuse(body.error());
  if (!is_whole(exchange->who))
    return exchange->refuse(ErrorCode::forbidden,
                            "a token with fewer rights than its person cannot change the password");
  msg::SetPassword change{.person_id = exchange->who.person_id};
  std::string again;
  if (!read_text(exchange, *body, "new_password1", change.password) ||
      !read_text(exchange, *body, "new_password2", again))
    return;
  if (change.password != again)
    return exchange->reply(
        400, Json{{"new_password2", Json::array({"The two password fields didn't match."})}});
  exchange->ask(change, [exchange](const msg::Done&) {
    exchange->reply(200, Json{{"detail", "New password has been saved."}});
  });
}

}  // namespace

void add_v1_session_routes(Router& router) {
  router.add_public("POST", "/rest-auth/login/", log_in);
  router.add("POST", "/rest-auth/logout/", msg::Right::read, log_out);
  router.add("POST", "/rest-auth/password/change/", msg::Right::read, change_password);
}

}  // namespace nucleus::gateway
