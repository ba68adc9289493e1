// The changes of hosts: heartbeats, silence, lost leases, drains.
#pragma once

#include <vector>

#include "core/result.hpp"
#include "services/scheduler/heartbeats.hpp"
#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// Whether the host is bound to another machine than the one that reports it. It is until its lease
/// is over: until then, that machine may run its nodes.
bool is_of_another_machine(const View& view, const msg::ReportHost& report);

/// Records what differs from the host's last heartbeat; most heartbeats change nothing.
Plan plan_host_report(const View& view, const msg::ReportHost& report, std::int64_t now_unix_ms);

/// Silence makes a host unreachable. An unreachable host whose lease is over is lost: nothing of
/// ours runs there, so what was placed there may run elsewhere.
Plan plan_overdue_hosts(const View& view, const Heartbeats::Overdue& overdue,
                        std::int64_t now_unix_ms);

core::Result<Plan> plan_remove_host(const View& view, const msg::RemoveHost& request,
                                    std::int64_t now_unix_ms);

core::Result<Plan> plan_drain(const View& view, const msg::DrainHost& request,
                              std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler
