#include "services/provisioner/hypervisor_watch.hpp"

#include "core/log/log.hpp"

namespace nucleus::provisioner {

HypervisorWatch::HypervisorWatch(core::Loop& loop, Workers workers, const Config& config,
                                 std::shared_ptr<Hypervisor> hypervisor, Metrics& metrics,
                                 Handlers handlers)
    : loop_{loop},
      workers_{workers},
      config_{config},
      hypervisor_{std::move(hypervisor)},
      metrics_{metrics},
      handlers_{std::move(handlers)},
      accelerator_{config.driver.has_guests ? Accel::unknown : Accel::none} {}

void HypervisorWatch::start() {
  if (config_.driver.has_guests) prepare();
  loop_.after(core::Milliseconds{config_.ping_ms}, [this] { tick(); });
}

void HypervisorWatch::tick() {
  ping();
  loop_.after(core::Milliseconds{config_.ping_ms}, [this] { tick(); });
}

void HypervisorWatch::prepare() {
  workers_.startup.run<FoundAccelerator>(
      loop_, prepare_timeout,
      [hypervisor = hypervisor_, setup = HostSetup{.state_directory = config_.state_directory,
                                                   .accelerator = config_.accelerator,
                                                   .probe_kernel = config_.probe_kernel,
                                                   .user = config_.qemu_user}]()
          -> core::Result<FoundAccelerator> { return hypervisor->prepare(setup); },
      [this](core::Result<FoundAccelerator> found) {
        if (!found) found = FoundAccelerator{Accel::tcg, found.error().detail};
        core::log::info("accelerator_found", {{"accelerator", msg::name_of(found->accelerator)},
                                              {"reason", found->reason}});
        accelerator_ = found->accelerator;
        handlers_.on_change();
      });
}

std::string HypervisorWatch::fault() const {
  if (!is_reachable_) return fault_;
  return accelerator_ == Accel::unknown ? "probing the accelerator" : "";
}

void HypervisorWatch::ping() {
  if (*is_pinging_) return;
  *is_pinging_ = true;
  struct Answer {
    HostCapacity capacity;
  };
  workers_.pings.run<Answer>(
      loop_, core::Milliseconds{config_.ping_timeout_ms},
      [hypervisor = hypervisor_, is_pinging = is_pinging_, &loop = loop_,
       is_size_known = capacity_.cpus > 0]() -> core::Result<Answer> {
        auto answered = hypervisor->ping();
        Answer answer;
        if (answered && !is_size_known) {
          auto capacity = hypervisor->capacity();
          if (!capacity) answered = std::unexpected(capacity.error());
          if (capacity) answer.capacity = *capacity;
        }
        loop.post([is_pinging] { *is_pinging = false; });
        if (!answered) return std::unexpected(answered.error());
        return answer;
      },
      [this](core::Result<Answer> answer) {
        if (answer && capacity_.cpus == 0) capacity_ = answer->capacity;
        set_reachable(answer.has_value(), answer ? "" : answer.error().detail);
      });
}

void HypervisorWatch::set_reachable(bool is_reachable, const std::string& reason) {
  const bool is_changed = is_reachable != is_reachable_;
  is_reachable_ = is_reachable;
  fault_ = reason;
  metrics_.hypervisor_up.Set(is_reachable ? 1 : 0);
  if (is_changed && is_reachable) core::log::info("hypervisor_answers");
  if (is_changed && !is_reachable)
    core::log::warning("hypervisor_unreachable", {{"reason", reason}});
  if (is_reachable) handlers_.on_answer();
  if (is_changed) handlers_.on_change();
}

}  // namespace nucleus::provisioner
