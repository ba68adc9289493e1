// The statistics of a certificate: the median of paired ratios, its confidence interval, when runs
// may end, and the verdict. Pure.
//
// The interval of the median is that of the sign test: with r order statistics left out at each
// end, [x(r), x(n+1-r)] misses the median of any distribution with a probability of at most
// 2 P(Bin(n, 1/2) <= r - 1) (H. A. David and H. N. Nagaraja, Order Statistics, 3rd ed., 2003,
// section 7.1). It assumes neither a normal distribution nor equal variances.
//
// Runs repeat until the interval is narrow enough, so the data are looked at several times. The
// numbers of pairs at which they are looked at are fixed beforehand, and each of K looks has an
// error of at most 0.05 / K: by Bonferroni's inequality all intervals of a figure together miss the
// median with a probability of at most 0.05, whenever the runs end.
#pragma once

#include <cstddef>
#include <vector>

#include "messages/overhead.hpp"

namespace nucleus::overhead {

constexpr double error_max = 0.05;
constexpr std::size_t first_look_pairs = 8;

/// The median; of an even number of values, the mean of the middle two. 0 if there are none.
double median_of(std::vector<double> values);

/// P(Bin(n, 1/2) <= k).
double binomial_half_below(std::size_t n, std::size_t k);

/// The interval that misses the median with a probability of at most `error`. low and high are 0 if
/// there are too few values.
msg::Interval interval_of(const std::vector<double>& values, double error);

/// first[i] / second[i], of the pairs that are complete. `above` is divided by `below`.
struct Paired {
  const std::vector<double>& above;
  const std::vector<double>& below;
};
std::vector<double> ratios_of(const Paired& pairs);

/// The numbers of pairs at which the data are looked at: 8, 16, 32 … and `pairs_max`.
std::vector<std::size_t> looks_of(std::size_t pairs_max);

inline double error_of_a_look(std::size_t pairs_max) {
  return error_max / static_cast<double>(looks_of(pairs_max).size());
}

/// The larger distance of the interval's ends from its median, relative to the median. Infinite if
/// there is no interval.
double relative_half_width(const msg::Interval& interval);

/// Sets the medians, intervals, verdict and reason of a figure from its samples. It stays
/// `undecided` unless the number of its pairs is one of the looks.
void judge(msg::Figure& figure, std::size_t pairs_max);

}  // namespace nucleus::overhead
