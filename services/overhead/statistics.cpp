#include "services/overhead/statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace nucleus::overhead {

namespace {

constexpr double percent = 100;

bool has_bounds(const msg::Interval& interval) {
  return interval.low > 0;
}

bool is_within(const msg::Interval& interval, const msg::Figure& figure) {
  return figure.direction == msg::Direction::larger ? interval.low >= figure.threshold
                                                    : interval.high <= figure.threshold;
}

bool is_beyond(const msg::Interval& interval, const msg::Figure& figure) {
  return figure.direction == msg::Direction::larger ? interval.high < figure.threshold
                                                    : interval.low > figure.threshold;
}

/// Why the figure is undecided; empty if its verdict can be given.
std::string doubt(const msg::Figure& figure, std::size_t pairs, std::size_t pairs_max) {
  const auto looks = looks_of(pairs_max);
  if (std::ranges::find(looks, pairs) == looks.end()) {
    const auto next = std::ranges::upper_bound(looks, pairs);
    return next == looks.end()
               ? fmt::format("{} pairs: more than the allowed {}", pairs, pairs_max)
               : fmt::format("the runs ended at {} pairs; the next verdict is at {}", pairs, *next);
  }
  if (!has_bounds(figure.ratio)) return fmt::format("{} pairs are too few for an interval", pairs);
  if (const double width = relative_half_width(figure.ratio); width > figure.half_width_max)
    return fmt::format("the interval is +-{:.2f} % wide, more than {:.2f} %", width * percent,
                       figure.half_width_max * percent);
  if (has_bounds(figure.noise) && (figure.noise.low > 1 || figure.noise.high < 1))
    return "native runs differ from native runs: the host was not quiet";
  if (!is_within(figure.ratio, figure) && !is_beyond(figure.ratio, figure))
    return "the threshold lies within the interval";
  return "";
}

}  // namespace

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double binomial_half_below(std::size_t n, std::size_t k) {
  const auto count = static_cast<double>(n);
  double sum = 0;
  for (std::size_t i = 0; i <= std::min(k, n); ++i) {
    const auto chosen = static_cast<double>(i);
    sum += std::exp(std::lgamma(count + 1) - std::lgamma(chosen + 1) -
                    std::lgamma(count - chosen + 1) - count * std::log(2.0));
  }
  return std::min(sum, 1.0);
}

msg::Interval interval_of(const std::vector<double>& values, double error) {
  msg::Interval interval{.median = median_of(values)};
  std::size_t rank = 0;  // the largest r with an error of at most `error`
  while (rank < values.size() / 2 && 2 * binomial_half_below(values.size(), rank) <= error) ++rank;
  if (rank == 0) return interval;
  std::vector<double> sorted = values;
  std::ranges::sort(sorted);
  interval.low = sorted[rank - 1];
  interval.high = sorted[sorted.size() - rank];
  return interval;
}

std::vector<double> ratios_of(const Paired& pairs) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(pairs.above.size(), pairs.below.size()); ++i)
    ratios.push_back(pairs.above[i] / pairs.below[i]);
  return ratios;
}

std::vector<std::size_t> looks_of(std::size_t pairs_max) {
  std::vector<std::size_t> looks;
  for (std::size_t pairs = first_look_pairs; pairs < pairs_max; pairs *= 2) looks.push_back(pairs);
  looks.push_back(pairs_max);
  return looks;
}

double relative_half_width(const msg::Interval& interval) {
  if (!has_bounds(interval)) return std::numeric_limits<double>::infinity();
  return std::max(interval.high - interval.median, interval.median - interval.low) /
         interval.median;
}

void judge(msg::Figure& figure, std::size_t pairs_max) {
  const double error = error_of_a_look(pairs_max);
  const auto ratios = ratios_of({.above = figure.virtual_, .below = figure.native});
  figure.native_median = median_of(figure.native);
  figure.virtual_median = median_of(figure.virtual_);
  figure.ratio = interval_of(ratios, error);
  figure.noise =
      interval_of(ratios_of({.above = figure.noise_second, .below = figure.noise_first}), error);
  figure.confidence = 1 - error;
  figure.reason = doubt(figure, ratios.size(), pairs_max);
  figure.verdict = !figure.reason.empty()            ? msg::Verdict::undecided
                   : is_within(figure.ratio, figure) ? msg::Verdict::within
                                                     : msg::Verdict::exceeded;
}

}  // namespace nucleus::overhead
