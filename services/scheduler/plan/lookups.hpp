// Clusters, nodes and computesets by what a request names them. What the viewer does not see is
// `not_found`, exactly like what does not exist.
#pragma once

#include "core/result.hpp"
#include "services/scheduler/view.hpp"

namespace nucleus::scheduler {

core::Result<const StoredCluster*> find_cluster(const View& view, const msg::Viewer& viewer,
                                                const msg::ClusterId& id);

core::Result<const StoredNode*> find_node(const View& view, const msg::Viewer& viewer,
                                          const msg::NodeRef& node);

/// True for a computeset, finished or not, that the viewer sees.
bool is_computeset_visible(const View& view, const msg::Viewer& viewer, msg::ComputesetId id);
core::Error no_such_computeset(msg::ComputesetId id);

}  // namespace nucleus::scheduler
