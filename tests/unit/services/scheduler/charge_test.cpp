// What a computeset costs.
#include "services/scheduler/charge.hpp"

#include <gtest/gtest.h>

#include "services/scheduler/records.hpp"

namespace nucleus::scheduler {
namespace {

TEST(Charge, IsCoresTimesSeconds) {
  EXPECT_EQ(charge_core_s({}, {{1'000, 6}}, 1'060), 360);
  EXPECT_EQ(charge_core_s({}, {{1'700'000'000, 4096}}, 1'700'604'800), 4096LL * 604'800);
}

TEST(Charge, IsNothingForAComputesetThatNeverStarted) {
  EXPECT_EQ(charge_core_s({}, {}, 1'700'000'000), 0);
}

TEST(Charge, IsNeverNegativeAlthoughAClockWentBack) {
  EXPECT_EQ(charge_core_s({}, {{1'000, 6}}, 900), 0);
  EXPECT_EQ(charge_core_s({}, {{1'000, 6}}, 1'000), 0);
}

TEST(Charge, FollowsEachRateFromItsBeginning) {
  EXPECT_EQ(charge_core_s({}, {{1'000, 1}, {1'010, 60}, {1'015, 2}}, 1'020), 10 + 300 + 10);
  EXPECT_EQ(charge_core_s({}, {{1'000, 1}, {1'010, 60}}, 1'005), 5) << "it ended before the second";
}

TEST(Charge, ChangesFromAMomentOnAlsoAfterLaterChanges) {
  std::vector<ChargeRate> rates{{1'000, 4}};
  const auto charged = [&](std::int64_t from, std::int64_t to) {
    return charge_core_s({}, rates, to, {.from_unix_s = from});
  };
  add_resources(rates, 1'100, {.cpus = 2});
  add_resources(rates, 1'050, {.cpus = -1});
  EXPECT_EQ(charged(1'000, 1'050), 4 * 50);
  EXPECT_EQ(charged(1'050, 1'100), 3 * 50);
  EXPECT_EQ(charged(1'100, 1'200), 5 * 100);
  add_resources(rates, 1'100, {.cpus = 1});
  EXPECT_EQ(rates.size(), 3U) << "at the same second";
  EXPECT_EQ(charged(1'100, 1'200), 6 * 100);
  add_resources(rates, 900, {.cpus = -3});
  EXPECT_EQ(charged(900, 1'050), 50) << "before its start, it was not charged";
}

TEST(Charge, OfAPeriodIsOnlyWhatRanWithinIt) {
  const std::vector<ChargeRate> rates{{1'000, 2}, {1'100, 4}};
  EXPECT_EQ(charge_core_s({}, rates, 1'200, {.from_unix_s = 1'050}), 100 + 400);
  EXPECT_EQ(charge_core_s({}, rates, 1'200, {.to_unix_s = 1'150}), 200 + 200);
  EXPECT_EQ(charge_core_s({}, rates, 1'200, {.from_unix_s = 1'090, .to_unix_s = 1'110}), 20 + 40);
  EXPECT_EQ(charge_core_s({}, rates, 1'200, {.to_unix_s = 1'000}), 0);
  EXPECT_EQ(charge_core_s({}, rates, 1'200, {.from_unix_s = 1'200}), 0);
}

TEST(Charge, IsByTheClassesPriceOfCoresAndMemory) {
  const msg::Price price{.core_milli_su = 2'500, .gib_milli_su = 250};
  EXPECT_EQ(milli_su_of(price, 4, 8 * 1024), 4 * 2'500 + 8 * 250);
  EXPECT_EQ(charge_core_s(price, {{1'000, 4, 8 * 1024}}, 1'100), 12 * 100);
  EXPECT_EQ(charge_core_s({.core_milli_su = 0}, {{1'000, 4, 8 * 1024}}, 1'100), 0) << "it is free";
  EXPECT_EQ(charge_core_s({.core_milli_su = 0, .gib_milli_su = 1}, {{1'000, 4, 512}}, 1'100), 0)
      << "half a thousandth of a GiB is not charged";
}

TEST(Charge, OfTheLargestComputesetAtTheHighestPriceIsExact) {
  const msg::Price price{.core_milli_su = msg::price_milli_su_max,
                         .gib_milli_su = msg::price_milli_su_max};
  constexpr std::int64_t cores = 4096LL * 512;
  constexpr std::int64_t gib = 4096LL * 4096;
  constexpr std::int64_t year_s = 31'536'000;
  EXPECT_EQ(charge_core_s(price, {{0, cores, gib * 1024}}, year_s), (cores + gib) * 100 * year_s);
}

TEST(Charge, OfPeriodsThatFollowEachOtherAddUpToAllOfIt) {
  const msg::Price price{.core_milli_su = 333, .gib_milli_su = 7};
  const std::vector<ChargeRate> rates{{1'000, 5, 3'000}, {1'777, 1, 1'000}, {2'001, 9, 9'999}};
  const auto whole = charge_core_s(price, rates, 3'000);
  for (std::int64_t step : {1, 7, 13, 999}) {
    std::int64_t sum = 0;
    for (std::int64_t from = 900; from < 3'100; from += step)
      sum += charge_core_s(price, rates, 3'000, {.from_unix_s = from, .to_unix_s = from + step});
    EXPECT_EQ(sum, whole) << "in steps of " << step;
  }
}

TEST(Charge, OfAComputesetIsNeverMoreThanItsWalltimeWhateverTheClockDoes) {
  const auto charged = [](const std::vector<ChargeRate>& rates, std::int64_t end_unix_s) {
    const StoredComputeset stored{.computeset = {.walltime_mins = 60, .start_unix_s = 1'000'000},
                                  .rates = rates};
    return charged_core_s(stored, end_unix_s);
  };
  EXPECT_EQ(charged({{1'000'000, 4}}, 1'000'600), 4 * 600);
  EXPECT_EQ(charged({{1'000'000, 4}}, 1'086'400), 4 * 3600) << "the clock went forward a day";
  EXPECT_EQ(charged({{1'000'000, 4}}, 913'600), 0) << "the clock went back a day";
  EXPECT_EQ(charged({{1'000'000, 4}, {913'600, 8}}, 1'000'600), 8 * 600);
}

TEST(Charge, DecaysByTheAgeOfEachSecond) {
  constexpr std::int64_t half_life_s = 1'000;
  const auto counted = [&](std::int64_t end_unix_s, std::int64_t now_unix_s) {
    return charge_decayed_core_s({}, {{0, 4}}, end_unix_s, {}, now_unix_s, half_life_s);
  };
  EXPECT_NEAR(counted(10, 10), 4 * 10, 0.2) << "hardly, at first";
  double sum = 0;
  for (int age = 0; age < 1'000; ++age) sum += 4 * std::exp2(-(age + 0.5) / 1'000);
  EXPECT_NEAR(counted(1'000, 1'000), sum, 0.01) << "the sum over its seconds";
  EXPECT_NEAR(counted(1'000, 2'000), counted(1'000, 1'000) / 2, 1e-9);
  EXPECT_EQ(counted(1'000, 0), 0) << "not yet";
}

}  // namespace
}  // namespace nucleus::scheduler
