// The network service's Redis keys.
#pragma once

#include <string>

#include "core/state/store.hpp"
#include "services/network/records.hpp"

namespace nucleus::network::keys {

inline core::Key<StoredNetwork> network(const msg::ClusterId& id) {
  return {"nucleus:network:network:" + id.value};
}
inline core::Key<StoredNetwork> networks() {
  return {"nucleus:network:network:"};
}
inline core::Key<StoredPorts> ports(const msg::NodeId& id) {
  return {"nucleus:network:ports:" + id.value};
}
inline core::Key<StoredPorts> all_ports() {
  return {"nucleus:network:ports:"};
}
inline core::Key<StoredVlanQuarantine> vlan_quarantine(std::uint32_t vlan) {
  return {"nucleus:network:vlan-quarantine:" + std::to_string(vlan)};
}
inline core::Key<StoredVlanQuarantine> vlan_quarantines() {
  return {"nucleus:network:vlan-quarantine:"};
}
inline core::Key<StoredPkeyQuarantine> pkey_quarantine(const msg::FabricLease& lease) {
  return {"nucleus:network:pkey-quarantine:" + lease.fabric + "/" + std::to_string(lease.pkey)};
}
inline core::Key<StoredPkeyQuarantine> pkey_quarantines() {
  return {"nucleus:network:pkey-quarantine:"};
}
inline core::Key<StoredAddressQuarantine> address_quarantine(const msg::ClusterId& id,
                                                             const std::string& ip) {
  return {"nucleus:network:address-quarantine:" + id.value + "/" + ip};
}
inline core::Key<StoredAddressQuarantine> address_quarantines() {
  return {"nucleus:network:address-quarantine:"};
}
inline core::Key<StoredMembers> members(const msg::NodeId& id, std::uint64_t epoch) {
  return {"nucleus:network:members:" + id.value + "/" + std::to_string(epoch)};
}
inline core::Key<StoredMembers> all_members() {
  return {"nucleus:network:members:"};
}
inline core::Key<StoredMacCount> mac_count() {
  return {"nucleus:network:mac-count:all"};
}

}  // namespace nucleus::network::keys
