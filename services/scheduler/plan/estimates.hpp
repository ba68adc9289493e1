// When a computeset that waits may start: the forecast, in which every walltime runs out, and the
// interval in which eight of ten starts fall, learned from the waits of earlier ones (ADR 0049).
#pragma once

#include <optional>
#include <span>

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

constexpr std::size_t waits_needed = 20;  // for an interval
constexpr std::size_t waits_max = 200;    // that are kept

/// The interval of 8 in 10 for a wait, from waits that were expected and took place. None if there
/// are fewer than `waits_needed`. Seconds.
struct WaitInterval {
  std::int64_t shortest_s = 0;
  std::int64_t longest_s = 0;
};
std::optional<WaitInterval> wait_interval(std::span<const StoredWait> waits,
                                          std::int64_t expected_s);

/// For a computeset that waits, as things are now. Nothing is expected if it never fits, or too
/// many are before it.
StoredEstimate estimate_start(Draft& draft, msg::ComputesetId id);

/// Keeps an estimate with a computeset that was just accepted, if it has to wait. At most one a
/// second is made: it costs a look at all that are before it.
void keep_estimate(Draft& draft, msg::ComputesetId id);

/// Keeps how long a computeset that starts now has waited, if that was estimated.
void keep_wait(Draft& draft, const StoredComputeset& started);

/// The share of those estimates that had an interval whose computeset started in it. None without
/// any.
std::optional<double> share_within(std::span<const StoredWait> waits);

}  // namespace nucleus::scheduler
