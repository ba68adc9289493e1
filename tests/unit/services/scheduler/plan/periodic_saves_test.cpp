// Disks on hosts are saved while their nodes run: on request, and every few minutes.
#include <gtest/gtest.h>

#include "services/scheduler/plan/automatic_saves.hpp"
#include "services/scheduler/plan/disk_work.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using msg::DiskWorkKind;
using msg::DomainState;
using msg::PowerAction;

/// Frontends `a`, `b` and `c` run on h1, which keeps their disks; `a` is saved every 10 minutes.
struct PeriodicSaves : testing::Test {
  PeriodicSaves() {
    small.add_host_with_volumes("h1", 8);
    for (const auto* cluster : {"a", "b", "c"}) {
      const std::string id = std::string(cluster) + "-0";
      small.add_cluster(cluster, 0);
      small.give_disk({id});
      EXPECT_TRUE(small.power(id, PowerAction::poweron));
      small.observe(id, DomainState::running);
    }
    set_policy("a", 10);
  }
  void set_policy(const std::string& cluster, std::uint32_t minutes) {
    auto node = small.definition(cluster, 0);
    node.save_every_minutes = minutes;
    small.define(node);
  }
  void sweep() { small.apply(plan_periodic_saves(small.view, small.now_unix_ms)); }
  core::Result<Plan> save(const std::string& id) {
    return plan_disk_work(
        small.view, {.node = {.node_id = {id}}, .viewer = as_operator, .kind = DiskWorkKind::save},
        "w1", small.now_unix_ms);
  }
  const msg::DiskWork& work(const std::string& id = "a-0") { return small.node(id).disk_work; }
  bool is_being_saved(const std::string& id = "a-0") {
    return msg::is_under_way(work(id)) && work(id).kind == DiskWorkKind::save;
  }
  /// The image store has published what the host has sent.
  void publish(const std::string& id, msg::DiskContent content, const std::string& reason = {}) {
    content.ended_work_id = work(id).work_id;
    content.reason = reason;
    auto volume = small.node(id).volume;
    volume.layers = {{.kind = msg::BaseFileKind::layer, .content_id = "f1"}};
    small.apply(plan_volume(small.view,
                            {.volume = volume, .is_ready = true, .disk = std::move(content)},
                            small.now_unix_ms));
  }
  /// The host has learned that; it has a file over the layer.
  void end(const std::string& id, bool is_continued = true) {
    small.apply(plan_disk_work_ended(small.view, {.node_id = {id}, .work_id = work(id).work_id}, "",
                                     small.now_unix_ms, is_continued));
  }
  static msg::DiskContent a_line(std::uint64_t count) {
    msg::DiskContent content{.generation = count};
    for (std::uint64_t i = 1; i <= count; ++i)
      content.generations.push_back({.number = i, .parent = i - 1, .is_automatic = true});
    return content;
  }
  SmallDeployment small = {};
};

TEST_F(PeriodicSaves, LetTheNodeRunOn) {
  auto begun = save("b-0");
  ASSERT_TRUE(begun) << begun.error().detail;
  small.apply(std::move(*begun));
  EXPECT_EQ(small.host_of("b-0"), "h1");
  EXPECT_EQ(small.node("b-0").state, msg::NodeState::active);
  ASSERT_EQ(host_saves(small.view).size(), 1U);
  EXPECT_EQ(save("b-0").error().detail, "its disk is being saved");
  publish("b-0", a_line(1));
  end("b-0");
  EXPECT_FALSE(msg::is_under_way(work("b-0")));
  const auto shown = disk_of(small.node("b-0"));
  EXPECT_EQ(shown.host_id.value, "h1");
  EXPECT_TRUE(shown.is_changed);
  EXPECT_EQ(shown.generation, 1U);
}

TEST_F(PeriodicSaves, KeepTheDiskOnItsHostIfItWasWrittenSince) {
  small.apply(*save("b-0"));
  ASSERT_TRUE(small.power("b-0", PowerAction::poweroff)) << "it goes its way";
  small.observe("b-0", DomainState::shutoff);
  ASSERT_TRUE(small.power("b-0", PowerAction::poweron));
  EXPECT_EQ(small.host_of("b-0"), "") << "it waits for the end of the save";
  publish("b-0", a_line(1));
  end("b-0");
  EXPECT_EQ(small.node("b-0").disk_host_id.value, "h1");
  small.pass();
  EXPECT_EQ(small.host_of("b-0"), "h1");
}

TEST_F(PeriodicSaves, LetAnyHostContinueADiskThatWasNotWrittenSince) {
  small.apply(*save("b-0"));
  ASSERT_TRUE(small.power("b-0", PowerAction::poweroff));
  small.observe("b-0", DomainState::shutoff);
  publish("b-0", a_line(1));
  end("b-0", false);
  EXPECT_EQ(small.node("b-0").disk_host_id.value, "");
  EXPECT_FALSE(disk_of(small.node("b-0")).is_changed);
}

TEST_F(PeriodicSaves, AreNotForANodeThatStartsOrStopsOrHasItsDiskInTheImageStore) {
  ASSERT_TRUE(small.power("b-0", PowerAction::shutdown));
  EXPECT_EQ(save("b-0").error().code, ErrorCode::wrong_state);
  small.observe("b-0", DomainState::shutoff);
  ASSERT_TRUE(small.power("b-0", PowerAction::poweron));
  EXPECT_EQ(save("b-0").error().code, ErrorCode::wrong_state) << "it has no domain yet";
  const auto roll_back = plan_disk_work(
      small.view,
      {.node = {.node_id = {"c-0"}}, .viewer = as_operator, .kind = DiskWorkKind::roll_back}, "w1",
      small.now_unix_ms);
  EXPECT_EQ(roll_back.error().detail, "node c runs: its disk can be changed when it is off");
}

TEST_F(PeriodicSaves, BeginWhenTheNodeWasNotSavedForSoLong) {
  small.pass_time_s(599);
  sweep();
  EXPECT_EQ(work().work_id, "");
  small.pass_time_s(1);
  sweep();
  ASSERT_TRUE(is_being_saved());
  EXPECT_TRUE(work().is_automatic);
  EXPECT_EQ(small.host_of("a-0"), "h1");
  EXPECT_EQ(work("b-0").work_id, "") << "without the policy";
  const auto first = work().work_id;
  small.pass_time_s(700);
  sweep();
  EXPECT_EQ(work().work_id, first) << "one at a time";
  publish("a-0", a_line(1));
  end("a-0");
  sweep();
  ASSERT_TRUE(is_being_saved()) << "10 minutes after the last began";
  EXPECT_NE(work().work_id, first);
}

TEST_F(PeriodicSaves, BeginOnceAfterTheSchedulerWasAway) {
  small.pass_time_s(86'400);
  sweep();
  ASSERT_TRUE(is_being_saved());
  publish("a-0", a_line(1));
  end("a-0");
  sweep();
  EXPECT_FALSE(is_being_saved());
  small.pass_time_s(600);
  sweep();
  EXPECT_TRUE(is_being_saved());
}

TEST_F(PeriodicSaves, CountASaveThatWasRequested) {
  small.pass_time_s(500);
  small.apply(*save("a-0"));
  publish("a-0", a_line(1));
  end("a-0");
  small.pass_time_s(500);
  sweep();
  EXPECT_FALSE(is_being_saved());
  small.pass_time_s(100);
  sweep();
  EXPECT_TRUE(is_being_saved());
}

TEST_F(PeriodicSaves, AreTriedAgainAfterAFailureAtTheNextTime) {
  small.pass_time_s(600);
  sweep();
  publish("a-0", {}, "the disk is full");
  EXPECT_FALSE(msg::is_under_way(work()));
  sweep();
  EXPECT_EQ(work().reason, "the disk is full");
  small.pass_time_s(600);
  sweep();
  EXPECT_TRUE(is_being_saved());
}

TEST_F(PeriodicSaves, AreFewAtATimeOnOneHost) {
  set_policy("b", 5);
  set_policy("c", 10);
  small.pass_time_s(600);
  small.apply(*save("c-0"));
  sweep();
  EXPECT_TRUE(is_being_saved("a-0") != is_being_saved("b-0"));
  publish("c-0", a_line(1));
  end("c-0");
  sweep();
  EXPECT_TRUE(is_being_saved("a-0") && is_being_saved("b-0"));
}

TEST_F(PeriodicSaves, WaitForAHostThatIsNotUp) {
  small.pass_time_s(600);
  small.lose("h1");
  sweep();
  EXPECT_EQ(work().work_id, "");
}

TEST_F(PeriodicSaves, RemoveOldGenerationsWhileTheNodeRuns) {
  small.pass_time_s(600);
  sweep();
  publish("a-0", a_line(7));
  end("a-0");
  ASSERT_TRUE(msg::is_under_way(work()));
  EXPECT_EQ(work().kind, DiskWorkKind::remove);
  EXPECT_EQ(work().first_generation, 1U);
  EXPECT_EQ(work().generation, 5U) << "what the host continues stays as it is";
  EXPECT_EQ(small.host_of("a-0"), "h1");
  EXPECT_EQ(disk_works(small.view).size(), 1U);
  auto left = a_line(7);
  left.generations.erase(left.generations.begin(), left.generations.begin() + 5);
  left.generations[0].parent = 0;
  publish("a-0", left);
  EXPECT_FALSE(msg::is_under_way(work()));
  small.pass_time_s(600);
  sweep();
  EXPECT_TRUE(is_being_saved());
}

TEST_F(PeriodicSaves, SayWhyThereIsNoRoom) {
  auto full = a_line(msg::generations_max);
  for (auto& one : full.generations) one.is_automatic = false;
  publish("a-0", full);
  small.pass_time_s(600);
  sweep();
  EXPECT_FALSE(msg::is_under_way(work()));
  EXPECT_EQ(work().reason, "the disk has 16 generations, the most that there may be: remove one");
  const auto begun = work().begun_unix_s;
  small.pass_time_s(300);
  sweep();
  EXPECT_EQ(work().begun_unix_s, begun);
}

TEST_F(PeriodicSaves, AreFollowedByTheSaveOfThePowerOff) {
  auto node = small.definition("a", 0);
  node.save_every_minutes = 10;
  node.save_at_power_off = true;
  small.define(node);
  small.pass_time_s(600);
  sweep();
  const auto first = work().work_id;
  ASSERT_TRUE(small.power("a-0", PowerAction::poweroff));
  small.observe("a-0", DomainState::shutoff);
  EXPECT_EQ(work().work_id, first);
  publish("a-0", a_line(1));
  end("a-0");
  ASSERT_TRUE(is_being_saved()) << "what was written after the first was sealed";
  EXPECT_NE(work().work_id, first);
}

}  // namespace
}  // namespace nucleus::scheduler
