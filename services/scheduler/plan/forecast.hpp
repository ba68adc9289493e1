// When a computeset that waits will have its hosts: as soon as enough of what runs has ended.
#pragma once

#include <map>
#include <optional>

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

struct Forecast {
  std::int64_t start_unix_s = 0;
  /// What its hosts have left then, once it has its room.
  std::map<msg::HostId, Resources> left = {};
};

/// What the hosts have free from now on: more at the end of each walltime and reservation, less by
/// the computesets that are placed. Every walltime runs out, and nothing else starts.
class Outlook {
 public:
  explicit Outlook(const Draft& draft);

  /// Places `needs`, which are those of a start now, at the first time at which enough of them fit:
  /// as many as fit then. That is not before the time of the last call. None if that never happens:
  /// nodes without an end, such as frontends, stay. Then the outlook is at its end.
  std::optional<Forecast> place(const Needs& needs, std::size_t& search_steps_left);

 private:
  /// What becomes free at one time.
  struct Step {
    std::vector<std::pair<msg::HostId, Resources>> released = {};
    std::vector<std::int64_t> ended = {};  // reservations
  };

  class Slots;
  void add(const StoredNode& node);
  void take_step(Slots& slots);

  const Draft* draft_;
  HostPool pool_;
  std::int64_t at_unix_s_;  // the time of the pool
  std::map<std::int64_t, Step> steps_ = {};
};

/// When a computeset that waits will start, if those before it start first and all walltimes run
/// out. None if that is not known: it never fits, or too many are before it.
std::optional<std::int64_t> expected_start_unix_s(Draft& draft, msg::ComputesetId id);

}  // namespace nucleus::scheduler
