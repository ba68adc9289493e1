#include "services/provisioner/hypervisor_watch.hpp"

#include "core/log/log.hpp"

namespace nucleus::provisioner {

namespace {

// Hugepages and CPUs come and go while the host is up: what a domain can have changes.
constexpr std::int64_t capacity_interval_ms = 10'000;

}  // namespace

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
        accelerator_reason_ = found->reason;
        handlers_.on_change();
      });
}

std::string HypervisorWatch::fault() const {
  if (!is_reachable_) return fault_;
  return accelerator_ == Accel::unknown ? "probing the accelerator" : "";
}

std::string HypervisorWatch::profile_fault() const {
  if (config_.profile.kind != Profile::hpc || accelerator_ == Accel::unknown) return "";
  if (accelerator_ == Accel::none) return lacks_kvm("the host is simulated").detail;
  if (accelerator_ != Accel::kvm) return lacks_kvm(accelerator_reason_).detail;
  return capacity_.profile_fault;
}

void HypervisorWatch::ping() {
  if (*is_pinging_) return;
  *is_pinging_ = true;
  struct Answer {
    std::optional<HostCapacity> capacity;
  };
  const bool is_size_known = config_.profile.kind == Profile::hpc
                                 ? loop_.steady_ms() < capacity_until_ms_
                                 : capacity_.cpus > 0;
  workers_.pings.run<Answer>(
      loop_, core::Milliseconds{config_.ping_timeout_ms},
      [hypervisor = hypervisor_, is_pinging = is_pinging_, &loop = loop_,
       is_size_known]() -> core::Result<Answer> {
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
        if (answer && answer->capacity) set_capacity(*answer->capacity);
        set_reachable(answer.has_value(), answer ? "" : answer.error().detail);
      });
}

void HypervisorWatch::set_capacity(const HostCapacity& capacity) {
  const bool is_changed = capacity_ != capacity;
  capacity_ = capacity;
  capacity_until_ms_ = loop_.steady_ms() + capacity_interval_ms;
  if (is_changed && is_reachable_) handlers_.on_change();
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
