// Real frames that show whether a port is isolated. They are handed to the switch as if a node's
// port had sent them, and captured at every interface. A guest's card ignores them: they are for a
// MAC that no card has.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "services/provisioner/driver/switch_guard.hpp"

namespace nucleus::provisioner {

/// `marker` is sent to the port itself: that it arrives shows that the capture works, and that all
/// frames before it have arrived. The switch must drop the next three. `own` must reach the ports
/// of its VLAN, and no others.
NUCLEUS_ENUM(ProbeKind, marker, foreign_tag, priority_tag, foreign_mac, own)

struct FrameProbe {
  std::string port = {};  // that seems to send it
  std::string number = {};
  std::uint16_t vlan = 0;
  ProbeKind kind = ProbeKind::unknown;
  std::uint64_t nonce = 0;  // in its payload
  std::string frame = {};   // hexadecimal
};

/// A frame of this nonce at an interface.
struct Sighting {
  std::uint64_t nonce = 0;
  std::string interface = {};
  std::uint16_t vlan = 0;  // its tag; 0 = none

  friend auto operator<=>(const Sighting&, const Sighting&) = default;
};

/// A random number of the frames sent at one time; their MAC contains it. A guest that has not
/// received one of them cannot send what is captured as one.
struct ProbeRun {
  std::uint32_t id = 0;
  std::uint32_t probe_count = 0;
};

/// The probes of one port. `foreign_vlan` is of other nodes, if any.
std::vector<FrameProbe> plan_probes(const SwitchPort& port, const PortSpec& spec,
                                    std::uint16_t foreign_vlan, ProbeRun& run);

/// The lines of `ovs-ofctl bundle` that send them; those that the switch must drop come first.
std::string plan_bundle(const std::vector<FrameProbe>& probes);

struct ProbeJudgement {
  std::vector<PortFault> faults = {};
  std::vector<std::string> probed = {};  // ports whose marker arrived
};
ProbeJudgement judge_sightings(const std::vector<FrameProbe>& probes,
                               const std::vector<Sighting>& sightings,
                               const std::vector<SwitchPort>& switch_ports,
                               const std::vector<PortSpec>& ports, const BridgeLayout& layout);

/// The probe in a frame for the MAC of a run, if it is one. `tag`: that the kernel took out of it;
/// 0 = none.
std::optional<Sighting> parse_sighting(std::string_view frame, std::uint16_t tag);

/// Captures probes at all interfaces of a network namespace.
class FrameCapture {
 public:
  /// `network_namespace`: a name, as `ip netns` lists it; empty = this process's own. Needs
  /// CAP_NET_RAW, for another namespace also CAP_SYS_ADMIN.
  static core::Result<FrameCapture> open(const std::string& network_namespace, const ProbeRun& run);
  FrameCapture(FrameCapture&& other) noexcept
      : socket_{std::exchange(other.socket_, -1)}, names_{std::move(other.names_)} {}
  FrameCapture(const FrameCapture&) = delete;
  FrameCapture& operator=(const FrameCapture&) = delete;
  ~FrameCapture();

  /// What has arrived, until `is_complete` is satisfied, at most for `wait_ms`.
  std::vector<Sighting> collect(
      const std::function<bool(const std::vector<Sighting>&)>& is_complete, std::int64_t wait_ms);

 private:
  FrameCapture(int socket, std::map<int, std::string> names)
      : socket_{socket}, names_{std::move(names)} {}

  int socket_ = -1;
  std::map<int, std::string> names_ = {};  // of interfaces, by index
};

}  // namespace nucleus::provisioner
