// v2: projects, people, and the caller's own credentials. A credential that a token creates has no
// more rights than the token.
#include <algorithm>

#include "gateway/credentials/credentials.hpp"
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"

namespace nucleus::gateway {

using core::ErrorCode;
using namespace std::string_view_literals;

namespace {

const core::http::Headers no_store{{"Cache-Control", "no-store"}};

void list_projects(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  exchange->ask(msg::ListProjects{.viewer = msg::viewer_of(exchange->who), .page = *page},
                [exchange](const msg::Projects& found) {
                  reply_list(exchange, "projects", found.projects, found.next);
                });
}

void define_project(const ExchangePtr& exchange) {
  const msg::ProjectId project{exchange->path["project"]};
  exchange->ask(msg::DefineProject{project}, [exchange, project](const msg::Done&) {
    exchange->ask(msg::ListProjects{.viewer = msg::viewer_of(exchange->who), .project_id = project},
                  [exchange](const msg::Projects& found) {
                    reply_one(exchange, 200, json_of(found.projects.front()));
                  });
  });
}

void change_project(const ExchangePtr& exchange) {
  auto change = body_as<msg::ChangeProject>(*exchange, {"record_consoles"});
  if (!change) return exchange->refuse(change.error());
  change->project_id = {exchange->path["project"]};
  exchange->ask(*change, [exchange](const msg::Project& changed) {
    reply_one(exchange, 200, json_of(changed));
  });
}

void remove_project(const ExchangePtr& exchange) {
  exchange->ask(msg::RemoveProject{{exchange->path["project"]}},
                [exchange](const msg::Done&) { exchange->reply_nothing(); });
}

void list_people(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  exchange->ask(msg::ListPeople{.viewer = msg::viewer_of(exchange->who), .page = *page},
                [exchange](const msg::People& found) {
                  reply_list(exchange, "people", found.people, found.next);
                });
}

void get_person(const ExchangePtr& exchange) {
  const msg::PersonId id{exchange->path["person"]};
  exchange->ask(msg::GetPerson{.person_id = id}, [exchange](msg::Person person) {
    const auto is_shared = [&](const msg::ProjectId& project) {
      return msg::sees(exchange->who, project);
    };
    if (!exchange->is_operator() && !std::ranges::any_of(person.projects, is_shared))
      return exchange->refuse(ErrorCode::not_found, "no such person", "person_id");
    if (!exchange->is_operator())
      std::erase_if(person.projects,
                    [&](const msg::ProjectId& project) { return !is_shared(project); });
    reply_one(exchange, 200, json_of(person));
  });
}

void define_person(const ExchangePtr& exchange) {
  const auto fields = {"email"sv, "first_name"sv, "last_name"sv, "role"sv, "projects"sv};
  auto person = body_as<msg::Person>(*exchange, fields);
  if (!person) return exchange->refuse(person.error());
  person->person_id = {exchange->path["person"]};
  if (auto broken = msg::check_name("person_id", person->person_id.value))
    return exchange->refuse(*broken);
  if (person->role == msg::Role::unknown)
    return exchange->refuse(ErrorCode::invalid_argument,
                            "role must be operator, pi, cluster_admin, trainer or read_only",
                            "role");
  msg::DefinePerson request{.person = *person};
  for (const auto field : fields)
    if (!sets(*exchange, field)) request.kept.emplace_back(field);
  exchange->ask(request, [exchange, id = person->person_id](const msg::Done&) {
    exchange->ask(msg::GetPerson{.person_id = id}, [exchange](const msg::Person& defined) {
      reply_one(exchange, 200, json_of(defined));
    });
  });
}

void remove_person(const ExchangePtr& exchange) {
  exchange->ask(msg::RemovePerson{{exchange->path["person"]}},
                [exchange](const msg::Done&) { exchange->reply_nothing(); });
}

void get_me(const ExchangePtr& exchange) {
  exchange->ask(msg::GetPerson{.person_id = exchange->who.person_id},
                [exchange](const msg::Person& person) {
                  Json me = json_of(person);
                  me["rights"] = json_of(exchange->who)["rights"];
                  reply_one(exchange, 200, me);
                });
}

Handler with_key(std::function<void(const ExchangePtr&)> next) {
  return [next = std::move(next)](const ExchangePtr& exchange) {
    if (!is_whole(exchange->who))
      return exchange->refuse(
          ErrorCode::forbidden,
          "a token with fewer rights than its person cannot manage the API key");
    next(exchange);
  };
}

void get_key(const ExchangePtr& exchange) {
  exchange->ask(
      msg::IssueKey{.person_id = exchange->who.person_id},
      [exchange](const msg::ApiKey& key) { reply_one(exchange, 200, json_of(key), 0, no_store); });
}

void replace_key(const ExchangePtr& exchange) {
  auto body = body_as<msg::ReplaceKey>(*exchange, {"is_strict"});
  if (!body) return exchange->refuse(body.error());
  body->person_id = exchange->who.person_id;
  exchange->ask(*body, [exchange](const msg::ApiKey& key) {
    reply_one(exchange, 200, json_of(key), 0, no_store);
  });
}

void remove_key(const ExchangePtr& exchange) {
  exchange->ask(msg::ReplaceKey{.person_id = exchange->who.person_id, .is_none = true},
                [exchange](const msg::ApiKey&) { exchange->reply_nothing(); });
}

void list_tokens(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  exchange->ask(msg::ListTokens{.person_id = exchange->who.person_id, .page = *page},
                [exchange](const msg::Tokens& found) {
                  reply_list(exchange, "tokens", found.tokens, found.next);
                });
}

void issue_token(const ExchangePtr& exchange) {
  auto body = body_as<msg::IssueToken>(*exchange, {"label", "rights", "expires_unix_s"});
  if (!body) return exchange->refuse(body.error());
  const auto& who = exchange->who;
  if (std::ranges::find(body->rights, msg::Right::unknown) != body->rights.end())
    return exchange->refuse(ErrorCode::invalid_argument, "rights has a right that does not exist",
                            "rights");
  if (!std::ranges::all_of(body->rights, [&](msg::Right right) { return msg::may(who, right); }))
    return exchange->refuse(ErrorCode::forbidden, "rights has a right that you do not have",
                            "rights");
  if (body->rights.empty()) body->rights = who.rights;
  if (body->expires_unix_s < 0)
    return exchange->refuse(ErrorCode::invalid_argument, "expires_unix_s must not be negative",
                            "expires_unix_s");
  const bool is_longer = body->expires_unix_s == 0 || body->expires_unix_s > who.expires_unix_s;
  if (who.expires_unix_s != 0 && is_longer) body->expires_unix_s = who.expires_unix_s;
  body->person_id = who.person_id;
  body->made_by = who.token_id;
  exchange->ask(*body, [exchange](const msg::Token& token) {
    reply_one(exchange, 201, json_of(token), 0, no_store);
  });
}

/// A token with fewer rights than its person revokes itself alone.
void revoke_token(const ExchangePtr& exchange) {
  if (!msg::has_all_rights(exchange->who) && exchange->path["token"] != exchange->who.token_id)
    return exchange->refuse(ErrorCode::forbidden,
                            "a token with fewer rights than its person can revoke only itself");
  exchange->ask(
      msg::RevokeToken{.person_id = exchange->who.person_id, .token_id = exchange->path["token"]},
      [exchange](const msg::Done&) { exchange->reply_nothing(); });
}

}  // namespace

void add_v2_people_routes(Router& router) {
  router.add("GET", "/v2/projects", msg::Right::read, list_projects).takes_page();
  router.add("PUT", "/v2/projects/{project}", msg::Right::operate, define_project);
  router.add("PATCH", "/v2/projects/{project}", msg::Right::operate, change_project);
  router.add("DELETE", "/v2/projects/{project}", msg::Right::operate, remove_project);
  router.add("GET", "/v2/people", msg::Right::people, list_people).takes_page();
  router.add("GET", "/v2/people/{person}", msg::Right::people, get_person).takes({"fields"});
  router.add("PUT", "/v2/people/{person}", msg::Right::operate, define_person);
  router.add("DELETE", "/v2/people/{person}", msg::Right::operate, remove_person);
  router.add("GET", "/v2/me", msg::Right::read, get_me).takes({"fields"});
  router.add("GET", "/v2/me/key", msg::Right::read, with_key(get_key)).takes({"fields"});
  router.add("PUT", "/v2/me/key", msg::Right::read, with_key(replace_key));
  router.add("DELETE", "/v2/me/key", msg::Right::read, with_key(remove_key));
  router.add("GET", "/v2/me/tokens", msg::Right::read, list_tokens).takes_page();
  router.add("POST", "/v2/me/tokens", msg::Right::read, issue_token);
  router.add("DELETE", "/v2/me/tokens/{token}", msg::Right::read, revoke_token);
}

}  // namespace nucleus::gateway
