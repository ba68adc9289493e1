// Reads clusters from the registry as an operator, all pages.
#pragma once

#include <iterator>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "messages/registry.hpp"

namespace nucleus::tests {

inline const msg::Viewer as_operator{.is_operator = true};

struct WholeCluster {
  msg::Cluster cluster = {};
  std::vector<msg::Node> nodes = {};  // by index
};

/// A cluster with all its nodes; `call` sends one request.
template <class Call>
core::Result<WholeCluster> whole_cluster(Call&& call, const std::string& name) {
  msg::ListNodes request{.viewer = as_operator, .cluster_id = {name}, .page = {.limit = 1000}};
  WholeCluster whole;
  do {
    core::Result<msg::Nodes> page = call(request);
    if (!page) return std::unexpected(page.error());
    whole.cluster = std::move(page->cluster);
    std::ranges::move(page->nodes, std::back_inserter(whole.nodes));
    request.page.after = page->next;
  } while (!request.page.after.empty());
  return whole;
}

/// Every cluster, without its nodes.
template <class Call>
core::Result<std::vector<msg::Cluster>> all_clusters(Call&& call) {
  msg::ListClusters request{.viewer = as_operator, .page = {.limit = 1000}};
  std::vector<msg::Cluster> clusters;
  do {
    core::Result<msg::Clusters> page = call(request);
    if (!page) return std::unexpected(page.error());
    std::ranges::move(page->clusters, std::back_inserter(clusters));
    request.page.after = page->next;
  } while (!request.page.after.empty());
  return clusters;
}

}  // namespace nucleus::tests
