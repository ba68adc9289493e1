// The order of computesets that wait: age, and fair share of allocations.
#include "services/scheduler/priority.hpp"

#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::ComputesetState;

constexpr std::int64_t hour_s = 3'600;
constexpr std::int64_t week_s = 604'800;

/// One host of four CPUs, and computesets that need all of it.
struct Shared : SmallDeployment {
  Shared() { add_host("h1", 4); }
  /// A computeset of four CPUs, paid by `allocation`, of a new cluster.
  msg::ComputesetId submit(const std::string& allocation, std::int64_t walltime_mins = 60) {
    const std::string cluster = "k" + std::to_string(++clusters_);
    add_cluster(cluster, 1, 4, allocation);
    const auto id = start({.cluster_id = {cluster}, .count = 1, .walltime_mins = walltime_mins});
    EXPECT_TRUE(id) << id.error().detail;
    return id.value_or(0);
  }
  void set_shares(const std::string& allocation, std::int64_t shares) {
    add_cluster("none-" + allocation, 0, 1, allocation);
    auto plan = plan_allocation(
        view, {.allocation_id = {allocation}, .project_id = {"p"}, .shares = shares}, now_unix_ms);
    ASSERT_TRUE(plan) << plan.error().detail;
    apply(std::move(*plan));
  }
  /// `allocation` uses the host for an hour.
  void use_for_an_hour(const std::string& allocation) {
    const auto id = submit(allocation);
    EXPECT_EQ(computeset(id).computeset.state, ComputesetState::running);
    pass_time_s(hour_s);
    sweep();
    end_stopping();
  }
  Priority priority(msg::ComputesetId id) const {
    const Draft draft{view, now_unix_ms};
    return Priorities{draft}.of(computeset(id));
  }
  std::vector<msg::ComputesetId> order() const {
    const Draft draft{view, now_unix_ms};
    return Priorities{draft}.order();
  }

 private:
  int clusters_ = 0;
};

TEST(Priority, IsThatOfTheFirstAcceptedAmongEquals) {
  Shared site;
  site.submit("a");
  const auto first = site.submit("a");
  const auto second = site.submit("a");
  EXPECT_EQ(site.order(), (std::vector{first, second}));
  EXPECT_EQ(site.priority(first).value, site.priority(second).value);
}

TEST(Priority, IsHigherForAnAllocationThatUsedLess) {
  Shared site;
  site.use_for_an_hour("heavy");
  const auto running = site.submit("other");
  const auto heavy = site.submit("heavy");
  const auto light = site.submit("light");
  EXPECT_EQ(site.priority(light).fair_share, 1);
  EXPECT_NEAR(site.priority(heavy).fair_share, 0.125, 1e-6) << "three shares: 2^-(1 / (1/3))";
  EXPECT_EQ(site.order(), (std::vector{light, heavy}));
  site.end(running);
  site.end_stopping();
  site.pass();
  EXPECT_EQ(site.computeset(light).computeset.state, ComputesetState::running);
  EXPECT_EQ(site.computeset(heavy).computeset.state, ComputesetState::submitted);
}

TEST(Priority, PassesTheOneThatWasPromisedAStart) {
  Shared site;
  site.use_for_an_hour("heavy");
  site.submit("other");
  const auto heavy = site.submit("heavy");
  ASSERT_NE(site.computeset(heavy).computeset.predicted_start_unix_s, 0);
  const auto light = site.submit("light");
  EXPECT_EQ(site.computeset(light).computeset.predicted_start_unix_s, site.now_unix_s() + hour_s);
  site.pass();
  EXPECT_EQ(site.computeset(heavy).computeset.predicted_start_unix_s, 0) << "no longer the first";
}

TEST(Priority, FollowsTheShares) {
  Shared site;
  site.set_shares("large", 2);
  site.set_shares("small", 1);
  site.use_for_an_hour("large");
  site.use_for_an_hour("small");
  site.use_for_an_hour("large");
  site.submit("large");  // runs, and has used nothing yet
  const auto small = site.submit("small");
  const auto large = site.submit("large");
  EXPECT_NEAR(site.priority(small).fair_share, 0.5, 0.01) << "each used its share";
  EXPECT_NEAR(site.priority(large).fair_share, 0.5, 0.01);
}

TEST(Priority, GrowsWithTheTimeWaited) {
  Shared site;
  site.use_for_an_hour("heavy");
  site.submit("other", 30 * 24 * 60);
  const auto heavy = site.submit("heavy");
  EXPECT_EQ(site.priority(heavy).age, 0);
  site.pass_time_s(week_s / 2);
  EXPECT_NEAR(site.priority(heavy).age, 0.5, 1e-9);
  site.pass_time_s(week_s);
  EXPECT_EQ(site.priority(heavy).age, 1) << "at most";
  const auto light = site.submit("light");
  EXPECT_EQ(site.order(), (std::vector{heavy, light}))
      << "its usage was half decayed, and it has waited longest";
}

TEST(Priority, CountsRecentUsageOnly) {
  Shared site;
  site.use_for_an_hour("a");
  const auto* allocation = site.view.allocation({"a"});
  ASSERT_NE(allocation, nullptr);
  const double used = recent_core_s(site.view, *allocation, site.now_unix_s());
  EXPECT_NEAR(used, 4.0 * hour_s, 4.0 * hour_s * 0.003) << "an hour is short for a week";
  EXPECT_NEAR(recent_core_s(site.view, *allocation, site.now_unix_s() + week_s), used / 2, 1e-6);
  EXPECT_EQ(allocation->allocation.used_core_s, 4 * hour_s) << "what is charged does not decay";
}

TEST(Priority, CountsWhatRunsAsWhatHasEnded) {
  Shared site;
  const auto id = site.submit("a");
  site.pass_time_s(hour_s);
  const StoredAllocation none{{.allocation_id = {"a"}}};
  const double running = recent_core_s(site.view, none, site.now_unix_s());
  site.end(id);
  site.end_stopping();
  EXPECT_NEAR(recent_core_s(site.view, *site.view.allocation({"a"}), site.now_unix_s()), running,
              1e-6);
}

TEST(Priority, SharesAreCheckedAndKept) {
  Shared site;
  site.set_shares("a", 7);
  site.set_shares("a", 0);
  EXPECT_EQ(site.view.allocation({"a"})->allocation.shares, 7);
  for (const std::int64_t shares : {-1L, 1'000'001L}) {
    const auto plan = plan_allocation(
        site.view, {.allocation_id = {"a"}, .project_id = {"p"}, .shares = shares}, 0);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().field, "shares");
  }
}

}  // namespace
}  // namespace nucleus::scheduler
