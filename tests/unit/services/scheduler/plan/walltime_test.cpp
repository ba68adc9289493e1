// Changes of a computeset's walltime.
#include "services/scheduler/plan/walltime.hpp"

#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using msg::ComputesetState;

/// One host of four CPUs, and cluster `c` with four nodes of one.
struct WalltimeChange : testing::Test {
  WalltimeChange() {
    small.add_host("h1", 4);
    small.add_cluster("c", 4);
  }
  msg::ComputesetId start(std::uint32_t count, std::int64_t walltime_mins) {
    const auto id =
        small.start({.cluster_id = {"c"}, .count = count, .walltime_mins = walltime_mins});
    EXPECT_TRUE(id) << id.error().detail;
    return id.value_or(0);
  }
  core::Result<void> change(msg::ComputesetId id, std::int64_t walltime_mins,
                            const msg::Viewer& viewer = as_operator) {
    auto plan = plan_change_walltime(
        small.view, {.computeset_id = id, .viewer = viewer, .walltime_mins = walltime_mins},
        small.now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    small.apply(std::move(*plan));
    small.pass();
    return {};
  }
  ComputesetState state(msg::ComputesetId id) const {
    return small.computeset(id).computeset.state;
  }
  SmallDeployment small = {};
};

TEST_F(WalltimeChange, CanBeLongerAndShorterWhileItRuns) {
  const auto id = start(1, 60);
  small.pass_time_s(50 * minute_s);
  ASSERT_TRUE(change(id, 120));
  small.pass_time_s(69 * minute_s);
  small.sweep();
  EXPECT_EQ(state(id), ComputesetState::running);
  small.pass_time_s(minute_s);
  small.sweep();
  EXPECT_EQ(state(id), ComputesetState::ending);
  small.end_stopping();
  EXPECT_EQ(small.view.allocation({"a"})->allocation.used_core_s, 120 * minute_s);
}

TEST_F(WalltimeChange, IsNotShorterThanWhatItRanAlready) {
  const auto id = start(1, 60);
  small.pass_time_s(30 * minute_s);
  const auto refused = change(id, 30);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "it has run for 30 minutes already: terminate it instead");
  EXPECT_EQ(refused.error().field, "walltime_mins");
  EXPECT_TRUE(change(id, 31));
}

TEST_F(WalltimeChange, IsPaidForByTheAllocation) {
  small.apply(*plan_allocation(small.view,
                               {.allocation_id = {"a"}, .project_id = {"p"}, .limit_core_s = 3600},
                               small.now_unix_ms));
  const auto id = start(1, 30);
  const auto refused = change(id, 61);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "allocation a has 1800 core-seconds left, this needs 1860");
  EXPECT_TRUE(change(id, 60));
}

TEST_F(WalltimeChange, DoesNotRunIntoAReservation) {
  const auto id = start(1, 30);
  ASSERT_TRUE(small.reserve("r", "h1", {60 * minute_s, 90 * minute_s}));
  const auto refused = change(id, 61);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "a reservation begins on host h1 before that");
  EXPECT_TRUE(change(id, 60));
}

TEST_F(WalltimeChange, DoesNotOutlastItsReservation) {
  ASSERT_TRUE(small.reserve("r", "h1", {0, 60 * minute_s}));
  const auto id =
      small.start({.cluster_id = {"c"}, .count = 1, .walltime_mins = 30, .reservation = "r"});
  ASSERT_TRUE(id) << id.error().detail;
  const auto refused = change(*id, 61);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "reservation r ends before that");
  EXPECT_TRUE(change(*id, 60));
}

TEST_F(WalltimeChange, BreaksNoPromise) {
  const auto running = start(3, 30);
  small.add_cluster("d", 2);
  const auto waiting = small.start({.cluster_id = {"d"}, .count = 2, .walltime_mins = 60});
  ASSERT_TRUE(waiting);
  const auto refused = change(running, 31);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::wrong_state);
  EXPECT_EQ(refused.error().detail, "computeset 2 waits for its hosts and would start later");
  ASSERT_TRUE(change(running, 20)) << "shorter is always possible";
  EXPECT_EQ(small.computeset(*waiting).computeset.predicted_start_unix_s,
            small.now_unix_s() + 20 * minute_s);
}

TEST_F(WalltimeChange, OfOneThatWaitsDecidesWhetherItPasses) {
  start(3, 30);
  small.add_cluster("d", 4);
  ASSERT_TRUE(small.start({.cluster_id = {"d"}, .count = 4, .walltime_mins = 60}));
  small.add_cluster("e", 1);
  const auto behind = small.start({.cluster_id = {"e"}, .count = 1, .walltime_mins = 60});
  ASSERT_TRUE(behind);
  EXPECT_EQ(state(*behind), ComputesetState::submitted);
  ASSERT_TRUE(change(*behind, 30));
  EXPECT_EQ(state(*behind), ComputesetState::running) << "it ends before the first one starts";
}

TEST_F(WalltimeChange, IsCheckedAndOfVisibleUnfinishedOnesOnly) {
  const auto id = start(1, 30);
  for (const std::int64_t wrong : {0L, -1L, 525'601L}) {
    const auto refused = change(id, wrong);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().field, "walltime_mins");
  }
  EXPECT_EQ(change(id, 60, {.projects = {{"q"}}}).error().code, ErrorCode::not_found);
  EXPECT_EQ(change(99, 60).error().code, ErrorCode::not_found);
  small.end(id);
  EXPECT_EQ(change(id, 60).error().code, ErrorCode::wrong_state) << "it is ending";
  small.end_stopping();
  EXPECT_EQ(change(id, 60).error().code, ErrorCode::wrong_state) << "it has ended";
}

}  // namespace
}  // namespace nucleus::scheduler
