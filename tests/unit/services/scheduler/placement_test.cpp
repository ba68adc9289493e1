#include "services/scheduler/placement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/scheduler/charge.hpp"

namespace nucleus::scheduler {
namespace {

using testing::ElementsAre;

std::vector<HostRoom> two_hosts() {
  return {{.host_id = {"a"}, .cpus_free = 4, .memory_free_mb = 1000},
          {.host_id = {"b"}, .cpus_free = 6, .memory_free_mb = 500}};
}

std::vector<std::string> names(const std::optional<std::vector<msg::HostId>>& hosts) {
  std::vector<std::string> all;
  if (hosts)
    for (const auto& host : *hosts) all.push_back(host.value);
  return all;
}

TEST(Placement, TakesTheHostWithMostCpusFree) {
  auto rooms = two_hosts();
  EXPECT_THAT(names(place_together(rooms, {{2, 100, {}}, {2, 100, {}}, {2, 100, {}}})),
              ElementsAre("b", "a", "b"));
  EXPECT_EQ(rooms[0].cpus_free, 2);
  EXPECT_EQ(rooms[1].memory_free_mb, 300);
}

TEST(Placement, PassesAHostWithoutTheMemory) {
  auto rooms = two_hosts();
  EXPECT_THAT(names(place_together(rooms, {{1, 900, {}}})), ElementsAre("a"));
}

TEST(Placement, GivesNothingAndTakesNothingWhereNotAllFit) {
  auto rooms = two_hosts();
  EXPECT_FALSE(place_together(rooms, {{6, 100, {}}, {5, 100, {}}}));
  EXPECT_EQ(rooms[0].cpus_free, 4);
  EXPECT_EQ(rooms[1].cpus_free, 6);
}

TEST(Placement, KeepsToAHostThatIsNamed) {
  auto rooms = two_hosts();
  EXPECT_THAT(names(place_together(rooms, {{1, 1, {"a"}}})), ElementsAre("a"));
  EXPECT_FALSE(place_together(rooms, {{5, 1, {"a"}}}));
  EXPECT_FALSE(place_together(rooms, {{1, 1, {"nowhere"}}}));
}

TEST(Placement, NeverLendsMoreThanThereIs) {
  std::vector<HostRoom> rooms;
  for (int i = 0; i < 10; ++i)
    rooms.push_back({.host_id = {"h" + std::to_string(i)}, .cpus_free = 8, .memory_free_mb = 64});
  const std::vector<Need> needs(40, Need{2, 16, {}});
  ASSERT_TRUE(place_together(rooms, needs));
  for (const auto& room : rooms) {
    EXPECT_EQ(room.cpus_free, 0);
    EXPECT_EQ(room.memory_free_mb, 0);
  }
  EXPECT_FALSE(place_together(rooms, {{1, 1, {}}}));
}

TEST(Charge, CountsCoresBySeconds) {
  EXPECT_EQ(charge_core_s(8, 1000, 1060), 480);
  EXPECT_EQ(charge_core_s(8, 0, 1060), 0);
  EXPECT_EQ(charge_core_s(8, 1000, 900), 0);
}

}  // namespace
}  // namespace nucleus::scheduler
