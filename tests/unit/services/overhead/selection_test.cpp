// Which nodes of a cluster are measured.
#include "services/overhead/selection.hpp"

#include <gtest/gtest.h>

namespace nucleus::overhead {
namespace {

std::vector<msg::Node> a_cluster() {
  std::vector<msg::Node> nodes;
  for (int i = 0; i < 4; ++i)
    nodes.push_back({.node_id = {"n" + std::to_string(i)},
                     .name = "node" + std::to_string(i),
                     .kind = i == 0 ? msg::NodeKind::frontend : msg::NodeKind::compute});
  return nodes;
}

msg::NodeStatuses with_states(const std::vector<msg::NodeState>& states) {
  msg::NodeStatuses statuses;
  for (std::size_t i = 0; i < states.size(); ++i)
    statuses.nodes.push_back({.node_id = {"n" + std::to_string(i)},
                              .state = states[i],
                              .ports = {{.ip = "172.30.0.9", .is_public = true},
                                        {.ip = "10.0.0." + std::to_string(i + 1)}}});
  return statuses;
}

TEST(Selection, TakesTheFirstTwoActiveComputes) {
  using enum msg::NodeState;
  const auto selection = select_nodes(a_cluster(), with_states({active, shutoff, active, active}));
  ASSERT_TRUE(selection);
  ASSERT_EQ(selection->nodes.size(), 2u);
  EXPECT_EQ(selection->nodes[0].node_id.value, "n2");
  EXPECT_EQ(selection->peers[1].name, "node3");
  EXPECT_EQ(selection->peers[1].ip, "10.0.0.4") << "the private address";
}

TEST(Selection, TakesAllActiveComputesUpToALimit) {
  using enum msg::NodeState;
  const auto states = with_states({active, active, active, active});
  EXPECT_EQ(select_nodes(a_cluster(), states, 64)->nodes.size(), 3u);
  EXPECT_EQ(select_nodes(a_cluster(), states, 2)->nodes.size(), 2u);
  EXPECT_FALSE(select_nodes(a_cluster(), with_states({active, active}), 64));
}

TEST(Selection, IsRefusedIfFewerThanTwoComputesAreActive) {
  using enum msg::NodeState;
  for (const auto& states : {std::vector{active, active}, std::vector{active, active, shutoff},
                             std::vector<msg::NodeState>{}})
    EXPECT_EQ(select_nodes(a_cluster(), with_states(states)).error().code,
              core::ErrorCode::wrong_state);
}

}  // namespace
}  // namespace nucleus::overhead
