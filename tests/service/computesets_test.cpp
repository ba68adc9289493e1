// Computesets and allocations: started and ended whole, one effect for each request, charged to the
// second.
#include <gtest/gtest.h>

#include <ctime>

#include "services/scheduler/keys.hpp"
#include "tests/service/scheduler_room.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using msg::ComputesetState;
using msg::PowerAction;

class Computesets : public SchedulerRoom {
 protected:
  core::Result<msg::Computeset> start_set(std::uint32_t count, const std::string& cluster = "c",
                                          const std::string& request_id = {}) {
    return ask(msg::StartComputeset{.cluster_id = {cluster}, .viewer = as_operator, .count = count},
               request_id);
  }
  core::Result<msg::Computeset> power_set(msg::ComputesetId id, PowerAction action) {
    return ask(msg::PowerComputeset{.computeset_id = id, .viewer = as_operator, .action = action});
  }
  bool set_becomes(msg::ComputesetId id, ComputesetState state) {
    return eventually([&] { return computeset(id).state == state; });
  }
  /// All nodes of a computeset are observed to run.
  std::vector<msg::Grant> run(Host& host, const msg::Computeset& started) {
    std::vector<msg::Grant> grants;
    for (const auto& node : started.nodes) {
      const auto grant = host.wait_for_grant(node.value);
      EXPECT_TRUE(grant && host.report_domain(*grant, msg::DomainState::running));
      grants.push_back(grant.value_or(msg::Grant{}));
    }
    return grants;
  }
  /// They run, are ended, and are observed to be off.
  void run_and_end(Host& host, const msg::Computeset& started) {
    const auto grants = run(host, started);
    ASSERT_TRUE(power_set(started.computeset_id, PowerAction::poweroff));
    for (const auto& grant : grants)
      ASSERT_TRUE(host.report_domain(grant, msg::DomainState::shutoff));
  }
};

TEST_F(Computesets, AreGrantedWholeAndEndWithTheLastOfTheirNodes) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 3);
  const auto started = start_set(3);
  ASSERT_TRUE(started) << started.error().detail;
  EXPECT_EQ(started->computeset_id, 1);
  EXPECT_EQ(started->state, ComputesetState::running);
  EXPECT_EQ(started->walltime_mins, 2880);
  EXPECT_EQ(started->allocation_id.value, "a") << "the cluster's only one";
  ASSERT_EQ(started->nodes.size(), 3U);
  std::vector<msg::Grant> grants;
  for (const auto& node : started->nodes) {
    const auto grant = host.wait_for_grant(node.value);
    ASSERT_TRUE(grant);
    ASSERT_TRUE(host.report_domain(*grant, msg::DomainState::running));
    grants.push_back(*grant);
  }
  ASSERT_TRUE(becomes("c", 3, msg::NodeState::active));
  const auto ending = power_set(1, PowerAction::shutdown);
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->state, ComputesetState::ending);
  ASSERT_TRUE(host.wait_for_grant("c-1", [](const msg::Grant& grant) { return !grant.is_on; }));
  EXPECT_TRUE(host.wait_for_grant("c-1")->is_graceful);
  ASSERT_TRUE(host.report_domain(grants[0], msg::DomainState::shutoff));
  ASSERT_TRUE(host.report_domain(grants[1], msg::DomainState::shutoff));
  ASSERT_TRUE(becomes("c", 2, msg::NodeState::shutoff));
  EXPECT_EQ(computeset(1).state, ComputesetState::ending) << "one still runs";
  ASSERT_TRUE(host.report_domain(grants[2], msg::DomainState::shutoff));
  EXPECT_TRUE(set_becomes(1, ComputesetState::completed));
  EXPECT_EQ(state_of("c", 3).computeset_id, 0);
}

TEST_F(Computesets, KeepWhoAskedForThemAndForWhom) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 1);
  msg::StartComputeset request{.cluster_id = {"c"},
                               .viewer = as_operator,
                               .count = 1,
                               .person_id = {"gateway"},
                               .on_behalf_of = "Ada | " + std::string(58, 'x')};
  for (const auto& wrong : {std::string(65, 'x'), std::string("two\nlines")}) {
    auto refused = request;
    refused.on_behalf_of = wrong;
    EXPECT_EQ(ask(refused).error().field, "on_behalf_of");
  }
  const auto started = ask(request);
  ASSERT_TRUE(started) << started.error().detail;
  run_and_end(host, *started);
  ASSERT_TRUE(set_becomes(1, ComputesetState::completed));
  for (const bool is_restarted : {false, true}) {
    if (is_restarted) restart();
    EXPECT_EQ(computeset(1).person_id, request.person_id);
    EXPECT_EQ(computeset(1).on_behalf_of, request.on_behalf_of);
  }
}

TEST_F(Computesets, StartWithAsManyNodesAsFitIfTheyAskForFewer) {
  start();
  Host host(deployment_, "h1", {.cpus = 2});
  ASSERT_TRUE(host.report());
  define("c", 3);
  const auto started = ask(msg::StartComputeset{
      .cluster_id = {"c"}, .viewer = as_operator, .count = 3, .node_count_min = 2});
  ASSERT_TRUE(started) << started.error().detail;
  EXPECT_EQ(started->state, ComputesetState::running);
  EXPECT_EQ(started->nodes, (std::vector<msg::NodeId>{{"c-1"}, {"c-2"}}));
  EXPECT_EQ(started->reason, "started with 2 of its 3 nodes, without c-3");
  restart();
  EXPECT_EQ(computeset(1).nodes.size(), 2U);
  EXPECT_EQ(state_of("c", 3).computeset_id, 0);
}

TEST_F(Computesets, GetAnotherHostForANodeThatItsHostCannotStart) {
  start();
  Host first(deployment_, "h1");
  Host second(deployment_, "h2");
  ASSERT_TRUE(first.report() && second.report());
  define("c", 1);
  ASSERT_TRUE(start_set(1));
  const auto grant = first.wait_for_grant("c-1");
  ASSERT_TRUE(grant);
  ASSERT_TRUE(first.report_domain(*grant, msg::DomainState::absent,
                                  "cannot be started: no space left on the disk"));
  const auto stopped =
      first.wait_for_grant("c-1", [](const msg::Grant& one) { return !one.is_on; });
  ASSERT_TRUE(stopped);
  EXPECT_EQ(state_of("c", 1).host_id.value, "h1") << "its end is not known yet";
  ASSERT_TRUE(first.report_domain(*stopped, msg::DomainState::shutoff));
  const auto moved = second.wait_for_grant("c-1");
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->epoch, 2U);
  ASSERT_TRUE(second.report_domain(*moved, msg::DomainState::running));
  ASSERT_TRUE(becomes("c", 1, msg::NodeState::active));
  const auto why = ask(msg::ExplainNode{.node = {.node_id = {"c-1"}}, .viewer = as_operator});
  ASSERT_TRUE(why);
  EXPECT_TRUE(std::ranges::any_of(why->timeline, [](const msg::TimelineStep& step) {
    return step.text ==
           "c-1 failed to start on host h1: cannot be started: no space left on the disk";
  }));
}

TEST_F(Computesets, ShowWhenTheFirstThatWaitsWillStart) {
  start();
  Host host(deployment_, "h1");  // 4 CPUs
  ASSERT_TRUE(host.report());
  for (const char* cluster : {"c", "d", "e"}) define(cluster, 4);
  const auto runs = start_set(3);
  ASSERT_TRUE(runs);
  const auto first = start_set(2, "d");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->state, ComputesetState::submitted);
  const auto end_unix_s = runs->start_unix_s + runs->walltime_mins * 60;
  EXPECT_EQ(first->predicted_start_unix_s, end_unix_s);
  EXPECT_EQ(computeset(first->computeset_id).predicted_start_unix_s, end_unix_s);
  restart();
  EXPECT_TRUE(eventually([&] { return computeset(first->computeset_id).computeset_id != 0; }));
  EXPECT_EQ(computeset(first->computeset_id).predicted_start_unix_s, end_unix_s);
  const auto shorter = ask(msg::StartComputeset{
      .cluster_id = {"e"}, .viewer = as_operator, .count = 1, .walltime_mins = 1});
  ASSERT_TRUE(shorter);
  EXPECT_EQ(shorter->state, ComputesetState::running) << "it is over by then";
}

TEST_F(Computesets, AreEstimatedFromWaitsThatOutliveTheScheduler) {
  {
    StandIn before{deployment_, "scheduler"};
    ASSERT_TRUE(before.write(
        scheduler::keys::waits(),
        scheduler::StoredWaits{std::vector<scheduler::StoredWait>(
            200, {.expected_s = 360'000, .actual_s = 180'000, .had_interval = true})}));
  }
  start();
  Host host(deployment_, "h1");  // 4 CPUs
  ASSERT_TRUE(host.report());
  for (const char* cluster : {"c", "d"}) define(cluster, 4);
  const auto runs = start_set(4);
  ASSERT_TRUE(runs);
  // An estimate is made for the first that is accepted in a second.
  ASSERT_TRUE(eventually([&] { return std::time(nullptr) > runs->created_unix_s + 1; }));
  const auto waits = start_set(4, "d");
  ASSERT_TRUE(waits);
  const auto why =
      ask(msg::ExplainComputeset{.computeset_id = waits->computeset_id, .viewer = as_operator});
  ASSERT_TRUE(why);
  EXPECT_EQ(why->expected_start_unix_s, runs->start_unix_s + runs->walltime_mins * 60);
  const auto half_s = runs->walltime_mins * 60 / 2;
  EXPECT_NEAR(static_cast<double>(why->earliest_start_unix_s - waits->created_unix_s),
              static_cast<double>(half_s), 90);
  EXPECT_EQ(why->earliest_start_unix_s, why->latest_start_unix_s);
  run_and_end(host, *runs);
  ASSERT_TRUE(set_becomes(waits->computeset_id, ComputesetState::running));
  service_.reset();
  StandIn after{deployment_, "scheduler"};
  const auto stored = after.read(scheduler::keys::waits());
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->waits.size(), 200U) << "the oldest was forgotten";
  EXPECT_NE(stored->waits.back().expected_s, 360'000);
  EXPECT_FALSE(stored->waits.back().is_within) << "it started long before";
}

TEST_F(Computesets, AreCreatedOnceForARequestThatIsRepeated) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 2);
  const auto first = start_set(1, "c", "same");
  const auto again = start_set(1, "c", "same");
  restart();
  const auto after = start_set(1, "c", "same");
  ASSERT_TRUE(first && again && after);
  EXPECT_EQ(first->computeset_id, again->computeset_id);
  EXPECT_EQ(first->computeset_id, after->computeset_id);
  EXPECT_EQ(ask(msg::ListComputesets{.viewer = as_operator})->computesets.size(), 1U);
  const auto another = start_set(1);
  ASSERT_TRUE(another);
  EXPECT_EQ(another->computeset_id, 2) << "ids are not reused, not even after a restart";
}

TEST_F(Computesets, WaitWholeAndALaterOneThatFitsPasses) {
  start();
  Host host(deployment_, "h1", {.cpus = 3});
  ASSERT_TRUE(host.report());
  define("c", 3);
  define("d", 4);
  define("e", 1);
  const auto first = start_set(2, "c");
  const auto large = start_set(4, "d");
  const auto small = start_set(1, "e");
  ASSERT_TRUE(first && large && small);
  EXPECT_EQ(first->state, ComputesetState::running);
  EXPECT_EQ(large->state, ComputesetState::submitted);
  EXPECT_EQ(large->reason, "all hosts together are too small for its nodes");
  EXPECT_EQ(small->state, ComputesetState::running);
  for (std::size_t i = 1; i <= 4; ++i) EXPECT_EQ(state_of("d", i).host_id.value, "");
  run_and_end(host, *first);
  run_and_end(host, *small);
  ASSERT_TRUE(set_becomes(small->computeset_id, ComputesetState::completed));
  EXPECT_EQ(computeset(large->computeset_id).state, ComputesetState::submitted) << "still 3 CPUs";
  Host larger(deployment_, "h2", {.cpus = 4});
  ASSERT_TRUE(larger.report());
  EXPECT_TRUE(set_becomes(large->computeset_id, ComputesetState::running));
}

TEST_F(Computesets, AreCancelledIfTheyWait) {
  start();
  define("c", 1);
  const auto waiting = start_set(1);
  ASSERT_TRUE(waiting);
  const auto cancelled = power_set(waiting->computeset_id, PowerAction::poweroff);
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->state, ComputesetState::cancelled);
  EXPECT_GT(cancelled->end_unix_s, 0);
  EXPECT_EQ(cancelled->start_unix_s, 0);
  EXPECT_TRUE(start_set(1)) << "its node is free again";
}

TEST_F(Computesets, RefuseNodesThatCannotBeInThem) {
  start();
  define("c", 2);
  define("d", 1);
  const auto refusal = [&](msg::StartComputeset request) {
    const auto refused = ask(request);
    return refused ? std::string("accepted") : refused.error().detail;
  };
  EXPECT_EQ(refusal({.cluster_id = {"c"}, .viewer = as_operator, .nodes = {{"c-0"}}}),
            "c-0 is not a compute node");
  EXPECT_EQ(refusal({.cluster_id = {"c"}, .viewer = as_operator, .nodes = {{"d-1"}}}),
            "There is no compute d-1 in cluster c");
  EXPECT_EQ(refusal({.cluster_id = {"c"}, .viewer = as_operator, .nodes = {{"c-1"}, {"c-1"}}}),
            "a node is named twice");
  EXPECT_EQ(refusal({.cluster_id = {"nobody"}, .viewer = as_operator, .count = 1}),
            "no such cluster: nobody");
  EXPECT_EQ(refusal({.cluster_id = {}, .viewer = as_operator, .count = 1}), "cluster is missing");
  EXPECT_EQ(
      refusal({.cluster_id = {"c"}, .viewer = as_operator, .count = 1, .allocation_id = {"b"}}),
      "Allocation b does not belong to the cluster.");
  EXPECT_EQ(
      refusal({.cluster_id = {"c"}, .viewer = as_operator, .nodes = {{"c-1"}}, .hosts = {{"h9"}}}),
      "no such host: h9");
  EXPECT_EQ(refusal({.cluster_id = {"c"}, .viewer = as_operator, .count = 1, .reservation = "r"}),
            "no such reservation: r");
  EXPECT_EQ(refusal({.cluster_id = {"c"}, .viewer = as_operator, .count = 1, .walltime_mins = -1}),
            "walltime_mins must be 0 to 525600");
  EXPECT_EQ(refusal({.cluster_id = {"c"}, .viewer = as_operator, .count = 0}),
            "There are 2 nodes available for starting. Requested number should be greater than "
            "zero.");
  EXPECT_EQ(refusal({.cluster_id = {"c"}, .viewer = as_operator, .count = 3}),
            "There are 2 nodes available for starting. 3 were requested: ask for fewer, or end a "
            "computeset.");
  ASSERT_TRUE(start_set(1));
  EXPECT_EQ(refusal({.cluster_id = {"c"}, .viewer = as_operator, .nodes = {{"c-1"}}}),
            "c-1 is in computeset 1 (submitted)");
  EXPECT_EQ(ask(msg::ListComputesets{.viewer = as_operator})->computesets.size(), 1U);
}

TEST_F(Computesets, AllowPowerOfAComputeOnlyInARunningOne) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 1);
  const auto refused = power("c-1", PowerAction::poweron);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::wrong_state);
  EXPECT_EQ(refused.error().detail, "Compute is not a member of an active computeset");
  ASSERT_TRUE(start_set(1));
  EXPECT_TRUE(power("c-1", PowerAction::reset));
  EXPECT_TRUE(
      host.wait_for_grant("c-1", [](const msg::Grant& grant) { return grant.resets == 1; }));
}

TEST_F(Computesets, RefuseActionsOnUnknownOnesAndUnknownActions) {
  start();
  define("c", 1);
  EXPECT_EQ(power_set(7, PowerAction::poweroff).error().code, ErrorCode::not_found);
  ASSERT_TRUE(start_set(1));
  EXPECT_EQ(power_set(1, PowerAction::reboot).error().code, ErrorCode::wrong_state);
  EXPECT_EQ(power_set(1, PowerAction::poweron).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(power_set(1, PowerAction::unknown).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(
      ask(msg::ListComputesets{.viewer = {.projects = {{"q"}}}, .computeset_id = 1}).error().code,
      ErrorCode::not_found)
      << "one of another project looks like one that does not exist";
  EXPECT_TRUE(ask(msg::ListComputesets{.viewer = {.projects = {{"q"}}}})->computesets.empty());
}

TEST_F(Computesets, ChargeAllTheirCoresFromStartToEndOnce) {
  start();
  Host host(deployment_, "h1", {.cpus = 8});
  ASSERT_TRUE(host.report());
  define("c", 2, 3);
  const auto started = start_set(2);
  ASSERT_TRUE(started);
  run_and_end(host, *started);
  ASSERT_TRUE(set_becomes(1, ComputesetState::completed));
  const auto over = computeset(1);
  const auto allocations = ask(msg::ListAllocations{.viewer = as_operator});
  ASSERT_TRUE(allocations);
  ASSERT_EQ(allocations->allocations.size(), 1U);
  EXPECT_EQ(allocations->allocations[0].used_core_s, 6 * (over.end_unix_s - over.start_unix_s));
  restart();
  EXPECT_EQ(ask(msg::ListAllocations{.viewer = as_operator})->allocations,
            allocations->allocations);
}

// As when the whole deployment was down for a while.
TEST_F(Computesets, EndWhenTheirNodesWereLastSeenIfTheyEndedUnwatched) {
  start();
  Host host(deployment_, "h1", {.cpus = 8});
  ASSERT_TRUE(host.report());
  define("c", 3);
  const auto started = start_set(3);
  ASSERT_TRUE(started);
  const auto grants = run(host, *started);
  ASSERT_TRUE(power("c-3", PowerAction::poweroff));
  ASSERT_TRUE(host.report_domain(grants[2], msg::DomainState::shutoff));
  ASSERT_TRUE(becomes("c", 3, msg::NodeState::shutoff));
  const auto now_unix_s = [&] { return caller_.loop().unix_ms() / 1000; };
  const std::int64_t off_unix_s = now_unix_s();
  ASSERT_TRUE(eventually([&] { return now_unix_s() > off_unix_s + 1; }));
  ASSERT_TRUE(host.report_unwatched_end(grants[0], 1'000));
  ASSERT_TRUE(becomes("c", 1, msg::NodeState::shutoff));
  EXPECT_EQ(computeset(1).state, ComputesetState::running) << "one is still on";
  ASSERT_TRUE(host.report_unwatched_end(grants[1], 2'000));
  ASSERT_TRUE(set_becomes(1, ComputesetState::completed));
  const auto over = computeset(1);
  EXPECT_LE(over.end_unix_s, off_unix_s) << "the last of them was seen off then";
  EXPECT_EQ(over.reason, "all its nodes had ended while no provisioner watched");
  const auto allocations = ask(msg::ListAllocations{.viewer = as_operator});
  ASSERT_TRUE(allocations);
  EXPECT_EQ(allocations->allocations[0].used_core_s, 3 * (over.end_unix_s - over.start_unix_s));
}

TEST_F(Computesets, ContinueAfterTheirNodesEndedByThemselvesAndAllowPowerOn) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 1);
  const auto started = start_set(1);
  ASSERT_TRUE(started);
  ASSERT_TRUE(host.report_domain(run(host, *started)[0], msg::DomainState::crashed));
  ASSERT_TRUE(becomes("c", 1, msg::NodeState::crashed));
  EXPECT_EQ(computeset(1).state, ComputesetState::running);
  ASSERT_TRUE(power("c-1", PowerAction::poweron));
  // Its provisioner restarts, and a simulated host ends with it.
  const auto again = host.wait_for_grant("c-1", 2);
  ASSERT_TRUE(again);
  ASSERT_TRUE(host.report_domain(*again, msg::DomainState::running));
  ASSERT_TRUE(becomes("c", 1, msg::NodeState::active));
  ASSERT_TRUE(host.report_unwatched_end(*again, caller_.loop().unix_ms() - 1'000));
  ASSERT_TRUE(becomes("c", 1, msg::NodeState::shutoff));
  EXPECT_EQ(computeset(1).state, ComputesetState::running);
  EXPECT_TRUE(power("c-1", PowerAction::poweron));
}

TEST_F(Computesets, AreRefusedIfTheAllocationCannotPayForAllOfThem) {
  start();
  define("c", 3);
  ASSERT_TRUE(ask(msg::DefineAllocation{
      .allocation_id = {"a"}, .project_id = {"p"}, .limit_core_s = 2 * 3600}));
  const auto hour = [&](std::uint32_t count) {
    return ask(msg::StartComputeset{
        .cluster_id = {"c"}, .viewer = as_operator, .count = count, .walltime_mins = 60});
  };
  EXPECT_EQ(hour(3).error().code, ErrorCode::wrong_state);
  ASSERT_TRUE(hour(2)) << "a waiting one counts against the limit";
  const auto refused = hour(1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "allocation a has 0 core-seconds left, this needs 3600");
  ASSERT_TRUE(power_set(1, PowerAction::poweroff));
  EXPECT_TRUE(hour(2)) << "a cancelled one costs nothing";
  EXPECT_EQ(ask(msg::DefineAllocation{.allocation_id = {"../x"}, .project_id = {"p"}}).error().code,
            ErrorCode::invalid_argument);
  EXPECT_EQ(
      ask(msg::DefineAllocation{.allocation_id = {"a"}, .project_id = {"p"}, .limit_core_s = -1})
          .error()
          .code,
      ErrorCode::invalid_argument);
}

TEST_F(Computesets, EndWithTheirClusterAndItsNodesAreRemoved) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 1);
  ASSERT_TRUE(start_set(1));
  const auto grant = host.wait_for_grant("c-1");
  ASSERT_TRUE(grant);
  ASSERT_TRUE(host.report_domain(*grant, msg::DomainState::running));
  ASSERT_TRUE(registry_.emit(msg::ClusterRemoved{
      .cluster = {.cluster_id = {"c"}, .project_id = {"p"}}, .nodes = {{"c-0"}, {"c-1"}}}));
  ASSERT_TRUE(set_becomes(1, ComputesetState::ending));
  EXPECT_EQ(computeset(1).reason, "its cluster was removed");
  EXPECT_EQ(power("c-1", PowerAction::poweron).error().code, ErrorCode::not_found);
  ASSERT_TRUE(host.report_domain(*grant, msg::DomainState::shutoff));
  ASSERT_TRUE(set_becomes(1, ComputesetState::completed));
  EXPECT_TRUE(ask(msg::ListNodeStatuses{.viewer = as_operator})->nodes.empty());
}

TEST_F(Computesets, SurviveAKillOfRedisDuringTheirStart) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 4);
  for (int i = 1; i <= 4; ++i) {
    auto reply = std::async(std::launch::async, [&] { return start_set(1); });
    deployment_.redis.kill();
    deployment_.redis.start();
    const auto started = reply.get();
    ASSERT_TRUE(started) << started.error().detail;
    EXPECT_EQ(started->computeset_id, i);
  }
  EXPECT_EQ(ask(msg::ListComputesets{.viewer = as_operator})->computesets.size(), 4U);
}

}  // namespace
}  // namespace nucleus::tests
