#include "services/scheduler/plan/estimates.hpp"

#include <sstream>

#include "services/scheduler/plan/explain.hpp"
#include "tests/support/replay.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

/// Waits of an hour that took 1, 2, … of `count` parts of it.
std::vector<StoredWait> waits_of_parts(std::size_t count) {
  std::vector<StoredWait> waits;
  for (std::size_t i = 1; i <= count; ++i)
    waits.push_back(
        {.expected_s = 3'600, .actual_s = static_cast<std::int64_t>(i * 3'600 / count)});
  return waits;
}

/// One host with a CPU, and computesets that fill it one after the other.
struct Line : SmallDeployment {
  Line() {
    add_host("h1", 1);
    add_cluster("c", 3);
  }
  msg::ComputesetId add() { return start("c", 1); }  // for an hour
  /// What runs ends, and the next one starts.
  void finish(msg::ComputesetId id) {
    end(id);
    end_stopping();
    pass();
  }
};

TEST(Estimates, KnowNoIntervalFromFewWaits) {
  EXPECT_FALSE(wait_interval(waits_of_parts(waits_needed - 1), 3'600));
  EXPECT_TRUE(wait_interval(waits_of_parts(waits_needed), 3'600));
}

TEST(Estimates, LeaveOneInTenOutOnEachSide) {
  const auto interval = wait_interval(waits_of_parts(99), 3'600);
  ASSERT_TRUE(interval);
  EXPECT_NEAR(static_cast<double>(interval->shortest_s), 360, 4) << "the tenth of 99";
  EXPECT_NEAR(static_cast<double>(interval->longest_s), 3'240, 40) << "the ninetieth of 99";
}

TEST(Estimates, NeverReachIntoThePast) {
  const std::vector<StoredWait> at_once(waits_needed, {.expected_s = 3'600, .actual_s = 0});
  const auto interval = wait_interval(at_once, 30);
  ASSERT_TRUE(interval);
  EXPECT_EQ(interval->shortest_s, 0);
  EXPECT_EQ(interval->longest_s, 0);
}

TEST(Estimates, KeepHowLongAComputesetWaitedThatWasEstimated) {
  Line site;
  const auto first = site.add();
  site.pass_time_s(600);
  const auto second = site.add();
  EXPECT_EQ(site.computeset(second).estimate.expected_unix_s, site.now_unix_s() + 3'000);
  EXPECT_EQ(site.computeset(second).estimate.latest_unix_s, 0) << "no wait is known yet";
  site.pass_time_s(1'200);
  site.finish(first);
  ASSERT_EQ(site.computeset(second).computeset.state, msg::ComputesetState::running);
  ASSERT_EQ(site.view.waits().waits.size(), 1U) << "the first did not wait";
  const auto& wait = site.view.waits().waits.front();
  EXPECT_EQ(wait.expected_s, 3'000);
  EXPECT_EQ(wait.actual_s, 1'200);
  EXPECT_FALSE(wait.had_interval);
}

TEST(Estimates, AreMadeForOneComputesetASecond) {
  Line site;
  site.add();
  site.pass_time_s(1);
  const auto estimated = site.add();
  const auto same_second = site.add();
  EXPECT_NE(site.computeset(estimated).estimate.expected_unix_s, 0);
  EXPECT_EQ(site.computeset(same_second).estimate.expected_unix_s, 0);
}

TEST(Estimates, CountOnlyThoseThatStarted) {
  Line site;
  site.add();
  site.pass_time_s(1);
  site.end(site.add());
  EXPECT_TRUE(site.view.waits().waits.empty());
}

TEST(Estimates, AreShownWithAnIntervalOnceEnoughWaitsAreKnown) {
  Line site;
  auto running = site.add();
  site.pass_time_s(1);
  // Each ends after half of its walltime, so each wait is half of what was expected.
  const auto take_turns = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto next = site.add();
      site.pass_time_s(1'800);
      site.finish(running);
      running = next;
    }
  };
  take_turns(waits_needed);
  EXPECT_FALSE(share_within(site.view.waits().waits)) << "none of these had an interval";
  const auto waiting = site.add();
  const auto now_unix_s = site.now_unix_s();
  const auto shown =
      explain_computeset(site.view, as_operator, site.computeset(waiting), site.now_unix_ms);
  EXPECT_EQ(shown.expected_start_unix_s, now_unix_s + 3'600);
  EXPECT_NEAR(static_cast<double>(shown.earliest_start_unix_s - now_unix_s), 1'800, 2);
  EXPECT_NEAR(static_cast<double>(shown.latest_start_unix_s - now_unix_s), 1'800, 2);
  site.pass_time_s(1'800);
  site.finish(running);
  running = waiting;
  EXPECT_EQ(share_within(site.view.waits().waits), 1.0);
  take_turns(waits_max);
  EXPECT_EQ(site.view.waits().waits.size(), waits_max) << "the oldest are forgotten";
}

TEST(Estimates, HoldEightOfTenStartsOfAReplayedWorkload) {
  const auto outcome = tests::replay::replay(tests::replay::a_workload(11, 1'000, 64), 64);
  EXPECT_GT(outcome.utilization, 0.75) << "a queue forms";
  EXPECT_GT(outcome.at_acceptance.count, 400U);
  EXPECT_NEAR(outcome.at_acceptance.share(), 0.8, 0.05);
  EXPECT_NEAR(outcome.while_waiting.share(), 0.8, 0.1);
  EXPECT_LT(outcome.at_acceptance.width, static_cast<double>(outcome.at_acceptance.count))
      << "an interval is narrower than the wait is long";
}

TEST(Replay, ReadsATraceInTheStandardWorkloadFormat) {
  std::istringstream trace{
      "; UnixStartTime: 0\n"
      "2 90 5 600 9 -1 -1 16 1200 -1 1 3 1 -1 1 -1 -1 -1\n"
      "1 30 5 60 8 -1 -1 -1 7200 -1 1 9 1 -1 1 -1 -1 -1\n"
      "3 95 5 -1 8 -1 -1 8 7200 -1 0 9 1 -1 1 -1 -1 -1\n"
      "4 99 5 60 4000 -1 -1 4000 60 -1 1 9 1 -1 1 -1 -1 -1\n"
      "cut off\n"};
  const auto jobs = tests::replay::read_swf(trace, 64, 8);
  ASSERT_EQ(jobs.size(), 3U) << "one has no run time";
  EXPECT_EQ(jobs[0].arrival_s, 30);
  EXPECT_EQ(jobs[0].nodes, 1U) << "what it used, if it requested nothing";
  EXPECT_EQ(jobs[0].walltime_mins, 120);
  EXPECT_EQ(jobs[1].nodes, 2U);
  EXPECT_EQ(jobs[1].run_s, 600);
  EXPECT_EQ(jobs[1].user, 3U);
  EXPECT_EQ(jobs[2].nodes, 64U) << "as large as the site";
}

}  // namespace
}  // namespace nucleus::scheduler
