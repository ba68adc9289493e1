// REST v1: the caller's profile, projects and API key (docs/rest-v1.md, Sessions).
#include "gateway/credentials/credentials.hpp"
#include "gateway/v1/routes.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

void show_user(const ExchangePtr& exchange, const msg::Person& person) {
  exchange->reply(200, Json{{"username", person.person_id.value},
                            {"email", person.email},
                            {"first_name", person.first_name},
                            {"last_name", person.last_name}});
}

void get_user(const ExchangePtr& exchange) {
  exchange->ask(msg::GetPerson{.person_id = exchange->who.person_id},
                [exchange](const msg::Person& person) { show_user(exchange, person); });
}

/// Changes first and last name; every other field is ignored.
void change_user(const ExchangePtr& exchange) {
  if (!msg::has_all_rights(exchange->who))
    return exchange->refuse(ErrorCode::forbidden,
                            "a token with fewer rights than its person cannot change the profile");
  const auto body = parse_object(exchange->request.body);
  if (!body) return exchange->refuse(body.error());
  msg::ChangeProfile change{.person_id = exchange->who.person_id};
  const auto read = [&](const char* field, std::optional<std::string>& into) {
    const auto found = body->find(field);
    if (found == body->end()) return true;
    if (!found->is_string()) return false;
    into = found->get<std::string>();
    return true;
  };
  if (!read("first_name", change.first_name))
    return exchange->refuse(ErrorCode::invalid_argument, "first_name must be a string",
                            "first_name");
  if (!read("last_name", change.last_name))
    return exchange->refuse(ErrorCode::invalid_argument, "last_name must be a string", "last_name");
  exchange->ask(change, [exchange](const msg::Person& person) { show_user(exchange, person); });
}

void list_projects(const ExchangePtr& exchange) {
  Json projects = Json::array();
  for (const auto& project : exchange->who.projects) projects.push_back({{"name", project.value}});
  exchange->reply(200, projects);
}

std::string html_of(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else
      safe += c;
  }
  return safe;
}

/// The API key as JSON if the client accepts JSON, else as a page.
void get_key(const ExchangePtr& exchange) {
  const std::string accepts = exchange->request.header("Accept");
  const auto takes = [&](const char* type) { return accepts.find(type) != std::string::npos; };
  const bool is_json = takes("application/json");
  if (!is_json && !accepts.empty() && !takes("text/html") && !takes("*/*"))
    return exchange->reply(415, Json{{"detail", "Accept must be application/json or text/html."}});
  // A key has all rights of its person's role.
  if (!is_whole(exchange->who))
    return exchange->refuse(ErrorCode::forbidden,
                            "a token with fewer rights than its person cannot read the API key");
  exchange->ask(msg::IssueKey{.person_id = exchange->who.person_id}, [exchange, is_json](
                                                                         const msg::ApiKey& key) {
    const core::http::Headers headers{{"Cache-Control", "no-store"}, {"Vary", "Accept"}};
    if (is_json)
      return exchange->reply(200, Json{{"key_name", key.key_name}, {"key", key.secret}}, headers);
    exchange->reply_text(200,
                         "<!DOCTYPE html>\n<title>API key</title>\n<dl><dt>key_name"
                         "</dt><dd>" +
                             html_of(key.key_name) + "</dd><dt>key</dt><dd>" + html_of(key.secret) +
                             "</dd></dl>\n",
                         "text/html; charset=utf-8", headers);
  });
}

}  // namespace

void add_v1_people_routes(Router& router) {
  for (const char* path : {"/v1/user", "/rest-auth/user/"}) {
    router.add("GET", path, msg::Right::read, get_user);
    router.add("PUT", path, msg::Right::read, change_user);
    router.add("PATCH", path, msg::Right::read, change_user);
  }
  router.add("GET", "/v1/project", msg::Right::read, list_projects);
  router.add("GET", "/getkey", msg::Right::read, get_key);
}

}  // namespace nucleus::gateway
