// What the nodes of a cluster on this host are answered by DHCP and DNS, if Nucleus answers: the
// configuration of dnsmasq. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "messages/provisioner.hpp"

namespace nucleus::provisioner {

/// How one cluster is served here.
struct AddressService {
  std::uint16_t vlan = 0;    // of the cluster
  std::string device = {};   // its port on the switch: see service_device()
  std::string mac = {};      // the same on all hosts
  std::string address = {};  // the cluster's name server, with the prefix length
  std::string options = {};  // dnsmasq's: a change of them needs a new process
  std::string hosts = {};    // MAC,ADDRESS,NAME of the cluster's nodes on this host
  std::string names = {};    // ADDRESS NAME of all its nodes

  friend bool operator==(const AddressService&, const AddressService&) = default;
};

/// Where dnsmasq sees the directory with its files; no other process does.
inline constexpr const char* address_files = "/run";

/// The port of the node's grant at which Nucleus answers; null if it does not.
const msg::Port* served_port(const msg::Grant& grant);

/// The service of one cluster for its grants on this host, which are of one VLAN: at least one, all
/// with a served port. The grant that changed last says what is common to all. `invalid_argument`
/// if a name or an address is malformed: no line may say more than it should.
core::Result<AddressService> plan_address_service(const std::vector<msg::Grant>& grants,
                                                  const std::string& port_prefix);

}  // namespace nucleus::provisioner
