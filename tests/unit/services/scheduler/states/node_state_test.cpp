#include "services/scheduler/states/node_state.hpp"

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

const StoredHost up_host{.host_id = {"h"}, .state = msg::HostState::up};

TEST(NodeStatus, IsNostateBeforeItEverRan) {
  EXPECT_EQ(reported_state(a_node(), nullptr).state, msg::NodeState::nostate);
  EXPECT_EQ(reported_state(a_node(), nullptr).reason, "");
}

TEST(NodeStatus, GivesTheReasonWhyANodeWaits) {
  StoredNode node = a_node();
  node.is_desired_on = true;
  node.wait = {.reason = WaitReason::no_room};
  EXPECT_EQ(reported_state(node, nullptr).state, msg::NodeState::nostate);
  EXPECT_EQ(reported_state(node, nullptr).reason, "no host has room for this node now");
}

TEST(NodeStatus, IsActiveWhileItsDomainRuns) {
  EXPECT_EQ(reported_state(a_placed_node(DomainState::running), &up_host).state,
            msg::NodeState::active);
}

TEST(NodeStatus, IsShutdownWhileItIsBeingStopped) {
  StoredNode node = a_placed_node(DomainState::running);
  node.is_grant_on = false;
  EXPECT_EQ(reported_state(node, &up_host).state, msg::NodeState::shutdown);
}

TEST(NodeStatus, IsInErrorIfItsHostIsNotUp) {
  StoredHost host = up_host;
  host.state = msg::HostState::unreachable;
  host.reason = "libvirt does not answer";
  const auto reported = reported_state(a_placed_node(DomainState::running), &host);
  EXPECT_EQ(reported.state, msg::NodeState::nostate_error);
  EXPECT_EQ(reported.reason, "host h: libvirt does not answer");
}

TEST(NodeStatus, GivesTheReasonWhyADomainEnded) {
  StoredNode node = a_node();
  node.observed = DomainState::crashed;
  node.observed_reason = "QEMU was killed";
  EXPECT_EQ(reported_state(node, nullptr).state, msg::NodeState::crashed);
  EXPECT_EQ(reported_state(node, nullptr).reason, "QEMU was killed");
  node.observed = DomainState::shutoff;
  EXPECT_EQ(reported_state(node, nullptr).state, msg::NodeState::shutoff);
}

}  // namespace
}  // namespace nucleus::scheduler
