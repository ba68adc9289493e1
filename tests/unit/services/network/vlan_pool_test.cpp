// Which VLAN a cluster gets.
#include "services/network/vlan_pool.hpp"

#include <gtest/gtest.h>

#include <random>

namespace nucleus::network {
namespace {

TEST(VlanPool, LeasesTheLowestThatNobodyHas) {
  EXPECT_EQ(lowest_free_vlan({.first = 100, .last = 102}, {}), 100u);
  EXPECT_EQ(lowest_free_vlan({.first = 100, .last = 102}, {.leased = {100, 102}}), 101u);
}

TEST(VlanPool, LeavesThoseThatRestAndThePublicOne) {
  const VlanRange range{.first = 100, .last = 103, .public_vlan = 101};
  const VlanPool pool{.leased = {100}, .resting = {{102, 50}}};
  EXPECT_EQ(lowest_free_vlan(range, pool), 103u);
  EXPECT_EQ(count_free_vlans(range, pool), 1u);
}

TEST(VlanPool, HasNoneWhereAllAreLeasedOrRest) {
  const VlanRange range{.first = 100, .last = 101};
  const VlanPool pool{.leased = {100}, .resting = {{101, 50}}};
  EXPECT_EQ(lowest_free_vlan(range, pool), std::nullopt);
  EXPECT_EQ(count_free_vlans(range, pool), 0u);
}

TEST(VlanPool, EndsARestAtItsSecondAndNotBefore) {
  const VlanPool pool{.resting = {{100, 50}, {101, 51}}};
  EXPECT_TRUE(rested_vlans(pool, 49).empty());
  EXPECT_EQ(rested_vlans(pool, 50), std::vector<std::uint32_t>{100});
  EXPECT_EQ(rested_vlans(pool, 51).size(), 2u);
}

TEST(VlanPool, NeverGivesOneVlanToTwoClusters) {
  std::mt19937 random(20'260'601);
  const VlanRange range{.first = 2, .last = 20, .public_vlan = 7};
  constexpr std::int64_t rest_s = 10;
  VlanPool pool;
  std::map<std::uint32_t, std::int64_t> freed_at;
  std::size_t leases = 0;
  for (std::int64_t now = 0; now < 5000; ++now) {
    for (const auto vlan : rested_vlans(pool, now)) pool.resting.erase(vlan);
    if (random() % 2 == 0) {
      const auto vlan = lowest_free_vlan(range, pool);
      if (!vlan) continue;
      EXPECT_NE(*vlan, range.public_vlan);
      if (freed_at.contains(*vlan)) {
        EXPECT_GE(now - freed_at[*vlan], rest_s) << *vlan;
      }
      ASSERT_TRUE(pool.leased.insert(*vlan).second) << *vlan;
      ++leases;
    } else if (!pool.leased.empty()) {
      const auto victim = std::next(pool.leased.begin(),
                                    static_cast<std::ptrdiff_t>(random() % pool.leased.size()));
      freed_at[*victim] = now;
      pool.resting[*victim] = now + rest_s;
      pool.leased.erase(victim);
    }
  }
  EXPECT_GT(leases, 1000u);
}

}  // namespace
}  // namespace nucleus::network
