// What a computeset costs: pure functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <numbers>
#include <vector>

#include "messages/scheduler.hpp"
#include "services/scheduler/resources.hpp"

namespace nucleus::scheduler {

/// The resources that are charged from a moment on, until the next rate or the end.
struct ChargeRate {
  std::int64_t from_unix_s = 0;
  std::int64_t cores = 0;
  std::int64_t memory_mb = 0;
  NUCLEUS_FIELDS(from_unix_s, cores, memory_mb);
};

/// In thousandths of an SU an hour.
inline std::int64_t milli_su_of(const msg::Price& price, std::int64_t cores,
                                std::int64_t memory_mb) {
  constexpr std::int64_t mb_per_gib = 1024;
  return cores * price.core_milli_su + memory_mb * price.gib_milli_su / mb_per_gib;
}

/// Charges so much more from a moment on; less, if it is negative. The rates are in the order of
/// time, and one of them at least is not later.
inline void add_resources(std::vector<ChargeRate>& rates, std::int64_t from_unix_s,
                          const Resources& more) {
  auto next = std::ranges::lower_bound(rates, from_unix_s, {}, &ChargeRate::from_unix_s);
  const bool is_new = next == rates.end() || next->from_unix_s != from_unix_s;
  if (is_new && next != rates.begin()) {
    ChargeRate rate = *std::prev(next);
    rate.from_unix_s = from_unix_s;
    next = rates.insert(next, rate);
  }
  for (; next != rates.end(); ++next) {
    next->cores += more.cpus;
    next->memory_mb += more.memory_mb;
  }
}

/// A period of time; an open end is the largest or smallest number.
struct Period {
  std::int64_t from_unix_s = std::numeric_limits<std::int64_t>::min();
  std::int64_t to_unix_s = std::numeric_limits<std::int64_t>::max();  // not included
};

/// Calls `charge` with each rate and the times at which it applies within `period`, until
/// `end_unix_s`.
template <class Charge>
void for_each_charge(const std::vector<ChargeRate>& rates, std::int64_t end_unix_s,
                     const Period& period, Charge charge) {
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const bool is_last = i + 1 == rates.size();
    const auto until =
        std::min({is_last ? end_unix_s : rates[i + 1].from_unix_s, end_unix_s, period.to_unix_s});
    const auto from = std::max(rates[i].from_unix_s, period.from_unix_s);
    if (from < until) charge(rates[i], from, until);
  }
}

/// A sum of charges, in whole core-seconds. The thousandths are counted until the end, so that it
/// does not matter in how many parts a time is charged; the rest is not charged.
class Charge {
 public:
  void add(std::int64_t milli_su, std::int64_t seconds) {
    constexpr std::int64_t milli = 1000;
    core_s_ += milli_su / milli * seconds;
    milli_core_s_ += milli_su % milli * seconds;
  }
  std::int64_t core_s() const { return core_s_ + milli_core_s_ / 1000; }

 private:
  std::int64_t core_s_ = 0;
  std::int64_t milli_core_s_ = 0;
};

/// Of one rate, from its beginning until a time.
inline std::int64_t charge_core_s(std::int64_t milli_su, std::int64_t seconds) {
  Charge charge;
  charge.add(milli_su, std::max<std::int64_t>(seconds, 0));
  return charge.core_s();
}

/// Core-seconds from the first rate until `end_unix_s`, of those within `period`. The charges of
/// periods that follow each other add up to that of all of them. 0 if no rate is set: the
/// computeset never started. Never below 0, even if the clock went back.
inline std::int64_t charge_core_s(const msg::Price& price, const std::vector<ChargeRate>& rates,
                                  std::int64_t end_unix_s, const Period& period = {}) {
  const auto until = [&](std::int64_t unix_s) {
    Charge charge;
    for_each_charge(rates, end_unix_s, {.to_unix_s = unix_s},
                    [&](const ChargeRate& rate, std::int64_t from_unix_s, std::int64_t to_unix_s) {
                      charge.add(milli_su_of(price, rate.cores, rate.memory_mb),
                                 to_unix_s - from_unix_s);
                    });
    return charge.core_s();
  };
  if (period.to_unix_s <= period.from_unix_s) return 0;
  return until(period.to_unix_s) - until(period.from_unix_s);
}

/// What a usage of `seconds` ago counts.
inline double decayed(double usage, std::int64_t seconds, std::int64_t half_life_s) {
  return usage * std::exp2(-static_cast<double>(std::max<std::int64_t>(seconds, 0)) /
                           static_cast<double>(half_life_s));
}

/// As `charge_core_s`, up to now and each second decayed by its age: the integral of
/// the rate * 2^-(age / half-life).
inline double charge_decayed_core_s(const msg::Price& price, const std::vector<ChargeRate>& rates,
                                    std::int64_t end_unix_s, const Period& period,
                                    std::int64_t now_unix_s, std::int64_t half_life_s) {
  const double mean_life_s = static_cast<double>(half_life_s) / std::numbers::ln2;
  double core_s = 0;
  for_each_charge(rates, std::min(end_unix_s, now_unix_s), period,
                  [&](const ChargeRate& rate, std::int64_t from_unix_s, std::int64_t to_unix_s) {
                    const auto milli_su = milli_su_of(price, rate.cores, rate.memory_mb);
                    const auto of_now = static_cast<double>(milli_su) / 1000 * mean_life_s;
                    core_s += decayed(of_now, now_unix_s - to_unix_s, half_life_s) -
                              decayed(of_now, now_unix_s - from_unix_s, half_life_s);
                  });
  return core_s;
}

}  // namespace nucleus::scheduler
