// Runs over the links of a cluster: what is slow, and the check of each start.
#include <limits>

#include "tests/service/overhead_room.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;

using OverheadLinks = OverheadRoom;

TEST_F(OverheadLinks, FindsTheNodeWhoseLinksAreSlow) {
  start();
  site_.computes_active = 4;
  site_.is_second_host = true;
  auto report = measure_links();
  EXPECT_EQ(report.failure, "");
  EXPECT_EQ(report.project_id.value, "p");
  EXPECT_EQ(report.conditions.accelerator, "tcg");
  EXPECT_EQ(report.links.size(), 6U);
  EXPECT_EQ(report.shared_node, "");
  EXPECT_EQ(site_.seen(), std::vector<std::string>{"node n1 links node1 node2 node3 node4"})
      << "one run, from the first active compute";
  site_.bad_latency_us = 900;
  report = measure_links();
  EXPECT_EQ(report.shared_node, "node4");
  for (const auto& link : report.links) EXPECT_EQ(link.is_slow, link.second == "node4");
  EXPECT_FALSE(report.links[0].is_same_host) << "node1 is on h1, node2 on h2";
  start();
  EXPECT_EQ(*ask(msg::GetLinks{{"c"}}), report) << "after a restart";
}

TEST_F(OverheadLinks, TakesTheFactorOfSlowLinksFromItsSettings) {
  start({{"overhead.slow_link_permille", "10000"}});
  site_.computes_active = 4;
  site_.bad_latency_us = 300;
  EXPECT_EQ(measure_links().shared_node, "");
  EXPECT_EQ(ask(msg::GetLinks{{"c"}})->slow_permille, 10'000U);
}

TEST_F(OverheadLinks, ReportsWhyTheLinksWereNotMeasured) {
  start();
  EXPECT_EQ(ask(msg::GetLinks{{"c"}}).error().code, ErrorCode::not_found);
  EXPECT_EQ(ask(msg::MeasureLinks{{"../c"}}).error().code, ErrorCode::invalid_argument);
  site_.computes_active = 1;
  EXPECT_EQ(measure_links().failure, "two active compute nodes are needed for a measurement");
  site_.computes_active = 2;
  site_.is_node_lost = true;
  const auto report = measure_links();
  EXPECT_EQ(report.failure, "The VM is not running");
  EXPECT_TRUE(report.links.empty());
}

/// A computeset of cluster c with so many nodes, which runs since `start_unix_s`.
msg::ComputesetChanged a_start(std::int64_t start_unix_s, int nodes) {
  msg::Computeset set{.computeset_id = 1,
                      .cluster_id = {"c"},
                      .project_id = {"p"},
                      .state = msg::ComputesetState::running,
                      .start_unix_s = start_unix_s};
  for (int i = 1; i <= nodes; ++i) set.nodes.push_back({"n" + std::to_string(i)});
  return {set};
}

TEST_F(OverheadLinks, ChecksTheLinksOnceAfterEachStartIfTheOperatorSaysSo) {
  start({{"overhead.check_start_s", "60"}});
  site_.computes_active = 4;
  ASSERT_TRUE(scheduler_.emit(a_start(100, 1)));
  ASSERT_TRUE(scheduler_.emit(a_start(100, 4)));
  const auto measured = events_.next<msg::LinksMeasured>();
  ASSERT_TRUE(measured);
  EXPECT_EQ(measured->failure, "");
  EXPECT_EQ(measured->links, 6U);
  ASSERT_TRUE(scheduler_.emit(a_start(100, 4))) << "it has changed, and did not start again";
  site_.bad_latency_us = 900;
  ASSERT_TRUE(scheduler_.emit(a_start(200, 4)));
  const auto slow = events_.next<msg::LinksMeasured>();
  ASSERT_TRUE(slow);
  EXPECT_EQ(slow->slow_links, 3U);
  EXPECT_EQ(site_.seen().size(), 2U);
}

TEST_F(OverheadLinks, RepeatsTheCheckOfAStartUntilItsGuestsHaveBooted) {
  start({{"overhead.check_start_s", "60"}});
  site_.is_node_lost = true;
  ASSERT_TRUE(scheduler_.emit(a_start(100, 2)));
  ASSERT_TRUE(eventually([&] { return !site_.seen().empty(); }));
  EXPECT_FALSE(ask(msg::GetLinks{{"c"}})) << "a check that failed once is no report";
  site_.is_node_lost = false;
  const auto measured = events_.next<msg::LinksMeasured>();
  ASSERT_TRUE(measured);
  EXPECT_EQ(measured->failure, "");
}

TEST_F(OverheadLinks, RefusesFiguresOfLinksThatAreOutOfRange) {
  start();
  for (const double value : {0.0, -1.0, 1e13, std::numeric_limits<double>::quiet_NaN()}) {
    site_.bad_latency_us = value;
    EXPECT_EQ(measure_links().failure, "latencies_us must be above 0, up to 1e12") << value;
  }
}

TEST_F(OverheadLinks, RunsLinksAndAMeasurementOfAClusterOneAfterTheOther) {
  start({{"overhead.pairs_max", "2"}, {"overhead.tools", "mpi"}});
  ASSERT_TRUE(ask(msg::MeasureCluster{{"c"}}));
  ASSERT_TRUE(ask(msg::MeasureLinks{{"c"}}));
  ASSERT_TRUE(eventually([&] { return !site_.seen().empty(); }));
  EXPECT_EQ(measure().failure, "") << "one more is accepted";
  EXPECT_TRUE(eventually([&] { return ask(msg::GetLinks{{"c"}}).has_value(); }));
  EXPECT_TRUE(eventually([&] { return ask(msg::GetReport{{"c"}}).has_value(); }));
  EXPECT_FALSE(site_.were_two_at_a_time);
}

TEST_F(OverheadLinks, RunsAcceptedLinksAfterARestart) {
  start();
  ASSERT_TRUE(ask(msg::MeasureLinks{{"c"}}));
  start();
  const auto measured = events_.next<msg::LinksMeasured>();
  ASSERT_TRUE(measured);
  EXPECT_EQ(measured->failure, "");
  EXPECT_EQ(measured->links, 1U);
}

}  // namespace
}  // namespace nucleus::tests
