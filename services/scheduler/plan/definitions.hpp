// What other services report of clusters and nodes: definitions, ports, volumes, acknowledgements,
// removals.
#pragma once

#include "messages/image_store.hpp"
#include "messages/network.hpp"
#include "messages/registry.hpp"
#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

Plan plan_cluster_defined(const View& view, const msg::ClusterDefined& event,
                          std::int64_t now_unix_ms);
/// A node that runs keeps the size that it was placed with.
Plan plan_node_defined(const View& view, const msg::NodeDefined& event, std::int64_t now_unix_ms);
Plan plan_ports(const View& view, const msg::PortsLeased& event, std::int64_t now_unix_ms);
/// The hosts with nodes of these clusters learn the present names of all their nodes, where Nucleus
/// answers DNS: each is sent the grant of one of them again.
Plan plan_names(const View& view, const std::set<msg::ClusterId>& clusters,
                std::int64_t now_unix_ms);
Plan plan_volume(const View& view, const msg::VolumePlaced& event, std::int64_t now_unix_ms);
Plan plan_acknowledgement(const View& view, const msg::AcknowledgementChanged& event,
                          std::int64_t now_unix_ms);
/// The node is stopped by force; its record is removed when it is off.
Plan plan_node_removed(const View& view, const msg::NodeRemoved& event, std::int64_t now_unix_ms);
/// All its nodes are stopped by force and its computesets ended.
Plan plan_cluster_removed(const View& view, const msg::ClusterRemoved& event,
                          std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler
