// Saves of disks that begin because a node went off, or every few minutes while it runs, if its
// definition asks for that; and which generations of such saves are removed again.
#pragma once

#include <optional>

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

/// The newest generations that were saved automatically are never removed automatically.
constexpr std::size_t automatic_kept = 2;
/// Older ones are removed together once there are more: each removal merges layers, and a host
/// reads the result again.
constexpr std::size_t automatic_spare_max = 4;

/// Generations that are removed together: each is continued by the next one alone.
struct RemovableRun {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  friend bool operator==(const RemovableRun&, const RemovableRun&) = default;
};

/// The longest run of generations that were saved automatically, and are neither in use nor among
/// the newest ones. None if there are at most `spare_max` in all.
std::optional<RemovableRun> removable_run(const StoredNode& node, std::size_t spare_max);

/// The node goes off after it has run: its disk is to be saved if it is defined so.
void record_save_due(StoredNode& node);

/// Begins the save that is due, or a removal after one has ended. A save for which there is no room
/// is recorded as one that failed. While the host of the disk is not up, a save stays due.
void begin_automatic_work(Draft& draft, StoredNode& node);

/// Saves of nodes that run on one host and are saved every few minutes begin only while fewer than
/// this are under way there.
constexpr std::size_t periodic_saves_max = 2;

/// Begins the saves of nodes that run and were not saved for as long as their definitions say,
/// those that wait longest first. One that fails is tried again after as long.
Plan plan_periodic_saves(const View& view, std::int64_t now_unix_ms);

/// Begins the saves that were due when their hosts were not up.
Plan plan_due_saves(const View& view, std::int64_t now_unix_ms);

}  // namespace nucleus::scheduler
