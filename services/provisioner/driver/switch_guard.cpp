#include "services/provisioner/driver/switch_guard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "core/text/lines.hpp"
#include "services/provisioner/driver/service_port.hpp"

namespace nucleus::provisioner {

namespace {

/// The link-local IPv6 address that a card with this MAC gives itself.
std::string link_local_of(std::string_view mac) {
  const auto octet = [&](std::size_t index) {
    unsigned value = 0;
    std::from_chars(mac.data() + index * 3, mac.data() + index * 3 + 2, value, 16);
    return value;
  };
  return fmt::format("fe80::{:x}:{:x}:{:x}:{:x}", (octet(0) ^ 2) << 8 | octet(1),
                     octet(2) << 8 | 0xff, 0xfe00 | octet(3), octet(4) << 8 | octet(5));
}

/// A guest that tags its frames chooses their VLAN. Inside its cluster, addresses, DHCP and PXE are
/// the tenant's own business.
void add_private_guard(std::string& flows, const std::string& number, const PortSpec& port) {
  flows += fmt::format(
      "table=0,priority=400,in_port={0},vlan_tci=0x1000/0x1000,actions=drop\n"
      "table=0,priority=10,in_port={0},dl_src={1},actions=resubmit(,1)\n",
      number, port.mac);
}

/// Of a private port whose cluster is served by Nucleus: what is for the service reaches the one
/// of this host alone, `service` (empty = it has none yet), and the node does not act as it.
void add_served_guard(std::string& flows, const std::string& number, const PortSpec& port,
                      const std::string& service) {
  const auto add = [&](int priority, const std::string& match, const std::string& actions) {
    flows += fmt::format("table=0,priority={},in_port={},{},actions={}\n", priority, number, match,
                         actions);
  };
  const std::string& address = port.name_server;
  add(350, "arp,arp_spa=" + address, "drop");
  add(350, "ip,nw_src=" + address, "drop");
  add(350, "udp,tp_src=67", "drop");    // DHCP server
  add(350, "udp6,tp_src=547", "drop");  // DHCPv6 server
  const std::string serve = service.empty() ? "drop" : "output:" + service;
  const auto own = ",dl_src=" + port.mac;
  add(340, "dl_dst=" + service_mac(port.vlan) + own, serve);
  add(340, "udp" + own + ",tp_dst=67", serve);
  add(340, "arp" + own + ",arp_tpa=" + address, serve);
}

/// The service sends to the nodes of its cluster on this host alone, never to an uplink: all hosts
/// have one with the same addresses.
void add_service_guard(std::string& flows, const SwitchPort& service,
                       const std::map<std::string, const PortSpec*>& served) {
  const auto& number = service.number;
  const auto mac = service_mac(served.begin()->second->vlan);
  const auto& address = served.begin()->second->name_server;
  flows += fmt::format(
      "table=0,priority=400,in_port={0},vlan_tci=0x1000/0x1000,actions=drop\n"
      "table=0,priority=300,in_port={0},arp,dl_src={1},arp_sha={1},arp_spa={2},"
      "actions=resubmit(,2)\n"
      "table=0,priority=300,in_port={0},ip,dl_src={1},nw_src={2},actions=resubmit(,2)\n",
      number, mac, address);
  std::string all;
  for (const auto& [tap, spec] : served) {
    flows += fmt::format("table=2,priority=10,in_port={},dl_dst={},actions=output:{}\n", number,
                         spec->mac, tap);
    all += (all.empty() ? "output:" : ",output:") + tap;
  }
  flows += fmt::format("table=2,priority=10,in_port={},dl_dst=ff:ff:ff:ff:ff:ff,actions={}\n",
                       number, all);
}

/// The rules of a public port, by priority.
void add_public_guard(std::string& flows, const std::string& number, const PortSpec& port) {
  const auto own = [&](std::string_view match) {
    return fmt::format("{},dl_src={}", match, port.mac);
  };
  const auto add = [&](int priority, const std::string& match, bool is_allowed) {
    flows += fmt::format("table=0,priority={},in_port={},{},actions={}\n", priority, number, match,
                         is_allowed ? "resubmit(,1)" : "drop");
  };
  const std::string& ip = port.guarded_ip;
  const std::string link_local = link_local_of(port.mac);
  add(400, "vlan_tci=0x1000/0x1000", false);
  add(300, own("arp") + fmt::format(",arp_sha={},arp_spa={}", port.mac, ip), true);
  // A probe for a duplicate. One for another's address would keep its owner from using it.
  add(300, own("arp") + fmt::format(",arp_sha={},arp_spa=0.0.0.0,arp_tpa={}", port.mac, ip), true);
  // The switch sees no ICMPv6 type in a fragment: a fragmented router advertisement would pass.
  // Not `ip_frag=yes`: ovs-ofctl diff-flows finds that it differs from itself.
  for (const char* fragment : {"first", "later"})
    add(295, std::string("ipv6,ip_frag=") + fragment, false);
  add(290, "udp,tp_src=67", false);        // DHCP server
  add(290, "udp6,tp_src=547", false);      // DHCPv6 server
  add(290, "icmp6,icmp_type=134", false);  // router advertisement
  add(290, "icmp6,icmp_type=137", false);  // redirect
  add(285,
      own("icmp6") +
          fmt::format(",ipv6_src={0},icmp_type=136,nd_target={0},nd_tll={1}", link_local, port.mac),
      true);
  add(284, "icmp6,icmp_type=136", false);  // neighbour advertisement for another
  add(280, own("ip") + ",nw_src=" + ip, true);
  add(280, own("udp") + ",nw_src=0.0.0.0,nw_dst=255.255.255.255,tp_src=68,tp_dst=67", true);
  add(280, own("ipv6") + ",ipv6_src=" + link_local, true);
  add(280, own("icmp6") + ",ipv6_src=::,icmp_type=135,nd_target=" + link_local, true);
}

std::string unquoted(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    text = text.substr(1, text.size() - 2);
  return std::string(text);
}

/// What `text` has between `before` and the next comma or space; empty if it has none.
std::string_view field_after(std::string_view text, std::string_view before) {
  const auto begin = text.find(before);
  if (begin == text.npos) return {};
  text.remove_prefix(begin + before.size());
  return text.substr(0, text.find_first_of(", "));
}

bool is_tap(const BridgeLayout& layout, const std::string& port) {
  return port.starts_with(layout.tap_prefix);
}

/// The VLANs of all clusters here that are in this port: empty = none.
std::string vlans_in(const SwitchPort& port, const std::vector<PortSpec>& ports) {
  if (port.tag.empty()) return "all VLANs";
  const bool is_used = std::ranges::any_of(
      ports, [&](const PortSpec& spec) { return std::to_string(spec.vlan) == port.tag; });
  return is_used ? "VLAN " + port.tag : "";
}

std::uint16_t number_of(std::string_view text) {
  std::uint16_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Empty if it has the VLAN that it should have.
std::string wrong_vlan(const SwitchPort& port, const PortSpec& spec) {
  const std::string wanted = spec.vlan == 0 ? "" : std::to_string(spec.vlan);
  if (!port.is_listed) return "the switch's database does not have it";
  if (port.tag != wanted)
    return fmt::format("its VLAN is {}, not {}", port.tag.empty() ? "any" : port.tag,
                       wanted.empty() ? "any" : wanted);
  if (!port.trunks.empty()) return "it also carries VLANs " + port.trunks;
  if (!port.vlan_mode.empty() && port.vlan_mode != "access")
    return "its VLAN mode is " + port.vlan_mode;
  return {};
}

}  // namespace

std::vector<SwitchPort> parse_switch_ports(std::string_view text) {
  std::vector<SwitchPort> ports;
  while (!text.empty()) {
    const auto line = core::take_until(text, '\n');
    // `     config:     NO_RECV NO_FWD`, then `     state:      LINK_DOWN`
    if (const auto at = line.find("config: "); at != line.npos && !ports.empty())
      ports.back().is_closed =
          line.find("NO_RECV", at) != line.npos && line.find("NO_FWD", at) != line.npos;
    if (const auto at = line.find("state: "); at != line.npos && !ports.empty())
      ports.back().has_link = line.find("LINK_DOWN", at) == line.npos;
    // ` 3(n1a2b-0a0b0c): addr:fe:54:00:0a:0b:0c`
    const auto open = line.find('(');
    const auto close = line.find("): addr:");
    const auto first = line.find_first_not_of(' ');
    if (open == line.npos || close == line.npos || first >= open || close < open) continue;
    ports.push_back({.number = std::string(line.substr(first, open - first)),
                     .name = std::string(line.substr(open + 1, close - open - 1))});
  }
  return ports;
}

void add_vlans(std::vector<SwitchPort>& ports, std::string_view csv) {
  while (!csv.empty()) {
    auto line = core::take_until(csv, '\n');
    const auto name = unquoted(core::take_until(line, ','));
    const auto port = std::ranges::find(ports, name, &SwitchPort::name);
    if (port == ports.end()) continue;
    port->is_listed = true;
    port->tag = unquoted(core::take_until(line, ','));
    port->trunks = unquoted(core::take_until(line, ','));
    port->vlan_mode = unquoted(core::take_until(line, ','));
  }
}

bool is_uplink(const BridgeLayout& layout, const std::string& port) {
  if (port == layout.bridge) return true;
  return layout.uplinks ? layout.uplinks->contains(port) : !is_tap(layout, port);
}

namespace {

/// The ports of nodes whose cluster is served by Nucleus, by number on the switch; and the services
/// that are there. Both by VLAN.
struct Served {
  std::map<std::uint16_t, std::map<std::string, const PortSpec*>> taps = {};
  std::map<std::uint16_t, std::string> services = {};
};

Served find_served(const std::vector<SwitchPort>& switch_ports, const std::vector<PortSpec>& ports,
                   const BridgeLayout& layout, const std::set<std::string>& quarantined) {
  Served served;
  for (const auto& known : switch_ports) {
    if (quarantined.contains(known.name)) continue;
    const auto port = std::ranges::find(ports, known.name, &PortSpec::device);
    if (port != ports.end() && !port->name_server.empty())
      served.taps[port->vlan][known.number] = &*port;
    else if (const auto vlan = service_vlan(layout.tap_prefix, known.name))
      served.services[*vlan] = known.number;
  }
  return served;
}

}  // namespace

std::string plan_flows(const std::vector<SwitchPort>& switch_ports,
                       const std::vector<PortSpec>& ports, const BridgeLayout& layout,
                       const std::set<std::string>& quarantined) {
  std::string flows = "table=0,priority=0,actions=drop\ntable=1,priority=0,actions=NORMAL\n";
  const auto served = find_served(switch_ports, ports, layout, quarantined);
  for (const auto& known : switch_ports) {
    if (quarantined.contains(known.name)) continue;
    const auto port = std::ranges::find(ports, known.name, &PortSpec::device);
    const auto service = service_vlan(layout.tap_prefix, known.name);
    if (service && served.taps.contains(*service))
      add_service_guard(flows, known, served.taps.at(*service));
    if (port == ports.end() && is_tap(layout, known.name)) continue;
    if (port == ports.end())
      flows += fmt::format("table=0,priority=10,in_port={},actions=resubmit(,1)\n", known.number);
    else if (!port->guarded_ip.empty())
      add_public_guard(flows, known.number, *port);
    else {
      add_private_guard(flows, known.number, *port);
      const auto own_service = served.services.find(port->vlan);
      if (!port->name_server.empty())
        add_served_guard(flows, known.number, *port,
                         own_service == served.services.end() ? "" : own_service->second);
    }
  }
  return flows;
}

std::vector<PortFault> judge_ports(const std::vector<SwitchPort>& switch_ports,
                                   const std::vector<PortSpec>& ports, const BridgeLayout& layout) {
  std::vector<PortFault> faults;
  for (const auto& known : switch_ports) {
    const auto add = [&](std::string reason, bool may_pass) {
      faults.push_back({.port = known.name,
                        .reason = std::move(reason),
                        .is_quarantined = true,
                        .may_pass = may_pass,
                        .vlan = number_of(known.tag)});
    };
    const auto spec = std::ranges::find(ports, known.name, &PortSpec::device);
    if (spec != ports.end()) {
      // The database may be read just before a port is added, and the list of ports after it.
      if (auto wrong = wrong_vlan(known, *spec); !wrong.empty())
        add(std::move(wrong), !known.is_listed);
    } else if (const auto vlan = service_vlan(layout.tap_prefix, known.name)) {
      // Without a node here it has no flows, and ends soon.
      if (auto wrong = wrong_vlan(known, {.vlan = *vlan}); !wrong.empty())
        add(std::move(wrong), !known.is_listed);
    } else if (is_tap(layout, known.name)) {
      add("it belongs to no node of this host", true);
    } else if (!is_uplink(layout, known.name)) {
      if (const auto vlans = vlans_in(known, ports); !vlans.empty())
        add("it is not a port of Nucleus, and is in " + vlans, false);
    }
  }
  return faults;
}

std::optional<BridgeSettings> parse_bridge_settings(std::string_view text) {
  BridgeSettings settings{.fail_mode = unquoted(core::take_until(text, '\n')),
                          .controller = unquoted(core::take_until(text, '\n')),
                          .mirrors = unquoted(core::take_until(text, '\n')),
                          .flood_vlans = unquoted(core::take_until(text, '\n'))};
  if (settings.flood_vlans.empty()) return std::nullopt;
  return settings;
}

std::vector<PortFault> judge_bridge(const BridgeSettings& settings) {
  std::vector<PortFault> faults;
  if (settings.controller != "[]")
    faults.push_back({.reason = "the bridge has a controller, which may change its flows"});
  if (settings.mirrors != "[]")
    faults.push_back({.reason = "the bridge has a mirror, which copies frames of all VLANs"});
  if (settings.flood_vlans != "[]")
    faults.push_back({.reason = "the bridge floods VLANs " + settings.flood_vlans});
  return faults;
}

bool has_forgotten_flows(std::string_view differences, std::size_t planned_count) {
  std::size_t missing_count = 0;
  while (!differences.empty()) {
    const auto line = core::take_until(differences, '\n');
    if (line.starts_with('+')) return false;
    if (line.starts_with('-')) ++missing_count;
  }
  return missing_count >= planned_count;
}

std::vector<PortFault> judge_flows(std::string_view differences, std::size_t planned_count,
                                   const std::vector<SwitchPort>& switch_ports) {
  if (has_forgotten_flows(differences, planned_count)) return {};
  struct Count {
    std::size_t missing = 0;
    std::size_t foreign = 0;
  };
  std::map<std::string, Count> by_port;
  while (!differences.empty()) {
    const auto line = core::take_until(differences, '\n');
    if (line.empty()) continue;
    const bool is_missing = line.front() == '-';
    if (!is_missing && line.front() != '+') continue;
    const std::string number{field_after(line, "in_port=")};
    const auto port = std::ranges::find(switch_ports, number, &SwitchPort::number);
    // A flow of a port that is gone concerns none.
    if (!number.empty() && port == switch_ports.end()) continue;
    auto& count = by_port[number.empty() ? "" : port->name];
    ++(is_missing ? count.missing : count.foreign);
  }
  std::vector<PortFault> faults;
  for (const auto& [port, count] : by_port)
    faults.push_back(
        {.port = port,
         .reason = count.foreign == 0 ? fmt::format("{} flows were missing", count.missing)
                   : count.missing == 0
                       ? fmt::format("the switch had {} other flows", count.foreign)
                       : fmt::format("{} flows were missing, and the switch had {} others",
                                     count.missing, count.foreign),
         .is_quarantined = !port.empty()});
  return faults;
}

}  // namespace nucleus::provisioner
