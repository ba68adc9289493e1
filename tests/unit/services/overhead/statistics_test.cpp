// The statistics of a certificate: known intervals, and properties over simulated runs from one
// seed.
#include "services/overhead/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>

namespace nucleus::overhead {
namespace {

using msg::Verdict;
using Random = std::mt19937_64;
using Draw = std::function<double(Random&)>;

std::vector<double> numbers_to(int last) {
  std::vector<double> values(static_cast<std::size_t>(last));
  std::iota(values.begin(), values.end(), 1.0);
  return values;
}

TEST(OverheadStatistics, TheMedianOfAnEvenNumberIsTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(median_of({}), 0);
  EXPECT_EQ(median_of({3, 1, 2}), 2);
  EXPECT_EQ(median_of({4, 1, 3, 2}), 2.5);
}

TEST(OverheadStatistics, TheBinomialDistributionIsThatOfTables) {
  EXPECT_NEAR(binomial_half_below(10, 1), 11.0 / 1024, 1e-12);
  EXPECT_NEAR(binomial_half_below(6, 0), 1.0 / 64, 1e-12);
  EXPECT_NEAR(binomial_half_below(9, 4), 0.5, 1e-12);
  EXPECT_NEAR(binomial_half_below(1'000, 500), 0.512612509, 1e-8);
  EXPECT_NEAR(binomial_half_below(5, 5), 1, 1e-12);
}

TEST(OverheadStatistics, TheIntervalHasTheRanksOfPublishedTables) {
  // Nonparametric 95 % intervals of the median: n = 6: 1 and 6; n = 10: 2 and 9; n = 20: 6 and 15;
  // n = 25: 8 and 18; n = 50: 18 and 33.
  for (const auto& [n, low, high] :
       {std::tuple{6, 1, 6}, std::tuple{10, 2, 9}, std::tuple{20, 6, 15}, std::tuple{25, 8, 18},
        std::tuple{50, 18, 33}}) {
    const auto interval = interval_of(numbers_to(n), 0.05);
    EXPECT_EQ(interval.low, low) << n;
    EXPECT_EQ(interval.high, high) << n;
  }
  EXPECT_EQ(interval_of(numbers_to(5), 0.05).low, 0) << "five values have no interval of 95 %";
  EXPECT_EQ(interval_of(numbers_to(5), 0.05).median, 3);
}

TEST(OverheadStatistics, TheDataAreLookedAtWhenTheirNumberHasDoubled) {
  EXPECT_EQ(looks_of(64), (std::vector<std::size_t>{8, 16, 32, 64}));
  EXPECT_EQ(looks_of(40), (std::vector<std::size_t>{8, 16, 32, 40}));
  EXPECT_EQ(looks_of(6), (std::vector<std::size_t>{6}));
  EXPECT_DOUBLE_EQ(error_of_a_look(64), 0.0125);
}

/// A figure whose samples are native and native * ratio.
msg::Figure a_figure(std::size_t pairs, double ratio, double threshold,
                     msg::Direction direction = msg::Direction::smaller) {
  msg::Figure figure{.direction = direction, .half_width_max = 0.02, .threshold = threshold};
  for (std::size_t i = 0; i < pairs; ++i) {
    const double native = 10 + static_cast<double>(i % 3) / 1'000;
    figure.native.push_back(native);
    figure.virtual_.push_back(native * ratio);
  }
  return figure;
}

Verdict judged(msg::Figure figure, std::size_t pairs_max = 64) {
  judge(figure, pairs_max);
  return figure.verdict;
}

TEST(OverheadStatistics, TheVerdictComparesTheWholeIntervalWithTheThreshold) {
  EXPECT_EQ(judged(a_figure(8, 1.2, 1.32)), Verdict::within);
  EXPECT_EQ(judged(a_figure(8, 1.4, 1.32)), Verdict::exceeded);
  EXPECT_EQ(judged(a_figure(8, 0.9, 1 / 1.21, msg::Direction::larger)), Verdict::within);
  EXPECT_EQ(judged(a_figure(8, 0.7, 1 / 1.21, msg::Direction::larger)), Verdict::exceeded);
}

TEST(OverheadStatistics, UndecidedHasAReason) {
  const auto reason = [](msg::Figure figure) {
    judge(figure, 64);
    EXPECT_EQ(figure.verdict, Verdict::undecided);
    return figure.reason;
  };
  EXPECT_EQ(reason(a_figure(7, 1.2, 1.32)), "the runs ended at 7 pairs; the next verdict is at 8");
  EXPECT_EQ(reason(a_figure(0, 1.2, 1.32)), "the runs ended at 0 pairs; the next verdict is at 8");
  auto wide = a_figure(8, 1.2, 1.32);
  wide.virtual_[0] *= 1.5;
  EXPECT_EQ(reason(wide), "the interval is +-50.00 % wide, more than 2.00 %");
  auto noisy = a_figure(8, 1.2, 1.32);
  for (int i = 0; i < 8; ++i) {
    noisy.noise_first.push_back(10);
    noisy.noise_second.push_back(10.5 + i / 100.0);
  }
  EXPECT_EQ(reason(noisy), "native runs differ from native runs: the host was not quiet");
  auto near = a_figure(8, 1.32, 1.32);
  near.virtual_[0] *= 1.01;
  near.virtual_[1] *= 0.99;
  EXPECT_EQ(reason(near), "the threshold lies within the interval");
  EXPECT_EQ(judged(a_figure(5, 1.2, 1.32), 5), Verdict::undecided) << "too few for an interval";
}

/// Runs a figure as a measurement does, two pairs at a time, until it is decided or `pairs_max`.
/// The native runs of a pair share the machine's drift with the virtual ones.
struct Simulation {
  Draw noise;             // factor of one run
  double drift = 0;       // relative, from one run to the next
  double true_ratio = 1;  // of the medians
  std::size_t pairs_max = 64;
  double half_width_max = 0.02;

  msg::Figure run(Random& random) const {
    msg::Figure figure{
        .direction = msg::Direction::smaller, .half_width_max = half_width_max, .threshold = 1.32};
    double level = 10;
    const auto measure = [&](double factor) {
      level *= 1 + drift;
      return level * factor * noise(random);
    };
    const auto looks = looks_of(pairs_max);
    while (figure.native.size() < pairs_max) {
      figure.native.push_back(measure(1));  // native, virtual, virtual, native
      figure.virtual_.push_back(measure(true_ratio));
      figure.virtual_.push_back(measure(true_ratio));
      figure.native.push_back(measure(1));
      judge(figure, pairs_max);
      if (figure.verdict != Verdict::undecided) break;
    }
    return figure;
  }
};

Draw lognormal(double deviation) {
  return [deviation](Random& random) {
    return std::exp(std::normal_distribution<>(0, deviation)(random));
  };
}

/// One run in ten is disturbed and takes up to half as long again.
Draw disturbed(double deviation) {
  return [deviation](Random& random) {
    const double usual = std::exp(std::normal_distribution<>(0, deviation)(random));
    const bool is_disturbed = std::uniform_real_distribution<>(0, 1)(random) < 0.1;
    return is_disturbed ? usual * std::uniform_real_distribution<>(1, 1.5)(random) : usual;
  };
}

/// The share of simulated runs whose interval does not contain the true ratio.
double misses(const Simulation& simulation, int runs) {
  Random random{20'140'501};
  int missed = 0;
  for (int i = 0; i < runs; ++i) {
    const auto interval = simulation.run(random).ratio;
    missed += interval.low > simulation.true_ratio || interval.high < simulation.true_ratio;
  }
  return static_cast<double>(missed) / runs;
}

TEST(OverheadStatistics, NativeAgainstNativeSeldomDiffersThoughTheDataAreLookedAtRepeatedly) {
  constexpr int runs = 1'000;
  for (const double deviation : {0.002, 0.01, 0.02, 0.05})
    for (const auto& draw : {lognormal(deviation), disturbed(deviation)})
      EXPECT_LE(misses({.noise = draw}, runs), error_max) << deviation;
  EXPECT_LE(misses({.noise = lognormal(0.01), .pairs_max = 8}, runs), error_max);
  EXPECT_LE(misses({.noise = lognormal(0.01), .pairs_max = 40, .half_width_max = 0.01}, runs),
            error_max);
}

TEST(OverheadStatistics, TheIntervalCoversOtherRatiosAsWell) {
  EXPECT_LE(misses({.noise = disturbed(0.02), .true_ratio = 1.28}, 1'000), error_max);
  EXPECT_LE(misses({.noise = lognormal(0.02), .true_ratio = 50}, 1'000), error_max);
}

TEST(OverheadStatistics, ASteadyDriftOfTheHostCancels) {
  // Within a block, one pair has the native run first and the other one last.
  EXPECT_LE(misses({.noise = lognormal(0.01), .drift = 0.001}, 1'000), error_max);
  EXPECT_LE(misses({.noise = lognormal(0.01), .drift = -0.001}, 1'000), error_max);
}

TEST(OverheadStatistics, ARatioBeyondTheThresholdSeldomPasses) {
  Random random{7};
  int passed = 0;
  constexpr int runs = 1'000;
  const Simulation simulation{.noise = disturbed(0.02), .true_ratio = 1.33};
  for (int i = 0; i < runs; ++i) passed += simulation.run(random).verdict == Verdict::within;
  EXPECT_LE(passed, runs * error_max / 2) << "one side of the interval";
}

TEST(OverheadStatistics, AQuietHostIsDecidedAtTheFirstLook) {
  Random random{1};
  const Simulation quiet{.noise = lognormal(0.003), .true_ratio = 1.1};
  for (int i = 0; i < 100; ++i) {
    const auto figure = quiet.run(random);
    EXPECT_EQ(figure.verdict, Verdict::within);
    EXPECT_EQ(figure.native.size(), first_look_pairs);
    EXPECT_LE(relative_half_width(figure.ratio), 0.02);
  }
}

TEST(OverheadStatistics, TheVerdictDoesNotDependOnTheUnit) {
  Random random{3};
  for (int i = 0; i < 100; ++i) {
    auto figure = Simulation{.noise = disturbed(0.03), .true_ratio = 1.3}.run(random);
    auto scaled = figure;
    for (auto* values : {&scaled.native, &scaled.virtual_})
      for (double& value : *values) value *= 1024;  // exact in binary
    judge(scaled, 64);
    EXPECT_EQ(scaled.ratio, figure.ratio);
    EXPECT_EQ(scaled.verdict, figure.verdict);
  }
}

}  // namespace
}  // namespace nucleus::overhead
