// A running computeset grows: now, or not at all.
#include <gmock/gmock.h>

#include "services/scheduler/plan/walltime.hpp"
#include "services/scheduler/usage.hpp"
#include "tests/unit/services/scheduler/resizing.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using msg::ComputesetState;
using msg::DomainState;
using msg::PowerAction;
using testing::ElementsAre;

TEST_F(Resize, GrowsByNamedNodesAndLeavesTheOthersAlone) {
  const auto id = start(2);
  small.observe("c-1", DomainState::running);
  const auto epoch = small.node("c-1").epoch;
  ASSERT_TRUE(grow(id, {"vm-c-5", "vm-c-3"}));
  EXPECT_THAT(nodes_of(id), ElementsAre("c-1", "c-2", "c-5", "c-3"));
  EXPECT_EQ(small.computeset(id).computeset.reason, "grown by vm-c-[3,5]");
  EXPECT_EQ(small.computeset(id).cores, 4);
  EXPECT_EQ(small.computeset(id).memory_mb, 4 * 512);
  for (const auto* node : {"c-3", "c-5"}) {
    EXPECT_FALSE(small.host_of(node).empty());
    EXPECT_TRUE(small.node(node).is_grant_on);
    EXPECT_EQ(small.node(node).computeset_id, id);
  }
  EXPECT_EQ(small.node("c-1").epoch, epoch);
  EXPECT_EQ(small.node("c-1").state, msg::NodeState::active);
}

TEST_F(Resize, GrowsByTheFirstFreeNodes) {
  const auto id = start(1);
  small.start("c", 1);
  ASSERT_TRUE(grow({.computeset_id = id, .count = 2}));
  EXPECT_THAT(nodes_of(id), ElementsAre("c-1", "c-3", "c-4"));
}

TEST_F(Resize, ChargesAddedNodesFromThenOnAndThoseThatLeaveUntilTheyAreOff) {
  const auto id = start(2);
  small.pass_time_s(100);
  ASSERT_TRUE(grow(id, {"vm-c-3", "vm-c-4", "vm-c-5"}));
  small.pass_time_s(100);
  ASSERT_TRUE(shrink(id, {"vm-c-1", "vm-c-4"}));
  small.pass_time_s(30);
  small.observe("c-1", DomainState::shutoff);
  small.pass_time_s(20);
  small.observe("c-4", DomainState::shutoff);
  small.pass_time_s(50);
  small.end(id);
  small.pass_time_s(5);
  small.end_stopping();
  EXPECT_EQ(state(id), ComputesetState::completed);
  EXPECT_EQ(used_core_s(), 2 * 100 + 5 * 100 + 5 * 30 + 4 * 20 + 3 * 55);
}

TEST_F(Resize, IsInTheUsageAsOfNow) {
  const auto id = start(2);
  small.pass_time_s(10);
  ASSERT_TRUE(grow(id, {"vm-c-3", "vm-c-4"}));
  small.pass_time_s(10);
  ASSERT_TRUE(shrink(id, {"vm-c-2"}, PowerAction::poweroff));
  small.observe("c-2", DomainState::shutoff);
  small.pass_time_s(10);
  const auto usage = usage_of(small.view, small.computeset(id), {}, small.now_unix_s());
  EXPECT_EQ(usage.node_list, "vm-c-[1,3-4]");
  EXPECT_EQ(usage.node_count, 3U);
  EXPECT_EQ(usage.cores, 3U);
  EXPECT_EQ(usage.memory_mb, 3U * 512);
  EXPECT_EQ(usage.used_core_s, 20 + 40 + 30);
  EXPECT_EQ(summary_of(small.computeset(id)).cores, 0) << "its record has the rates";
}

TEST_F(Resize, PlansThePriceOfTheGrowth) {
  limit(10 * 3600);
  const auto id = start(2);
  small.pass_time_s(20 * minute_s);
  const auto plan = plan_growth({.computeset_id = id, .names = {"vm-c-3", "vm-c-4"}});
  ASSERT_TRUE(plan) << plan.error().detail;
  EXPECT_THAT(plan->names, ElementsAre("vm-c-3", "vm-c-4"));
  EXPECT_EQ(plan->hosts.size(), 2U);
  EXPECT_EQ(plan->cores, 2);
  EXPECT_EQ(plan->core_s_max, 2 * 40 * minute_s);
  EXPECT_EQ(plan->left_core_s, 8 * 3600);
  EXPECT_EQ(plan->expected_start_unix_s, small.now_unix_s());
  EXPECT_EQ(plan->computeset.computeset_id, id);
  EXPECT_THAT(nodes_of(id), ElementsAre("c-1", "c-2")) << "it was a plan";

  ASSERT_TRUE(grow(id, {"vm-c-3", "vm-c-4"}));
  small.pass_time_s(40 * minute_s);
  small.sweep();
  small.pass_time_s(7);
  small.end_stopping();
  EXPECT_EQ(used_core_s(), 2 * 3600 + plan->core_s_max);
}

TEST_F(Resize, GrowsNowOrNotAtAll) {
  const auto id = start(2);
  small.add_cluster("d", 5);
  small.start("d", 5);
  const char* no_room = "no hosts have room for all of these nodes now";
  EXPECT_REFUSED(grow(id, {"vm-c-3", "vm-c-4"}), ErrorCode::no_capacity, "names", no_room);
  EXPECT_REFUSED(plan_growth({.computeset_id = id, .names = {"vm-c-3", "vm-c-4"}}),
                 ErrorCode::no_capacity, "names", no_room);
  EXPECT_EQ(small.node("c-3").computeset_id, 0);
  EXPECT_TRUE(small.host_of("c-3").empty());
  EXPECT_TRUE(grow(id, {"vm-c-3"}));
}

TEST_F(Resize, BreaksNoPromise) {
  const auto id = start(2, 120);
  small.add_cluster("d", 4);
  const auto ends = small.start({.cluster_id = {"d"}, .count = 4, .walltime_mins = 30});
  ASSERT_TRUE(ends);
  small.add_cluster("e", 6);
  const auto waits = small.start({.cluster_id = {"e"}, .count = 6, .walltime_mins = 30});
  ASSERT_TRUE(waits);
  ASSERT_EQ(state(*waits), ComputesetState::submitted);
  EXPECT_REFUSED(grow(id, {"vm-c-3"}), ErrorCode::no_capacity, "names",
                 "computeset 3 waits for these hosts and would start later");
  const auto promised = small.computeset(*waits).computeset.predicted_start_unix_s;
  EXPECT_EQ(promised, small.now_unix_s() + 30 * minute_s);

  const auto shorter = plan_change_walltime(
      small.view, {.computeset_id = id, .viewer = as_operator, .walltime_mins = 30},
      small.now_unix_ms);
  ASSERT_TRUE(shorter);
  small.apply(*shorter);
  ASSERT_TRUE(grow(id, {"vm-c-3"})) << "it ends before the promised start";
  small.pass();
  EXPECT_EQ(small.computeset(*waits).computeset.predicted_start_unix_s, promised);
}

TEST_F(Resize, KeepsRoomBesideThePromisedHosts) {
  const auto id = start(1, 120);
  small.add_cluster("d", 4);
  ASSERT_TRUE(small.start({.cluster_id = {"d"}, .count = 4, .walltime_mins = 30}));
  small.add_cluster("e", 4);
  const auto waits = small.start({.cluster_id = {"e"}, .count = 4, .walltime_mins = 30});
  ASSERT_EQ(state(*waits), ComputesetState::submitted);
  ASSERT_TRUE(grow(id, {"vm-c-2", "vm-c-3"})) << "the first one that waits starts as promised";
  small.pass();
  EXPECT_EQ(small.computeset(*waits).computeset.predicted_start_unix_s,
            small.now_unix_s() + 30 * minute_s);
  EXPECT_EQ(grow(id, {"vm-c-4", "vm-c-5"}).error().code, ErrorCode::no_capacity);
}

TEST_F(Resize, DoesNotRunIntoAReservation) {
  const auto id = start(4, 60);
  ASSERT_TRUE(small.reserve("r", "h1,h2", {60 * minute_s, 90 * minute_s}));
  EXPECT_TRUE(grow(id, {"vm-c-5"})) << "it ends before that";
  small.end(id);
  small.end_stopping();
  ASSERT_TRUE(small.remove_reservation("r"));

  const auto longer = start(1, 120);
  ASSERT_EQ(small.host_of("c-1"), "h1");
  ASSERT_TRUE(small.reserve("s", "h2", {60 * minute_s, 90 * minute_s}));
  ASSERT_TRUE(grow(longer, {"vm-c-2", "vm-c-3", "vm-c-4"}));
  for (const auto* node : {"c-2", "c-3", "c-4"}) EXPECT_EQ(small.host_of(node), "h1");
  EXPECT_REFUSED(grow(longer, {"vm-c-5"}), ErrorCode::no_capacity, "names",
                 "a project's reservation keeps hosts that have room");
}

TEST_F(Resize, StaysWithinItsOwnReservation) {
  ASSERT_TRUE(small.reserve("r", "h2", {0, 90 * minute_s}));
  const auto id =
      small.start({.cluster_id = {"c"}, .count = 3, .walltime_mins = 60, .reservation = "r"});
  ASSERT_TRUE(id) << id.error().detail;
  EXPECT_REFUSED(grow(*id, {"vm-c-4", "vm-c-5"}), ErrorCode::no_capacity, "names",
                 "the hosts of reservation r have no room now");
  ASSERT_TRUE(grow(*id, {"vm-c-4"}));
  EXPECT_EQ(small.host_of("c-4"), "h2");
}

TEST_F(Resize, IsPaidForUntilTheEndOfTheWalltime) {
  limit(3 * 3600);
  const auto id = start(2);
  small.pass_time_s(30 * minute_s);
  EXPECT_REFUSED(grow(id, {"vm-c-3", "vm-c-4", "vm-c-5"}), ErrorCode::wrong_state, "allocation_id",
                 "allocation a has 3600 core-seconds left, this needs 5400");
  ASSERT_TRUE(grow(id, {"vm-c-3", "vm-c-4"}));
  EXPECT_EQ(plan_growth({.computeset_id = id, .names = {"vm-c-5"}}).error().detail,
            "allocation a has 0 core-seconds left, this needs 1800");
  ASSERT_TRUE(shrink(id, {"vm-c-4"}, PowerAction::poweroff));
  small.observe("c-4", DomainState::shutoff);
  EXPECT_TRUE(grow(id, {"vm-c-5"})) << "what it gave back pays for another";
}

TEST_F(Resize, IsRefusedByAClosedAllocation) {
  const auto id = start(1);
  small.apply(*plan_allocation(small.view,
                               {.allocation_id = {"a"}, .project_id = {"p"}, .is_closed = true},
                               small.now_unix_ms));
  EXPECT_REFUSED(grow(id, {"vm-c-2"}), ErrorCode::wrong_state, "allocation_id",
                 "allocation a is closed");
}

TEST_F(Resize, NeedsTheProjectsAcknowledgement) {
  const auto id = start(1);
  small.apply(plan_acknowledgement(
      small.view, {.project_id = {"p"}, .is_acknowledged = false, .reason = "sign it"},
      small.now_unix_ms));
  EXPECT_REFUSED(grow(id, {"vm-c-2"}), ErrorCode::wrong_state, "project_id",
                 "Project p may power nothing on: sign it");
  ASSERT_TRUE(small.start({.cluster_id = {"c"}, .count = 1}).error().field == "project_id");
}

TEST_F(Resize, NamesTheNodeThatCannotBeAdded) {
  const auto id = start(1);
  small.start("c", 1);
  small.add_cluster("d", 1);
  const auto bad = ErrorCode::invalid_argument;
  EXPECT_REFUSED(grow(id, {"vm-c-2"}), bad, "names", "vm-c-2 is in computeset 2 (running)");
  EXPECT_REFUSED(grow(id, {"vm-c-1"}), bad, "names", "vm-c-1 is in computeset 1 (running)");
  EXPECT_REFUSED(grow(id, {"vm-d-1"}), bad, "names", "There is no compute vm-d-1 in cluster c");
  EXPECT_REFUSED(grow(id, {"vm-c-9"}), bad, "names", "There is no compute vm-c-9 in cluster c");
  EXPECT_REFUSED(grow(id, {"c"}), bad, "names", "c is not a compute node");
  EXPECT_REFUSED(grow(id, {"vm-c-3", "vm-c-3"}), bad, "names", "a node is named twice");
  EXPECT_REFUSED(grow(id, {}), bad, "count",
                 "There are 4 nodes available for starting. Requested number should be greater "
                 "than zero.");
  EXPECT_EQ(grow({.computeset_id = id, .count = 5}).error().field, "count");
  EXPECT_EQ(grow({.computeset_id = id, .names = {"vm-c-3"}, .count = 1}).error().field, "count");
  EXPECT_EQ(grow({.computeset_id = id, .count = 4097}).error().field, "count");
  small.apply(plan_node_removed(small.view, {.node = small.definition("c", 6)}, 0));
  EXPECT_REFUSED(grow(id, {"vm-c-6"}), bad, "names", "There is no compute vm-c-6 in cluster c");
}

TEST_F(Resize, NeedsNodesThatAreReady) {
  const auto id = start(1);
  small.give_volume({"c-2"}, false);
  EXPECT_REFUSED(grow(id, {"vm-c-2"}), ErrorCode::wrong_state, "names",
                 "vm-c-2 waits for its volume");
}

TEST_F(Resize, IsOfVisibleRunningComputesetsOnly) {
  const auto id = start(6);
  small.add_cluster("d", 3);
  const auto waits = small.start({.cluster_id = {"d"}, .count = 3, .walltime_mins = 60});
  ASSERT_TRUE(waits);
  const std::string unstarted =
      "computeset 2 has not started: terminate it, and start another size";
  EXPECT_REFUSED(grow(*waits, {"vm-d-1"}), ErrorCode::wrong_state, "computeset_id", unstarted);
  EXPECT_REFUSED(shrink(*waits, {"vm-d-1"}), ErrorCode::wrong_state, "computeset_id", unstarted);
  const msg::Viewer stranger{.projects = {{"q"}}};
  EXPECT_EQ(plan_grow(small.view, small.backend,
                      {.computeset_id = id, .viewer = stranger, .names = {"vm-c-1"}}, 0)
                .error()
                .code,
            ErrorCode::not_found);
  EXPECT_EQ(plan_shrink(small.view,
                        {.computeset_id = id,
                         .viewer = stranger,
                         .names = {"vm-c-1"},
                         .action = PowerAction::poweroff},
                        0)
                .error()
                .code,
            ErrorCode::not_found);
  EXPECT_EQ(grow(99, {"vm-c-1"}).error().code, ErrorCode::not_found);
  small.end(id);
  EXPECT_EQ(grow(id, {"vm-c-1"}).error().detail, "computeset 1 has ended or is ending");
  small.end_stopping();
  EXPECT_EQ(shrink(id, {"vm-c-1"}).error().detail, "computeset 1 has ended or is ending");
}

}  // namespace
}  // namespace nucleus::scheduler
