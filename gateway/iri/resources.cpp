#include "gateway/iri/resources.hpp"

#include <algorithm>

#include "gateway/routing/lookups.hpp"
#include "gateway/routing/pages.hpp"

namespace nucleus::gateway {

namespace {

using Clusters = std::vector<msg::Cluster>;
using NextStatus = std::function<void(IriStatus)>;

/// `down` if the scheduler does not answer: nothing can be started.
void with_centre_status(const ExchangePtr& exchange, NextStatus next) {
  const auto any_of = [exchange](std::vector<msg::HostState> states, auto found) {
    exchange->try_ask(msg::ListHosts{.states = std::move(states), .page = {.limit = 1}},
                      [found](const core::Result<msg::Hosts>& hosts) { found(hosts); });
  };
  any_of({msg::HostState::up}, [any_of, next](const core::Result<msg::Hosts>& up) {
    if (!up) return next(IriStatus::down);
    any_of({msg::HostState::lost, msg::HostState::unreachable},
           [next, has_up = !up->hosts.empty()](const core::Result<msg::Hosts>& missing) {
             if (!missing) return next(IriStatus::down);
             next(centre_status({.has_up = has_up, .has_missing = !missing->hosts.empty()}));
           });
  });
}

Json resource_json(const Exchange& exchange, const std::string& id, IriStatus status) {
  return {{"id", id},
          {"name", id},
          {"current_status", std::string(msg::name_of(status))},
          {"self_uri", resource_url(exchange, id)},
          {"site_uri", iri_url(exchange, "facility/sites/site")},
          {"capability_uris",
           {iri_url(exchange, std::string("account/capabilities/") + iri_capability_id)}}};
}

Json centre_json(const Exchange& exchange, const IriSite& site, IriStatus status) {
  Json centre = resource_json(exchange, iri_centre_id, status);
  centre.update({{"name", site.facts.name + ": hosts and services"},
                 {"description", "The hosts that clusters run on, and the central services"},
                 {"last_modified", site.now()},
                 {"resource_type", "system"},
                 {"supported_endpoints", Json::array()}});
  return centre;
}

Json resources_json(const Exchange& exchange, const IriSite& site, IriStatus centre,
                    const Clusters& clusters, const NodeStatusesById& statuses) {
  std::map<std::string, std::vector<const msg::NodeStatus*>> nodes;
  for (const auto& [id, status] : statuses) nodes[status.cluster_id.value].push_back(&status);
  Json all = Json::array({centre_json(exchange, site, centre)});
  for (const auto& cluster : clusters) {
    const auto& id = cluster.cluster_id.value;
    Json entry = resource_json(exchange, id, cluster_status(centre, nodes[id]));
    entry.update({{"group", cluster.project_id.value},
                  {"last_modified", site.now()},
                  {"resource_type", "compute"},
                  {"supported_endpoints", {"compute"}}});
    if (!cluster.description.empty()) entry["description"] = cluster.description;
    all.push_back(std::move(entry));
  }
  return all;
}

}  // namespace

IriStatus centre_status(const HostKinds& hosts) {
  if (!hosts.has_up) return IriStatus::down;
  return hosts.has_missing ? IriStatus::degraded : IriStatus::up;
}

IriStatus cluster_status(IriStatus centre, std::span<const msg::NodeStatus* const> nodes) {
  if (centre == IriStatus::down) return centre;
  const bool has_failed = std::ranges::any_of(nodes, [](const msg::NodeStatus* node) {
    return node->state == msg::NodeState::crashed || node->state == msg::NodeState::nostate_error;
  });
  return has_failed ? IriStatus::degraded : IriStatus::up;
}

bool is_anonymous(const Exchange& exchange) {
  return exchange.who.rights.empty();
}

std::string iri_url(const Exchange& exchange, const std::string& path) {
  return exchange.base_url + "/api/v1/" + path;
}

std::string resource_url(const Exchange& exchange, const std::string& id) {
  return iri_url(exchange, "status/resources/" + id);
}

void with_visible_clusters(const ExchangePtr& exchange, const msg::ClusterId& only,
                           std::function<void(const std::vector<msg::Cluster>&)> next) {
  if (is_anonymous(*exchange) && only.empty()) return next({});
  auto clusters = std::make_shared<Clusters>();
  for_each_page<msg::ListClusters>(
      exchange, {.viewer = msg::viewer_of(exchange->who), .cluster_id = only},
      [clusters](msg::Clusters page) {
        std::ranges::move(page.clusters, std::back_inserter(*clusters));
      },
      [clusters, next = std::move(next)] { next(*clusters); });
}

void with_iri_resources(const ExchangePtr& exchange, const IriSite& site,
                        const msg::ClusterId& only, std::function<void(Json)> next) {
  with_visible_clusters(exchange, only, [=](const Clusters& clusters) {
    with_centre_status(exchange, [=](IriStatus centre) {
      if (clusters.empty() || centre == IriStatus::down)
        return next(resources_json(*exchange, site, centre, clusters, {}));
      with_statuses(exchange, only, [=](const NodeStatusesById& statuses) {
        next(resources_json(*exchange, site, centre, clusters, statuses));
      });
    });
  });
}

void with_iri_centre(const ExchangePtr& exchange, const IriSite& site,
                     std::function<void(const Json&)> next) {
  with_centre_status(
      exchange, [=](IriStatus centre) { next(resources_json(*exchange, site, centre, {}, {})); });
}

}  // namespace nucleus::gateway
