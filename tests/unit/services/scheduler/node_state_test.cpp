#include "services/scheduler/node_state.hpp"

#include <gtest/gtest.h>

namespace nucleus::scheduler {
namespace {

using msg::DomainState;

StoredNode a_node() {
  StoredNode node;
  node.ports = {{.mac = "52:54:00:00:00:01"}};
  node.is_volume_ready = true;
  return node;
}

StoredNode a_placed_node(DomainState observed) {
  StoredNode node = a_node();
  node.host_id = {"h"};
  node.is_desired_on = node.is_grant_on = true;
  node.observed = observed;
  return node;
}

const StoredHost up_host{.host_id = {"h"}};

TEST(NodeStatus, IsNostateBeforeItEverRan) {
  EXPECT_EQ(told_state(a_node(), nullptr).state, msg::NodeState::nostate);
  EXPECT_EQ(told_state(a_node(), nullptr).reason, "");
}

TEST(NodeStatus, SaysWhatANodeWaitsFor) {
  StoredNode node = a_node();
  node.is_desired_on = true;
  EXPECT_EQ(told_state(node, nullptr).reason, "waits for a host with room");
  node.is_volume_ready = false;
  EXPECT_EQ(told_state(node, nullptr).reason, "waits for its volume");
  node.volume_reason = "no image x";
  EXPECT_EQ(told_state(node, nullptr).reason, "no image x");
  node.ports.clear();
  EXPECT_EQ(told_state(node, nullptr).reason, "waits for its network");
}

TEST(NodeStatus, IsActiveWhileItsDomainRuns) {
  EXPECT_EQ(told_state(a_placed_node(DomainState::running), &up_host).state,
            msg::NodeState::active);
}

TEST(NodeStatus, IsShutdownWhileItIsBeingStopped) {
  StoredNode node = a_placed_node(DomainState::running);
  node.is_grant_on = false;
  EXPECT_EQ(told_state(node, &up_host).state, msg::NodeState::shutdown);
}

TEST(NodeStatus, IsInErrorWhereItsHostIsNotUp) {
  StoredHost host = up_host;
  host.state = msg::HostState::unreachable;
  host.reason = "libvirt does not answer";
  const auto told = told_state(a_placed_node(DomainState::running), &host);
  EXPECT_EQ(told.state, msg::NodeState::nostate_error);
  EXPECT_EQ(told.reason, "host h: libvirt does not answer");
}

TEST(NodeStatus, TellsWhyADomainEnded) {
  StoredNode node = a_node();
  node.observed = DomainState::crashed;
  node.observed_reason = "QEMU was killed";
  EXPECT_EQ(told_state(node, nullptr).state, msg::NodeState::crashed);
  EXPECT_EQ(told_state(node, nullptr).reason, "QEMU was killed");
  node.observed = DomainState::shutoff;
  EXPECT_EQ(told_state(node, nullptr).state, msg::NodeState::shutoff);
}

}  // namespace
}  // namespace nucleus::scheduler
