// Nodes that their hosts cannot start are placed on others; nodes that run stay where they are.
#include <gtest/gtest.h>

#include "services/scheduler/plan/explain.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::ComputesetState;
using msg::DomainState;
using msg::PowerAction;

struct Replaced : SmallDeployment {
  /// Node c-1 is placed on h1; h2 has as much room.
  void start_on_one_of_two_hosts() {
    add_host("h1", 2);
    add_host("h2", 2);
    add_cluster("c", 1);
    start("c", 1);
  }
  /// The same on hosts that keep their nodes' disks.
  void start_with_disk_on_one_of_two_hosts() {
    add_host_with_volumes("h1", 2);
    add_host_with_volumes("h2", 2);
    add_cluster("c", 1);
    give_disk({"c-1"});
    start("c", 1);
  }
  /// The host stops a node that leaves it, and the node is placed again.
  void leave(const std::string& id) {
    pass();
    EXPECT_FALSE(node(id).is_grant_on) << id << " stays";
    observe(id, DomainState::shutoff);
    pass();
  }
  std::vector<std::string> steps_of(const std::string& id) const {
    const auto found =
        explain_node(view, {.node = {.node_id = {id}}, .viewer = as_operator}, now_unix_ms);
    std::vector<std::string> texts;
    if (found)
      for (const auto& step : found->timeline) texts.push_back(step.text);
    return texts;
  }
  std::vector<std::string> removed_from(const std::string& host) const {
    std::vector<std::string> nodes;
    for (const auto& id : disks_to_remove(view, {host})) nodes.push_back(id.value);
    return nodes;
  }
};

TEST(Replacement, PlacesANodeThatItsHostCannotStartOnAnotherAndLeavesTheOthersAlone) {
  Replaced site;
  for (const auto* host : {"h1", "h2", "h3"}) site.add_host(host, 2);
  site.add_cluster("c", 2);
  const auto id = site.start("c", 2);
  ASSERT_EQ(site.host_of("c-1"), "h1");
  ASSERT_EQ(site.host_of("c-2"), "h2");
  site.observe("c-2", DomainState::running);
  site.pass_time_s(10);
  site.fail_start("c-1");
  site.pass();
  EXPECT_EQ(site.host_of("c-1"), "h1") << "its host may still succeed until it has stopped it";
  EXPECT_FALSE(site.node("c-1").is_grant_on);
  EXPECT_TRUE(site.node("c-1").is_desired_on);
  EXPECT_EQ(site.node("c-1").reason, "leaves host h1, where it cannot be started: no space left");
  site.observe("c-1", DomainState::shutoff);
  site.pass();
  EXPECT_EQ(site.host_of("c-1"), "h3") << "most CPUs free, and it did not fail there";
  EXPECT_EQ(site.node("c-1").epoch, 2U);
  site.observe("c-1", DomainState::running);
  EXPECT_EQ(site.node("c-1").state, msg::NodeState::active);
  EXPECT_EQ(site.node("c-1").wait, Wait{});
  EXPECT_EQ(site.host_of("c-2"), "h2");
  EXPECT_EQ(site.node("c-2").epoch, 1U);
  EXPECT_EQ(site.node("c-2").state, msg::NodeState::active);
  EXPECT_EQ(site.computeset(id).computeset.state, ComputesetState::running);
  EXPECT_EQ(site.computeset(id).rates.size(), 1U) << "its price is the same";
  EXPECT_EQ(site.steps_of("c-1"),
            (std::vector<std::string>{
                "accepted", "running",
                "vm-c-1 failed to start on host h1: cannot be started: no space left",
                "vm-c-1 was placed on host h3", "vm-c-1 ran: its guest boots"}));
}

TEST(Replacement, TriesOtherHostsUpToALimitAndThenStays) {
  Replaced site;
  for (const auto* host : {"h1", "h2", "h3", "h4"}) site.add_host(host, 2);
  site.add_cluster("c", 1);
  site.start("c", 1);
  std::set<std::string> tried;
  for (int attempt = 1; attempt < 3; ++attempt) {
    tried.insert(site.host_of("c-1"));
    site.fail_start("c-1");
    site.leave("c-1");
  }
  tried.insert(site.host_of("c-1"));
  EXPECT_EQ(tried.size(), 3U) << "each host once";
  site.fail_start("c-1");
  site.pass();
  EXPECT_TRUE(site.node("c-1").is_grant_on);
  EXPECT_EQ(site.node("c-1").reason, "cannot be started: no space left; host " +
                                         site.host_of("c-1") +
                                         " tries again: it is tried on 3 hosts at most");
  site.observe("c-1", DomainState::running);
  EXPECT_EQ(site.node("c-1").reason, "");
}

TEST(Replacement, WaitsForRoomOnAnotherHost) {
  Replaced site;
  site.add_host("h1", 2);
  site.add_host("h2", 1);
  site.add_cluster("c", 2);
  const auto other = site.start({.cluster_id = {"c"}, .names = {"vm-c-1"}, .hosts = {{"h2"}}});
  ASSERT_TRUE(other);
  site.observe("c-1", DomainState::running);
  ASSERT_TRUE(site.start({.cluster_id = {"c"}, .names = {"vm-c-2"}}));
  ASSERT_EQ(site.host_of("c-2"), "h1");
  site.fail_start("c-2");
  site.pass();
  EXPECT_TRUE(site.node("c-2").is_grant_on);
  EXPECT_EQ(site.node("c-2").reason,
            "cannot be started: no space left; host h1 tries again: no other host has room");
  site.end(*other);
  site.observe("c-1", DomainState::shutoff);
  site.leave("c-2");
  EXPECT_EQ(site.host_of("c-2"), "h2");
}

TEST(Replacement, TakesAHostThatFailedBeforeIfNoOtherHasRoomAnyMore) {
  Replaced site;
  site.add_host("h1", 2);
  site.add_host("h2", 1);
  site.add_cluster("c", 2);
  site.start("c", 1);
  site.fail_start("c-1");
  site.pass();
  ASSERT_TRUE(site.start({.cluster_id = {"c"}, .names = {"vm-c-2"}, .hosts = {{"h2"}}}));
  site.observe("c-1", DomainState::shutoff);
  site.pass();
  EXPECT_EQ(site.host_of("c-1"), "h1");
  EXPECT_EQ(site.node("c-1").epoch, 2U);
}

TEST(Replacement, CountsAPlacementOnceAndTakesALateFailureForNoEnd) {
  Replaced site;
  site.start_on_one_of_two_hosts();
  site.fail_start("c-1", "no space left");
  site.fail_start("c-1", "no memory left");
  ASSERT_EQ(site.node("c-1").start_failures.size(), 1U);
  EXPECT_EQ(site.node("c-1").start_failures[0].reason, "cannot be started: no memory left");
  EXPECT_EQ(site.view.host({"h1"})->start_failures, 1U);
  site.pass();
  site.fail_start("c-1", "no space left");
  EXPECT_EQ(site.host_of("c-1"), "h1") << "its host did not know yet that it is to stop it";
  site.observe("c-1", DomainState::shutoff);
  site.pass();
  EXPECT_EQ(site.host_of("c-1"), "h2");
}

TEST(Replacement, EndsWithAPowerOffAndForgetsFailuresAtTheNextPowerOn) {
  Replaced site;
  site.start_on_one_of_two_hosts();
  site.fail_start("c-1");
  site.pass();
  ASSERT_TRUE(site.power("c-1", PowerAction::poweroff));
  site.observe("c-1", DomainState::shutoff);
  site.pass();
  EXPECT_EQ(site.host_of("c-1"), "") << "it is to be off";
  ASSERT_TRUE(site.power("c-1", PowerAction::poweron));
  EXPECT_TRUE(site.node("c-1").start_failures.empty());
}

TEST(Replacement, MovesADiskThatNoGuestHasUsedAndDeletesBothWithTheNode) {
  Replaced site;
  site.start_with_disk_on_one_of_two_hosts();
  ASSERT_EQ(site.node("c-1").disk_host_id.value, "h1");
  site.fail_start("c-1");
  site.leave("c-1");
  EXPECT_EQ(site.host_of("c-1"), "h2");
  EXPECT_EQ(site.node("c-1").disk_host_id.value, "h2");
  site.observe("c-1", DomainState::running);
  EXPECT_FALSE(site.node("c-1").is_disk_fresh);
  site.apply(plan_node_removed(site.view, {.node = site.node("c-1").definition}, 0));
  site.observe("c-1", DomainState::shutoff);
  const std::vector<std::string> node{"c-1"};
  EXPECT_EQ(site.removed_from("h1"), node);
  EXPECT_EQ(site.removed_from("h2"), node);
  site.apply(plan_disks_removed(site.view, {"h2"}, {.nodes = {{"c-1"}}}, 0));
  EXPECT_EQ(site.removed_from("h1"), node);
  EXPECT_TRUE(site.removed_from("h2").empty());
  site.apply(plan_disks_removed(site.view, {"h1"}, {.nodes = {{"c-1"}}}, 0));
  EXPECT_TRUE(site.view.removed_disks().empty());
}

TEST(Replacement, KeepsANodeOnTheHostThatHasItsUsedDisk) {
  Replaced site;
  site.start_with_disk_on_one_of_two_hosts();
  site.observe("c-1", DomainState::running);
  site.observe("c-1", DomainState::shutoff);
  ASSERT_TRUE(site.power("c-1", PowerAction::poweron));
  site.fail_start("c-1");
  site.pass();
  EXPECT_TRUE(site.node("c-1").is_grant_on);
  EXPECT_EQ(site.node("c-1").reason,
            "cannot be started: no space left; host h1 tries again: its disk is there");
}

TEST(Replacement, KeepsTheDiskOfANodeOnALostHost) {
  Replaced site;
  site.start_with_disk_on_one_of_two_hosts();
  site.lose("h1");
  site.pass();
  EXPECT_EQ(site.host_of("c-1"), "");
  EXPECT_EQ(site.node("c-1").reason, "its disk is on host h1, which is lost");
}

TEST(Replacement, PlacesTheNodesOfALostHostElsewhereAndLeavesTheOthersAlone) {
  Replaced site;
  site.add_host("h1", 1);
  site.add_host("h2", 2);
  site.add_cluster("c", 2);
  const auto id = site.start({.cluster_id = {"c"},
                              .names = {"vm-c-1", "vm-c-2"},
                              .hosts = {{"h1"}, {"h2"}},
                              .walltime_mins = 60});
  ASSERT_TRUE(id);
  site.observe("c-1", DomainState::running);
  site.observe("c-2", DomainState::running);
  site.lose("h1");
  site.pass();
  EXPECT_EQ(site.host_of("c-1"), "h2");
  EXPECT_EQ(site.node("c-1").epoch, 2U);
  EXPECT_EQ(site.node("c-2").epoch, 1U);
  EXPECT_TRUE(site.node("c-2").is_grant_on);
  EXPECT_EQ(site.computeset(*id).computeset.state, ComputesetState::running);
}

TEST(Replacement, TriesAHostOnWhichStartsFailedAfterAllOthersUntilADomainRunsThere) {
  Replaced site;
  site.add_host("h1", 8);
  site.add_host("h2", 4);
  site.add_cluster("c", 2);
  site.start("c", 2);
  ASSERT_EQ(site.host_of("c-1"), "h1");
  ASSERT_EQ(site.host_of("c-2"), "h1");
  site.fail_start("c-1");
  EXPECT_EQ(status_of(*site.view.host({"h1"}), {}).reason, "");
  site.fail_start("c-2");
  EXPECT_EQ(status_of(*site.view.host({"h1"}), {}).reason,
            "other hosts are tried first: 2 starts in a row failed: cannot be started: no space "
            "left");
  site.leave("c-1");
  site.leave("c-2");
  EXPECT_EQ(site.host_of("c-1"), "h2");
  EXPECT_EQ(site.host_of("c-2"), "h2");
  const auto next = site.submit(3, 1, 60);
  const auto& nodes = site.computeset(next).computeset.nodes;
  EXPECT_EQ(site.host_of(nodes[0].value), "h2");
  EXPECT_EQ(site.host_of(nodes[1].value), "h2");
  EXPECT_EQ(site.host_of(nodes[2].value), "h1") << "no other has room";
  site.observe(nodes[2].value, DomainState::running);
  EXPECT_EQ(site.view.host({"h1"})->start_failures, 0U);
}

TEST(Replacement, GivesTheRoomOfOneHostToOneOfTheNodesThatWouldLeave) {
  Replaced site;
  site.add_host("h1", 2);
  site.add_host("h2", 1);
  site.add_cluster("c", 2);
  ASSERT_TRUE(site.start({.cluster_id = {"c"},
                          .names = {"vm-c-1", "vm-c-2"},
                          .hosts = {{"h1"}, {"h1"}},
                          .walltime_mins = 60}));
  site.fail_start("c-1");
  site.fail_start("c-2");
  site.pass();
  EXPECT_FALSE(site.node("c-1").is_grant_on);
  EXPECT_TRUE(site.node("c-2").is_grant_on);
}

TEST(Replacement, LeavesANodeWhoseHostStillPreparesIt) {
  Replaced site;
  site.start_on_one_of_two_hosts();
  auto report = site.a_report({{"c-1", DomainState::absent}});
  report.changes.front().reason = "waits: its image is being copied: 4 of 9 MiB";
  report.changes.front().is_preparing = true;
  site.apply(plan_domain_report(site.view, report, site.now_unix_ms));
  site.pass();
  EXPECT_EQ(site.host_of("c-1"), "h1");
  EXPECT_TRUE(site.node("c-1").is_grant_on);
  EXPECT_TRUE(site.node("c-1").start_failures.empty());
  EXPECT_EQ(site.view.host({"h1"})->start_failures, 0U);
  EXPECT_EQ(site.node("c-1").state, msg::NodeState::nostate);
  EXPECT_EQ(site.node("c-1").reason, "waits: its image is being copied: 4 of 9 MiB");
  site.fail_start("c-1");
  site.pass();
  EXPECT_FALSE(site.node("c-1").is_grant_on) << "now it has failed";
}

}  // namespace
}  // namespace nucleus::scheduler
