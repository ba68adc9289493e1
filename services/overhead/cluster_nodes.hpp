// Reads the nodes of a cluster from registry and scheduler. Runs on the service's loop.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/bus/bus.hpp"
#include "core/result.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::overhead {

struct ClusterNodes {
  msg::ProjectId project_id = {};
  std::vector<msg::Node> nodes = {};
  msg::NodeStatuses statuses = {};
};

/// Calls `use` once, with all nodes and their states or with the first error.
void read_nodes(core::Bus& bus, const msg::ClusterId& cluster_id,
                std::function<void(core::Result<ClusterNodes>)> use);

}  // namespace nucleus::overhead
