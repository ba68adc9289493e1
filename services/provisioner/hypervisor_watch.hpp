// Whether the hypervisor answers, how large its host is, and which accelerator its domains use.
// Asks on a worker pool of its own, so that steps under way never make the hypervisor look silent.
// Runs on the service's loop.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/loop/loop.hpp"
#include "services/provisioner/config.hpp"
#include "services/provisioner/metrics.hpp"

namespace nucleus::provisioner {

class HypervisorWatch {
 public:
  struct Workers {
    core::Workers& pings;
    core::Workers& startup;  // for the probe of the accelerator, which takes seconds
  };
  /// `on_change`: is_reachable(), is_ready() or capacity() changed. `on_answer`: a ping was
  /// answered.
  struct Handlers {
    std::function<void()> on_change;
    std::function<void()> on_answer;
  };

  HypervisorWatch(core::Loop& loop, Workers workers, const Config& config,
                  std::shared_ptr<Hypervisor> hypervisor, Metrics& metrics, Handlers handlers);

  /// Prepares the host and pings every `ping_ms` from now on.
  void start();
  void ping();
  /// The driver reports its link as lost.
  void set_lost(const std::string& reason) { set_reachable(false, reason); }

  /// The hypervisor answers and its size is known: domains may be listed, stopped and destroyed.
  bool is_reachable() const { return is_reachable_; }
  /// And its accelerator is known: domains may be created.
  bool is_ready() const { return is_reachable_ && accelerator_ != Accel::unknown; }
  /// Why it is not ready; empty if it is.
  std::string fault() const;
  const HostCapacity& capacity() const { return capacity_; }
  /// Why the host can give no domain its profile; empty if it can.
  std::string profile_fault() const;
  Accel accelerator() const { return accelerator_; }

 private:
  void tick();
  void prepare();
  void set_capacity(const HostCapacity& capacity);
  void set_reachable(bool is_reachable, const std::string& reason);

  core::Loop& loop_;
  Workers workers_;
  const Config& config_;
  std::shared_ptr<Hypervisor> hypervisor_;
  Metrics& metrics_;
  Handlers handlers_;
  HostCapacity capacity_ = {};
  std::int64_t capacity_until_ms_ = 0;  // steady clock; then it is read again
  Accel accelerator_;
  std::string accelerator_reason_ = {};
  bool is_reachable_ = false;
  std::string fault_ = "the hypervisor has not been pinged yet";
  // Shared with the worker: a ping that outlives its deadline is still under way.
  std::shared_ptr<bool> is_pinging_ = std::make_shared<bool>(false);
};

}  // namespace nucleus::provisioner
