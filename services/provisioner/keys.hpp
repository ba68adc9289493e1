// The provisioner's Redis keys; spelled only here.
#pragma once

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

}  // namespace nucleus::provisioner::keys
