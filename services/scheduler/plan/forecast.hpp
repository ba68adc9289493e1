// When a computeset that waits will have its hosts: as soon as enough of what runs has ended.
#pragma once

#include <map>
#include <optional>
#include <span>

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

struct Forecast {
  std::int64_t start_unix_s = 0;
  /// What its hosts have left then, once it has its room.
  std::map<msg::HostId, Resources> left = {};
};

/// The first time at which `needs`, which begin now, fit: at the end of walltimes and reservations,
/// if nothing else starts and every walltime runs out. None if that never happens: nodes without an
/// end, such as frontends, stay.
std::optional<Forecast> forecast(const Draft& draft, std::span<const Need> needs,
                                 std::size_t& search_steps_left);

}  // namespace nucleus::scheduler
