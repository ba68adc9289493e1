#include "services/overhead/cluster_nodes.hpp"

#include <algorithm>
#include <iterator>

namespace nucleus::overhead {

namespace {

struct Reading {
  core::Bus& bus;
  msg::ClusterId cluster_id = {};
  std::function<void(core::Result<ClusterNodes>)> use = {};
  ClusterNodes found = {};
};
using ReadingPtr = std::shared_ptr<Reading>;

msg::Page page_after(std::string after) {
  return {.limit = msg::page_entries_max, .after = std::move(after)};
}

void read_states(const ReadingPtr& reading, std::string after = {}) {
  reading->bus.call(msg::ListNodeStatuses{.viewer = {.is_operator = true},
                                          .cluster_id = reading->cluster_id,
                                          .page = page_after(std::move(after))},
                    {}, [reading](const core::Result<msg::NodeStatuses>& page) {
                      if (!page) return reading->use(std::unexpected(page.error()));
                      std::ranges::copy(page->nodes,
                                        std::back_inserter(reading->found.statuses.nodes));
                      if (!page->next.empty()) return read_states(reading, page->next);
                      reading->use(std::move(reading->found));
                    });
}

void read_names(const ReadingPtr& reading, std::string after = {}) {
  reading->bus.call(msg::ListNodes{.viewer = {.is_operator = true},
                                   .cluster_id = reading->cluster_id,
                                   .page = page_after(std::move(after))},
                    {}, [reading](const core::Result<msg::Nodes>& page) {
                      if (!page) return reading->use(std::unexpected(page.error()));
                      reading->found.project_id = page->cluster.project_id;
                      std::ranges::copy(page->nodes, std::back_inserter(reading->found.nodes));
                      if (!page->next.empty()) return read_names(reading, page->next);
                      read_states(reading);
                    });
}

}  // namespace

void read_nodes(core::Bus& bus, const msg::ClusterId& cluster_id,
                std::function<void(core::Result<ClusterNodes>)> use) {
  read_names(std::make_shared<Reading>(
      Reading{.bus = bus, .cluster_id = cluster_id, .use = std::move(use)}));
}

}  // namespace nucleus::overhead
