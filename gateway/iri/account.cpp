// IRI API: projects, their allocations and who used them. Core-seconds are shown as hours of a node
// with `gateway.facility_node_cores` cores.
#include <algorithm>
#include <limits>

#include "gateway/iri/query.hpp"
#include "gateway/iri/resources.hpp"
#include "gateway/routing/pages.hpp"
#include "messages/allocations.hpp"

namespace nucleus::gateway {

namespace {

using NextJson = std::function<void(Json)>;

Json capabilities_json(const Exchange& exchange, const IriSite& site) {
  const std::string path = std::string("account/capabilities/") + iri_capability_id;
  return Json::array({{{"id", iri_capability_id},
                       {"name", "Cores of the hosts"},
                       {"description", "One node-hour is an hour of " +
                                           std::to_string(site.facts.node_cores) + " cores"},
                       {"last_modified", iso_time(site.started_unix_s)},
                       {"units", {"node_hours"}},
                       {"self_uri", iri_url(exchange, path)}}});
}

void list_capabilities(const ExchangePtr& exchange, const IriSite& site) {
  const auto query =
      read_iri_query(exchange->request, {"name", "modified_since", "offset", "limit"});
  if (!query) return exchange->refuse(query.error());
  reply_window(exchange, *query, capabilities_json(*exchange, site));
}

void get_capability(const ExchangePtr& exchange, const IriSite& site) {
  const auto query = read_iri_query(exchange->request, {"modified_since"});
  if (!query) return exchange->refuse(query.error());
  reply_entry(exchange, exchange->path["capability_id"], capabilities_json(*exchange, site));
}

/// The people of each project, by project: the caller alone without the right to read people.
using Members = std::map<std::string, std::vector<std::string>>;

void with_project_members(const ExchangePtr& exchange, std::function<void(const Members&)> next) {
  auto members = std::make_shared<Members>();
  if (!msg::may(exchange->who, msg::Right::people)) {
    for (const auto& project : exchange->who.projects)
      (*members)[project.value].push_back(exchange->who.person_id.value);
    return next(*members);
  }
  for_each_page<msg::ListPeople>(
      exchange, {.viewer = msg::viewer_of(exchange->who)},
      [members](const msg::People& page) {
        for (const auto& person : page.people)
          for (const auto& project : person.projects)
            (*members)[project.value].push_back(person.person_id.value);
      },
      [members, next] { next(*members); });
}

std::string project_url(const Exchange& exchange, const std::string& project) {
  return iri_url(exchange, "account/projects/" + project);
}

void with_projects(const ExchangePtr& exchange, const IriSite& site, NextJson next) {
  with_project_members(exchange, [exchange, site, next](const Members& members) {
    auto projects = std::make_shared<Json>(Json::array());
    for_each_page<msg::ListProjects>(
        exchange, {.viewer = msg::viewer_of(exchange->who)},
        [exchange, site, members, projects](const msg::Projects& page) {
          for (const auto& project : page.projects) {
            const auto& id = project.project_id.value;
            const auto found = members.find(id);
            const bool has_members = found != members.end();
            projects->push_back({{"id", id},
                                 {"name", id},
                                 {"description", ""},
                                 {"user_ids", has_members ? Json(found->second) : Json::array()},
                                 {"last_modified", site.now()},
                                 {"self_uri", project_url(*exchange, id)}});
          }
        },
        [projects, next] { next(std::move(*projects)); });
  });
}

void list_iri_projects(const ExchangePtr& exchange, const IriSite& site) {
  if (const auto query = read_iri_query(exchange->request, {}); !query)
    return exchange->refuse(query.error());
  with_projects(exchange, site,
                [exchange](const Json& projects) { exchange->reply(200, projects); });
}

void get_iri_project(const ExchangePtr& exchange, const IriSite& site) {
  if (const auto query = read_iri_query(exchange->request, {}); !query)
    return exchange->refuse(query.error());
  with_projects(exchange, site, [exchange](const Json& projects) {
    reply_entry(exchange, exchange->path["project_id"], projects);
  });
}

/// The limit; of an allocation without one, the largest that there can be.
std::int64_t limit_core_s(const msg::Allocation& allocation) {
  const bool has_limit = allocation.limit_core_s > 0 || allocation.is_closed;
  return has_limit ? allocation.limit_core_s : std::numeric_limits<std::int64_t>::max();
}

Json entry_json(const IriSite& site, const msg::Allocation& allocation, std::int64_t used_core_s) {
  const auto node_hours = [&](std::int64_t core_s) {
    return static_cast<double>(core_s) / 3600 / static_cast<double>(site.facts.node_cores);
  };
  return {{"allocation", node_hours(limit_core_s(allocation))},
          {"usage", node_hours(used_core_s)},
          {"unit", "node_hours"},
          {"limit_core_s", allocation.limit_core_s},
          {"used_core_s", used_core_s},
          {"is_closed", allocation.is_closed}};
}

std::string allocation_url(const Exchange& exchange, const msg::Allocation& allocation) {
  return project_url(exchange, allocation.project_id.value) + "/project_allocations/" +
         allocation.allocation_id.value;
}

using Allocations = std::vector<msg::Allocation>;

/// The allocations of the path's project; 404 if the caller does not see it.
void with_project_allocations(const ExchangePtr& exchange,
                              std::function<void(const Allocations&)> next) {
  if (const auto query = read_iri_query(exchange->request, {}); !query)
    return exchange->refuse(query.error());
  const msg::ProjectId project{exchange->path["project_id"]};
  if (!msg::sees(exchange->who, project))
    return exchange->refuse(core::ErrorCode::not_found, "no such project");
  auto found = std::make_shared<Allocations>();
  for_each_page<msg::ListAllocations>(
      exchange, {.viewer = msg::viewer_of(exchange->who)},
      [found, project](msg::Allocations page) {
        for (auto& allocation : page.allocations)
          if (allocation.project_id == project) found->push_back(std::move(allocation));
      },
      [found, next] { next(*found); });
}

Json allocations_json(const Exchange& exchange, const IriSite& site, const Allocations& found) {
  Json all = Json::array();
  for (const auto& allocation : found)
    all.push_back({{"id", allocation.allocation_id.value},
                   {"entries", Json::array({entry_json(site, allocation, allocation.used_core_s)})},
                   {"project_uri", project_url(exchange, allocation.project_id.value)},
                   {"capability_uri",
                    iri_url(exchange, std::string("account/capabilities/") + iri_capability_id)}});
  return all;
}

void list_project_allocations(const ExchangePtr& exchange, const IriSite& site) {
  with_project_allocations(exchange, [exchange, site](const Allocations& found) {
    exchange->reply(200, allocations_json(*exchange, site, found));
  });
}

void get_project_allocation(const ExchangePtr& exchange, const IriSite& site) {
  with_project_allocations(exchange, [exchange, site](const Allocations& found) {
    reply_entry(exchange, exchange->path["project_allocation_id"],
                allocations_json(*exchange, site, found));
  });
}

/// What people used of an allocation, page by page.
struct Users {
  Users(const IriSite& of_site, msg::Allocation of) : site{of_site}, allocation{std::move(of)} {}

  IriSite site;
  msg::Allocation allocation;
  Json all = Json::array();

  void add(const Exchange& exchange, const msg::UsageTotal& total) {
    if (total.name.empty()) return;  // asked for by a program of the head
    all.push_back({{"id", total.name},
                   {"user_id", total.name},
                   {"entries", Json::array({entry_json(site, allocation, total.used_core_s)})},
                   {"project_allocation_uri", allocation_url(exchange, allocation)}});
  }
};

void gather_users(const ExchangePtr& exchange, msg::SumUsage request,
                  const std::shared_ptr<Users>& users, NextJson next,
                  std::size_t pages_left = pages_max) {
  exchange->ask(request, [=](const msg::UsageTotals& page) {
    for (const auto& total : page.totals) users->add(*exchange, total);
    if (page.next.empty()) return next(std::move(users->all));
    if (pages_left <= 1)
      return exchange->refuse(core::ErrorCode::internal, "a list has more pages than an answer");
    auto following = request;
    following.usage.page.after = page.next;
    gather_users(exchange, std::move(following), users, next, pages_left - 1);
  });
}

/// What each person used of the path's allocation. There are no limits for one person.
void with_user_allocations(const ExchangePtr& exchange, const IriSite& site, NextJson next) {
  with_project_allocations(exchange, [exchange, site, next](const Allocations& found) {
    const auto allocation = std::ranges::find(
        found, exchange->path["project_allocation_id"],
        [](const msg::Allocation& one) -> const auto& { return one.allocation_id.value; });
    if (allocation == found.end())
      return exchange->refuse(core::ErrorCode::not_found, "no such allocation");
    const msg::SumUsage used{.usage = {.viewer = msg::viewer_of(exchange->who),
                                       .allocation_id = allocation->allocation_id,
                                       .page = {.limit = msg::page_entries_max}},
                             .by = msg::UsageGroup::person};
    gather_users(exchange, used, std::make_shared<Users>(site, *allocation), next);
  });
}

void list_user_allocations(const ExchangePtr& exchange, const IriSite& site) {
  with_user_allocations(exchange, site, [exchange](const Json& all) { exchange->reply(200, all); });
}

void get_user_allocation(const ExchangePtr& exchange, const IriSite& site) {
  with_user_allocations(exchange, site, [exchange](const Json& all) {
    reply_entry(exchange, exchange->path["user_allocation_id"], all);
  });
}

}  // namespace

void add_iri_account_routes(Router& router, const IriSite& site) {
  using Answer = void (*)(const ExchangePtr&, const IriSite&);
  const auto with_site = [site](Answer answer) -> Handler {
    return [site, answer](const ExchangePtr& exchange) { answer(exchange, site); };
  };
  router.add_open("/api/v1/account/capabilities", with_site(list_capabilities));
  router.add_open("/api/v1/account/capabilities/{capability_id}", with_site(get_capability));
  const std::string project = "/api/v1/account/projects/{project_id}";
  const std::string allocation = project + "/project_allocations/{project_allocation_id}";
  const auto add = [&](const std::string& pattern, Answer answer) {
    router.add("GET", pattern, msg::Right::read, with_site(answer));
  };
  add("/api/v1/account/projects", list_iri_projects);
  add(project, get_iri_project);
  add(project + "/project_allocations", list_project_allocations);
  add(allocation, get_project_allocation);
  add(allocation + "/user_allocations", list_user_allocations);
  add(allocation + "/user_allocations/{user_allocation_id}", get_user_allocation);
}

}  // namespace nucleus::gateway
