// The flows of the host's Open vSwitch bridge: what each port of it may send. A node's port sends
// only untagged frames from its own MAC. A frontend's public port shares a segment with other
// tenants: it may also use only its own addresses, and offer no addresses or routes to others. If
// Nucleus answers DHCP and DNS in a cluster, its nodes reach the service of their own host alone.
// The bridge belongs to Nucleus: all its flows are replaced. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// A port as the switch has it.
struct SwitchPort {
  std::string number = {};  // of OpenFlow, or LOCAL
  std::string name = {};
  bool is_closed = false;  // it neither sends nor receives
  bool has_link = true;
  bool is_listed = false;   // in the switch's database, where the next three are from
  std::string tag = {};     // of an access port; empty = a trunk
  std::string trunks = {};  // the VLANs of a trunk; empty = all
  std::string vlan_mode = {};
};

/// The ports in the output of `ovs-ofctl dump-ports-desc`.
std::vector<SwitchPort> parse_switch_ports(std::string_view text);

/// Adds the VLANs of the ports: the output of `ovs-vsctl --format=csv --data=bare --no-headings
/// --columns=name,tag,trunks,vlan_mode list port`.
void add_vlans(std::vector<SwitchPort>& ports, std::string_view csv);

/// Which ports of the bridge are whose.
struct BridgeLayout {
  std::string bridge = {};                            // its own port has its name
  std::string tap_prefix = {};                        // of the names of nodes' ports, with the dash
  std::optional<std::set<std::string>> uplinks = {};  // not set = each port that is not a tap
};

/// The port belongs to the host itself: it is trusted.
bool is_uplink(const BridgeLayout& layout, const std::string& port);

/// The switch's flows, one a line. What no flow allows is dropped: a tap that none of `ports`
/// names, and a port in `quarantined`, may send nothing.
std::string plan_flows(const std::vector<SwitchPort>& switch_ports,
                       const std::vector<PortSpec>& ports, const BridgeLayout& layout,
                       const std::set<std::string>& quarantined = {});

/// A difference between what the leases ask for and what the switch does.
struct PortFault {
  std::string port = {};  // empty = the whole switch
  std::string reason = {};
  bool is_quarantined = false;  // its port must be closed
  bool may_pass = false;        // it is one only if the next pass sees it too
  std::uint16_t vlan = 0;       // that the port is in, and should not be; 0 = none

  friend bool operator==(const PortFault&, const PortFault&) = default;
};

/// Compares the VLANs of the switch's ports with the leases.
std::vector<PortFault> judge_ports(const std::vector<SwitchPort>& switch_ports,
                                   const std::vector<PortSpec>& ports, const BridgeLayout& layout);

/// The settings of the bridge that concern isolation: the output of
/// `ovs-vsctl get bridge NAME fail_mode controller mirrors flood_vlans`.
struct BridgeSettings {
  std::string fail_mode = {};
  std::string controller = {};
  std::string mirrors = {};
  std::string flood_vlans = {};
};
std::optional<BridgeSettings> parse_bridge_settings(std::string_view text);
std::vector<PortFault> judge_bridge(const BridgeSettings& settings);

/// Whether the switch has none of the `planned_count` flows of a file, and no others, by the output
/// of `ovs-ofctl diff-flows FILE BRIDGE`. It has restarted, which is no fault: it forwards nothing
/// then.
bool has_forgotten_flows(std::string_view differences, std::size_t planned_count);

/// What that output says about each port. Empty if the switch has forgotten its flows.
std::vector<PortFault> judge_flows(std::string_view differences, std::size_t planned_count,
                                   const std::vector<SwitchPort>& switch_ports);

}  // namespace nucleus::provisioner
