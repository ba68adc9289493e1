// Brings grants to hosts: what changed after each commit, the complete list to a host that lags or
// has restarted.
#pragma once

#include <set>

#include "core/bus/bus.hpp"
#include "services/scheduler/heartbeats.hpp"
#include "services/scheduler/metrics.hpp"
#include "services/scheduler/view.hpp"

namespace nucleus::scheduler {

class GrantSender {
 public:
  GrantSender(core::Bus& bus, core::Store& store, const View& view, Heartbeats& heartbeats,
              Metrics& metrics)
      : bus_{bus}, store_{store}, view_{view}, heartbeats_{heartbeats}, metrics_{metrics} {}

  /// The grants of these nodes, of those still placed there.
  void send(const msg::HostId& id, const std::set<msg::NodeId>& nodes);
  void send_complete(const msg::HostId& id);

 private:
  void send(const StoredHost& host, const std::set<msg::NodeId>& nodes, bool is_complete);

  core::Bus& bus_;
  core::Store& store_;
  const View& view_;
  Heartbeats& heartbeats_;
  Metrics& metrics_;
};

}  // namespace nucleus::scheduler
