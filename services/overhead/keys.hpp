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

}  // namespace nucleus::overhead::keys
