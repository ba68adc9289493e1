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
  node.is_wanted_on = node.is_grant_on = true;
  node.observed = observed;
  return node;
}

const StoredHost up_host{.host_id = {"h"}};

TEST(NodeState, IsNostateBeforeItEverRan) {
  EXPECT_EQ(told_state(a_node(), nullptr).state, "nostate");
  EXPECT_EQ(told_state(a_node(), nullptr).reason, "");
}

TEST(NodeState, SaysWhatANodeWaitsFor) {
  StoredNode node = a_node();
  node.is_wanted_on = true;
  EXPECT_EQ(told_state(node, nullptr).reason, "waits for a host with room");
  node.is_volume_ready = false;
  EXPECT_EQ(told_state(node, nullptr).reason, "waits for its volume");
  node.volume_reason = "no image x";
  EXPECT_EQ(told_state(node, nullptr).reason, "no image x");
  node.ports.clear();
  EXPECT_EQ(told_state(node, nullptr).reason, "waits for its network");
}

TEST(NodeState, IsActiveWhileItsDomainRuns) {
  EXPECT_EQ(told_state(a_placed_node(DomainState::running), &up_host).state, "active");
}

TEST(NodeState, IsShutdownWhileItIsBeingStopped) {
  StoredNode node = a_placed_node(DomainState::running);
  node.is_grant_on = false;
  EXPECT_EQ(told_state(node, &up_host).state, "shutdown");
}

TEST(NodeState, IsInErrorWhereItsHostIsNotUp) {
  StoredHost host = up_host;
  host.state = msg::HostState::unreachable;
  host.reason = "libvirt does not answer";
  const auto told = told_state(a_placed_node(DomainState::running), &host);
  EXPECT_EQ(told.state, "nostate-error");
  EXPECT_EQ(told.reason, "host h: libvirt does not answer");
}

TEST(NodeState, TellsWhyADomainEnded) {
  StoredNode node = a_node();
  node.observed = DomainState::crashed;
  node.observed_reason = "QEMU was killed";
  EXPECT_EQ(told_state(node, nullptr).state, "crashed");
  EXPECT_EQ(told_state(node, nullptr).reason, "QEMU was killed");
  node.observed = DomainState::shutoff;
  EXPECT_EQ(told_state(node, nullptr).state, "shutoff");
}

}  // namespace
}  // namespace nucleus::scheduler
