// REST v1: who one is, one's projects, one's API key (compat 1.2, rows 23, 24 and 27).
#include "gateway/v1.hpp"

namespace nucleus::gateway {

namespace {

void get_user(const ExchangePtr& exchange) {
  exchange->ask(msg::GetPerson{.person_id = exchange->who.person_id},
                [exchange](const msg::Person& person) {
                  exchange->reply(200, Json{{"username", person.person_id.value},
                                            {"email", person.email},
                                            {"first_name", person.first_name},
                                            {"last_name", person.last_name}});
                });
}

void list_projects(const ExchangePtr& exchange) {
  Json projects = Json::array();
  for (const auto& project : exchange->who.projects) projects.push_back({{"name", project.value}});
  exchange->reply(200, projects);
}

void get_key(const ExchangePtr& exchange) {
  exchange->ask(msg::IssueKey{.person_id = exchange->who.person_id},
                [exchange](const msg::ApiKey& key) {
                  exchange->reply(200, Json{{"key_name", key.key_name}, {"key", key.secret}});
                });
}

}  // namespace

void add_v1_person_routes(Router& router) {
  router.add("GET", "/v1/user", msg::Right::read, get_user);
  router.add("GET", "/v1/project", msg::Right::read, list_projects);
  router.add("GET", "/getkey", msg::Right::read, get_key);
}

}  // namespace nucleus::gateway
