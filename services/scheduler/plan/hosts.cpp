#include "services/scheduler/plan/hosts.hpp"

#include <algorithm>

#include "messages/text.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/isolation.hpp"
#include "services/scheduler/plan/placements.hpp"
#include "services/scheduler/states/host_state.hpp"

namespace nucleus::scheduler {

using msg::HostState;

namespace {

bool is_same(const StoredHost& host, const msg::ReportHost& report) {
  return host.process == report.process && host.cpus == report.cpus &&
         host.memory_mb == report.memory_mb && host.driver == report.driver &&
         host.accelerator == report.accelerator && host.machine_id == report.machine_id &&
         host.keeps_volumes == report.keeps_volumes && host.profile == report.profile &&
         host.profile_reason == report.profile_reason && host.adapters == report.adapters &&
         host.adapters_reason == report.adapters_reason &&
         is_same_isolation(host, report.isolation);
}

void change_state(StoredHost& host, HostEvent event, std::string reason) {
  host.state = next_state(host.state, event);
  host.reason = std::move(reason);
}

void lose(Draft& draft, const msg::HostId& id) {
  change_state(draft.edit(id), HostEvent::lease_end, "no answer for longer than its lease");
  forget_isolation(draft.edit(id), draft.now_unix_s());
  draft.change_grants(id);  // its grants are void: it learns so when it returns
  for (const auto& node_id : draft.view().nodes_on(id)) {
    StoredNode& node = draft.edit(node_id);
    node.observed = msg::DomainState::absent;
    node.observed_reason = "host " + id.value + " was lost";
    node.is_disk_fresh = false;  // its last reports may be lost
    end_placement(draft, node_id, draft.now_unix_s());
  }
}

}  // namespace

bool is_of_another_machine(const View& view, const msg::ReportHost& report) {
  const auto* known = view.host(report.host_id);
  return known && known->state != HostState::lost && !known->machine_id.empty() &&
         known->machine_id != report.machine_id;
}

Plan plan_host_report(const View& view, const msg::ReportHost& report, std::int64_t now_unix_ms) {
  const auto* known = view.host(report.host_id);
  const auto state = report.is_reachable ? HostState::up : HostState::unreachable;
  if (known && is_same(*known, report) && known->state == state) return {};
  Draft draft{view, now_unix_ms};
  if (!known) draft.changes().hosts[report.host_id] = StoredHost{.host_id = report.host_id};
  StoredHost& host = draft.edit(report.host_id);
  host.process = report.process;
  host.cpus = report.cpus;
  host.memory_mb = report.memory_mb;
  host.driver = report.driver;
  host.accelerator = report.accelerator;
  host.machine_id = report.machine_id;
  host.keeps_volumes = report.keeps_volumes;
  host.profile = report.profile;
  host.profile_reason = report.profile_reason;
  host.adapters = report.adapters;
  host.adapters_reason = report.adapters_reason;
  take_isolation(host, report.isolation, now_unix_ms / 1000);
  if (host.state != state) {
    const std::string fault =
        report.reason.empty() ? "its hypervisor does not answer" : report.reason;
    if (report.is_reachable)
      change_state(host, HostEvent::heartbeat, "");
    else
      change_state(host, HostEvent::fault, fault);
  }
  return finish(draft);
}

Plan plan_overdue_hosts(const View& view, const Heartbeats::Overdue& overdue,
                        std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  for (const auto& id : overdue.silent)
    if (view.host(id) && view.host(id)->state == HostState::up)
      change_state(
          draft.edit(id), HostEvent::silence,
          "no heartbeat for over " + std::to_string(view.config().host_silence_ms) + " ms");
  // One that was up until now is unreachable first, and lost at the next look.
  for (const auto& id : overdue.expired)
    if (view.host(id) && view.host(id)->state == HostState::unreachable) lose(draft, id);
  return finish(draft);
}

core::Result<Plan> plan_remove_host(const View& view, const msg::RemoveHost& request,
                                    std::int64_t now_unix_ms) {
  const auto& id = request.host_id;
  const auto* host = view.host(id);
  if (!host)
    return core::refuse(core::ErrorCode::not_found, "no such host: " + msg::shown(id.value),
                        "host_id");
  if (const auto count = view.nodes_on(id).size(); count > 0)
    return core::refuse(core::ErrorCode::wrong_state,
                        "host " + id.value + " has " + std::to_string(count) +
                            " nodes: drain it and power them off, or wait until it is lost",
                        "host_id");
  if (host->state == HostState::up)
    return core::refuse(core::ErrorCode::conflict, "host " + id.value + " still reports itself",
                        "host_id");
  Draft draft{view, now_unix_ms};
  draft.changes().hosts[id] = std::nullopt;
  const auto is_shared = [&](const auto& other) {
    return other.first != id && other.second.process == host->process;
  };
  if (view.reporter(host->process) && std::ranges::none_of(view.hosts(), is_shared))
    draft.changes().reporters[host->process] = std::nullopt;
  return finish(draft);
}

core::Result<Plan> plan_drain(const View& view, const msg::DrainHost& request,
                              std::int64_t now_unix_ms) {
  if (!view.host(request.host_id))
    return core::refuse(core::ErrorCode::not_found,
                        "no such host: " + msg::shown(request.host_id.value), "host_id");
  if (auto broken = msg::check_line("reason", request.reason, 256)) return std::unexpected(*broken);
  Draft draft{view, now_unix_ms};
  StoredHost& host = draft.edit(request.host_id);
  // Draining a drained host again without a reason keeps the first one.
  const bool keeps_reason = request.is_drained && host.is_drained && request.reason.empty();
  host.is_drained = request.is_drained;
  if (!keeps_reason) host.drain_reason = request.is_drained ? request.reason : "";
  return finish(draft);
}

}  // namespace nucleus::scheduler
