// Which computesets a list shows, found by the indexes of the view alone: pure.
#pragma once

#include <vector>

#include "services/scheduler/view.hpp"

namespace nucleus::scheduler {

struct ComputesetFilter {
  msg::Viewer viewer = {};
  std::vector<msg::ComputesetState> states = {};  // empty = all
  msg::ClusterId cluster_id = {};                 // empty = any
  msg::AllocationId allocation_id = {};           // empty = any
  Period period = {};                             // those that existed within it,
  bool is_charged = false;                        // or, if set, those that ran within it
};

/// The ids of those after `after`, at most `limit`, in ascending order.
std::vector<msg::ComputesetId> find_computesets(const View& view, const ComputesetFilter& filter,
                                                msg::ComputesetId after, std::size_t limit);

}  // namespace nucleus::scheduler
