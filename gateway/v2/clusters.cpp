// v2: clusters, and what belongs to a whole one: volumes, networks.
#include <algorithm>

#include "gateway/routing/lookups.hpp"
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"
#include "messages/image_store.hpp"
#include "messages/network.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

Json node_json(const msg::Node& node, const NodeStatusesById& statuses) {
  const auto& status = status_of(node, statuses);
  Json entry = json_of(status);
  if (status.image_copy) entry["image_copy"] = image_copy_json(*status.image_copy);
  entry.update(json_of(node));
  return entry;
}

Json image_copy_json(const msg::ImageCopy& copy) {
  Json shown = json_of(copy);
  const auto left = copy.total_bytes - std::min(copy.copied_bytes, copy.total_bytes);
  shown["percent"] = copy.total_bytes == 0 ? 0 : (copy.total_bytes - left) * 100 / copy.total_bytes;
  if (copy.bytes_per_s > 0 && copy.reason.empty())
    shown["eta_s"] = (left + copy.bytes_per_s - 1) / copy.bytes_per_s;
  return shown;
}

core::http::Headers node_headers(const Json& node) {
  if (node.contains("image_copy")) return {{"Cache-Control", std::string(changes_unannounced)}};
  return {};
}

namespace {

Json cluster_json(const ClusterNodes& whole, const NodeStatusesById& statuses) {
  Json body = json_of(whole.cluster);
  body["nodes"] = Json::array();
  for (const auto& node : whole.nodes) body["nodes"].push_back(node_json(node, statuses));
  return body;
}

void list_clusters(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  const auto project = read_filter(*exchange, "project_id");
  if (!project) return exchange->refuse(project.error());
  exchange->ask(
      msg::ListClusters{
          .viewer = msg::viewer_of(exchange->who), .project_id = {*project}, .page = *page},
      [exchange](const msg::Clusters& found) {
        reply_list(exchange, "clusters", found.clusters, found.next);
      });
}

void get_cluster(const ExchangePtr& exchange) {
  const msg::ClusterId id{exchange->path["cluster"]};
  with_nodes(exchange, id, [exchange, id](ClusterNodes whole) {
    with_statuses(exchange, id,
                  [exchange, whole = std::move(whole)](const NodeStatusesById& statuses) {
                    const Json body = cluster_json(whole, statuses);
                    core::http::Headers headers;
                    for (const auto& node : body["nodes"]) headers.merge(node_headers(node));
                    reply_one(exchange, 200, body, whole.cluster.revision, std::move(headers));
                  });
  });
}

/// A project's clusters may be charged to the project's allocations, and to the allocation that has
/// the project's name. Any other is 404; operators may also name one that is not defined yet.
void with_allocations(const ExchangePtr& exchange, const msg::ProjectId& project,
                      std::vector<msg::AllocationId> wanted, std::function<void()> next) {
  if (wanted.empty()) return next();
  const msg::ListAllocations request{.viewer = {.is_operator = true}, .allocations = wanted};
  exchange->ask(request, [exchange, project, wanted = std::move(wanted),
                          next = std::move(next)](const msg::Allocations& all) {
    const auto is_own = [&](const msg::AllocationId& id) {
      const auto known = std::ranges::find(all.allocations, id, &msg::Allocation::allocation_id);
      return known == all.allocations.end() ? exchange->is_operator() || id.value == project.value
                                            : known->project_id == project;
    };
    if (!std::ranges::all_of(wanted, is_own))
      return exchange->refuse(ErrorCode::not_found, "no such allocation", "allocations");
    next();
  });
}

void create_cluster(const ExchangePtr& exchange) {
  auto body = body_as<msg::DefineCluster>(
      *exchange, {"cluster_id", "project_id", "description", "allocations", "compute_count",
                  "frontend_size", "compute_size", "image_id", "has_infiniband", "address_mode"});
  if (!body) return exchange->refuse(body.error());
  if (body->project_id.empty() && exchange->who.projects.size() == 1)
    body->project_id = exchange->who.projects.front();
  if (auto broken = msg::check(*body)) return exchange->refuse(*broken);
  if (!msg::sees(exchange->who, body->project_id))
    return exchange->refuse(ErrorCode::not_found, "no such project", "project_id");
  with_allocations(exchange, body->project_id, body->allocations, [exchange, body = *body] {
    exchange->ask(body, [exchange](const msg::Cluster& created) {
      with_nodes(exchange, created.cluster_id, [exchange](const ClusterNodes& whole) {
        const auto& cluster = whole.cluster;
        reply_one(exchange, 201, cluster_json(whole, {}), cluster.revision,
                  {{"Location", exchange->base_url + "/v2/clusters/" + cluster.cluster_id.value}});
      });
    });
  });
}

void change_cluster(const ExchangePtr& exchange) {
  auto change = if_match(*exchange, body_as<msg::ChangeCluster>(
                                        *exchange, {"description", "allocations", "address_mode"}));
  if (!change) return exchange->refuse(change.error());
  change->cluster_id = {exchange->path["cluster"]};
  const auto apply = [exchange, change = *change] { apply_change(exchange, change); };
  if (!change->allocations) return apply();
  with_cluster(exchange,
               [exchange, wanted = *change->allocations, apply](const msg::Cluster& cluster) {
                 with_allocations(exchange, cluster.project_id, wanted, apply);
               });
}

void remove_cluster(const ExchangePtr& exchange) {
  const auto revision = if_match(*exchange);
  if (!revision) return exchange->refuse(revision.error());
  exchange->ask(msg::RemoveCluster{.cluster_id = {exchange->path["cluster"]},
                                   .viewer = msg::viewer_of(exchange->who),
                                   .if_revision = *revision},
                [exchange](const msg::Done&) { exchange->reply_nothing(); });
}

void list_volumes(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  with_cluster(exchange, [exchange, page = *page](const msg::Cluster& cluster) {
    exchange->ask(msg::ListVolumes{.viewer = msg::viewer_of(exchange->who),
                                   .cluster_id = cluster.cluster_id,
                                   .page = page},
                  [exchange](const msg::NodeVolumes& volumes) {
                    reply_list(exchange, "volumes", volumes.volumes, volumes.next);
                  });
  });
}

/// The adapters that a cluster's nodes have while they are placed.
Json adapters_of(const ClusterNodes& whole, const NodeStatusesById& statuses) {
  Json adapters = Json::array();
  for (const auto& node : whole.nodes)
    for (const auto& leased : status_of(node, statuses).adapters) {
      Json entry = json_of(leased);
      entry["node_id"] = node.node_id.value;
      entry["node_name"] = node.name;
      adapters.push_back(std::move(entry));
    }
  return adapters;
}

/// The networks of a cluster by VLAN, each with the ports of the nodes; the private one with the
/// cluster's partitions, and the adapters in them.
std::map<std::uint32_t, Json> networks_of(const ClusterNodes& whole,
                                          const NodeStatusesById& statuses,
                                          const msg::ClusterNetwork& leased) {
  std::map<std::uint32_t, Json> by_vlan;
  for (const auto& node : whole.nodes)
    for (const auto& port : status_of(node, statuses).ports) {
      auto& network = by_vlan[port.vlan];
      network["vlan"] = port.vlan;
      network["is_public"] = port.is_public;
      network["fabrics"] = Json::array();
      if (port.vlan == leased.vlan)
        for (const auto& lease : leased.fabrics) network["fabrics"].push_back(json_of(lease));
      if (!network.contains("adapters"))
        network["adapters"] =
            port.vlan == leased.vlan ? adapters_of(whole, statuses) : Json::array();
      Json entry = json_of(port);
      entry["node_id"] = node.node_id.value;
      entry["node_name"] = node.name;
      network["ports"].push_back(std::move(entry));
    }
  return by_vlan;
}

void list_networks(const ExchangePtr& exchange) {
  const auto page = read_page(*exchange);
  if (!page) return exchange->refuse(page.error());
  const auto number = read_number(*exchange, "after");
  if (!number) return exchange->refuse(number.error());
  const std::int64_t after = page->after.empty() ? -1 : *number;
  const std::size_t limit = page->limit == 0 ? msg::page_entries_default : page->limit;
  const msg::ClusterId id{exchange->path["cluster"]};
  with_nodes(exchange, id, [exchange, id, limit, after](ClusterNodes whole) {
    with_statuses(
        exchange, id,
        [exchange, id, limit, after, whole = std::move(whole)](const NodeStatusesById& statuses) {
          const msg::ListNetworks leases{.viewer = msg::viewer_of(exchange->who), .cluster_id = id};
          exchange->ask(leases, [=](const msg::ClusterNetworks& found) {
            const auto leased =
                found.networks.empty() ? msg::ClusterNetwork{} : found.networks.front();
            ListPage list{.name = "networks",
                          .fields = {"vlan", "is_public", "fabrics", "adapters", "ports"}};
            std::uint32_t last = 0;
            for (auto& [vlan, network] : networks_of(whole, statuses, leased)) {
              if (vlan <= after) continue;
              if (list.entries.size() == limit) {
                list.next = std::to_string(last);
                break;
              }
              last = vlan;
              list.entries.push_back(network);
            }
            reply_list(exchange, std::move(list));
          });
        });
  });
}

void get_isolation(const ExchangePtr& exchange) {
  const msg::ListIsolations request{.viewer = msg::viewer_of(exchange->who),
                                    .cluster_id = {exchange->path["cluster"]}};
  exchange->ask(request, [exchange](const msg::ClusterIsolations& found) {
    if (found.clusters.empty()) return exchange->refuse(ErrorCode::not_found, "no such cluster");
    reply_one(exchange, 200, json_of(found.clusters.front()));
  });
}

}  // namespace

void add_v2_cluster_routes(Router& router, EventStreams& streams) {
  router
      .add_cached("/v2/clusters", msg::Right::read,
                  watchable<msg::ClusterDefined, msg::ClusterRemoved, msg::NodeDefined,
                            msg::NodeRemoved, msg::NodeChanged>(streams, list_clusters))
      .takes_page()
      .takes({"project_id", "watch"});
  router.add("POST", "/v2/clusters", msg::Right::define, create_cluster);
  router.add_cached("/v2/clusters/{cluster}", msg::Right::read, get_cluster).takes({"fields"});
  router.add("PATCH", "/v2/clusters/{cluster}", msg::Right::define, change_cluster);
  router.add("DELETE", "/v2/clusters/{cluster}", msg::Right::define, remove_cluster);
  router
      .add("GET", "/v2/clusters/{cluster}/volumes", msg::Right::read,
           watchable<msg::VolumeChanged>(streams, list_volumes))
      .takes_page()
      .takes({"watch"});
  router
      .add_cached("/v2/clusters/{cluster}/networks", msg::Right::read,
                  watchable<msg::PortsLeased, msg::NetworkLeased>(streams, list_networks))
      .takes_page()
      .takes({"watch"});
  router
      .add("GET", "/v2/clusters/{cluster}/isolation", msg::Right::read,
           watchable<msg::IsolationChanged>(streams, get_isolation))
      .takes({"fields", "watch"});
}

}  // namespace nucleus::gateway
