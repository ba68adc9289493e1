#include "services/scheduler/plan/preview.hpp"

#include "services/scheduler/plan/hibernation.hpp"
#include "services/scheduler/plan/host_classes.hpp"
#include "services/scheduler/plan/resize.hpp"
#include "services/scheduler/plan/walltime.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using msg::PowerAction;

struct Previewed : OneCluster {
  core::Result<msg::ChangePlan> plan(msg::PlanChange request, msg::Viewer viewer = as_operator) {
    request.viewer = std::move(viewer);
    const auto generation = small.view.generation();
    auto shown = preview(small.view, small.backend, request, small.now_unix_ms);
    EXPECT_EQ(small.view.generation(), generation) << "a plan changes nothing";
    return shown;
  }
  msg::ChangePlan planned(msg::PlanChange request) {
    auto shown = plan(std::move(request));
    EXPECT_TRUE(shown) << shown.error().detail;
    return shown.value_or(msg::ChangePlan{});
  }
  msg::ComputesetId running() {
    const auto id = small.start("c", 2);
    for (const char* node : {"c-1", "c-2"}) small.observe(node, msg::DomainState::running);
    return id;
  }
};

/// What the events of the request showed is what its plan said.
void expect_same(const msg::ChangePlan& planned, const Shown& shown) {
  EXPECT_EQ(planned.computesets, shown.computesets);
  EXPECT_EQ(planned.hosts, shown.hosts);
  ASSERT_EQ(planned.nodes.size(), shown.nodes.size());
  for (std::size_t i = 0; i < shown.nodes.size(); ++i) {
    EXPECT_EQ(planned.nodes[i].state, shown.nodes[i].state);
    EXPECT_EQ(planned.nodes[i].reason, shown.nodes[i].reason);
    EXPECT_EQ(planned.nodes[i].host_id, shown.nodes[i].host_id);
  }
}

TEST_F(Previewed, OfAWalltimeShowsThePriceThatIsCharged) {
  small.apply(*plan_allocation(
      small.view, {.allocation_id = {"a"}, .project_id = {"p"}, .limit_core_s = 10'000},
      small.now_unix_ms));
  const auto id = running();  // two cores for an hour
  const msg::ChangeWalltime request{
      .computeset_id = id, .viewer = as_operator, .walltime_mins = 70};
  const auto shown = planned({.walltime = request});
  EXPECT_EQ(shown.more_core_s_max, 2 * 10 * minute_s);
  EXPECT_EQ(shown.left_core_s, 10'000 - 7'200);
  expect_same(shown, small.apply(*plan_change_walltime(small.view, request, small.now_unix_ms)));
  EXPECT_EQ(left_core_s(Draft{small.view, small.now_unix_ms}, {"a"}), 10'000 - 7'200 - 1'200);
  const auto shorter =
      planned({.walltime = msg::ChangeWalltime{
                   .computeset_id = id, .viewer = as_operator, .walltime_mins = 60}});
  EXPECT_EQ(shorter.more_core_s_max, -1'200);
}

TEST_F(Previewed, IsRefusedAsTheRequestWouldBe) {
  small.apply(*plan_allocation(small.view,
                               {.allocation_id = {"a"}, .project_id = {"p"}, .limit_core_s = 7'200},
                               small.now_unix_ms));
  const auto id = running();
  const auto refused = plan({.walltime = msg::ChangeWalltime{
                                 .computeset_id = id, .viewer = as_operator, .walltime_mins = 61}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "allocation a has 0 core-seconds left, this needs 120");
}

TEST_F(Previewed, OfTheEndOfAComputesetShowsItsNodes) {
  const auto id = running();
  const msg::PowerComputeset request{
      .computeset_id = id, .viewer = as_operator, .action = PowerAction::shutdown};
  const auto shown = planned({.power_computeset = request});
  ASSERT_EQ(shown.computesets.size(), 1U);
  EXPECT_EQ(shown.computesets[0].state, msg::ComputesetState::ending);
  EXPECT_EQ(shown.nodes.size(), 2U);
  EXPECT_EQ(shown.more_core_s_max, 0) << "it does not go on";
  expect_same(shown, small.apply(*plan_power_computeset(small.view, request, small.now_unix_ms)));
}

TEST_F(Previewed, OfNodesThatLeaveIsWhatThenHappens) {
  const msg::ShrinkComputeset request{.computeset_id = running(),
                                      .viewer = as_operator,
                                      .names = {"vm-c-2"},
                                      .action = PowerAction::poweroff};
  const auto shown = planned({.shrink = request});
  ASSERT_EQ(shown.nodes.size(), 1U);
  EXPECT_EQ(shown.nodes[0].name, "vm-c-2");
  expect_same(shown, small.apply(*plan_shrink(small.view, request, small.now_unix_ms)));
}

TEST_F(Previewed, OfThePowerOfNodesIsWhatThenHappens) {
  const msg::PowerNode on{
      .node = {.node_id = {"c-0"}}, .viewer = as_operator, .action = PowerAction::poweron};
  const auto shown = planned({.power_node = on});
  ASSERT_EQ(shown.nodes.size(), 1U);
  EXPECT_EQ(shown.nodes[0].host_id.value, "h1");
  expect_same(shown, small.apply(*plan_power_node(small.view, on, small.now_unix_ms)));
  running();
  const msg::PowerNodes off{.cluster_id = {"c"},
                            .viewer = as_operator,
                            .nodes = {"vm-c-1", "vm-c-2"},
                            .action = PowerAction::poweroff};
  const auto stopped = planned({.power_nodes = off});
  EXPECT_EQ(stopped.nodes.size(), 2U);
  expect_same(stopped, small.apply(*plan_power_nodes(small.view, off, small.now_unix_ms)));
}

TEST_F(Previewed, OfADrainShowsTheHostToOperatorsOnly) {
  const msg::DrainHost request{.host_id = {"h1"}, .is_drained = true, .reason = "disk"};
  const auto shown = planned({.drain = request});
  ASSERT_EQ(shown.hosts.size(), 1U);
  EXPECT_EQ(shown.hosts[0].state, msg::HostState::drained);
  EXPECT_TRUE(plan({.drain = request}, {.projects = {{"p"}}})->hosts.empty());
  expect_same(shown, small.apply(*plan_drain(small.view, request, small.now_unix_ms)));
}

TEST_F(Previewed, OfHostsAndTheirClassesShowsThem) {
  const msg::DefineHostClass define{.name = "gpu", .price = {.core_milli_su = 4'000}};
  const auto defined = planned({.host_class = define});
  ASSERT_EQ(defined.host_classes.size(), 1U);
  EXPECT_EQ(defined.host_classes[0].price.core_milli_su, 4'000);
  EXPECT_FALSE(small.view.has_host_class("gpu"));
  small.apply(*plan_host_class(small.view, define, small.now_unix_ms));
  const msg::ClassifyHost classify{.host_id = {"h1"}, .host_class = "gpu"};
  const auto classified = planned({.classify_host = classify});
  ASSERT_EQ(classified.hosts.size(), 1U);
  EXPECT_EQ(classified.hosts[0].host_class, "gpu");
  EXPECT_EQ(
      planned({.remove_host_class = msg::RemoveHostClass{.name = "gpu"}}).host_classes_removed,
      std::vector<std::string>{"gpu"});
  small.lose("h1");
  EXPECT_EQ(planned({.remove_host = msg::RemoveHost{{"h1"}}}).hosts_removed,
            std::vector{msg::HostId{"h1"}});
}

TEST_F(Previewed, OfReservationsAndAllocationsShowsThem) {
  const auto now_unix_s = small.now_unix_s();
  const auto reserved =
      planned({.reservation = msg::DefineReservation{.name = "r",
                                                     .is_new = true,
                                                     .project_id = msg::ProjectId{"p"},
                                                     .hosts = "h1",
                                                     .start_unix_s = now_unix_s + 3'600,
                                                     .end_unix_s = now_unix_s + 7'200}});
  ASSERT_EQ(reserved.reservations.size(), 1U);
  EXPECT_EQ(reserved.reservations[0].state, msg::ReservationState::planned);
  EXPECT_FALSE(small.view.reservation_named("r"));
  ASSERT_TRUE(small.reserve("r", "h1", {3'600, 7'200}));
  EXPECT_EQ(
      planned({.remove_reservation = msg::RemoveReservation{.name = "r"}}).reservations_removed,
      std::vector<std::string>{"r"});
  const auto allocation = planned({.allocation = msg::DefineAllocation{
                                       .allocation_id = {"b"}, .project_id = {"p"}, .shares = 3}});
  ASSERT_EQ(allocation.allocations.size(), 1U);
  EXPECT_EQ(allocation.allocations[0].shares, 3);
}

TEST_F(Previewed, ShowsNothingOfOtherProjects) {
  const auto id = running();
  const msg::PowerComputeset request{
      .computeset_id = id, .viewer = as_operator, .action = PowerAction::shutdown};
  const auto shown = plan({.power_computeset = request}, {.projects = {{"other"}}});
  ASSERT_TRUE(shown);
  EXPECT_TRUE(shown->computesets.empty());
  EXPECT_TRUE(shown->nodes.empty());
}

TEST_F(Previewed, NeedsOneRequest) {
  EXPECT_EQ(plan({}).error().code, ErrorCode::invalid_argument);
  const auto two = plan({.drain = msg::DrainHost{.host_id = {"h1"}, .is_drained = true},
                         .remove_reservation = msg::RemoveReservation{.name = "r"}});
  EXPECT_EQ(two.error().detail, "one request must be set");
}

TEST_F(Previewed, OfAHibernationAndAResumptionShowsWhatHappensAndNoPrice) {
  const auto id = running();
  const msg::HibernateComputeset request{.computeset_id = id, .viewer = as_operator};
  auto shown = planned({.hibernate = request});
  EXPECT_EQ(shown.more_core_s_max, 0);
  expect_same(shown, small.apply(*plan_hibernate(small.view, request, small.now_unix_ms)));
  small.end_stopping();
  const msg::ResumeComputeset resume{.computeset_id = id, .viewer = as_operator};
  shown = planned({.resume = resume});
  EXPECT_EQ(shown.more_core_s_max, 0) << "its walltime was charged in advance";
  ASSERT_EQ(shown.nodes.size(), 2U);
  EXPECT_EQ(shown.nodes[0].host_id.value, "h1");
  const auto applied =
      small.apply(*plan_resume(small.view, small.backend, resume, small.now_unix_ms));
  ASSERT_EQ(applied.computesets.size(), 2U) << "those who follow events see it wait";
  EXPECT_EQ(applied.computesets[0].state, msg::ComputesetState::submitted);
  EXPECT_EQ(std::vector{applied.computesets[1]}, shown.computesets);
}

}  // namespace
}  // namespace nucleus::scheduler
