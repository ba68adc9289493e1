// Tells those who use a computeset's nodes what happens to it, inside the guests. The events say
// the same; this is for people who are logged in, as far as the guests have an agent.
#pragma once

#include <string>

#include "core/bus/bus.hpp"
#include "services/scheduler/plan/plan.hpp"
#include "services/scheduler/view.hpp"

namespace nucleus::scheduler {

/// What a plan that is to be applied makes known in the guests of each computeset.
struct GuestNotice {
  msg::ComputesetId computeset_id = 0;
  std::string text = {};
};
std::vector<GuestNotice> notices_of(const View& before, const Plan& plan);

/// Sends each notice to the nodes of its computeset that are meant to run. A guest without an agent
/// is tried for `notice_timeout`, then left out.
void send_notices(core::Bus& bus, const View& view, const std::vector<GuestNotice>& notices);

}  // namespace nucleus::scheduler
