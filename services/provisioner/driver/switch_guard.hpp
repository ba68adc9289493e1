// What each port of the host's Open vSwitch bridge may send. A frontend's public port shares a
// segment with other tenants: it may use only its own MAC and addresses, and offer no addresses or
// routes to others. The bridge belongs to Nucleus: all its flows are replaced.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// A port as the switch numbers it.
struct SwitchPort {
  std::string number = {};  // of OpenFlow, or LOCAL
  std::string name = {};
};

/// The ports in the output of `ovs-ofctl dump-ports-desc`.
std::vector<SwitchPort> parse_switch_ports(std::string_view text);

/// The switch's flows, one a line. What no flow allows is dropped: a tap, whose name begins with
/// `tap_prefix`, that none of `ports` names may send nothing. Ports without that prefix are
/// uplinks, and trusted.
std::string plan_flows(const std::vector<SwitchPort>& switch_ports,
                       const std::vector<PortSpec>& ports, std::string_view tap_prefix);

/// Brings the flows of one bridge to those of its ports. Blocks: runs on a worker, one call at a
/// time.
class SwitchGuard {
 public:
  /// `flows_file` is written at each call.
  SwitchGuard(std::string bridge, std::string tap_prefix, std::string flows_file)
      : bridge_{std::move(bridge)},
        tap_prefix_{std::move(tap_prefix)},
        flows_file_{std::move(flows_file)} {}

  /// May be repeated; returns within 20 s. If `is_complete`, a tap that is not among `ports` sends
  /// nothing after it; otherwise it keeps what it may send.
  core::Result<void> apply(const std::vector<PortSpec>& ports, bool is_complete);

 private:
  std::string bridge_;
  std::string tap_prefix_;
  std::string flows_file_;
  bool is_secure_ = false;  // the bridge drops what it has no flow for, also after a restart
};

}  // namespace nucleus::provisioner
