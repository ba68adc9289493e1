#include "services/scheduler/plan/estimates.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "services/scheduler/plan/forecast.hpp"

namespace nucleus::scheduler {

namespace {

constexpr double outside_each_side = 0.1;

/// Added to both waits before they are compared, so that short ones do not differ by large factors.
constexpr double least_wait_s = 60;

double factor_of(const StoredWait& wait) {
  return (static_cast<double>(wait.actual_s) + least_wait_s) /
         (static_cast<double>(wait.expected_s) + least_wait_s);
}

}  // namespace

/// Split conformal prediction: with the k-th smallest of n factors, k = p (n + 1), as the bound, a
/// share p of the next waits is below it, whatever their distribution, if they are exchangeable.
std::optional<WaitInterval> wait_interval(std::span<const StoredWait> waits,
                                          std::int64_t expected_s) {
  if (waits.size() < waits_needed) return std::nullopt;
  std::vector<double> factors;
  for (const auto& wait : waits) factors.push_back(factor_of(wait));
  std::ranges::sort(factors);
  const double count = static_cast<double>(factors.size()) + 1;
  const auto low = static_cast<std::size_t>(std::floor(count * outside_each_side));
  const auto high = static_cast<std::size_t>(std::ceil(count * (1 - outside_each_side)));
  const auto wait_s = [&](std::size_t k) {
    const double wait = (static_cast<double>(expected_s) + least_wait_s) * factors[k - 1];
    return std::max<std::int64_t>(std::llround(wait - least_wait_s), 0);
  };
  return WaitInterval{.shortest_s = wait_s(low), .longest_s = wait_s(high)};
}

StoredEstimate estimate_start(Draft& draft, msg::ComputesetId id) {
  const auto expected_unix_s = expected_start_unix_s(draft, id);
  if (!expected_unix_s) return {};
  StoredEstimate estimate{.expected_unix_s = *expected_unix_s};
  const auto now_unix_s = draft.now_unix_s();
  if (const auto interval =
          wait_interval(draft.view().waits().waits, *expected_unix_s - now_unix_s)) {
    estimate.earliest_unix_s = now_unix_s + interval->shortest_s;
    estimate.latest_unix_s = now_unix_s + interval->longest_s;
  }
  return estimate;
}

void keep_estimate(Draft& draft, msg::ComputesetId id) {
  if (draft.computeset(id)->computeset.state != msg::ComputesetState::submitted) return;
  const auto* newest = draft.view().computeset(id - 1);
  if (newest && newest->computeset.created_unix_s == draft.now_unix_s()) return;
  if (const auto estimate = estimate_start(draft, id); estimate.expected_unix_s != 0)
    draft.edit(id).estimate = estimate;
}

void keep_wait(Draft& draft, const StoredComputeset& started) {
  const auto& estimate = started.estimate;
  if (estimate.expected_unix_s == 0) return;
  const auto accepted_unix_s = started.computeset.created_unix_s;
  const auto now_unix_s = draft.now_unix_s();
  auto& changed = draft.changes().waits;
  if (!changed) changed = draft.view().waits();
  auto& waits = changed->waits;
  waits.push_back(
      {.expected_s = std::max<std::int64_t>(estimate.expected_unix_s - accepted_unix_s, 0),
       .actual_s = std::max<std::int64_t>(now_unix_s - accepted_unix_s, 0),
       .had_interval = estimate.latest_unix_s != 0,
       .is_within =
           estimate.earliest_unix_s <= now_unix_s && now_unix_s <= estimate.latest_unix_s});
  if (waits.size() > waits_max)
    waits.erase(waits.begin(), waits.end() - static_cast<std::ptrdiff_t>(waits_max));
}

std::optional<double> share_within(std::span<const StoredWait> waits) {
  const auto estimated = std::ranges::count_if(waits, &StoredWait::had_interval);
  if (estimated == 0) return std::nullopt;
  const auto within = std::ranges::count_if(
      waits, [](const StoredWait& wait) { return wait.had_interval && wait.is_within; });
  return static_cast<double>(within) / static_cast<double>(estimated);
}

}  // namespace nucleus::scheduler
