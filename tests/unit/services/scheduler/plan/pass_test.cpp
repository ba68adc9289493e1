// The scheduling pass: who gets hosts, in which order, and why the others wait.
#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::ComputesetState;
using msg::PowerAction;

TEST(Pass, ServesNodesFirstAndThenComputesetsInTheirOrder) {
  SmallDeployment small;
  small.add_cluster("c", 2);
  small.add_cluster("d", 2);
  const auto first = small.start("c", 2);
  const auto second = small.start("d", 2);
  EXPECT_EQ(small.computeset(first).wait.reason, WaitReason::no_host_up);
  small.add_host("h1", 3);
  small.pass();
  EXPECT_EQ(small.computeset(first).computeset.state, ComputesetState::running);
  EXPECT_EQ(small.computeset(second).computeset.state, ComputesetState::submitted);
  EXPECT_EQ(small.computeset(second).wait.reason, WaitReason::no_room_for_all);
}

TEST(Pass, LetsALaterComputesetThatFitsPassAnEarlierOneThatDoesNot) {
  SmallDeployment small;
  small.add_host("h1", 3);
  small.add_cluster("c", 4);
  small.add_cluster("d", 1);
  const auto large = small.start("c", 4);
  const auto little = small.start("d", 1);
  EXPECT_EQ(small.computeset(large).computeset.state, ComputesetState::submitted);
  EXPECT_EQ(small.computeset(little).computeset.state, ComputesetState::running);
  EXPECT_EQ(small.computeset(large).wait.reason, WaitReason::too_large_for_all);
  small.add_host("h2", 2);
  small.pass();
  EXPECT_EQ(small.computeset(large).computeset.state, ComputesetState::running);
}

TEST(Pass, IsWantedWhenRoomIsFreedAndNotOtherwise) {
  SmallDeployment small;
  small.add_host("h1", 1);
  small.add_cluster("c", 1);
  small.add_cluster("d", 1);
  const auto running = small.start("c", 1);
  auto waits =
      plan_start(small.view, small.backend,
                 {.cluster_id = {"d"}, .viewer = as_operator, .count = 1}, small.now_unix_ms);
  ASSERT_TRUE(waits);
  EXPECT_FALSE(waits->wants_pass);
  small.apply(std::move(*waits));
  auto stopped = plan_power_computeset(
      small.view,
      {.computeset_id = running, .viewer = as_operator, .action = PowerAction::poweroff},
      small.now_unix_ms);
  EXPECT_FALSE(stopped->wants_pass) << "its node still holds its room";
  small.apply(std::move(*stopped));
  const auto report = small.a_report({{"c-1", msg::DomainState::shutoff}});
  EXPECT_TRUE(plan_domain_report(small.view, report, small.now_unix_ms).wants_pass);
}

TEST(Pass, IsWantedWhenAWaitingNodeHasAllItNeedsAndNotForOneThatIsOff) {
  SmallDeployment small;
  small.define(small.definition("c", 0));
  small.give_ports({"c-0"});
  const msg::VolumePlaced ready{.volume = {.node_id = {"c-0"}}, .is_ready = true};
  EXPECT_FALSE(plan_volume(small.view, ready, small.now_unix_ms).wants_pass);
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(small.node("c-0").wait.reason, WaitReason::volume);
  EXPECT_TRUE(plan_volume(small.view, ready, small.now_unix_ms).wants_pass);
}

TEST(Pass, GivesTheReasonWhyANodeWaits) {
  SmallDeployment small;
  small.define(small.definition("c", 0, 2));
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(small.node("c-0").wait.reason, WaitReason::ports);
  small.give_ports({"c-0"});
  EXPECT_EQ(small.node("c-0").wait.reason, WaitReason::volume);
  small.give_volume({"c-0"});
  EXPECT_EQ(small.node("c-0").wait.reason, WaitReason::next_pass);
  const auto reason_after_pass = [&] {
    small.pass();
    return small.node("c-0").wait.reason;
  };
  EXPECT_EQ(reason_after_pass(), WaitReason::no_host_up);
  small.add_host("h1", 1);
  EXPECT_EQ(reason_after_pass(), WaitReason::too_large);
  small.drain("h1");
  EXPECT_EQ(reason_after_pass(), WaitReason::all_hosts_drained);
  small.add_host("h2", 3);
  EXPECT_EQ(reason_after_pass(), WaitReason::unknown);
  EXPECT_EQ(small.host_of("c-0"), "h2");
  small.add_cluster("d", 0, 2);
  const auto refused = small.power("d-0", PowerAction::poweron);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "no host has room for this node now");
}

TEST(Pass, GivesTheReasonWhyAComputesetWaits) {
  SmallDeployment small;
  small.add_host("h1", 2);
  small.add_host("h2", 2);
  small.add_cluster("c", 3);
  small.give_volume({"c-2"}, false);
  const auto id = small.start({.cluster_id = {"c"}, .nodes = {{"c-1"}, {"c-2"}}});
  ASSERT_TRUE(id);
  EXPECT_EQ(small.computeset(*id).wait, (Wait{.reason = WaitReason::volume, .subject = "vm-c-2"}));
  EXPECT_EQ(small.computeset(*id).computeset.reason, "vm-c-2 waits for its volume");
  small.end(*id);
  small.give_volume({"c-2"});
  small.drain("h2");
  const auto on_drained =
      small.start({.cluster_id = {"c"}, .nodes = {{"c-1"}, {"c-2"}}, .hosts = {{"h1"}, {"h2"}}});
  ASSERT_TRUE(on_drained);
  EXPECT_EQ(small.computeset(*on_drained).wait,
            (Wait{.reason = WaitReason::named_host_closed, .subject = "h2"}));
  EXPECT_EQ(small.used("h1"), Resources{}) << "placed whole or not at all";
  small.drain("h2", false);
  small.pass();
  EXPECT_EQ(small.host_of("c-2"), "h2");
}

TEST(Pass, WaitsForANodeThatStillRuns) {
  SmallDeployment small;
  small.add_host("h1", 4);
  small.add_cluster("c", 1);
  const auto first = small.start("c", 1);
  small.observe("c-1", msg::DomainState::running);
  small.end(first);
  EXPECT_EQ(small.start({.cluster_id = {"c"}, .count = 1}).error().field, "count");
  small.observe("c-1", msg::DomainState::shutoff);
  EXPECT_FALSE(small.view.computeset(first));
  EXPECT_TRUE(small.view.finished().find(first));
  EXPECT_EQ(small.computeset(small.start("c", 1)).computeset.state, ComputesetState::running);
}

TEST(Pass, WritesNothingWhenNothingChanges) {
  SmallDeployment small;
  small.add_host("h1", 1);
  small.add_cluster("c", 2);
  small.start("c", 2);
  EXPECT_TRUE(plan_pass(small.view, small.backend, small.now_unix_ms).empty());
}

}  // namespace
}  // namespace nucleus::scheduler
