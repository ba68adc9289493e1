// Which number a cluster is leased.
#include "services/network/number_pool.hpp"

#include <gtest/gtest.h>

#include <random>

namespace nucleus::network {
namespace {

NumberPool a_pool(const NumberRange& range, const std::vector<std::uint32_t>& leased) {
  NumberPool pool(range);
  for (const auto vlan : leased) pool.lease(vlan);
  return pool;
}

TEST(NumberPool, LeasesTheLowestFreeVlan) {
  EXPECT_EQ(a_pool({.first = 100, .last = 102}, {}).lowest_free(), 100u);
  EXPECT_EQ(a_pool({.first = 100, .last = 102}, {100, 102}).lowest_free(), 101u);
}

TEST(NumberPool, SkipsQuarantinedVlansAndThePublicOne) {
  auto pool = a_pool({.first = 100, .last = 103, .reserved = 101}, {100, 102});
  pool.quarantine(102, 50);
  EXPECT_EQ(pool.lowest_free(), 103u);
  EXPECT_EQ(pool.count(NumberState::free), 1u);
  EXPECT_EQ(pool.state(102), NumberState::quarantined);
}

TEST(NumberPool, HasNoFreeVlanIfAllAreLeasedOrQuarantined) {
  auto pool = a_pool({.first = 100, .last = 101}, {100, 101});
  pool.quarantine(101, 50);
  EXPECT_EQ(pool.lowest_free(), std::nullopt);
  EXPECT_EQ(pool.count(NumberState::free), 0u);
}

TEST(NumberPool, EndsAQuarantineAtItsSecondAndNotBefore) {
  auto pool = a_pool({.first = 100, .last = 101}, {100, 101});
  pool.quarantine(100, 50);
  pool.quarantine(101, 51);
  EXPECT_TRUE(pool.due(49).empty());
  EXPECT_EQ(pool.due(50), std::vector<std::uint32_t>{100});
  EXPECT_EQ(pool.due(51).size(), 2u);
}

TEST(NumberPool, DoesNotLeaseAgainAVlanOutsideItsRange) {
  auto pool = a_pool({.first = 100, .last = 101, .reserved = 50}, {7, 50, 100, 101});
  for (const auto vlan : {7u, 50u}) {
    pool.quarantine(vlan, 1);
    pool.release(vlan);
  }
  EXPECT_EQ(pool.lowest_free(), std::nullopt);
}

TEST(NumberPoolDeathTest, AssertsThatEachTransitionIsAllowed) {
  auto pool = a_pool({.first = 100, .last = 101}, {100});
  EXPECT_DEATH(pool.lease(100), "assertion failed");
  EXPECT_DEATH(pool.release(100), "assertion failed");
  EXPECT_DEATH(pool.quarantine(101, 1), "assertion failed");
}

TEST(NumberPool, NeverLeasesOneVlanToTwoClusters) {
  std::mt19937 random(20'260'601);
  const NumberRange range{.first = 2, .last = 20, .reserved = 7};
  constexpr std::int64_t quarantine_length_s = 10;
  NumberPool pool(range);
  std::vector<std::uint32_t> leased;
  std::map<std::uint32_t, std::int64_t> freed_at;
  std::size_t leases = 0;
  for (std::int64_t now = 0; now < 5000; ++now) {
    for (const auto vlan : pool.due(now)) pool.release(vlan);
    if (random() % 2 == 0) {
      const auto vlan = pool.lowest_free();
      if (!vlan) continue;
      EXPECT_NE(*vlan, range.reserved);
      if (freed_at.contains(*vlan)) {
        EXPECT_GE(now - freed_at[*vlan], quarantine_length_s) << *vlan;
      }
      ASSERT_EQ(std::ranges::count(leased, *vlan), 0) << *vlan;
      pool.lease(*vlan);
      leased.push_back(*vlan);
      ++leases;
    } else if (!leased.empty()) {
      std::swap(leased[random() % leased.size()], leased.back());
      freed_at[leased.back()] = now;
      pool.quarantine(leased.back(), now + quarantine_length_s);
      leased.pop_back();
    }
  }
  EXPECT_GT(leases, 1000u);
}

}  // namespace
}  // namespace nucleus::network
