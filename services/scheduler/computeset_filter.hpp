// Which computesets a list shows, found by the indexes of the view alone: pure.
#pragma once

#include <functional>
#include <vector>

#include "services/scheduler/view.hpp"

namespace nucleus::scheduler {

struct ComputesetFilter {
  msg::Viewer viewer = {};
  std::vector<msg::ComputesetState> states = {};  // empty = all
  msg::ClusterId cluster_id = {};                 // empty = any
  msg::AllocationId allocation_id = {};           // empty = any
  msg::ProjectId project_id = {};                 // empty = any
  msg::PersonId person_id = {};                   // empty = any
  std::string on_behalf_of = {};                  // empty = any
  Period period = {};                             // those that existed within it,
  bool is_charged = false;                        // or, if set, those that ran within it
};

/// The ids of those after `after`, at most `limit`, in ascending order.
std::vector<msg::ComputesetId> find_computesets(const View& view, const ComputesetFilter& filter,
                                                msg::ComputesetId after, std::size_t limit);

/// Calls one of these with each of them.
void visit_computesets(const View& view, const ComputesetFilter& filter,
                       const std::function<void(const FinishedComputesets::Summary&)>& finished,
                       const std::function<void(const StoredComputeset&)>& unfinished);

}  // namespace nucleus::scheduler
