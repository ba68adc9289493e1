// From a check of the switch to what the scheduler is told.
#include "services/provisioner/isolation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nucleus::provisioner {
namespace {

using msg::IsolationState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

PortOwners two_clusters() {
  return {.by_device = {{"nuc-1", {.node_id = {"n1"}, .cluster_id = {"left"}}},
                        {"nuc-2", {.node_id = {"n2"}, .cluster_id = {"right"}}}},
          .by_vlan = {{101, {"left"}}, {102, {"right"}}}};
}

/// `CLUSTER NODE PORT` of each.
std::vector<std::string> shown_faults(const std::vector<PortFault>& faults) {
  std::vector<std::string> texts;
  for (const auto& fault : faults_of(faults, two_clusters()))
    texts.push_back(fault.cluster_id.value + " " + fault.node_id.value + " " + fault.port);
  return texts;
}

TEST(IsolationFaults, AreOfTheClusterThatHasThePort) {
  EXPECT_THAT(shown_faults({{.port = "nuc-1", .reason = "x"}}), ElementsAre("left n1 nuc-1"));
}

TEST(IsolationFaults, AreOfBothClustersIfAPortIsInTheVlanOfAnother) {
  const std::vector<PortFault> faults{{.port = "nuc-1", .reason = "x", .vlan = 102}};
  EXPECT_THAT(shown_faults(faults), ElementsAre("left n1 nuc-1", "right  nuc-1"));
}

TEST(IsolationFaults, OfAForeignPortAreOfTheClusterWhoseVlanItIsIn) {
  EXPECT_THAT(shown_faults({{.port = "rogue", .reason = "x", .vlan = 102}}),
              ElementsAre("right  rogue"));
}

TEST(IsolationFaults, OfTheWholeSwitchAreOfEveryCluster) {
  EXPECT_THAT(shown_faults({{.reason = "x"}}), ElementsAre("left  ", "right  "));
  EXPECT_EQ(faults_of({{.reason = "x"}}, {}).size(), 1U) << "without a node it is a fault as well";
}

TEST(HostIsolation, IsUncheckedUntilACompleteCheckHasEnded) {
  const auto isolation = isolation_of({}, 1'000);
  EXPECT_EQ(isolation.state, IsolationState::unchecked);
  EXPECT_EQ(isolation.checked_age_ms, -1);
  EXPECT_THAT(isolation_of({.failure = "no switch"}, 1'000).reason, HasSubstr("no switch"));
}

TEST(HostIsolation, IsVerifiedForAMinuteAfterTheOldestProbe) {
  LastCheck last{
      .check = SwitchCheck{.is_complete = true, .port_count = 2, .oldest_probe_ms = 5'000},
      .begun_ms = 20'000};
  EXPECT_EQ(isolation_of(last, 21'000).state, IsolationState::verified);
  EXPECT_EQ(isolation_of(last, 21'000).checked_age_ms, 16'000);
  EXPECT_EQ(isolation_of(last, 65'000).state, IsolationState::verified);
  last.failure = "ovs-vsctl: timeout";
  const auto late = isolation_of(last, 65'001);
  EXPECT_EQ(late.state, IsolationState::unchecked);
  EXPECT_THAT(late.reason, HasSubstr("timeout"));
}

TEST(HostIsolation, IsNotCheckedAgainForEightSecondsIfAllWasRight) {
  const std::vector<PortSpec> ports{{.vlan = 101, .device = "nuc-1"}};
  const LastCheck right{.check = SwitchCheck{.is_complete = true, .is_settled = true},
                        .begun_ms = 20'000,
                        .ports = ports};
  const SwitchGuard::Job next{.ports = ports, .is_complete = true, .now_ms = 27'999};
  EXPECT_FALSE(is_check_due(right, next));
  EXPECT_TRUE(is_check_due(right, {.ports = ports, .is_complete = true, .now_ms = 28'000}));
  EXPECT_TRUE(is_check_due(right, {.ports = {}, .is_complete = true, .now_ms = 20'001}))
      << "a node has ended";
  EXPECT_TRUE(is_check_due({}, next)) << "none has ended yet";
  auto last = right;
  last.failure = "ovs-vsctl: timeout";
  EXPECT_TRUE(is_check_due(last, next));
  last = right;
  last.check->is_settled = false;
  EXPECT_TRUE(is_check_due(last, next)) << "a port is suspected, or closed";
}

TEST(HostIsolation, IsBrokenWithTheFirstHundredFaults) {
  LastCheck last{.check = SwitchCheck{.is_complete = true, .oldest_probe_ms = 1}, .begun_ms = 1};
  for (int i = 0; i < 150; ++i)
    last.faults.push_back({.port = "nuc-" + std::to_string(i), .reason = std::string(500, 'x')});
  const auto isolation = isolation_of(last, 2);
  EXPECT_EQ(isolation.state, IsolationState::broken);
  EXPECT_EQ(isolation.fault_count, 150U);
  EXPECT_EQ(isolation.faults.size(), msg::isolation_faults_max);
  EXPECT_THAT(isolation.reason, testing::StartsWith("port nuc-0: "));
  EXPECT_LE(isolation.reason.size(), msg::isolation_reason_bytes_max);
}

}  // namespace
}  // namespace nucleus::provisioner
