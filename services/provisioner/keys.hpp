// The keys of the provisioner's records; spelled only here.
#pragma once

#include <fmt/format.h>

#include "core/state/store.hpp"
#include "services/provisioner/records.hpp"

namespace nucleus::provisioner::keys {

inline core::Key<StoredGrant> grant(const msg::HostId& host_id, const msg::NodeId& node_id) {
  return {"nucleus:provisioner:" + host_id.value + ":grant:" + node_id.value};
}
inline core::Key<StoredGrant> grants(const msg::HostId& host_id) {
  return {"nucleus:provisioner:" + host_id.value + ":grant:"};
}
inline core::Key<StoredHost> host(const msg::HostId& host_id) {
  return {"nucleus:provisioner:" + host_id.value + ":host:own"};
}
/// Numbers have leading zeros, so that the order of keys is the order of numbers.
inline core::Key<StoredReport> report(std::uint64_t number) {
  return {fmt::format("nucleus:provisioner-report:{:020}", number)};
}
inline core::Key<StoredReport> reports() {
  return {"nucleus:provisioner-report:"};
}
inline core::Key<StoredReportLog> report_log() {
  return {"nucleus:provisioner-report-log:own"};
}

}  // namespace nucleus::provisioner::keys
