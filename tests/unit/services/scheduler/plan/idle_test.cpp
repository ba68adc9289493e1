// Computesets that do nothing.
#include "services/scheduler/plan/idle.hpp"

#include <gtest/gtest.h>

#include "services/scheduler/guest_notices.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

/// A running computeset of two nodes on one host.
struct Idle : OneCluster {
  Idle() : id{small.start("c", 2)} {}

  /// The host's heartbeat, with nodes that are idle for so long, and the look that follows.
  void beat(const std::vector<std::pair<std::string, std::int64_t>>& idle) {
    msg::ReportHost report{.host_id = {"h1"}, .boot_id = "one"};
    for (const auto& [node, idle_s] : idle)
      report.idle_nodes.push_back(
          {.node_id = {node}, .epoch = small.node(node).epoch, .idle_s = idle_s});
    heartbeats.take(report, 0, small.now_unix_ms);
    look();
  }
  void look() {
    auto plan = plan_idle(small.view, heartbeats, small.now_unix_ms);
    for (const auto& notice : notices_of(small.view, plan)) notices.push_back(notice.text);
    small.apply(std::move(plan));
  }
  std::int64_t idle_for_s() const {
    const auto since = small.computeset(id).computeset.idle_since_unix_s;
    return since == 0 ? 0 : small.now_unix_s() - since;
  }

  msg::ComputesetId id;
  Heartbeats heartbeats{small_config()};
  std::vector<std::string> notices = {};
};

TEST_F(Idle, IsAComputesetWhoseNodesAllAreForAnHour) {
  beat({{"c-1", 9'000}});
  EXPECT_EQ(idle_for_s(), 0) << "one node works";
  beat({{"c-1", 9'000}, {"c-2", 3'599}});
  EXPECT_EQ(idle_for_s(), 0) << "not for so long";
  small.pass_time_s(1);
  beat({{"c-1", 9'001}, {"c-2", 3'600}});
  EXPECT_EQ(idle_for_s(), 3'600) << "since the last one became so";
  small.pass_time_s(10);
  beat({{"c-1", 9'011}, {"c-2", 3'609}});
  EXPECT_EQ(idle_for_s(), 3'610) << "the time stays as it was";
  EXPECT_EQ(notices.size(), 1U) << "one notice";
}

TEST_F(Idle, EndsWhenANodeDoesSomethingAndIsNoticedAgainLater) {
  beat({{"c-1", 3'600}, {"c-2", 3'600}});
  beat({{"c-1", 3'600}});
  EXPECT_EQ(idle_for_s(), 0);
  beat({{"c-1", 7'200}, {"c-2", 3'600}});
  EXPECT_EQ(notices.size(), 2U);
  EXPECT_EQ(notices.front(),
            "Nucleus: computeset 1 has been idle since 1970-01-12T12:46:40Z and is charged.");
}

TEST_F(Idle, StaysAsItWasUntilTheHostHasReported) {
  beat({{"c-1", 3'600}, {"c-2", 3'600}});
  heartbeats.clear();
  look();
  EXPECT_EQ(idle_for_s(), 3'600) << "the scheduler has restarted";
}

TEST_F(Idle, IsNoNodeOfAnEarlierPlacementOrOfAnotherHost) {
  msg::ReportHost report{.host_id = {"h1"}, .boot_id = "one"};
  for (const auto* node : {"c-1", "c-2"})
    report.idle_nodes.push_back({.node_id = {node}, .epoch = 99, .idle_s = 9'000});
  heartbeats.take(report, 0, small.now_unix_ms);
  look();
  EXPECT_EQ(idle_for_s(), 0);
  report.host_id = {"h2"};
  for (auto& node : report.idle_nodes) node.epoch = small.node("c-1").epoch;
  heartbeats.take(report, 0, small.now_unix_ms);
  look();
  EXPECT_EQ(idle_for_s(), 0);
}

TEST_F(Idle, IsNotSaidOfOneThatEnds) {
  small.end(id, msg::PowerAction::shutdown);
  beat({{"c-1", 9'000}, {"c-2", 9'000}});
  EXPECT_EQ(idle_for_s(), 0);
}

TEST_F(Idle, IsNeverNoticedIfSoConfigured) {
  auto config = small_config();
  config.idle_notice_s = 0;
  View view{config};
  EXPECT_TRUE(plan_idle(view, heartbeats, small.now_unix_ms).empty());
}

}  // namespace
}  // namespace nucleus::scheduler
