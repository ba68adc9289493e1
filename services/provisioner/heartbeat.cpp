// The host's life: heartbeats to the scheduler, its lease, and whether its hypervisor answers.
#include <algorithm>

#include "core/log/log.hpp"
#include "services/provisioner/domain_plan.hpp"
#include "services/provisioner/keys.hpp"
#include "services/provisioner/service.hpp"

namespace nucleus::provisioner {

void Service::beat(core::Context&) {
  if (is_reachable_ && is_listed_) {
    watched_unix_ms_ = loop_.unix_ms();
    if (leases_)
      workers_.submit([leases = leases_, at = watched_unix_ms_] { leases->keep_watched(at); });
  }
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
  bus_.call<msg::ReportHost>(request, {.deadline = core::Milliseconds{config_.heartbeat_ms * 2}},
                             [this, host_id, sent_ms](const core::Result<msg::HostLease>& lease) {
                               live_[host_id].is_reporting = false;
                               // Else the next heartbeat asks again; the lease runs on meanwhile.
                               if (lease) take_lease(host_id, sent_ms, *lease);
                             });
}

void Service::take_lease(const msg::HostId& host_id, std::int64_t sent_ms,
                         const msg::HostLease& lease) {
  Live& live = live_[host_id];
  const KeptLease before = live.lease;
  // From before it was asked: never longer. One that was kept may be of before the machine's start.
  live.lease.end_ms = sent_ms + lease.lease_ms;
  live.lease.revision = std::max(before.revision, lease.revision);
  if (lease.revision < before.revision && !before.is_doubted) {
    live.lease.is_doubted = true;
    core::log::error(
        "state_went_back",
        {{"host", host_id.value}, {"revision", lease.revision}, {"before", before.revision}});
  }
  end_fence(host_id);
  if (leases_ && !(live.lease == before))
    workers_.submit(
        [leases = leases_, host_id, kept = live.lease] { leases->keep(host_id, kept); });
}

/// Where the lease runs again and the complete list is here, whichever came last.
void Service::end_fence(const msg::HostId& host_id) {
  Live& live = live_[host_id];
  if (!live.is_fenced || !live.is_complete || loop_.steady_ms() > live.lease.end_ms) return;
  live.is_fenced = false;
  core::log::info("host_lease_renewed", {{"host", host_id.value}});
}

void Service::watch_leases() {
  look_at_leases();
  loop_.after(core::Milliseconds{config_.heartbeat_ms}, [this] { watch_leases(); });
}

/// A host whose lease is over stops its domains: its nodes may soon run elsewhere. It begins none
/// before its lease is renewed and it was given its complete list.
void Service::look_at_leases() {
  const std::int64_t now_ms = loop_.steady_ms();
  for (auto& [host_id, live] : live_) {
    if (live.lease.end_ms != 0 && now_ms > live.lease.end_ms && !live.is_fenced) {
      live.is_fenced = true;
      live.boot_id = loop_.new_id();  // much may change meanwhile: asks for the complete list
      live.is_complete = false;
      core::log::error("host_lease_ended", {{"host", host_id.value}});
    }
    if (live.is_fenced) stop_domains_of(host_id);
  }
}

/// The link came or went. Only a ping's answer makes the host reachable: it also tells its size.
void Service::take_link(const core::Result<void>& link) {
  is_listed_ = false;
  if (!link) return set_reachable(false, link.error().detail);
  ping();
}

/// Whatever runs there, by what the hypervisor says alone; what follows is recorded once there is a
/// store.
void Service::stop_domains_of(const msg::HostId& host_id) {
  struct Nothing {};
  for (const auto& [name, seen] : seen_) {
    if (!is_domain_of(host_id, name, config_) || !fencing_.insert(name).second) continue;
    workers_.run<Nothing>(
        loop_, core::Milliseconds{config_.step_deadline_ms},
        [hypervisor = hypervisor_, name = name]() -> core::Result<Nothing> {
          if (auto gone = hypervisor->destroy(name); !gone) return std::unexpected(gone.error());
          return Nothing{};
        },
        [this, name = name](core::Result<Nothing> gone) {
          fencing_.erase(name);
          if (gone)
            seen_.erase(name);
          else
            core::log::error("domain_not_fenced",
                             {{"domain", name}, {"reason", gone.error().detail}});
        });
  }
}

void Service::watch_hypervisor() {
  loop_.after(core::Milliseconds{config_.ping_ms}, [this] {
    ping();
    watch_hypervisor();
  });
}

void Service::ping() {
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
