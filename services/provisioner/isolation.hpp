// The isolation of the clusters on this process's host: has the switch checked again and again, and
// keeps what the scheduler is told. Runs on the service's loop; the checks run on a worker.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bus/bus.hpp"
#include "services/provisioner/driver/switch_check.hpp"
#include "services/provisioner/grants.hpp"
#include "services/provisioner/hypervisor_watch.hpp"
#include "services/provisioner/lease.hpp"
#include "services/provisioner/metrics.hpp"

namespace nucleus::provisioner {

/// Whose the ports of a host are.
struct PortOwners {
  struct Owner {
    msg::NodeId node_id = {};
    msg::ClusterId cluster_id = {};
  };
  std::map<std::string, Owner> by_device = {};
  std::map<std::uint16_t, msg::ClusterId> by_vlan = {};  // private ones
};

/// What a check means for the clusters of the host. A port in the VLAN of another cluster is a
/// fault of both. Pure.
std::vector<msg::IsolationFault> faults_of(const std::vector<PortFault>& faults,
                                           const PortOwners& owners);

/// The last check that ended, and what failed since.
struct LastCheck {
  std::optional<SwitchCheck> check = {};  // the last complete one
  std::int64_t begun_ms = 0;              // when that one began; steady
  std::vector<PortSpec> ports = {};       // that it compared with the switch
  std::string failure = {};               // of the last attempt; empty = it succeeded
  std::vector<msg::IsolationFault> faults = {};
};

/// What the scheduler is told at `now_ms`. Pure.
msg::HostIsolation isolation_of(const LastCheck& last, std::int64_t now_ms);

/// Whether to check again although the switch has reported no change: the last check did not find
/// all right, other ports are to be compared, or it began 8 s ago. Pure.
bool is_check_due(const LastCheck& last, const SwitchGuard::Job& next);

class Isolation {
 public:
  /// All outlive it.
  struct Sources {
    core::Loop& loop;
    core::Workers& workers;
    const Config& config;
    const Grants& grants;
    const Leases& leases;
    const HypervisorWatch& watch;
    Metrics& metrics;
    std::shared_ptr<SwitchGuard> guard;  // null = a host without a switch
    std::function<bool()> is_loaded;
    std::function<void()> on_change;  // of the faults
  };

  explicit Isolation(Sources sources) : sources_{std::move(sources)} {}
  ~Isolation() { *self_ = nullptr; }
  Isolation(const Isolation&) = delete;
  Isolation& operator=(const Isolation&) = delete;

  /// Brings the switch to the grants and checks it; after the check under way, if there is one.
  void check();
  /// The same, if the switch has reported a change or `is_check_due`. To be called every 2 s.
  void check_if_due();
  /// The same as `check`, with frames from every port.
  void check_all(core::Responder<msg::HostIsolation> respond);
  msg::HostIsolation report() const;

 private:
  SwitchGuard::Job plan_job(PortOwners& owners) const;
  void end(const SwitchGuard::Job& job, const PortOwners& owners,
           const core::Result<SwitchCheck>& checked);

  const Sources sources_;
  LastCheck last_ = {};
  std::uint64_t changes_before_ = 0;  // of the switch, when the newest check began
  std::vector<core::Responder<msg::HostIsolation>> asking_ = {};     // for the next check
  std::vector<core::Responder<msg::HostIsolation>> answering_ = {};  // by the check under way
  bool is_checking_ = false;
  bool must_check_again_ = false;  // something changed since the check under way began
  std::shared_ptr<Isolation*> self_ = std::make_shared<Isolation*>(this);
};

}  // namespace nucleus::provisioner
