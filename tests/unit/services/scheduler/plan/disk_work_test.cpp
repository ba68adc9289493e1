// A disk is worked on while its node is off, and the node does not start before the work has ended.
#include "services/scheduler/plan/disk_work.hpp"

#include <gtest/gtest.h>

#include "services/scheduler/states/remedy.hpp"
#include "services/scheduler/states/wait.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using msg::DiskWorkKind;
using msg::DomainState;
using msg::PowerAction;

/// Frontend `c` has run, and its disk is in the image store.
struct DiskWork : testing::Test {
  DiskWork() {
    small.add_host("h1", 8);
    small.add_cluster("c", 1);
    for (const auto* id : {"c-0", "c-1"}) small.give_disk({id});
    run_once();
  }
  void run_once() {
    ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
    small.observe("c-0", DomainState::running);
    ASSERT_TRUE(small.power("c-0", PowerAction::poweroff));
    small.observe("c-0", DomainState::shutoff);
  }
  core::Result<Shown> change(msg::ChangeDisk request, const std::string& work_id) {
    request.node = {.node_id = {"c-0"}};
    request.viewer = as_operator;
    auto plan = plan_disk_work(small.view, request, work_id, small.now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    return small.apply(std::move(*plan));
  }
  core::Result<Shown> save(const std::string& work_id, const std::string& name = {}) {
    return change({.kind = DiskWorkKind::save, .name = name}, work_id);
  }
  core::Result<Shown> roll_back(const std::string& work_id, std::uint64_t generation) {
    return change({.kind = DiskWorkKind::roll_back, .generation = generation}, work_id);
  }
  core::Result<Shown> remove(const std::string& work_id, std::uint64_t generation) {
    return change({.kind = DiskWorkKind::remove, .generation = generation}, work_id);
  }
  /// The image store reports the end of the work.
  void report(msg::DiskContent content) {
    small.apply(plan_volume(
        small.view,
        {.volume = small.node("c-0").volume, .is_ready = true, .disk = std::move(content)},
        small.now_unix_ms));
  }
  void report_saved(const std::string& work_id, std::uint64_t count) {
    msg::DiskContent content{.generation = count, .ended_work_id = work_id};
    for (std::uint64_t i = 1; i <= count; ++i)
      content.generations.push_back(
          {.number = i, .name = "g" + std::to_string(i), .parent = i - 1});
    report(std::move(content));
  }
  const msg::DiskWork& work() { return small.node("c-0").disk_work; }
  SmallDeployment small = {};
};

TEST_F(DiskWork, IsShownUntilTheImageStoreHasDoneIt) {
  const auto shown = save("w1", "clean");
  ASSERT_TRUE(shown) << shown.error().detail;
  ASSERT_EQ(shown->nodes.size(), 1U);
  EXPECT_EQ(shown->nodes[0].reason, "its disk is being saved");
  EXPECT_EQ(shown->nodes[0].state, msg::NodeState::shutoff);
  const auto works = disk_works(small.view);
  ASSERT_EQ(works.size(), 1U);
  EXPECT_EQ(works[0].work_id, "w1");
  EXPECT_EQ(works[0].kind, DiskWorkKind::save);
  EXPECT_EQ(works[0].name, "clean");
  report_saved("another", 0);
  EXPECT_TRUE(msg::is_under_way(work()));
  report_saved("w1", 1);
  EXPECT_FALSE(msg::is_under_way(work()));
  EXPECT_EQ(work().generation, 1U);
  EXPECT_EQ(work().reason, "");
  EXPECT_EQ(small.node("c-0").reason, "");
  EXPECT_TRUE(disk_works(small.view).empty());
  EXPECT_EQ(disk_of(small.node("c-0")).generations.size(), 1U);
}

TEST_F(DiskWork, KeepsAPowerOnWaitingUntilItHasEnded) {
  ASSERT_TRUE(save("w1"));
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron)) << "it is accepted";
  small.pass();
  EXPECT_EQ(small.host_of("c-0"), "");
  EXPECT_EQ(small.node("c-0").wait.reason, WaitReason::disk_work);
  EXPECT_EQ(small.node("c-0").reason, "its disk is being saved");
  EXPECT_NE(remedy_for(small.node("c-0").wait), "");
  report_saved("w1", 1);
  small.pass();
  EXPECT_EQ(small.host_of("c-0"), "h1");
}

TEST_F(DiskWork, KeepsAComputesetWaitingForItsNode) {
  msg::ChangeDisk request{
      .node = {.node_id = {"c-1"}}, .viewer = as_operator, .kind = DiskWorkKind::roll_back};
  small.apply(*plan_disk_work(small.view, request, "w1", small.now_unix_ms));
  const auto id = small.start("c", 1);
  EXPECT_EQ(small.computeset(id).computeset.state, msg::ComputesetState::submitted);
  EXPECT_EQ(text_of(small.computeset(id).wait), "vm-c-1 its disk is being rolled back");
  small.apply(plan_volume(
      small.view,
      {.volume = small.node("c-1").volume, .is_ready = true, .disk = {.ended_work_id = "w1"}},
      small.now_unix_ms));
  small.pass();
  EXPECT_EQ(small.computeset(id).computeset.state, msg::ComputesetState::running);
}

TEST_F(DiskWork, IsRefusedUnlessTheNodeIsOff) {
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(save("w1").error().detail, "node c runs: its disk can be changed when it is off");
  small.observe("c-0", DomainState::running);
  ASSERT_TRUE(small.power("c-0", PowerAction::shutdown));
  EXPECT_EQ(roll_back("w1", 0).error().detail,
            "node c is being stopped: its disk can be changed when it is off");
  small.observe("c-0", DomainState::shutoff);
  ASSERT_TRUE(save("w1"));
  const auto second = save("w2");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::wrong_state);
  EXPECT_EQ(second.error().detail, "its disk is being saved");
  EXPECT_EQ(work().work_id, "w1");
}

TEST_F(DiskWork, IsRefusedForANodeThatWaitsForItsStart) {
  small.drain("h1");
  small.give_volume({"c-0"}, false);
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(save("w1").error().detail, "node c is to be started: power it off first");
}

TEST_F(DiskWork, IsNotForANodeWithoutADiskOrOneThatNeverRan) {
  msg::ChangeDisk request{
      .node = {.node_id = {"c-1"}}, .viewer = as_operator, .kind = DiskWorkKind::save};
  EXPECT_EQ(plan_disk_work(small.view, request, "w1", small.now_unix_ms).error().detail,
            "node vm-c-1 has not run yet: its disk has nothing to save");
  small.give_volume({"c-0"});
  EXPECT_EQ(save("w1").error().detail, "node c has no disk: it runs from memory");
  small.give_volume({"c-0"}, false);
  EXPECT_EQ(save("w1").error().detail, "its disk is not made yet");
}

TEST_F(DiskWork, GivesEachGenerationANameOfItsOwn) {
  ASSERT_TRUE(save("w1", "g1"));
  report_saved("w1", 1);
  const auto again = save("w2", "g1");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::conflict);
  EXPECT_EQ(again.error().field, "name");
  for (const auto* bad : {"a b", "../x", "7", "-x"}) {
    const auto refused = save("w2", bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument) << bad;
    EXPECT_EQ(refused.error().field, "name") << bad;
  }
  EXPECT_TRUE(save("w2", "g2"));
}

TEST_F(DiskWork, KeepsTheNumberOfGenerationsBounded) {
  ASSERT_TRUE(save("w1"));
  report_saved("w1", msg::generations_max);
  const auto refused = save("w2");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail,
            "the disk has 16 generations, the most that there may be: remove one");
}

TEST_F(DiskWork, RollsBackToAGenerationThatThereIs) {
  ASSERT_TRUE(save("w1"));
  report_saved("w1", 2);
  EXPECT_EQ(roll_back("w2", 3).error().code, ErrorCode::not_found);
  ASSERT_TRUE(roll_back("w2", 1));
  EXPECT_EQ(disk_works(small.view).front().generation, 1U);
}

TEST_F(DiskWork, RemovesAGenerationThatAtMostOneContinues) {
  ASSERT_TRUE(save("w1"));
  report_saved("w1", 2);
  EXPECT_EQ(remove("w2", 2).error().detail,
            "the disk continues generation 2: roll it back to another one first");
  EXPECT_EQ(remove("w2", 9).error().code, ErrorCode::not_found);
  auto content = small.node("c-0").disk;
  content.generation = 1;
  report(content);
  EXPECT_TRUE(remove("w2", 2));
  report_saved("w2", 2);
  content = small.node("c-0").disk;
  content.generations.push_back({.number = 3, .name = "g3", .parent = 1});
  report(content);
  EXPECT_EQ(remove("w3", 1).error().detail,
            "2 generations continue generation 1: remove all but one of them first");
  content.generations.pop_back();
  report(content);
  EXPECT_TRUE(remove("w3", 1));
}

TEST_F(DiskWork, ThatFailedShowsItsReasonAndLetsTheNodeStart) {
  ASSERT_TRUE(save("w1"));
  report({.ended_work_id = "w1", .reason = "the image store's disk is full"});
  EXPECT_FALSE(msg::is_under_way(work()));
  EXPECT_EQ(disk_of(small.node("c-0")).work.reason, "the image store's disk is full");
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(small.host_of("c-0"), "h1");
}

TEST_F(DiskWork, ThatTheImageStoreRefusesEndsWithItsReason) {
  ASSERT_TRUE(save("w1"));
  const auto asked = disk_works(small.view).front();
  small.apply(plan_disk_work_ended(small.view, asked, "the disk has no room", small.now_unix_ms));
  EXPECT_FALSE(msg::is_under_way(work()));
  EXPECT_EQ(work().reason, "the disk has no room");
  EXPECT_TRUE(plan_disk_work_ended(small.view, asked, "again", small.now_unix_ms).changes.empty());
}

/// Frontend `d` has its disk on a host.
struct HostDiskWork : testing::Test {
  HostDiskWork() {
    small.add_host_with_volumes("h1", 8);
    small.add_cluster("d", 0);
    small.give_disk({"d-0"});
    EXPECT_TRUE(small.power("d-0", PowerAction::poweron));
    small.observe("d-0", DomainState::running);
    EXPECT_TRUE(small.power("d-0", PowerAction::poweroff));
    small.observe("d-0", DomainState::shutoff);
  }
  core::Result<Plan> plan(DiskWorkKind kind) {
    return plan_disk_work(small.view,
                          {.node = {.node_id = {"d-0"}}, .viewer = as_operator, .kind = kind}, "w1",
                          small.now_unix_ms);
  }
  SmallDeployment small = {};
};

TEST_F(HostDiskWork, RollsBackOnceTheHostHasDeletedItsDisk) {
  auto change = plan(DiskWorkKind::roll_back);
  ASSERT_TRUE(change) << change.error().detail;
  small.apply(std::move(*change));
  EXPECT_EQ(disks_to_remove(small.view, {"h1"}), std::vector<msg::NodeId>{{"d-0"}});
  EXPECT_TRUE(disk_works(small.view).empty()) << "the host still has the disk";
  ASSERT_TRUE(small.power("d-0", PowerAction::poweron));
  EXPECT_EQ(small.host_of("d-0"), "");
  small.apply(plan_disks_removed(small.view, {"h1"}, {.nodes = {{"d-0"}}}, small.now_unix_ms));
  EXPECT_EQ(disk_works(small.view).size(), 1U);
  small.apply(plan_volume(
      small.view,
      {.volume = small.node("d-0").volume, .is_ready = true, .disk = {.ended_work_id = "w1"}},
      small.now_unix_ms));
  small.pass();
  EXPECT_EQ(small.host_of("d-0"), "h1");
  EXPECT_TRUE(small.node("d-0").is_disk_fresh);
}

TEST_F(HostDiskWork, SavesWithTheHostUntilItKnowsWhatTheLayerWasPublishedAs) {
  auto change = plan(DiskWorkKind::save);
  ASSERT_TRUE(change) << change.error().detail;
  small.apply(std::move(*change));
  EXPECT_TRUE(disk_works(small.view).empty());
  auto saves = host_saves(small.view);
  ASSERT_EQ(saves.size(), 1U);
  EXPECT_EQ(saves[0].process, "provisioner/h1");
  EXPECT_EQ(saves[0].content_id, "");
  small.apply(plan_disk_work_reason(small.view, saves[0], "no space", small.now_unix_ms));
  EXPECT_EQ(small.node("d-0").reason, "its disk is being saved: no space");
  EXPECT_TRUE(
      plan_disk_work_reason(small.view, saves[0], "no space", small.now_unix_ms).changes.empty());
  auto volume = small.node("d-0").volume;
  volume.layers = {{.kind = msg::BaseFileKind::layer, .content_id = "f1"}};
  small.apply(plan_volume(
      small.view,
      {.volume = volume,
       .is_ready = true,
       .disk = {.generation = 1, .generations = {{.number = 1}}, .ended_work_id = "w1"}},
      small.now_unix_ms));
  EXPECT_TRUE(msg::is_under_way(small.node("d-0").disk_work));
  saves = host_saves(small.view);
  ASSERT_EQ(saves.size(), 1U);
  EXPECT_EQ(saves[0].content_id, "f1");
  ASSERT_TRUE(small.power("d-0", PowerAction::poweron));
  EXPECT_EQ(small.host_of("d-0"), "");
  small.apply(plan_disk_work_ended(small.view, {.node_id = {"d-0"}, .work_id = "w1"}, "",
                                   small.now_unix_ms));
  EXPECT_EQ(small.node("d-0").disk_work.generation, 1U);
  small.pass();
  EXPECT_EQ(small.host_of("d-0"), "h1");
}

TEST_F(HostDiskWork, KeepsTheGenerationBelowTheOneThatTheDiskOnItContinues) {
  small.apply(plan_volume(
      small.view,
      {.volume = small.node("d-0").volume,
       .is_ready = true,
       .disk = {.generation = 2, .generations = {{.number = 1}, {.number = 2, .parent = 1}}}},
      small.now_unix_ms));
  const auto refused = plan_disk_work(small.view,
                                      {.node = {.node_id = {"d-0"}},
                                       .viewer = as_operator,
                                       .kind = DiskWorkKind::remove,
                                       .generation = 1},
                                      "w1", small.now_unix_ms);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail,
            "host h1 has a disk that continues generation 2: save it first");
}

TEST_F(HostDiskWork, EndsWithTheReasonOfTheImageStore) {
  small.apply(*plan(DiskWorkKind::save));
  small.apply(plan_volume(small.view,
                          {.volume = small.node("d-0").volume,
                           .is_ready = true,
                           .disk = {.ended_work_id = "w1", .reason = "sha256 does not match"}},
                          small.now_unix_ms));
  EXPECT_FALSE(msg::is_under_way(small.node("d-0").disk_work));
  EXPECT_TRUE(host_saves(small.view).empty());
  EXPECT_EQ(small.node("d-0").disk_work.reason, "sha256 does not match");
}

}  // namespace
}  // namespace nucleus::scheduler
