#include "services/provisioner/heartbeat.hpp"

#include <algorithm>
#include <utility>

#include "core/log/log.hpp"

namespace nucleus::provisioner {

Heartbeat::Heartbeat(core::Loop& loop, core::Bus& bus, Sources sources)
    : loop_{loop}, bus_{bus}, sources_{sources}, process_{bus.link().name()} {}

void Heartbeat::beat() {
  for (const auto& host_id : sources_.config.hosts) report(host_id);
}

void Heartbeat::report(const msg::HostId& host_id) {
  if (!calls_under_way_.insert(host_id).second) return;
  const std::int64_t sent_ms = loop_.steady_ms();
  bus_.call<msg::ReportHost>(
      report_of(host_id), {.deadline = core::Milliseconds{sources_.config.heartbeat_ms * 2}},
      [this, host_id, sent_ms,
       log_id = sources_.reporter.log_id()](const core::Result<msg::HostLease>& lease) {
        calls_under_way_.erase(host_id);
        if (!lease) return note_refusal(lease.error());
        refusal_.clear();
        sources_.leases.renew(host_id, sent_ms, *lease);
        if (lease->must_report_all && log_id == sources_.reporter.log_id())
          sources_.reporter.begin_log();
      });
}

msg::ReportHost Heartbeat::report_of(const msg::HostId& host_id) const {
  const auto& [config, grants, watch, leases, reporter, isolation, adapters, usage, volumes] =
      sources_;
  const auto& size = watch.capacity();
  const Accel accelerator = watch.accelerator();
  const bool is_hpc = config.profile.kind == Profile::hpc;
  const std::string profile_fault = watch.profile_fault();
  // What the settings leave of the host is theirs; under hpc, no more than it can give.
  std::uint64_t memory_mb = config.memory_mb ? config.memory_mb : size.memory_mb;
  std::uint32_t cpus = config.cpus ? config.cpus : size.cpus;
  if (is_hpc) {
    cpus = std::min(cpus, size.cpus);
    memory_mb = profile_fault.empty() ? std::min(memory_mb, size.memory_mb) : 0;
  }
  return {
      .host_id = host_id,
      .process = process_,
      .boot_id = leases.boot_id(host_id),
      .cpus = std::max<std::uint32_t>(cpus, 1),
      .memory_mb = memory_mb,
      .driver = config.driver.name,
      .accelerator = accelerator == Accel::unknown ? "" : std::string(msg::name_of(accelerator)),
      .is_reachable = watch.is_ready(),
      .reason = watch.fault().substr(0, msg::host_reason_bytes_max),
      .revision = leases.has_complete_list(host_id) ? grants.applied_revision(host_id) : 0,
      .log_id = reporter.log_id(),
      .reported = reporter.acknowledged(),
      .release = NUCLEUS_VERSION,
      .address = config.address,
      .unix_ms = loop_.unix_ms(),
      .machine_id = leases.machine_id(),
      .keeps_volumes = config.keeps_volumes(),
      .idle_nodes = usage ? usage->idle_nodes(host_id) : std::vector<msg::IdleNode>{},
      .isolation = isolation.report(),
      .metrics_address = metrics_address_of(config),
      .profile = std::string(msg::name_of(config.profile.kind)),
      .profile_reason = profile_fault.substr(0, msg::host_reason_bytes_max),
      .adapters = adapters.found().adapters,
      .adapters_reason = adapters.found().reason,
      .image_copies = volumes ? volumes->image_copies() : std::vector<msg::ImageCopy>{}};
}

/// A scheduler that is away costs no line, and the same refusal only one.
void Heartbeat::note_refusal(const core::Error& error) {
  if (error.code != core::ErrorCode::conflict && error.code != core::ErrorCode::forbidden) return;
  if (std::exchange(refusal_, error.detail) != error.detail)
    core::log::error("heartbeat_refused", {{"reason", error.detail}});
}

}  // namespace nucleus::provisioner
