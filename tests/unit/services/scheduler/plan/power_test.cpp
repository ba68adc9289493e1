// Power of nodes and computesets, and what a node's size costs.
#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using msg::ComputesetState;
using msg::DomainState;
using msg::PowerAction;

struct Power : OneCluster {
  void limit(std::int64_t core_s) {
    Changes changes;
    changes.allocations[{"a"}] =
        StoredAllocation{{.allocation_id = {"a"}, .project_id = {"p"}, .limit_core_s = core_s}};
    small.apply({.changes = std::move(changes)});
  }
};

TEST_F(Power, PlacesANodeWithTheSizeOfItsDefinitionAndKeepsItWhileItRuns) {
  small.define(small.definition("c", 0, 4, 2048));
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(small.used("h1"), (Resources{.cpus = 4, .memory_mb = 2048}));
  small.define(small.definition("c", 0, 2, 512));
  EXPECT_EQ(small.used("h1"), (Resources{.cpus = 4, .memory_mb = 2048}));
  EXPECT_EQ(grant_of(small.node("c-0"), small.view).cpus, 4U);
  small.observe("c-0", DomainState::running);
  small.observe("c-0", DomainState::shutoff);
  EXPECT_EQ(small.used("h1"), Resources{});
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(small.used("h1"), (Resources{.cpus = 2, .memory_mb = 512}));
}

TEST_F(Power, GrantsANodeWhatItBootsFrom) {
  auto definition = small.definition("c", 0, 4, 2048);
  definition.boots_from_network = true;
  small.define(definition);
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_TRUE(grant_of(small.node("c-0"), small.view).boots_from_network);
}

TEST_F(Power, ChargesANodeForTheSizeThatItRunsWith) {
  const auto id = small.start("c", 2);
  small.define(small.definition("c", 1, 60));
  EXPECT_EQ(small.computeset(id).cores, 2) << "it runs with one";
  small.pass_time_s(100);
  small.observe("c-1", DomainState::shutoff);
  small.pass_time_s(100);
  ASSERT_TRUE(small.power("c-1", PowerAction::poweron));
  EXPECT_EQ(small.used("h1").cpus, 61);
  EXPECT_EQ(small.computeset(id).cores, 61);
  small.pass_time_s(10);
  small.end(id);
  small.observe("c-1", DomainState::shutoff);
  small.observe("c-2", DomainState::shutoff);
  EXPECT_EQ(small.view.allocation({"a"})->allocation.used_core_s, 200 * 2 + 10 * 61);
}

TEST_F(Power, RefusesALargerNodeThatTheAllocationCannotPayFor) {
  limit(3 * 3600);
  const auto id = small.start("c", 2);
  small.observe("c-1", DomainState::shutoff);
  small.define(small.definition("c", 1, 60));
  const auto refused = small.power("c-1", PowerAction::poweron);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::wrong_state);
  EXPECT_EQ(small.computeset(id).cores, 2);
  small.define(small.definition("c", 1, 2));
  EXPECT_TRUE(small.power("c-1", PowerAction::poweron)) << "one more core for one hour";
}

TEST_F(Power, TakesTheNewSizeWhenANodeIsPoweredOnWhileItStops) {
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  ASSERT_TRUE(small.power("c-0", PowerAction::poweroff));
  small.define(small.definition("c", 0, 8));
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(small.used("h1").cpus, 1) << "it still holds its room";
  small.observe("c-0", DomainState::shutoff);
  small.pass();
  EXPECT_EQ(small.used("h1").cpus, 8);
  EXPECT_EQ(small.node("c-0").epoch, 2U);
}

TEST_F(Power, KeepsTheSizeOfANodeThatIsPlacedAgainBecauseItsHostWasLost) {
  const auto id = small.start("c", 1);
  small.define(small.definition("c", 1, 8));
  small.add_host("h2", 8);
  small.lose("h1");
  EXPECT_EQ(small.node("c-1").wait.reason, WaitReason::next_pass);
  small.pass();
  EXPECT_EQ(small.host_of("c-1"), "h2");
  EXPECT_EQ(small.used("h2").cpus, 1);
  EXPECT_EQ(small.computeset(id).cores, 1);
}

TEST_F(Power, OfAComputeIsRefusedOutsideARunningComputeset) {
  const auto refused = small.power("c-1", PowerAction::poweron);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::wrong_state);
  EXPECT_EQ(small.power("nobody", PowerAction::poweron).error().code, ErrorCode::not_found);
}

TEST_F(Power, OffEndsAComputesetWithTheLastOfItsNodesAtTheTimeItWentOff) {
  const auto id = small.start("c", 2);
  const auto start = small.now_unix_s();
  small.pass_time_s(50);
  small.end(id, PowerAction::shutdown);
  EXPECT_EQ(small.computeset(id).computeset.state, ComputesetState::ending);
  EXPECT_GT(small.node("c-1").stop_by_unix_ms, small.now_unix_ms);
  small.end(id, PowerAction::poweroff);
  EXPECT_EQ(small.node("c-1").stop_by_unix_ms, 0) << "repeated by force";
  small.observe("c-1", DomainState::shutoff);
  small.pass_time_s(5);
  const auto shown = small.observe("c-2", DomainState::shutoff);
  ASSERT_EQ(shown.computesets.size(), 1U);
  EXPECT_EQ(shown.computesets[0].state, ComputesetState::completed);
  EXPECT_EQ(shown.computesets[0].end_unix_s, start + 55);
  EXPECT_EQ(small.node("c-1").computeset_id, 0);
}

TEST_F(Power, OffOfAComputesetWithoutNodesOnHostsEndsItNow) {
  const auto id = small.start("c", 1);
  small.observe("c-1", DomainState::crashed);
  small.pass_time_s(100);
  small.end(id);
  EXPECT_TRUE(small.view.finished().find(id));
  EXPECT_EQ(small.view.allocation({"a"})->allocation.used_core_s, 100);
}

TEST_F(Power, OffByTheWalltimeIsGraceful) {
  const auto id = small.start("c", 1);
  small.pass_time_s(3599);
  EXPECT_TRUE(plan_walltime_ends(small.view, small.now_unix_ms).empty());
  small.pass_time_s(1);
  small.apply(plan_walltime_ends(small.view, small.now_unix_ms));
  EXPECT_EQ(small.computeset(id).computeset.state, ComputesetState::ending);
  EXPECT_EQ(small.computeset(id).computeset.reason, "its walltime is over");
  EXPECT_TRUE(small.node("c-1").is_graceful);
  EXPECT_TRUE(plan_walltime_ends(small.view, small.now_unix_ms).empty());
}

TEST_F(Power, OnWaitsUntilTheImageStoreHasHandledTheNewestIso) {
  const auto place_volume = [&](const std::string& iso, const std::string& reason) {
    small.apply(plan_volume(small.view,
                            {.volume = {.node_id = {"c-0"}},
                             .is_ready = reason.empty(),
                             .reason = reason,
                             .iso_id = msg::ImageId{iso}},
                            small.now_unix_ms));
  };
  place_volume("", "");
  auto node = small.definition("c", 0);
  node.iso_id = {"p/a.iso"};
  small.define(node);
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(small.host_of("c-0"), "") << "it would start without its ISO";
  EXPECT_EQ(small.node("c-0").reason, "waits for its volume");
  place_volume("p/a.iso", "waits for image p/a.iso, which does not exist");
  EXPECT_EQ(small.node("c-0").reason, "waits for image p/a.iso, which does not exist");
  node.iso_id = {};
  small.define(node);
  place_volume("", "");
  small.pass();
  EXPECT_EQ(small.host_of("c-0"), "h1");
}

TEST_F(Power, OnNeedsTheProjectsAcknowledgement) {
  small.apply(plan_acknowledgement(
      small.view, {.project_id = {"p"}, .is_acknowledged = false, .reason = "not signed"},
      small.now_unix_ms));
  EXPECT_EQ(small.power("c-0", PowerAction::poweron).error().field, "project_id");
  EXPECT_EQ(small.start({.cluster_id = {"c"}, .count = 1}).error().field, "project_id");
  small.apply(plan_acknowledgement(small.view, {.project_id = {"p"}}, small.now_unix_ms));
  EXPECT_TRUE(small.power("c-0", PowerAction::poweron));
}

using Names = std::vector<std::string>;

TEST_F(Power, OfAListIsOfAllItsNodesOrOfNone) {
  small.start("c", 2);
  small.observe("c-1", DomainState::running);
  small.observe("c-2", DomainState::running);
  ASSERT_TRUE(small.power(Names{"vm-c-1", "vm-c-2"}, PowerAction::reset));
  EXPECT_EQ(small.node("c-1").resets, 1U);
  EXPECT_EQ(small.node("c-2").resets, 1U);
  const std::pair<Names, ErrorCode> wrong[] = {
      {{"vm-c-1", "c"}, ErrorCode::wrong_state},  // the frontend is off
      {{"vm-c-1", "vm-c-9"}, ErrorCode::not_found},
      {{"vm-c-1", "vm-c-1"}, ErrorCode::invalid_argument},
      {{"vm-c-1", ""}, ErrorCode::not_found},
      {{}, ErrorCode::invalid_argument},
      {Names(4098, "vm-c-1"), ErrorCode::invalid_argument}};
  for (const auto& [names, code] : wrong) {
    const auto refused = small.power(names, PowerAction::reset);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, code) << refused.error().detail;
    EXPECT_EQ(refused.error().field, "nodes");
    EXPECT_EQ(small.node("c-1").resets, 1U) << refused.error().detail;
  }
  EXPECT_EQ(small.power(Names{"vm-c-1"}, PowerAction::unknown).error().field, "action");
}

TEST_F(Power, OfAListNamesTheNodeThatIsRefused) {
  const auto refused = small.power(Names{"c", "vm-c-1"}, PowerAction::poweron);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "vm-c-1: Compute is not a member of an active computeset");
  EXPECT_FALSE(small.node("c-0").is_desired_on);
  ASSERT_TRUE(small.power(Names{"c"}, PowerAction::poweron));
  EXPECT_TRUE(small.node("c-0").is_desired_on);
}

TEST_F(Power, OfAListNeedsRoomForAllOfIt) {
  small.start("c", 2);
  for (const char* id : {"c-1", "c-2"}) small.observe(id, DomainState::shutoff);
  small.define(small.definition("c", 1, 40));
  small.define(small.definition("c", 2, 40));
  const auto refused = small.power(Names{"vm-c-1", "vm-c-2"}, PowerAction::poweron);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::no_capacity);
  EXPECT_EQ(small.used("h1"), Resources{});
  EXPECT_FALSE(small.node("c-1").is_desired_on);
}

}  // namespace
}  // namespace nucleus::scheduler
