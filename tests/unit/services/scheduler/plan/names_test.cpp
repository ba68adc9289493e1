// Which hosts learn that the nodes of a cluster have other names, if Nucleus answers DNS there.
#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::PowerAction;

struct ClusterNames : OneCluster {
  void serve(const msg::NodeId& id) {
    small.apply(plan_ports(
        small.view,
        {.node_id = id,
         .cluster_id = {"c"},
         .ports = {{.mac = "52:54:00:00:00:01", .ip = "10.0.0.1", .name_server = "10.0.0.254"}}},
        small.now_unix_ms));
  }
  /// The grants that are sent again.
  std::set<msg::NodeId> sent() {
    auto plan = plan_names(small.view, small.view.take_renamed(), small.now_unix_ms);
    std::set<msg::NodeId> nodes;
    for (const auto& [host_id, of_host] : plan.grants) nodes.insert(of_host.begin(), of_host.end());
    small.apply(std::move(plan));
    return nodes;
  }
};

TEST_F(ClusterNames, AreSentOnceToAHostThatServesTheCluster) {
  for (const char* id : {"c-0", "c-1"}) serve({id});
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  const auto started = small.start("c", 1);
  ASSERT_NE(started, 0);
  (void)sent();
  EXPECT_TRUE(sent().empty()) << "nothing has changed";
  auto renamed = small.definition("c", 2);
  renamed.name = "other";
  small.define(renamed);
  EXPECT_EQ(sent().size(), 1u) << "one grant of each host has the names of all nodes";
  EXPECT_TRUE(sent().empty());
}

TEST_F(ClusterNames, AreNotSentWhereNucleusDoesNotAnswer) {
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  auto renamed = small.definition("c", 1);
  renamed.name = "other";
  small.define(renamed);
  EXPECT_TRUE(sent().empty());
}

TEST_F(ClusterNames, AreNotSentToHostsWithoutANodeOfTheCluster) {
  serve({"c-0"});
  auto renamed = small.definition("c", 1);
  renamed.name = "other";
  small.define(renamed);
  EXPECT_TRUE(sent().empty());
}

}  // namespace
}  // namespace nucleus::scheduler
