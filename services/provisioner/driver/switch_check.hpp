// Keeps the flows of the host's bridge as the leases ask for, and checks that the switch does what
// they say: its database, its flows, and real frames. A port that breaks the isolation is closed at
// once, and opened again when it has been right for a while.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "services/provisioner/driver/frame_probe.hpp"
#include "services/provisioner/driver/switch_guard.hpp"
#include "services/provisioner/driver/switch_watch.hpp"

namespace nucleus::provisioner {

struct SwitchGuardOptions {
  BridgeLayout layout = {};
  std::string flows_file = {};         // written at each change of the flows
  std::string network_namespace = {};  // that has the switch's interfaces; empty = our own
  std::string switch_directory = {};   // has the switch's sockets; empty = it is not watched
};

struct SwitchCheck {
  std::vector<PortFault> faults = {};
  bool is_complete = false;      // all ports of nodes were compared, whether or not they are right
  std::uint32_t port_count = 0;  // of nodes, on the switch
  std::int64_t oldest_probe_ms =
      0;                        // steady time of the oldest probe of a port; with no ports, now
  std::string not_probed = {};  // why frames could not be sent or captured; empty if they were
  bool is_settled = false;      // nothing is suspected, held, or waits for its first probe
};

/// Blocks: runs on a worker, one call at a time.
class SwitchGuard {
 public:
  struct Job {
    std::vector<PortSpec> ports = {};
    bool is_complete = false;     // a tap that is not among `ports` sends nothing
    bool must_probe_all = false;  // else the ports whose last probe is the oldest
    std::int64_t now_ms = 0;      // steady
    std::uint32_t random = 0;     // no guest can guess it
  };

  explicit SwitchGuard(SwitchGuardOptions options);

  /// May be repeated; returns within 60 s. Fails if the switch does not answer.
  core::Result<SwitchCheck> check(const Job& job);
  /// Says when the switch has changed. Null if it is not watched. Any thread.
  const SwitchWatch* watch() const { return watch_.get(); }

 private:
  struct Held {
    PortFault fault = {};
    std::int64_t seen_ms = 0;  // last
  };

  core::Result<std::vector<SwitchPort>> read_ports(SwitchCheck& check);
  core::Result<void> match_fragments() const;
  /// Whether the switch compares fragments with its flows; true if that is not to be checked yet.
  core::Result<bool> check_fragments(const Job& job);
  core::Result<std::string> differences() const;
  core::Result<void> apply(const std::string& flows, bool is_complete);
  core::Result<void> close_and_open(const std::vector<SwitchPort>& switch_ports) const;
  void keep_repeated(std::vector<PortFault>& faults);
  void keep_unreached(ProbeJudgement& judgement);
  void add_unprobed(const std::vector<SwitchPort>& switch_ports, const Job& job);
  void hold(const std::vector<PortFault>& faults, const std::vector<SwitchPort>& switch_ports,
            std::int64_t now_ms);
  std::set<std::string> quarantined() const;
  bool is_probed(const SwitchPort& port) const;
  std::vector<const SwitchPort*> due_ports(const std::vector<SwitchPort>& switch_ports,
                                           const Job& job) const;
  core::Result<void> probe(const std::vector<SwitchPort>& switch_ports, const Job& job,
                           SwitchCheck& check);
  core::Result<void> send_probes(const std::vector<FrameProbe>& probes, const ProbeRun& probe_run,
                                 const std::vector<SwitchPort>& switch_ports, const Job& job);

  SwitchGuardOptions options_;
  std::unique_ptr<SwitchWatch> watch_ = {};
  std::string applied_ = {};  // the flows that the switch was last given; empty = none yet
  bool is_applied_complete_ = false;
  std::int64_t fragments_checked_ms_ = 0;  // steady
  bool is_secure_ = false;  // the bridge was seen, or set, to drop what it has no flow for
  std::map<std::string, Held> held_ = {};               // faults by port
  std::map<std::string, std::int64_t> probed_ms_ = {};  // ports: last probed, else first seen
  std::set<std::string> unprobed_ = {};                 // of these ports
  std::set<std::string> suspected_ = {};                // faults of the last pass that may pass
  std::map<std::string, std::set<std::string>> unreached_ = {};  // by port, of its last probe
};

}  // namespace nucleus::provisioner
