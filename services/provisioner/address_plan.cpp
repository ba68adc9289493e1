#include "services/provisioner/address_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "core/hostlist/peer_ranges.hpp"
#include "messages/ipv4.hpp"
#include "services/provisioner/driver/service_port.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::size_t label_bytes_max = 63;
constexpr std::uint32_t leases_max = 4'097;  // nodes of a cluster

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// What dnsmasq takes as a host name. A node's name may be longer: then it has none.
bool is_host_name(std::string_view name) {
  return !name.empty() && name.size() <= label_bytes_max && is_letter_or_digit(name.front()) &&
         std::ranges::all_of(name,
                             [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; });
}

/// As RFC 1123 has it. A number alone is none: `10` would be taken for an address.
bool is_domain_label(std::string_view name) {
  return is_host_name(name) && name.find('_') == name.npos && name.back() != '-' &&
         !std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_mac(std::string_view text) {
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (i % 3 == 2 ? c != ':' : !is_hex) return false;
  }
  return true;
}

std::unexpected<core::Error> malformed(std::string_view what, const std::string& value) {
  return core::refuse(core::ErrorCode::invalid_argument,
                      fmt::format("malformed {}: {}", what, msg::shown(value)));
}

core::Result<void> check_port(const msg::Port& port) {
  if (!is_mac(port.mac)) return malformed("MAC", port.mac);
  for (const auto* address : {&port.ip, &port.name_server})
    if (!msg::parse_ipv4(*address)) return malformed("address", *address);
  if (!port.gateway.empty() && !msg::parse_ipv4(port.gateway))
    return malformed("address", port.gateway);
  if (port.prefix_length < 8 || port.prefix_length > 30)
    return malformed("prefix length", std::to_string(port.prefix_length));
  if (port.vlan < 2 || port.vlan > 4094) return malformed("VLAN", std::to_string(port.vlan));
  return {};
}

/// The router is named only if there is one: dnsmasq would name itself.
std::string options_of(const AddressService& service, const msg::Port& port,
                       const std::string& domain) {
  const msg::Ipv4 mask = ~msg::Ipv4{0} << (32 - port.prefix_length);
  const auto base = *msg::parse_ipv4(port.name_server) & mask;
  std::string options = fmt::format(
      "keep-in-foreground\nuser=nobody\ngroup=nogroup\npid-file=\nlog-facility=-\nquiet-dhcp\n"
      "interface={0}\nexcept-interface=lo\nbind-interfaces\n"
      "no-resolv\nno-poll\nno-hosts\ndomain-needed\nbogus-priv\ncache-size=0\n"
      "addn-hosts={1}/names\n"
      "dhcp-range={2},static,{3},infinite\ndhcp-hostsfile={1}/hosts\ndhcp-lease-max={4}\n"
      "dhcp-authoritative\nleasefile-ro\nno-ping\n"
      "dhcp-option=option:router{5}\n",
      service.device, address_files, msg::ipv4_text(base), msg::ipv4_text(mask), leases_max,
      port.gateway.empty() ? "" : "," + port.gateway);
  if (is_domain_label(domain))
    options += fmt::format("domain={0}\nlocal=/{0}/\nexpand-hosts\n", domain);
  return options;
}

}  // namespace

const msg::Port* served_port(const msg::Grant& grant) {
  const auto found = std::ranges::find_if(grant.ports, [](const msg::Port& port) {
    return !port.is_public && !port.name_server.empty();
  });
  return found == grant.ports.end() ? nullptr : &*found;
}

core::Result<AddressService> plan_address_service(const std::vector<msg::Grant>& grants,
                                                  const std::string& port_prefix) {
  std::map<std::string, std::string> hosts;  // by MAC
  for (const auto& grant : grants) {
    const auto& port = *served_port(grant);
    if (auto sound = check_port(port); !sound) return std::unexpected(sound.error());
    if (!msg::is_name(grant.node_name)) return malformed("node name", grant.node_name);
    hosts[port.mac] = port.mac + "," + port.ip +
                      (is_host_name(grant.node_name) ? "," + grant.node_name : "") + ",infinite\n";
  }
  const auto& newest = *std::ranges::max_element(grants, {}, &msg::Grant::revision);
  const auto& port = *served_port(newest);
  const auto vlan = static_cast<std::uint16_t>(port.vlan);
  AddressService service{.vlan = vlan,
                         .device = service_device(port_prefix + "-", vlan),
                         .mac = service_mac(vlan),
                         .address = port.name_server + "/" + std::to_string(port.prefix_length)};
  service.options = options_of(service, port, newest.cluster_id.value);
  for (const auto& [mac, line] : hosts) service.hosts += line;
  const auto peers = core::hostlist::expand_peers(newest.peers);
  if (!peers) return std::unexpected(peers.error());
  for (const auto& peer : *peers) {
    if (!msg::is_name(peer.name)) return malformed("node name", peer.name);
    if (!msg::parse_ipv4(peer.ip)) return malformed("address", peer.ip);
    if (is_host_name(peer.name)) service.names += peer.ip + " " + peer.name + "\n";
  }
  return service;
}

}  // namespace nucleus::provisioner
