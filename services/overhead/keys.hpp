// The overhead service's Redis keys.
#pragma once

#include "core/state/store.hpp"
#include "services/overhead/records.hpp"

namespace nucleus::overhead::keys {

inline core::Key<StoredReport> report(const msg::ClusterId& cluster_id) {
  return {"nucleus:overhead:report:" + cluster_id.value};
}
inline core::Key<StoredReport> reports() {
  return {"nucleus:overhead:report:"};
}
/// The ids of a cluster's certificates are ordered by time.
inline core::Key<StoredCertificate> certificate(const msg::ClusterId& cluster_id,
                                                const std::string& certificate_id) {
  return {"nucleus:overhead:certificate:" + cluster_id.value + ":" + certificate_id};
}
inline core::Key<StoredCertificate> certificates(const msg::ClusterId& cluster_id) {
  return certificate(cluster_id, "");
}
inline core::Key<StoredCertificate> certificates() {
  return {"nucleus:overhead:certificate:"};
}
inline core::Key<StoredLinks> links(const msg::ClusterId& cluster_id) {
  return {"nucleus:overhead:links:" + cluster_id.value};
}
inline core::Key<StoredLinks> all_links() {
  return {"nucleus:overhead:links:"};
}

}  // namespace nucleus::overhead::keys
