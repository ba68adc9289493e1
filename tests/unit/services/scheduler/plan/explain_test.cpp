// Why things are in their state, and what a start would do.
#include "services/scheduler/plan/explain.hpp"

#include <gtest/gtest.h>

#include "services/scheduler/plan/forecast.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::ComputesetState;

struct Explained : SmallDeployment {
  msg::Explanation why(msg::ComputesetId id, const msg::Viewer& viewer = as_operator) const {
    return explain_computeset(view, viewer, computeset(id), now_unix_ms);
  }
  msg::Explanation why_node(const std::string& id, const msg::Viewer& viewer = as_operator) const {
    auto explained = explain_node(view, {.node = {.node_id = {id}}, .viewer = viewer}, now_unix_ms);
    EXPECT_TRUE(explained) << explained.error().detail;
    return explained.value_or(msg::Explanation{});
  }
  msg::StartPlan plan(msg::StartComputeset request) {
    request.viewer = as_operator;
    auto planned = explain_start(view, backend, request, now_unix_ms);
    EXPECT_TRUE(planned) << planned.error().detail;
    return planned.value_or(msg::StartPlan{});
  }
};

std::vector<std::string> subjects_of(const std::vector<msg::Cause>& causes) {
  std::vector<std::string> subjects;
  for (const auto& cause : causes) subjects.push_back(cause.subject);
  return subjects;
}

TEST(Explain, FollowsAComputesetToTheOneWhoseEndFreesItsHosts) {
  Explained site;
  site.add_host("h1", 4);
  const auto running = site.submit(1, 2, 20);
  site.submit(1, 2, 90);
  const auto first = site.submit(1, 2, 30);
  const auto begin = site.now_unix_s();
  const auto explained = site.why(first);
  ASSERT_EQ(subjects_of(explained.causes),
            (std::vector<std::string>{"computeset 3", "computeset 1"}));
  EXPECT_EQ(explained.causes[0].state, "submitted");
  EXPECT_EQ(explained.causes[0].reason, "waits for hosts with room for all its nodes");
  EXPECT_NE(explained.causes[0].remedy, "");
  EXPECT_EQ(explained.causes[1].state, "running");
  EXPECT_EQ(explained.causes[1].until_unix_s, begin + 20 * minute_s);
  EXPECT_EQ(explained.expected_start_unix_s, begin + 20 * minute_s);
  EXPECT_EQ(running, 1);
}

TEST(Explain, SaysWithWhichWalltimeOneWouldPass) {
  Explained site;
  site.add_host("h1", 4);
  site.submit(1, 2, 20);
  const auto first = site.submit(1, 4, 30);
  const auto behind = site.submit(1, 2, 60);
  const auto explained = site.why(behind);
  ASSERT_EQ(subjects_of(explained.causes),
            (std::vector<std::string>{"computeset 3", "computeset 2", "computeset 1"}));
  EXPECT_EQ(explained.causes[0].remedy,
            "it starts after that one; with a walltime of at most 20 minutes it would start now");
  EXPECT_EQ(explained.expected_start_unix_s, site.now_unix_s() + 50 * minute_s);
  ASSERT_TRUE(explained.queue);
  EXPECT_EQ(explained.queue->ahead, 1U);
  EXPECT_EQ(site.why(first).queue->ahead, 0U);
  const auto shorter = site.submit(1, 2, 20);
  EXPECT_EQ(site.computeset(shorter).computeset.state, ComputesetState::running);
}

TEST(Explain, ShowsOfOtherProjectsOnlyThatTheyWaitOrRun) {
  Explained site;
  site.add_host("h1", 4);
  site.submit(1, 4, 20);
  const auto waiting = site.submit(1, 4, 30);
  const msg::Viewer stranger{.projects = {{"q"}}};
  const auto explained = site.why(waiting, stranger);
  ASSERT_EQ(explained.causes.size(), 2U);
  for (const auto& cause : explained.causes) EXPECT_EQ(cause.reason, "");
}

TEST(Explain, TellsTenantsNotWhyAHostIsDrained) {
  Explained site;
  site.add_host("h1", 4);
  site.apply(*plan_drain(site.view, {.host_id = {"h1"}, .is_drained = true, .reason = "bad DIMM"},
                         site.now_unix_ms));
  const auto waiting = site.submit(1, 1, 20);
  const auto to_operator = site.why(waiting);
  ASSERT_EQ(subjects_of(to_operator.causes), (std::vector<std::string>{"computeset 1", "host h1"}));
  EXPECT_EQ(to_operator.causes[1].state, "drained");
  EXPECT_EQ(to_operator.causes[1].reason, "bad DIMM");
  EXPECT_EQ(to_operator.causes[1].remedy, "nucleus host resume h1");
  const msg::Viewer tenant{.projects = {{"p"}}};
  EXPECT_EQ(site.why(waiting, tenant).causes.size(), 1U);
  site.add_cluster("c", 1);
  const auto named =
      site.start({.cluster_id = {"c"}, .names = {"vm-c-1"}, .hosts = {{"h1"}}, .walltime_mins = 1});
  ASSERT_TRUE(named) << named.error().detail;
  const auto to_tenant = site.why(*named, tenant);
  ASSERT_EQ(to_tenant.causes.size(), 2U) << "it named the host itself";
  EXPECT_EQ(to_tenant.causes[1].subject, "host h1");
  EXPECT_EQ(to_tenant.causes[1].reason, "");
  EXPECT_EQ(to_tenant.causes[1].remedy, "the operator brings it back");
}

TEST(Explain, NamesTheReservationAndItsEnd) {
  Explained site;
  site.add_host("h1", 4);
  site.add_cluster("c", 1);
  ASSERT_TRUE(site.reserve("r", "h1", {0, 30 * minute_s}, ""));
  const auto waiting = site.submit(1, 1, 20);
  const auto explained = site.why(waiting);
  ASSERT_EQ(subjects_of(explained.causes),
            (std::vector<std::string>{"computeset 1", "reservation r"}));
  EXPECT_EQ(explained.causes[1].until_unix_s, site.now_unix_s() + 30 * minute_s);
  EXPECT_EQ(explained.expected_start_unix_s, site.now_unix_s() + 30 * minute_s);
}

TEST(Explain, ShowsTheTimelineFromTheRequestToTheGuestsBoot) {
  Explained site;
  site.add_host("h1", 4);
  const auto begin = site.now_unix_s();
  const auto first = site.submit(1, 4, 1);
  const auto second = site.submit(1, 4, 5);
  site.pass_time_s(minute_s);
  site.sweep();
  site.pass_time_s(10);
  site.end_stopping();
  site.pass();
  site.pass_time_s(5);
  site.observe("k2-1", msg::DomainState::running);
  EXPECT_EQ(site.view.computeset(first), nullptr);
  const auto explained = site.why_node("k2-1");
  std::vector<std::pair<std::int64_t, std::string>> steps;
  for (const auto& step : explained.timeline) steps.emplace_back(step.unix_s - begin, step.text);
  const std::vector<std::pair<std::int64_t, std::string>> expected{
      {0, "accepted"},
      {0, "submitted: waits for hosts with room for all its nodes"},
      {70, "running"},
      {70, "vm-k2-1 was placed on host h1"},
      {75, "vm-k2-1 ran: its guest boots"}};
  EXPECT_EQ(steps, expected);
  ASSERT_EQ(subjects_of(explained.causes), std::vector<std::string>{"node vm-k2-1"});
  EXPECT_EQ(explained.causes[0].state, "active");
  EXPECT_EQ(explained.causes[0].remedy, "") << "nothing is wrong";
  EXPECT_FALSE(explained.queue);
  EXPECT_EQ(site.computeset(second).steps.size(), 2U);
}

TEST(Explain, SaysHowAnIdleNodeIsPoweredOn) {
  Explained site;
  site.add_cluster("c", 1);
  EXPECT_EQ(site.why_node("c-0").causes[0].remedy, "comet power on c");
  EXPECT_EQ(site.why_node("c-1").causes[0].remedy, "comet start c vm-c-1");
  site.add_host("h1", 4);
  site.start("c", 1);
  ASSERT_TRUE(site.power("c-1", msg::PowerAction::poweroff));
  site.observe("c-1", msg::DomainState::shutoff);
  EXPECT_EQ(site.why_node("c-1").causes[0].remedy, "comet power on c vm-c-1");
}

TEST(Explain, KeepsTheFirstStepAndTheNewest) {
  Explained site;
  site.add_host("h1", 1);
  site.submit(1, 1, 20);
  const auto begin = site.now_unix_s();
  const auto waiting = site.submit(1, 1, 20);
  for (int i = 0; i < 40; ++i) {
    site.pass_time_s(1);
    site.drain("h1", i % 2 == 0);
    site.pass();
  }
  const auto& steps = site.computeset(waiting).steps;
  ASSERT_EQ(steps.size(), steps_max);
  EXPECT_EQ(steps.front().unix_s, begin);
  EXPECT_GT(steps[1].unix_s, begin + 1) << "older ones were dropped";
  EXPECT_EQ(steps.back().unix_s, site.now_unix_s());
}

TEST(Explain, RefusesWhatIsNotThereOrNotVisible) {
  Explained site;
  site.add_cluster("c", 1);
  EXPECT_FALSE(explain_host(site.view, {.host_id = {"none"}}, 0));
  const auto hidden =
      explain_node(site.view, {.node = {.node_id = {"c-1"}}, .viewer = {.projects = {{"q"}}}}, 0);
  ASSERT_FALSE(hidden);
  EXPECT_EQ(hidden.error().code, core::ErrorCode::not_found);
}

TEST(StartPlan, ShowsHostsAndPriceAndChangesNothing) {
  Explained site;
  site.add_host("h1", 4);
  site.add_cluster("c", 2, 2);
  const auto generation = site.view.generation();
  const auto planned = site.plan({.cluster_id = {"c"}, .count = 2, .walltime_mins = 30});
  EXPECT_EQ(site.view.generation(), generation);
  EXPECT_EQ(planned.computeset.state, ComputesetState::running);
  EXPECT_EQ(planned.computeset.computeset_id, 0);
  EXPECT_EQ(planned.names, (std::vector<std::string>{"vm-c-1", "vm-c-2"}));
  EXPECT_EQ(planned.hosts, (std::vector<msg::HostId>{{"h1"}, {"h1"}}));
  EXPECT_EQ(planned.core_s_max, 4 * 30 * minute_s);
  EXPECT_FALSE(planned.left_core_s) << "no limit";
  EXPECT_EQ(planned.expected_start_unix_s, site.now_unix_s());
  EXPECT_TRUE(planned.causes.empty());
}

TEST(StartPlan, IsWhatTheStartThenDoes) {
  Explained site;
  site.add_host("h1", 4);
  site.submit(1, 3, 20);
  site.add_cluster("c", 2, 2);
  const auto planned = site.plan({.cluster_id = {"c"}, .count = 2, .walltime_mins = 30});
  EXPECT_TRUE(planned.hosts.empty());
  EXPECT_EQ(subjects_of(planned.causes),
            (std::vector<std::string>{"this computeset", "computeset 1"}));
  EXPECT_EQ(planned.expected_start_unix_s, site.now_unix_s() + 20 * minute_s);
  const auto id = site.start({.cluster_id = {"c"}, .count = 2, .walltime_mins = 30});
  ASSERT_TRUE(id);
  auto made = site.computeset(*id).computeset;
  made.computeset_id = 0;
  EXPECT_EQ(msg::encode(made), msg::encode(planned.computeset));
}

TEST(StartPlan, HasThePriceThatIsCharged) {
  Explained site;
  site.add_host("h1", 64);
  site.add_cluster("c", 3, 5);
  const msg::StartComputeset request{.cluster_id = {"c"}, .count = 3, .walltime_mins = 17};
  const auto planned = site.plan(request);
  ASSERT_TRUE(site.start(request));
  site.pass_time_s(17 * minute_s);
  site.sweep();
  site.pass_time_s(45);  // its nodes take a while to stop
  site.end_stopping();
  EXPECT_EQ(site.view.allocation({"a"})->allocation.used_core_s, planned.core_s_max);
}

TEST(StartPlan, ShowsHowManyNodesWouldStartOfAComputesetThatAsksForFewer) {
  Explained site;
  site.add_host("h1", 3);
  site.add_cluster("c", 4);
  const msg::StartComputeset request{
      .cluster_id = {"c"}, .count = 4, .walltime_mins = 10, .node_count_min = 2};
  const auto planned = site.plan(request);
  EXPECT_EQ(planned.names, (std::vector<std::string>{"vm-c-1", "vm-c-2", "vm-c-3"}));
  EXPECT_EQ(planned.hosts.size(), 3U);
  EXPECT_EQ(planned.core_s_max, 3 * 10 * minute_s) << "the price of what would run";
  EXPECT_EQ(planned.computeset.reason, "started with 3 of its 4 nodes, without vm-c-4");
  const auto id = site.start(request);
  ASSERT_TRUE(id);
  EXPECT_EQ(site.computeset(*id).computeset.nodes, planned.computeset.nodes);
}

TEST(StartPlan, IsRefusedAsTheStartWouldBe) {
  Explained site;
  site.add_host("h1", 4);
  site.add_cluster("c", 1);
  site.apply(*plan_allocation(
      site.view, {.allocation_id = {"a"}, .project_id = {"p"}, .limit_core_s = 60}, 0));
  msg::StartComputeset request{
      .cluster_id = {"c"}, .viewer = as_operator, .count = 1, .walltime_mins = 2};
  const auto planned = explain_start(site.view, site.backend, request, site.now_unix_ms);
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().detail, "allocation a has 60 core-seconds left, this needs 120");
  request.walltime_mins = 1;
  const auto affordable = explain_start(site.view, site.backend, request, site.now_unix_ms);
  ASSERT_TRUE(affordable);
  EXPECT_EQ(affordable->left_core_s, 60);
}

}  // namespace
}  // namespace nucleus::scheduler
