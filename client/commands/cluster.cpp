// ll and cluster.
#include <iostream>

#include "client/commands/commands.hpp"
#include "client/output/views.hpp"

namespace nucleus::client {

namespace {

/// One cluster as a list of one; all clusters if `name` is empty.
core::Result<Json> clusters(const Api& api, const std::string& name) {
  if (name.empty()) return api.get("/nucleus/v1/cluster/");
  auto one = get_cluster(api, name);
  if (!one) return one;
  Json all = Json::list();
  all.add(std::move(*one));
  return all;
}

}  // namespace

core::Result<int> list_clusters(const Api& api, const Words& words) {
  const auto found = clusters(api, words["CLUSTER"]);
  if (!found) return std::unexpected(found.error());
  return print(list_view(*found), words["--format"], *found);
}

core::Result<int> show_clusters(const Api& api, const Words& words) {
  const auto found = clusters(api, words["CLUSTER"]);
  if (!found) return std::unexpected(found.error());
  // Only computesets have the allocation: without one the request is saved.
  auto sets = core::Result<Json>(Json::list());
  if (has_active_set(*found)) sets = get_active_sets(api);
  if (!sets) return std::unexpected(sets.error());
  const auto format = words["--format"];
  const bool is_table = format == "table";
  const auto columns = words.has("--status")    ? NodeColumns::status
                       : words.has("--concise") ? NodeColumns::concise
                       : is_table               ? NodeColumns::all_table
                                                : NodeColumns::all_data;
  const auto listing = node_view(*found, *sets, columns, words["--sort"]);
  if (!listing) return std::unexpected(listing.error());
  if (is_table) std::cout << cluster_heads(*found);
  return print(*listing, format, *found);
}

}  // namespace nucleus::client
