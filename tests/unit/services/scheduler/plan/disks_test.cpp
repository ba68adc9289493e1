// A node's disk stays where it was written: the node starts there and nowhere else.
#include "services/scheduler/plan/disks.hpp"

#include <gtest/gtest.h>

#include "services/scheduler/states/wait.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::DomainState;
using msg::PowerAction;

/// Frontend `c`, and its computes, have disks.
struct Disks : testing::Test {
  void add_cluster(std::uint32_t computes = 0) {
    small.add_cluster("c", computes);
    for (std::uint32_t i = 0; i <= computes; ++i) small.give_disk({"c-" + std::to_string(i)});
  }
  void run_once(const std::string& node = "c-0") {
    ASSERT_TRUE(small.power(node, PowerAction::poweron));
    small.observe(node, DomainState::running);
    ASSERT_TRUE(small.power(node, PowerAction::poweroff));
    small.observe(node, DomainState::shutoff);
  }
  std::string why_not(const std::string& node = "c-0") {
    const auto refused = small.power(node, PowerAction::poweron);
    return refused ? "" : refused.error().detail;
  }
  SmallDeployment small = {};
};

TEST_F(Disks, OfAHostThatKeepsVolumesBindTheirNodesToIt) {
  small.add_host_with_volumes("h1", 4);
  add_cluster();
  run_once();
  EXPECT_EQ(small.node("c-0").disk_host_id.value, "h1");
  small.add_host_with_volumes("h2", 64);
  small.add_host("h3", 64);
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(small.host_of("c-0"), "h1") << "h2 and h3 have more room";
  EXPECT_TRUE(grant_of(small.node("c-0"), small.view).is_disk_on_host);
}

TEST_F(Disks, SayWhyTheirNodeWaits) {
  small.add_host_with_volumes("h1", 2);
  small.add_host("h2", 64);
  add_cluster();
  small.drain("h2");
  run_once();
  small.drain("h2", false);
  small.drain("h1");
  EXPECT_EQ(why_not(), "its disk is on host h1, which is drained");
  small.drain("h1", false);
  small.lose("h1");
  EXPECT_EQ(why_not(), "its disk is on host h1, which is lost");
  small.add_host_with_volumes("h1", 2);
  small.add_cluster("d", 0, 2);
  small.drain("h2");
  ASSERT_TRUE(small.power("d-0", PowerAction::poweron));
  EXPECT_EQ(why_not(), "its disk is on host h1, which has no room now");
  EXPECT_EQ(small.node("c-0").host_id.value, "");
}

TEST_F(Disks, OfALostHostWaitForItAndAreUsedWhenItReturns) {
  small.add_host_with_volumes("h1", 4);
  small.add_host_with_volumes("h2", 4);
  add_cluster();
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  const auto host = small.host_of("c-0");
  small.observe("c-0", DomainState::running);
  small.lose(host);
  small.pass();
  EXPECT_EQ(small.host_of("c-0"), "");
  EXPECT_TRUE(small.node("c-0").is_desired_on);
  EXPECT_EQ(small.node("c-0").wait.reason, WaitReason::disk);
  EXPECT_EQ(text_of(small.node("c-0").wait), "its disk is on host " + host + ", which is lost");
  small.add_host_with_volumes(host, 4);
  small.pass();
  EXPECT_EQ(small.host_of("c-0"), host);
}

TEST_F(Disks, InTheImageStoreAreUsedOnlyByHostsThatShareItsDirectories) {
  small.add_host("h1", 2);
  add_cluster();
  run_once();
  EXPECT_EQ(small.node("c-0").disk_host_id.value, "");
  small.add_host_with_volumes("h2", 64);
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(small.host_of("c-0"), "h1");
  EXPECT_FALSE(grant_of(small.node("c-0"), small.view).is_disk_on_host);
  ASSERT_TRUE(small.power("c-0", PowerAction::poweroff));
  small.observe("c-0", DomainState::shutoff);
  small.drain("h1");
  EXPECT_EQ(why_not(), "its disk is in the image store, which no open host uses in place");
}

TEST_F(Disks, AreNotLostWhenAHostBeginsToKeepVolumesOrCeasesTo) {
  small.add_host("h1", 4);
  add_cluster();
  run_once();
  small.add_host_with_volumes("h1", 4);
  EXPECT_EQ(why_not(), "its disk is in the image store, which no open host uses in place");
  small.add_cluster("d", 0);
  small.give_disk({"d-0"});
  run_once("d-0");
  small.add_host("h1", 4);
  EXPECT_EQ(why_not("d-0"), "its disk is on host h1, which keeps no volumes of its own any more");
  EXPECT_EQ(why_not("c-0"), "");
}

TEST_F(Disks, DoNotBindNodesThatHaveNone) {
  small.add_host_with_volumes("h1", 4);
  small.add_cluster("c", 0);
  run_once();
  EXPECT_EQ(small.node("c-0").disk_host_id.value, "");
  small.add_host("h2", 64);
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(small.host_of("c-0"), "h2");
}

TEST_F(Disks, OfAComputesetAreTakenIntoAccountTogether) {
  small.add_host_with_volumes("h1", 1);
  add_cluster(2);
  const auto first = small.start("c", 1);
  small.observe("c-1", DomainState::running);
  small.end(first);
  small.observe("c-1", DomainState::shutoff);
  ASSERT_EQ(small.node("c-1").disk_host_id.value, "h1");
  small.add_host_with_volumes("h2", 1);
  // The one that may be anywhere, c-2, leaves h1 to the one that may not.
  const auto both = small.start({.cluster_id = {"c"}, .nodes = {{"c-2"}, {"c-1"}}});
  ASSERT_TRUE(both) << both.error().detail;
  EXPECT_EQ(small.host_of("c-1"), "h1");
  EXPECT_EQ(small.host_of("c-2"), "h2");
}

TEST_F(Disks, MakeAComputesetWaitThatAsksForAnotherHost) {
  small.add_host_with_volumes("h1", 4);
  add_cluster(1);
  const auto first = small.start("c", 1);
  small.observe("c-1", DomainState::running);
  small.end(first);
  small.observe("c-1", DomainState::shutoff);
  small.add_host_with_volumes("h2", 4);
  const auto id = small.start({.cluster_id = {"c"}, .nodes = {{"c-1"}}, .hosts = {{"h2"}}});
  ASSERT_TRUE(id);
  EXPECT_EQ(small.computeset(*id).computeset.reason,
            "vm-c-1: its disk is on host h1, not on host h2");
}

TEST_F(Disks, OfRemovedNodesAreDeletedOnceTheirHostHasDoneSo) {
  small.add_host_with_volumes("h1", 4);
  add_cluster(1);
  run_once();
  const auto set = small.start("c", 1);
  small.observe("c-1", DomainState::running);
  small.apply(plan_node_removed(small.view, {small.node("c-1").definition}, small.now_unix_ms));
  EXPECT_TRUE(disks_to_remove(small.view, {"h1"}).empty()) << "it still runs";
  small.observe("c-1", DomainState::shutoff);
  EXPECT_FALSE(small.view.node({"c-1"}));
  EXPECT_EQ(disks_to_remove(small.view, {"h1"}), (std::vector<msg::NodeId>{{"c-1"}}));
  EXPECT_TRUE(disks_to_remove(small.view, {"h2"}).empty());
  small.apply(plan_disks_removed(small.view, {"h2"}, {{{"c-1"}}}, small.now_unix_ms));
  EXPECT_EQ(small.view.removed_disks().size(), 1U) << "another host cannot say so";
  small.apply(plan_disks_removed(small.view, {"h1"}, {{{"c-1"}, {"c-0"}}}, small.now_unix_ms));
  EXPECT_TRUE(small.view.removed_disks().empty());
  EXPECT_TRUE(small.view.node({"c-0"})) << "and this one was not removed";
  (void)set;
}

}  // namespace
}  // namespace nucleus::scheduler
