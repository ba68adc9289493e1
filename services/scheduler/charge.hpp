// What a computeset costs: pure functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <numbers>
#include <vector>

#include "messages/fields.hpp"

namespace nucleus::scheduler {

/// Cores charged for each second from a moment on, until the next rate or the end.
struct ChargeRate {
  std::int64_t from_unix_s = 0;
  std::int64_t cores = 0;
  NUCLEUS_FIELDS(from_unix_s, cores);
};

/// Charges so many cores more from a moment on; less, if it is negative. The rates are in the order
/// of time, and one of them at least is not later.
inline void add_cores(std::vector<ChargeRate>& rates, std::int64_t from_unix_s,
                      std::int64_t more_cores) {
  auto next = std::ranges::lower_bound(rates, from_unix_s, {}, &ChargeRate::from_unix_s);
  const bool is_new = next == rates.end() || next->from_unix_s != from_unix_s;
  if (is_new && next != rates.begin())
    next = rates.insert(next, {.from_unix_s = from_unix_s, .cores = std::prev(next)->cores});
  for (; next != rates.end(); ++next) next->cores += more_cores;
}

/// A period of time; an open end is the largest or smallest number.
struct Period {
  std::int64_t from_unix_s = std::numeric_limits<std::int64_t>::min();
  std::int64_t to_unix_s = std::numeric_limits<std::int64_t>::max();  // not included
};

/// Calls `charge` with the cores and the times of each rate that lies within `period`, until
/// `end_unix_s`.
template <class Charge>
void for_each_charge(const std::vector<ChargeRate>& rates, std::int64_t end_unix_s,
                     const Period& period, Charge charge) {
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const bool is_last = i + 1 == rates.size();
    const auto until =
        std::min({is_last ? end_unix_s : rates[i + 1].from_unix_s, end_unix_s, period.to_unix_s});
    const auto from = std::max(rates[i].from_unix_s, period.from_unix_s);
    if (from < until) charge(rates[i].cores, from, until);
  }
}

/// Core-seconds from the first rate until `end_unix_s`, of those within `period`. 0 if no rate is
/// set: the computeset never started. Never below 0, even if the clock went back.
inline std::int64_t charge_core_s(const std::vector<ChargeRate>& rates, std::int64_t end_unix_s,
                                  const Period& period = {}) {
  std::int64_t core_s = 0;
  for_each_charge(rates, end_unix_s, period,
                  [&](std::int64_t cores, std::int64_t from_unix_s, std::int64_t to_unix_s) {
                    core_s += cores * (to_unix_s - from_unix_s);
                  });
  return core_s;
}

/// What a usage of `seconds` ago counts.
inline double decayed(double usage, std::int64_t seconds, std::int64_t half_life_s) {
  return usage * std::exp2(-static_cast<double>(std::max<std::int64_t>(seconds, 0)) /
                           static_cast<double>(half_life_s));
}

/// As `charge_core_s`, up to now and each second decayed by its age: the integral of
/// cores * 2^-(age / half-life).
inline double charge_decayed_core_s(const std::vector<ChargeRate>& rates, std::int64_t end_unix_s,
                                    const Period& period, std::int64_t now_unix_s,
                                    std::int64_t half_life_s) {
  const double mean_life_s = static_cast<double>(half_life_s) / std::numbers::ln2;
  double core_s = 0;
  for_each_charge(rates, std::min(end_unix_s, now_unix_s), period,
                  [&](std::int64_t cores, std::int64_t from_unix_s, std::int64_t to_unix_s) {
                    const auto of_now = static_cast<double>(cores) * mean_life_s;
                    core_s += decayed(of_now, now_unix_s - to_unix_s, half_life_s) -
                              decayed(of_now, now_unix_s - from_unix_s, half_life_s);
                  });
  return core_s;
}

}  // namespace nucleus::scheduler
