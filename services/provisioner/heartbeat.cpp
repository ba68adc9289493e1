// The host's life: heartbeats to the scheduler, its lease, and whether its hypervisor answers.
#include "core/log/log.hpp"
#include "services/provisioner/keys.hpp"
#include "services/provisioner/service.hpp"

namespace nucleus::provisioner {

void Service::beat(core::Context&) {
  look_at_leases();
  for (const auto& host_id : config_.hosts) report(host_id);
}

void Service::report(const msg::HostId& host_id) {
  Live& live = live_[host_id];
  if (live.is_reporting) return;
  live.is_reporting = true;
  const auto* host = store_.read(keys::host(host_id));
  const std::int64_t sent_ms = loop_.steady_ms();
  const msg::ReportHost request{
      .host_id = host_id,
      .process = process_,
      .boot_id = live.boot_id,
      .cpus = config_.cpus ? config_.cpus : std::max<std::uint32_t>(capacity_.cpus, 1),
      .memory_mb = config_.memory_mb ? config_.memory_mb : capacity_.memory_mb,
      .is_simulated = config_.is_simulated,
      .accelerator = config_.is_simulated ? "none" : std::string(msg::name_of(config_.accelerator)),
      .is_reachable = is_reachable_,
      .reason = fault_,
      .revision = live.is_complete && host ? host->revision : 0};
  bus_.call<msg::ReportHost>(
      request, {.deadline = core::Milliseconds{config_.heartbeat_ms * 2}},
      [this, host_id, sent_ms](const core::Result<msg::HostLease>& lease) {
        Live& answered = live_[host_id];
        answered.is_reporting = false;
        if (!lease) return;  // the next heartbeat asks again; the lease runs on meanwhile
        answered.lease_end_ms =
            sent_ms + lease->lease_ms;  // from before it was asked: never longer
        if (std::exchange(answered.is_fenced, false)) {
          core::log::info("host_lease_renewed", {{"host", host_id.value}});
          answered.boot_id = loop_.new_id();  // much may have changed: ask for the complete list
          answered.is_complete = false;
        }
      });
}

/// A host whose lease is over stops its domains: its nodes may soon run elsewhere.
void Service::look_at_leases() {
  const std::int64_t now_ms = loop_.steady_ms();
  for (auto& [host_id, live] : live_) {
    if (live.lease_end_ms == 0 || now_ms <= live.lease_end_ms || live.is_fenced) continue;
    live.is_fenced = true;
    core::log::error("host_lease_ended", {{"host", host_id.value}});
  }
}

/// The link came or went. Only a ping's answer makes the host reachable: it also tells its size.
void Service::take_link(const core::Result<void>& link) {
  is_listed_ = false;
  if (!link) return set_reachable(false, link.error().detail);
  core::Context context = bus_.context();
  ping(context);
}

void Service::ping(core::Context&) {
  if (*is_pinging_) return;
  *is_pinging_ = true;
  struct Answer {
    HostCapacity capacity;
  };
  watchers_->run<Answer>(
      loop_, core::Milliseconds{config_.ping_deadline_ms},
      [hypervisor = hypervisor_, is_pinging = is_pinging_, &loop = loop_,
       is_size_known = capacity_.cpus > 0]() -> core::Result<Answer> {
        auto answers = hypervisor->ping();
        Answer answer;
        if (answers && !is_size_known) {
          auto capacity = hypervisor->capacity();
          if (!capacity) answers = std::unexpected(capacity.error());
          if (capacity) answer.capacity = *capacity;
        }
        loop.post([is_pinging] { *is_pinging = false; });
        if (!answers) return std::unexpected(answers.error());
        return answer;
      },
      [this](core::Result<Answer> answer) {
        if (answer && capacity_.cpus == 0) capacity_ = answer->capacity;
        set_reachable(answer.has_value(), answer ? "" : answer.error().detail);
      });
}

void Service::set_reachable(bool is_reachable, const std::string& reason) {
  const bool is_changed = is_reachable != is_reachable_;
  is_reachable_ = is_reachable;
  fault_ = reason;
  metrics_.hypervisor_up.Set(is_reachable ? 1 : 0);
  if (is_reachable && !is_listed_) list_domains();
  if (!is_changed) return;
  if (is_reachable)
    core::log::info("hypervisor_answers");
  else
    core::log::warning("hypervisor_away", {{"reason", reason}});
  if (!store_.is_loaded()) return;
  for (const auto& host_id : config_.hosts) report(host_id);
}

}  // namespace nucleus::provisioner
