// Budgets and periods of allocations, and notices before a computeset ends.
#include "services/scheduler/plan/budgets.hpp"

#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using msg::BudgetAction;
using msg::ComputesetState;

/// Cluster `c` of four nodes of one CPU, paid by allocation `a`.
struct Budgets : testing::Test {
  Budgets() {
    small.add_host("h1", 64);
    small.add_cluster("c", 4);
  }
  core::Result<void> define(msg::DefineAllocation request) {
    request.allocation_id = {"a"};
    request.project_id = {"p"};
    auto plan = plan_allocation(small.view, request, small.now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    small.apply(std::move(*plan));
    return {};
  }
  core::Result<msg::ComputesetId> start(std::uint32_t count, std::int64_t walltime_mins = 60) {
    return small.start({.cluster_id = {"c"}, .count = count, .walltime_mins = walltime_mins});
  }
  void pass_minutes(std::int64_t minutes) {
    small.pass_time_s(minutes * minute_s);
    small.apply(plan_budgets(small.view, small.now_unix_ms));
  }
  ComputesetState state(msg::ComputesetId id) const {
    return small.computeset(id).computeset.state;
  }
  const msg::Allocation& allocation() const { return small.view.allocation({"a"})->allocation; }
  SmallDeployment small = {};
};

TEST_F(Budgets, TakeEachStepAsItsPercentageIsUsed) {
  ASSERT_TRUE(define({.limit_core_s = 100 * minute_s,
                      .budget = {{{50, BudgetAction::warn},
                                  {80, BudgetAction::refuse},
                                  {90, BudgetAction::terminate}}}}));
  const auto running = start(1, 95);
  ASSERT_TRUE(running) << running.error().detail;
  pass_minutes(49);
  EXPECT_EQ(allocation().percent_reached, 0);
  pass_minutes(1);
  EXPECT_EQ(allocation().percent_reached, 50);
  EXPECT_TRUE(start(1, 1)) << "a warning refuses nothing";
  pass_minutes(30);
  EXPECT_EQ(allocation().percent_reached, 80);
  const auto refused = start(1, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::wrong_state);
  EXPECT_EQ(refused.error().detail,
            "allocation a has used 80 % of its limit: nothing new is started");
  EXPECT_EQ(state(*running), ComputesetState::running);
  pass_minutes(9);
  EXPECT_EQ(state(*running), ComputesetState::ending);
  EXPECT_EQ(small.computeset(*running).computeset.reason,
            "allocation a has used 90 % of its limit");
}

TEST_F(Budgets, CancelWhatWaitsWhenTheyTerminate) {
  small.drain("h1");
  ASSERT_TRUE(define({.limit_core_s = 100 * minute_s, .budget = {{{1, BudgetAction::terminate}}}}));
  const auto waiting = start(1, 10);
  ASSERT_TRUE(waiting);
  small.drain("h1", false);
  small.pass();
  EXPECT_EQ(state(*waiting), ComputesetState::running);
  small.drain("h1");
  const auto second = start(1, 10);
  ASSERT_TRUE(second);
  pass_minutes(1);
  EXPECT_EQ(state(*waiting), ComputesetState::ending);
  EXPECT_EQ(small.view.computeset(*second), nullptr) << "cancelled";
}

TEST_F(Budgets, AreReachedAgainAfterTheLimitWasRaised) {
  ASSERT_TRUE(define({.limit_core_s = 100 * minute_s, .budget = {{{50, BudgetAction::refuse}}}}));
  ASSERT_TRUE(start(1, 90));
  pass_minutes(60);
  EXPECT_EQ(allocation().percent_reached, 50);
  ASSERT_TRUE(define({.limit_core_s = 200 * minute_s}));
  EXPECT_EQ(allocation().percent_reached, 0) << "30 % now";
  EXPECT_TRUE(start(1, 1));
  pass_minutes(25);
  EXPECT_EQ(allocation().percent_reached, 0);
  ASSERT_TRUE(define({.limit_core_s = 100 * minute_s}));
  EXPECT_EQ(allocation().percent_reached, 50) << "at once, not only at the next look";
  EXPECT_FALSE(start(1, 1));
}

TEST_F(Budgets, AllowNothingOutsideTheirPeriod) {
  const auto now = small.now_unix_s();
  ASSERT_TRUE(define({.start_unix_s = now + 10 * minute_s, .end_unix_s = now + 70 * minute_s}));
  auto early = start(1);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().detail, "allocation a has not begun yet");
  pass_minutes(10);
  const auto running = start(1, 600);
  ASSERT_TRUE(running);
  pass_minutes(59);
  EXPECT_EQ(state(*running), ComputesetState::running);
  pass_minutes(1);
  EXPECT_EQ(state(*running), ComputesetState::ending);
  EXPECT_EQ(small.computeset(*running).computeset.reason, "allocation a is over");
  const auto late = start(1);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().detail, "allocation a is over");
}

TEST_F(Budgets, ForecastWhenTheLimitIsUsed) {
  const auto forecast = [&] {
    return forecast_end_unix_s(small.view, *small.view.allocation({"a"}), small.now_unix_s());
  };
  ASSERT_TRUE(define({.limit_core_s = 400 * minute_s}));
  EXPECT_EQ(forecast(), 0) << "nothing runs";
  ASSERT_TRUE(start(4, 60));
  EXPECT_EQ(forecast(), small.now_unix_s() + 100 * minute_s);
  const auto before = forecast();
  small.pass_time_s(30 * minute_s);
  EXPECT_EQ(forecast(), before) << "the rate is the same";
}

TEST_F(Budgets, AreCheckedAndKeptUntilOthersAreGiven) {
  ASSERT_TRUE(define({.limit_core_s = 9, .budget = {{{50, BudgetAction::warn}}}}));
  ASSERT_TRUE(define({.shares = 2}));
  EXPECT_EQ(allocation().budget.size(), 1U);
  ASSERT_TRUE(define({.budget = std::vector<msg::BudgetStep>{}}));
  EXPECT_TRUE(allocation().budget.empty());
  const auto field_of = [&](const msg::DefineAllocation& request) {
    const auto defined = define(request);
    return defined ? std::string("accepted") : defined.error().field;
  };
  EXPECT_EQ(field_of({.budget = {{{0, BudgetAction::warn}}}}), "budget");
  EXPECT_EQ(field_of({.budget = {{{101, BudgetAction::warn}}}}), "budget");
  EXPECT_EQ(field_of({.budget = {{{50, BudgetAction::warn}, {50, BudgetAction::refuse}}}}),
            "budget");
  EXPECT_EQ(field_of({.budget = {{{50, BudgetAction::unknown}}}}), "budget");
  EXPECT_EQ(field_of({.budget = std::vector<msg::BudgetStep>(9)}), "budget");
  EXPECT_EQ(field_of({.start_unix_s = -1}), "start_unix_s");
  EXPECT_EQ(field_of({.start_unix_s = 20, .end_unix_s = 20}), "end_unix_s");
  EXPECT_EQ(field_of({.end_unix_s = msg::unix_s_max + 1}), "end_unix_s");
}

TEST_F(Budgets, NoticeComesOnceBeforeAComputesetEnds) {
  const auto running = start(1, 60);
  ASSERT_TRUE(running);
  const auto look = [&] {
    auto plan = plan_walltime_notices(small.view, small.now_unix_ms);
    const bool is_noticed = plan.changes.computesets.contains(*running);
    small.apply(std::move(plan));
    return is_noticed;
  };
  small.pass_time_s(44 * minute_s);
  EXPECT_FALSE(look());
  small.pass_time_s(minute_s);
  EXPECT_TRUE(look()) << "15 minutes before its end";
  EXPECT_FALSE(look()) << "once";
}

}  // namespace
}  // namespace nucleus::scheduler
