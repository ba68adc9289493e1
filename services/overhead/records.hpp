// What the overhead service stores: the last report of each cluster.
#pragma once

#include "messages/overhead.hpp"

namespace nucleus::overhead {

struct StoredReport {
  msg::ClusterId cluster_id = {};
  msg::OverheadReport report = {};  // of the last measurement that ended
  bool is_pending = false;          // a measurement was accepted and has not ended
  NUCLEUS_FIELDS(cluster_id, report, is_pending);
};

}  // namespace nucleus::overhead
