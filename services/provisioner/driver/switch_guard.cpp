#include "services/provisioner/driver/switch_guard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include "core/runtime/child_process.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::chrono::milliseconds switch_timeout{5'000};

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

/// The rules of a public port, by priority.
void add_guard(std::string& flows, const std::string& number, const PortSpec& port) {
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
  for (const auto& sender : {ip, std::string("0.0.0.0")})  // 0.0.0.0 probes for a duplicate
    add(300, own("arp") + fmt::format(",arp_sha={},arp_spa={}", port.mac, sender), true);
  // The switch sees no ICMPv6 type in a fragment: a fragmented router advertisement would pass.
  add(295, "ipv6,ip_frag=yes", false);
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
  add(280, own("icmp6") + ",ipv6_src=::,icmp_type=135", true);
}

}  // namespace

std::vector<SwitchPort> parse_switch_ports(std::string_view text) {
  std::vector<SwitchPort> ports;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
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

std::string plan_flows(const std::vector<SwitchPort>& switch_ports,
                       const std::vector<PortSpec>& ports, std::string_view tap_prefix) {
  std::string flows = "table=0,priority=0,actions=drop\ntable=1,priority=0,actions=NORMAL\n";
  for (const auto& known : switch_ports) {
    const auto port = std::ranges::find(ports, known.name, &PortSpec::device);
    if (port == ports.end() && known.name.starts_with(tap_prefix)) continue;
    if (port != ports.end() && !port->guarded_ip.empty())
      add_guard(flows, known.number, *port);
    else
      flows += fmt::format("table=0,priority=10,in_port={},actions=resubmit(,1)\n", known.number);
  }
  return flows;
}

core::Result<void> SwitchGuard::apply(const std::vector<PortSpec>& ports, bool is_complete) {
  const auto run = [](std::vector<std::string> argv) {
    return core::must_run_child({.argv = std::move(argv), .deadline = switch_timeout});
  };
  if (!is_secure_) {
    const auto set =
        run({"ovs-vsctl", "--timeout=5", "set", "bridge", bridge_, "fail_mode=secure"});
    if (!set) return std::unexpected(set.error());
    is_secure_ = true;
  }
  // By default the switch sees no port in the first fragment either: a DHCP reply in fragments
  // would pass. A switch that restarted has forgotten it.
  if (auto set = run({"ovs-ofctl", "-O", "OpenFlow13", "set-frags", bridge_, "nx-match"}); !set)
    return std::unexpected(set.error());
  const auto listed = run({"ovs-ofctl", "-O", "OpenFlow13", "dump-ports-desc", bridge_});
  if (!listed) return std::unexpected(listed.error());
  std::ofstream file(flows_file_, std::ios::trunc);
  file << plan_flows(parse_switch_ports(*listed), ports, tap_prefix_);
  if (!file.flush())
    return core::refuse(core::ErrorCode::unavailable, "cannot write " + flows_file_);
  const auto taken = run({"ovs-ofctl", "-O", "OpenFlow13", "--bundle",
                          is_complete ? "replace-flows" : "add-flows", bridge_, flows_file_});
  if (!taken) return std::unexpected(taken.error());
  return {};
}

}  // namespace nucleus::provisioner
