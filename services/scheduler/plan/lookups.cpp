#include "services/scheduler/plan/lookups.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;

core::Result<const StoredCluster*> find_cluster(const View& view, const msg::Viewer& viewer,
                                                const msg::ClusterId& id) {
  const auto* found = view.cluster(id);
  if (found && msg::sees(viewer, found->cluster.project_id)) return found;
  return core::refuse(ErrorCode::not_found, "no such cluster: " + msg::shown(id.value),
                      "cluster_id");
}

core::Result<const StoredNode*> find_node(const View& view, const msg::Viewer& viewer,
                                          const msg::NodeRef& node) {
  if (auto broken = msg::check(node)) return std::unexpected(*broken);
  const bool is_by_id = !node.node_id.empty();
  if (!is_by_id)
    if (auto cluster = find_cluster(view, viewer, node.cluster_id); !cluster)
      return std::unexpected(cluster.error());
  const auto* found =
      is_by_id ? view.node(node.node_id) : view.node_named(node.cluster_id, node.name);
  if (found && !found->is_removed && msg::sees(viewer, found->definition.project_id)) return found;
  return core::refuse(ErrorCode::not_found,
                      "no such node: " + msg::shown(is_by_id ? node.node_id.value : node.name),
                      "node");
}

bool is_computeset_visible(const View& view, const msg::Viewer& viewer, msg::ComputesetId id) {
  if (const auto* stored = view.computeset(id))
    return msg::sees(viewer, stored->computeset.project_id);
  const auto* finished = view.finished().find(id);
  return finished && msg::sees(viewer, {view.finished().name(finished->project)});
}

core::Error no_such_computeset(msg::ComputesetId id) {
  return {.code = ErrorCode::not_found,
          .detail = "no such computeset: " + std::to_string(id),
          .field = "computeset_id"};
}

}  // namespace nucleus::scheduler
