// What the overhead service stores: the last report of each cluster, and its certificates.
#pragma once

#include "messages/overhead.hpp"

namespace nucleus::overhead {

struct StoredReport {
  msg::ClusterId cluster_id = {};
  msg::OverheadReport report = {};  // of the last measurement that ended
  bool is_pending = false;          // a measurement was accepted and has not ended
  std::uint32_t seconds_max = 0;    // of the pending measurement; 0 = the setting
  NUCLEUS_FIELDS(cluster_id, report, is_pending, seconds_max);
};

struct StoredCertificate {
  msg::Certificate certificate = {};
  NUCLEUS_FIELDS(certificate);
};

}  // namespace nucleus::overhead
