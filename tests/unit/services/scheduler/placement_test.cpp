// Placement, compared with a search of every assignment on small cases.
#include "services/scheduler/placement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace nucleus::scheduler {
namespace {

using testing::ElementsAre;

HostPool two_hosts() {
  HostPool pool;
  pool.put({"a"}, {.cpus = 4, .memory_mb = 1000}, true);
  pool.put({"b"}, {.cpus = 6, .memory_mb = 500}, true);
  return pool;
}

using Placed = std::optional<std::vector<msg::HostId>>;

Placed place(HostPoolDraft& pool, const std::vector<Need>& needs) {
  std::size_t steps_left = search_steps_max;
  return place_together(pool, needs, steps_left);
}

std::vector<std::string> names(const Placed& hosts) {
  std::vector<std::string> all;
  if (hosts)
    for (const auto& host : *hosts) all.push_back(host.value);
  return all;
}

Need need(std::int64_t cpus, std::int64_t memory_mb, const std::string& host = "") {
  return {.size = {.cpus = cpus, .memory_mb = memory_mb}, .host_id = {host}};
}

TEST(Placement, TakesTheHostWithMostCpusFree) {
  const auto pool = two_hosts();
  HostPoolDraft draft{pool};
  EXPECT_THAT(names(place(draft, {need(2, 100), need(2, 100), need(2, 100)})),
              ElementsAre("b", "a", "b"));
  EXPECT_EQ(draft.free({"a"}), (Resources{.cpus = 2, .memory_mb = 900}));
  EXPECT_EQ(draft.free({"b"}), (Resources{.cpus = 2, .memory_mb = 300}));
  EXPECT_EQ(draft.open_free(), (Resources{.cpus = 4, .memory_mb = 1200}));
}

TEST(Placement, PassesOverAHostWithoutTheMemory) {
  const auto pool = two_hosts();
  HostPoolDraft draft{pool};
  EXPECT_THAT(names(place(draft, {need(1, 900)})), ElementsAre("a"));
}

TEST(Placement, GivesHostsToAsManyAsFitIfEnoughDo) {
  const auto pool = two_hosts();
  std::size_t steps_left = search_steps_max;
  HostPoolDraft draft{pool};
  const Needs five{.all = std::vector<Need>(5, need(3, 100)), .count_min = 3};
  EXPECT_THAT(names(place_most(draft, five, steps_left)), ElementsAre("b", "a", "b", "", ""));
  EXPECT_EQ(draft.open_free().cpus, 1);

  HostPoolDraft untouched{pool};
  const Needs too_many{.all = five.all, .count_min = 4};
  EXPECT_FALSE(place_most(untouched, too_many, steps_left));
  EXPECT_EQ(untouched.open_free().cpus, 10) << "nothing is taken";

  HostPoolDraft mixed{pool};
  const Needs sizes{.all = {need(6, 100), need(5, 100), need(1, 100)}, .count_min = 1};
  EXPECT_THAT(names(place_most(mixed, sizes, steps_left)), ElementsAre("", "b", "b"))
      << "the smallest first";
  HostPoolDraft named{pool};
  const Needs on_hosts{.all = {need(1, 100, "x"), need(1, 100, "a")}, .count_min = 1};
  EXPECT_THAT(names(place_most(named, on_hosts, steps_left)), ElementsAre("", "a"));
}

TEST(Placement, OfTheFewestNodesIsSearchedForIfTheSmallestFirstDoesNotFindIt) {
  HostPool pool;
  pool.put({"a"}, {.cpus = 4, .memory_mb = 1000}, true);
  pool.put({"b"}, {.cpus = 3, .memory_mb = 1000}, true);
  std::size_t steps_left = search_steps_max;
  HostPoolDraft draft{pool};
  // 2 and 2 on `a`, 3 on `b`: on the host with most CPUs free each, 3 finds none.
  const Needs needs{.all = {need(2, 1), need(2, 1), need(3, 1), need(4, 1)}, .count_min = 3};
  EXPECT_THAT(names(place_most(draft, needs, steps_left)), ElementsAre("a", "a", "b", ""));
}

TEST(Placement, GivesNothingAndTakesNothingIfNotAllFit) {
  const auto pool = two_hosts();
  HostPoolDraft draft{pool};
  EXPECT_FALSE(place(draft, {need(6, 100), need(5, 100)}));
  EXPECT_FALSE(place(draft, {need(3, 100), need(3, 100), need(3, 100), need(1, 1200)}));
  EXPECT_EQ(draft.free({"a"}).cpus, 4);
  EXPECT_EQ(draft.free({"b"}).cpus, 6);
}

TEST(Placement, KeepsToAHostThatIsNamed) {
  const auto pool = two_hosts();
  HostPoolDraft draft{pool};
  EXPECT_THAT(names(place(draft, {need(1, 1, "a")})), ElementsAre("a"));
  EXPECT_FALSE(place(draft, {need(5, 1, "a")}));
  EXPECT_FALSE(place(draft, {need(1, 1, "nowhere")}));
}

TEST(Placement, NeverTakesAClosedHost) {
  auto pool = two_hosts();
  pool.put({"b"}, {.cpus = 6, .memory_mb = 500}, false);
  HostPoolDraft draft{pool};
  EXPECT_THAT(names(place(draft, {need(1, 1)})), ElementsAre("a"));
  EXPECT_FALSE(place(draft, {need(1, 1, "b")}));
}

TEST(Placement, NeverGivesMoreThanThereIs) {
  HostPool pool;
  for (int i = 0; i < 10; ++i)
    pool.put({"h" + std::to_string(i)}, {.cpus = 8, .memory_mb = 64}, true);
  HostPoolDraft draft{pool};
  ASSERT_TRUE(place(draft, std::vector<Need>(40, need(2, 16))));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(draft.free({"h" + std::to_string(i)}), Resources{});
  EXPECT_FALSE(place(draft, {need(1, 1)}));
}

TEST(Placement, CountsAHostThatBecameTooSmallAsFull) {
  auto pool = two_hosts();
  pool.use({"a"}, {.cpus = 10, .memory_mb = 2000});
  HostPoolDraft draft{pool};
  EXPECT_THAT(names(place(draft, {need(6, 500)})), ElementsAre("b"));
  EXPECT_FALSE(place(draft, {need(1, 1)}));
}

TEST(Placement, MovesSmallNodesOutOfTheWayOfLargeOnes) {
  HostPool pool;
  pool.put({"a"}, {.cpus = 4, .memory_mb = 100}, true);
  pool.put({"b"}, {.cpus = 3, .memory_mb = 100}, true);
  HostPoolDraft draft{pool};
  EXPECT_THAT(names(place(draft, {need(3, 1), need(4, 1)})), ElementsAre("b", "a"));
}

TEST(Placement, GivesUpWhenItsStepsRunOutAndTakesNothing) {
  HostPool pool;
  pool.put({"a"}, {.cpus = 4, .memory_mb = 100}, true);
  pool.put({"b"}, {.cpus = 3, .memory_mb = 100}, true);
  HostPoolDraft draft{pool};
  std::size_t steps_left = 1;
  EXPECT_FALSE(place_together(draft, std::vector{need(3, 1), need(4, 1)}, steps_left));
  EXPECT_EQ(steps_left, 0U);
  EXPECT_EQ(draft.open_free().cpus, 7);
}

TEST(Placement, LeavesAHostToTheNodeThatCanBeOnNoOther) {
  HostPool pool;
  pool.put({"a"}, {.cpus = 4, .memory_mb = 100}, true);
  pool.put({"b"}, {.cpus = 4, .memory_mb = 100}, true, true);
  HostPoolDraft draft{pool};
  Need in_store = need(4, 1);
  in_store.is_disk_in_store = true;
  EXPECT_THAT(names(place(draft, {need(4, 1), in_store})), ElementsAre("b", "a"));
  HostPoolDraft named{pool};
  EXPECT_THAT(names(place(named, {need(4, 1), need(4, 1, "a")})), ElementsAre("b", "a"));
  HostPoolDraft full{pool};
  EXPECT_FALSE(place(full, {in_store, in_store}));
  EXPECT_FALSE(place(full, {[&] {
                       Need both = in_store;
                       both.host_id = {"b"};
                       return both;
                     }()}));
}

struct SmallCase {
  HostPool pool = {};
  std::vector<Resources> free = {};
  std::vector<Need> needs = {};
};

std::string host_name(std::size_t i) {
  return "h" + std::to_string(i);
}

/// Every assignment of the needs to the hosts is tried.
bool some_assignment_exists(const HostPool& pool, std::vector<Resources> free,
                            const std::vector<Need>& needs, std::size_t i = 0) {
  if (i == needs.size()) return true;
  for (std::size_t h = 0; h < free.size(); ++h) {
    const msg::HostId id{host_name(h)};
    if (!fits(needs[i].size, free[h]) || !may_host(id, *pool.find(id), needs[i])) continue;
    free[h] -= needs[i].size;
    if (some_assignment_exists(pool, free, needs, i + 1)) return true;
    free[h] += needs[i].size;
  }
  return false;
}

enum class Kind { one_size, sizes, disks, places };

SmallCase a_small_case(std::mt19937& random, Kind kind) {
  const auto pick = [&](int least, int most) {
    return std::uniform_int_distribution<std::int64_t>{least, most}(random);
  };
  SmallCase one;
  const auto hosts = pick(1, 4);
  for (std::int64_t i = 0; i < hosts; ++i) {
    const Resources total{.cpus = pick(1, 8), .memory_mb = pick(1, 8)};
    one.free.push_back(total);
    HostPlace place;
    if (kind == Kind::places)
      place = {.host_class = pick(0, 2) == 0 ? "gpu" : "default",
               .rack = "r" + std::to_string(pick(1, 3))};
    one.pool.put({host_name(static_cast<std::size_t>(i))}, total, true,
                 kind == Kind::disks && pick(0, 1) == 1, false, place);
  }
  const auto nodes = pick(1, 6);
  const auto same = need(pick(1, 4), pick(1, 4));
  for (std::int64_t i = 0; i < nodes; ++i)
    one.needs.push_back(kind == Kind::one_size ? same : need(pick(1, 5), pick(1, 5)));
  if (kind == Kind::places)
    for (auto& each : one.needs)
      if (pick(0, 2) > 0) each.host_class = "default";
  if (kind == Kind::disks)
    for (auto& each : one.needs) {
      if (pick(0, 2) == 0)
        each.host_id = {host_name(static_cast<std::size_t>(pick(0, static_cast<int>(hosts) - 1)))};
      else
        each.is_disk_in_store = pick(0, 2) == 0;
    }
  return one;
}

void expect_complete(Kind kind) {
  int placed = 0;
  for (unsigned seed = 1; seed <= 2000; ++seed) {
    std::mt19937 random{seed};
    const auto one = a_small_case(random, kind);
    HostPoolDraft draft{one.pool};
    const auto hosts = place(draft, one.needs);
    ASSERT_EQ(hosts.has_value(), some_assignment_exists(one.pool, one.free, one.needs))
        << "seed " << seed;
    if (!hosts) continue;
    ++placed;
    auto free = one.free;
    for (std::size_t i = 0; i < hosts->size(); ++i)
      free[static_cast<std::size_t>((*hosts)[i].value[1] - '0')] -= one.needs[i].size;
    for (std::size_t i = 0; i < free.size(); ++i) {
      EXPECT_TRUE(fits({}, free[i])) << "seed " << seed;
      EXPECT_EQ(draft.free({"h" + std::to_string(i)}), free[i]) << "seed " << seed;
    }
    EXPECT_FALSE(can_never_fit(one.pool, one.needs)) << "seed " << seed;
  }
  EXPECT_GT(placed, 100);
  EXPECT_LT(placed, 1800);
}

TEST(Placement, OfNodesOfOneSizeFindsAnAssignmentWheneverOneExists) {
  expect_complete(Kind::one_size);
}

TEST(Placement, OfNodesOfDifferentSizesFindsAnAssignmentWheneverOneExistsInSmallCases) {
  expect_complete(Kind::sizes);
}

TEST(Placement, OfNodesWhoseDisksAreSomewhereFindsAnAssignmentWheneverOneExistsInSmallCases) {
  expect_complete(Kind::disks);
}

TEST(Placement, OnHostsOfAClassFindsAnAssignmentWheneverOneExistsInSmallCases) {
  expect_complete(Kind::places);
}

/// Of those, the racks in which an assignment exists.
std::set<std::string> racks_with_room(const SmallCase& one) {
  std::set<std::string> racks;
  for (const auto& [rack, known] : one.pool.racks()) {
    auto free = one.free;
    for (std::size_t h = 0; h < free.size(); ++h)
      if (one.pool.find({host_name(h)})->place.rack != rack) free[h] = {};
    if (some_assignment_exists(one.pool, free, one.needs)) racks.insert(rack);
  }
  return racks;
}

TEST(Placement, OfNodesOfOneSizeIsInOneRackWheneverOneHasRoom) {
  int placed = 0;
  for (unsigned seed = 1; seed <= 2000; ++seed) {
    std::mt19937 random{seed};
    auto one = a_small_case(random, Kind::places);
    std::ranges::fill(one.needs, one.needs.front());
    const auto possible = racks_with_room(one);
    if (possible.empty() || one.needs.size() == 1) continue;
    ++placed;
    HostPoolDraft draft{one.pool};
    const auto hosts = place(draft, one.needs);
    ASSERT_TRUE(hosts) << "seed " << seed;
    std::set<std::string> used;
    for (const auto& host : *hosts) used.insert(one.pool.find(host)->place.rack);
    EXPECT_EQ(used.size(), 1U) << "seed " << seed;
    EXPECT_TRUE(possible.contains(*used.begin())) << "seed " << seed;
  }
  EXPECT_GT(placed, 100);
}

TEST(Placement, KeepsTheLargestRackForLargerComputesets) {
  HostPool pool;
  for (const auto& [host, rack, cpus] :
       {std::tuple{"a", "r1", 8}, {"b", "r1", 8}, {"c", "r2", 4}, {"d", "r2", 4}, {"e", "", 3}})
    pool.put({host}, {.cpus = cpus, .memory_mb = 100}, true, false, false, {.rack = rack});
  HostPoolDraft draft{pool};
  EXPECT_THAT(names(place(draft, {need(3, 1), need(3, 1)})), ElementsAre("c", "d"));
  EXPECT_THAT(names(place(draft, {need(1, 1), need(1, 1)})), ElementsAre("c", "d"));
  EXPECT_THAT(names(place(draft, {need(8, 1), need(8, 1)})), ElementsAre("a", "b"));
  EXPECT_FALSE(place(draft, {need(3, 1), need(3, 1)}));
}

TEST(Placement, FillsFewRacksIfNoneHasRoomForAll) {
  HostPool pool;
  for (const auto& [host, rack] : {std::pair{"a", "r1"}, {"b", "r2"}, {"c", "r2"}, {"d", "r3"}})
    pool.put({host}, {.cpus = 2, .memory_mb = 100}, true, false, false, {.rack = rack});
  HostPoolDraft draft{pool};
  const auto hosts = names(place(draft, std::vector<Need>(5, need(1, 1))));
  EXPECT_EQ(std::set<std::string>(hosts.begin(), hosts.end()).size(), 3U);
  EXPECT_EQ(std::ranges::count(hosts, "b") + std::ranges::count(hosts, "c"), 4)
      << "the rack with most room is full";
}

TEST(Placement, OfNodesOfOneSizeKnowsWhatCanNeverFit) {
  for (unsigned seed = 1; seed <= 1000; ++seed) {
    std::mt19937 random{seed};
    const auto one = a_small_case(random, Kind::one_size);
    EXPECT_EQ(can_never_fit(one.pool, one.needs),
              !some_assignment_exists(one.pool, one.free, one.needs))
        << "seed " << seed;
  }
}

TEST(Placement, IsPossibleLaterOnAHostThatIsFullOrClosedNow) {
  auto pool = two_hosts();
  pool.use({"a"}, {.cpus = 4, .memory_mb = 1000});
  pool.put({"b"}, {.cpus = 6, .memory_mb = 500}, false);
  const std::vector<Need> both{need(4, 100), need(6, 500)};
  EXPECT_FALSE(can_never_fit(pool, both));
  EXPECT_TRUE(can_never_fit(pool, std::vector{need(7, 1)}));
  EXPECT_TRUE(can_never_fit(pool, std::vector{need(6, 1), need(5, 1)}));
}

}  // namespace
}  // namespace nucleus::scheduler
