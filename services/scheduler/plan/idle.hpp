// Computesets that do nothing and are charged: when they are said to be idle.
#pragma once

#include "services/scheduler/heartbeats.hpp"
#include "services/scheduler/plan/plan.hpp"
#include "services/scheduler/view.hpp"

namespace nucleus::scheduler {

/// A running computeset is idle once all its nodes have been for `scheduler.idle_notice_s`, and
/// until one of them does something. What hosts have not reported since the scheduler's start
/// changes nothing.
Plan plan_idle(const View& view, const Heartbeats& heartbeats, std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler
