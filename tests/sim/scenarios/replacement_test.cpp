// Hosts that cannot start nodes, or are lost, while a computeset starts: it gets its nodes
// elsewhere.
#include <algorithm>
#include <ranges>

#include "tests/sim/scenarios/scenario.hpp"

namespace nucleus::tests {
namespace {

using std::chrono::minutes;

class Replacement : public Scenario {
 protected:
  void start_four() {
    nodes_ = define("c", 4);
    const auto started = ask(msg::StartComputeset{
        .cluster_id = {"c"}, .viewer = as_operator, .count = 4, .walltime_mins = 600});
    ASSERT_TRUE(started);
    id_ = started->computeset_id;
  }
  bool are_all_active() {
    return eventually([&] {
      return std::ranges::all_of(nodes_ | std::views::drop(1), [&](const msg::NodeId& node_id) {
        return node(node_id).state == msg::NodeState::active;
      });
    });
  }
  std::vector<msg::NodeId> nodes_ = {};
  msg::ComputesetId id_ = 0;
};

TEST_F(Replacement, AHostWithoutSpaceLosesItsNodesToAnotherWhichKeepsItsOwn) {
  auto& deployment = deploy();
  deployment.hypervisor(0).faults.refuses_creates = true;
  start_four();
  ASSERT_TRUE(are_all_active());
  EXPECT_TRUE(deployment.hypervisor(0).running().empty());
  int moved = 0;
  for (const auto& node_id : nodes_ | std::views::drop(1)) {
    moved += node(node_id).epoch == 2;
    EXPECT_EQ(node(node_id).start_failures.size(), node(node_id).epoch - 1);
  }
  EXPECT_EQ(moved, 2) << "those that were placed on the host without space";
  EXPECT_EQ(state_of(id_), msg::ComputesetState::running);
  deployment.hypervisor(0).faults.refuses_creates = false;
  wait(minutes{1});
  expect_settled();
}

TEST_F(Replacement, NodesStayWhereNoOtherHostHasRoomAndStartOnceTheirHostCan) {
  auto& deployment = deploy({.host_count = 2, .host_cpus = 2, .host_memory_mb = 8192});
  deployment.hypervisor(0).faults.refuses_creates = true;
  start_four();
  wait(minutes{1});
  int waiting = 0;
  for (const auto& node_id : nodes_ | std::views::drop(1))
    waiting += node(node_id).reason.ends_with("tries again: no other host has room");
  EXPECT_EQ(waiting, 2);
  deployment.hypervisor(0).faults.refuses_creates = false;
  ASSERT_TRUE(are_all_active());
  wait(minutes{1});
  expect_settled();
}

}  // namespace
}  // namespace nucleus::tests
