// Disks that are saved because their nodes went off, and the removal of old generations.
#include "services/scheduler/plan/automatic_saves.hpp"

#include <gtest/gtest.h>

#include "services/scheduler/plan/disk_work.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::DiskWorkKind;
using msg::DomainState;
using msg::PowerAction;

/// A generation of an automatic save, or one with a name.
msg::DiskGeneration a_generation(std::uint64_t number, std::uint64_t parent,
                                 const std::string& name = {}) {
  return {.number = number, .name = name, .parent = parent, .is_automatic = name.empty()};
}

/// A line of `count` generations that were saved automatically, the last one in use.
msg::DiskContent a_line(std::uint64_t count) {
  msg::DiskContent content{.generation = count};
  for (std::uint64_t i = 1; i <= count; ++i) content.generations.push_back(a_generation(i, i - 1));
  return content;
}

StoredNode with(msg::DiskContent content) {
  StoredNode node;
  node.disk = std::move(content);
  return node;
}

TEST(RemovableRun, IsOfOldAutomaticGenerationsAlone) {
  EXPECT_FALSE(removable_run(with(a_line(2)), 0)) << "the newest two are kept";
  EXPECT_EQ(removable_run(with(a_line(5)), 0), (RemovableRun{1, 3}));
  EXPECT_FALSE(removable_run(with(a_line(6)), 4)) << "too few to be worth it";
  EXPECT_EQ(removable_run(with(a_line(7)), 4), (RemovableRun{1, 5}));
}

TEST(RemovableRun, PassesOverWhatIsNamedContinuedTwiceOrInUse) {
  auto named = a_line(8);
  named.generations[1] = a_generation(2, 1, "clean");
  EXPECT_EQ(removable_run(with(named), 0), (RemovableRun{3, 6})) << "the longest";
  auto branched = a_line(8);
  branched.generations.push_back(a_generation(9, 4, "branch"));
  EXPECT_EQ(removable_run(with(branched), 0), (RemovableRun{1, 3}));
  auto rolled_back = a_line(8);
  rolled_back.generation = 3;
  EXPECT_EQ(removable_run(with(rolled_back), 0), (RemovableRun{4, 6}));
}

TEST(RemovableRun, LeavesWhatADiskOnAHostContinues) {
  auto node = with(a_line(4));
  node.disk.generation = 2;
  EXPECT_EQ(removable_run(node, 0), (RemovableRun{1, 1}));
  node.disk_host_id = {"h1"};
  EXPECT_FALSE(removable_run(node, 0));
}

/// Frontend `c` has a disk, on a host or in the image store, and is saved when it has gone off.
struct AutomaticSaves : testing::Test {
  void define(bool keeps_volumes, bool is_saved = true) {
    if (keeps_volumes)
      small.add_host_with_volumes("h1", 8);
    else
      small.add_host("h1", 8);
    small.add_cluster("c", 1);
    for (const auto* id : {"c-0", "c-1"}) small.give_disk({id});
    set_policy(is_saved);
  }
  void set_policy(bool is_saved) {
    for (std::uint32_t i = 0; i < 2; ++i) {
      auto node = small.definition("c", i);
      node.save_at_power_off = is_saved;
      small.define(node);
    }
  }
  void start() {
    ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
    small.observe("c-0", DomainState::running);
  }
  void run_once(DomainState end = DomainState::shutoff) {
    start();
    ASSERT_TRUE(small.power("c-0", PowerAction::shutdown));
    small.observe("c-0", end);
  }
  void report(msg::DiskContent content, const std::string& reason = {}) {
    content.ended_work_id = work().work_id;
    content.reason = reason;
    small.apply(plan_volume(
        small.view,
        {.volume = small.node("c-0").volume, .is_ready = true, .disk = std::move(content)},
        small.now_unix_ms));
  }
  const msg::DiskWork& work() { return small.node("c-0").disk_work; }
  SmallDeployment small = {};
};

TEST_F(AutomaticSaves, BeginWhenTheNodeHasGoneOff) {
  define(false);
  run_once();
  ASSERT_TRUE(msg::is_under_way(work()));
  EXPECT_EQ(work().kind, DiskWorkKind::save);
  const auto works = disk_works(small.view);
  ASSERT_EQ(works.size(), 1U);
  EXPECT_TRUE(works[0].is_automatic);
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron)) << "it is accepted, and waits";
  EXPECT_EQ(small.host_of("c-0"), "");
  EXPECT_EQ(small.node("c-0").reason, "its disk is being saved");
  report(a_line(1));
  small.pass();
  EXPECT_EQ(small.host_of("c-0"), "h1");
  const auto first = work().work_id;
  small.observe("c-0", DomainState::running);
  small.observe("c-0", DomainState::crashed);
  ASSERT_TRUE(msg::is_under_way(work())) << "a crash is an end too";
  EXPECT_NE(work().work_id, first);
}

TEST_F(AutomaticSaves, BeginAtTheEndOfAComputeset) {
  define(false);
  const auto id = small.start("c", 1);
  small.observe("c-1", DomainState::running);
  small.apply(*plan_power_computeset(
      small.view, {.computeset_id = id, .viewer = as_operator, .action = PowerAction::shutdown},
      small.now_unix_ms));
  small.observe("c-1", DomainState::shutoff);
  EXPECT_TRUE(msg::is_under_way(small.node("c-1").disk_work));
}

TEST_F(AutomaticSaves, AreNotMadeWithoutThePolicyOrOfADiskThatNoGuestUsed) {
  define(true, false);
  run_once();
  EXPECT_EQ(work().work_id, "");
  set_policy(true);
  EXPECT_EQ(work().work_id, "") << "from the next power-off on";
  EXPECT_FALSE(small.node("c-0").is_save_due);
}

TEST_F(AutomaticSaves, SayWhyThereIsNoRoomAndLetTheNodeStart) {
  define(false);
  auto full = a_line(msg::generations_max);
  for (auto& one : full.generations) one = a_generation(one.number, one.parent, "g");
  report(full);
  run_once();
  EXPECT_FALSE(msg::is_under_way(work()));
  EXPECT_EQ(work().reason, "the disk has 16 generations, the most that there may be: remove one");
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(small.host_of("c-0"), "h1");
}

TEST_F(AutomaticSaves, MakeRoomFirstInAListThatIsFull) {
  define(false);
  report(a_line(msg::generations_max));
  run_once();
  ASSERT_TRUE(msg::is_under_way(work()));
  EXPECT_EQ(work().kind, DiskWorkKind::remove);
  EXPECT_EQ(disk_works(small.view)[0].first_generation, 1U);
  EXPECT_EQ(disk_works(small.view)[0].generation, 14U);
  auto left = a_line(16);
  left.generations.erase(left.generations.begin(), left.generations.begin() + 14);
  left.generations[0].parent = 0;
  report(left);
  ASSERT_TRUE(msg::is_under_way(work()));
  EXPECT_EQ(work().kind, DiskWorkKind::save);
}

TEST_F(AutomaticSaves, AreSkippedWhenRoomCannotBeMade) {
  define(false);
  report(a_line(msg::generations_max));
  run_once();
  report(a_line(msg::generations_max), "the generations cannot be merged");
  EXPECT_FALSE(msg::is_under_way(work()));
  EXPECT_EQ(work().kind, DiskWorkKind::save);
  EXPECT_NE(work().reason, "");
}

TEST_F(AutomaticSaves, RemoveOldGenerationsAfterASaveUnlessTheNodeIsToStart) {
  define(false);
  report(a_line(6));
  run_once();
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  report(a_line(7));
  small.pass();
  EXPECT_EQ(small.host_of("c-0"), "h1") << "it does not wait for that";
  small.observe("c-0", DomainState::running);
  ASSERT_TRUE(small.power("c-0", PowerAction::poweroff));
  small.observe("c-0", DomainState::shutoff);
  report(a_line(8));
  ASSERT_TRUE(msg::is_under_way(work()));
  EXPECT_EQ(work().kind, DiskWorkKind::remove);
  EXPECT_EQ(work().first_generation, 1U);
  EXPECT_EQ(work().generation, 6U);
}

TEST_F(AutomaticSaves, WaitForTheHostOfTheDisk) {
  define(true);
  start();
  small.lose("h1");
  ASSERT_TRUE(small.node("c-0").is_save_due);
  EXPECT_FALSE(msg::is_under_way(work()));
  EXPECT_TRUE(plan_due_saves(small.view, small.now_unix_ms).empty());
  const auto shown = disk_of(small.node("c-0"));
  EXPECT_TRUE(shown.is_save_due);
  EXPECT_TRUE(shown.is_changed);
  EXPECT_EQ(shown.host_id.value, "h1");
  small.apply(plan_host_report(small.view,
                               {.host_id = {"h1"},
                                .process = "provisioner/h1",
                                .cpus = 8,
                                .memory_mb = 100'000,
                                .keeps_volumes = true},
                               small.now_unix_ms));
  small.apply(plan_due_saves(small.view, small.now_unix_ms));
  EXPECT_TRUE(msg::is_under_way(work()) || !small.host_of("c-0").empty());
}

TEST_F(AutomaticSaves, DoNotKeepANodeFromItsLastGenerationWhenTheHostIsLost) {
  define(true);
  run_once();
  ASSERT_TRUE(msg::is_under_way(work()));
  const auto roll_back = [&] {
    return plan_disk_work(
        small.view,
        {.node = {.node_id = {"c-0"}}, .viewer = as_operator, .kind = DiskWorkKind::roll_back},
        "w1", small.now_unix_ms);
  };
  EXPECT_FALSE(roll_back()) << "the host sends it";
  small.lose("h1");
  auto plan = roll_back();
  ASSERT_TRUE(plan) << plan.error().detail;
  small.apply(std::move(*plan));
  EXPECT_EQ(disk_works(small.view).size(), 1U) << "it does not wait for the lost host";
  report({});
  small.add_host_with_volumes("h2", 8);
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(small.host_of("c-0"), "h2");
  EXPECT_EQ(disks_to_remove(small.view, {"h1"}), std::vector<msg::NodeId>{{"c-0"}});
}

TEST_F(AutomaticSaves, KeepANodeOffWhileAHostThatIsBackHasItsFormerDisk) {
  define(true);
  run_once();
  small.lose("h1");
  small.apply(*plan_disk_work(
      small.view,
      {.node = {.node_id = {"c-0"}}, .viewer = as_operator, .kind = DiskWorkKind::roll_back}, "w1",
      small.now_unix_ms));
  report({});
  small.add_host_with_volumes("h1", 8);
  (void)small.power("c-0", PowerAction::poweron);
  EXPECT_EQ(small.host_of("c-0"), "");
  small.apply(plan_disks_removed(small.view, {"h1"}, {.nodes = {{"c-0"}}}, small.now_unix_ms));
  (void)small.power("c-0", PowerAction::poweron);
  small.pass();
  EXPECT_EQ(small.host_of("c-0"), "h1");
}

}  // namespace
}  // namespace nucleus::scheduler
