// What the overhead service stores: of each cluster the last report, its certificates, and the last
// report about its links.
#pragma once

#include "messages/overhead.hpp"

namespace nucleus::overhead {

struct StoredReport {
  msg::ClusterId cluster_id = {};
  msg::OverheadReport report = {};      // of the last measurement that ended
  bool is_pending = false;              // a measurement was accepted and has not ended
  std::uint32_t seconds_max = 0;        // of the pending measurement; 0 = the setting
  std::vector<std::string> tools = {};  // of the pending measurement; empty = the setting
  NUCLEUS_FIELDS(cluster_id, report, is_pending, seconds_max, tools);
};

struct StoredCertificate {
  msg::Certificate certificate = {};
  NUCLEUS_FIELDS(certificate);
};

struct StoredLinks {
  msg::ClusterId cluster_id = {};
  msg::LinksReport report = {};           // of the last run that ended
  bool is_pending = false;                // a run was accepted and has not ended
  std::int64_t try_until_unix_ms = 0;     // a run that fails is repeated until then
  std::int64_t checked_start_unix_s = 0;  // the last start of a computeset that caused a run
  NUCLEUS_FIELDS(cluster_id, report, is_pending, try_until_unix_ms, checked_start_unix_s);
};

}  // namespace nucleus::overhead
