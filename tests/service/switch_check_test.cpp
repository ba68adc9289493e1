// The guard of a real Open vSwitch: it finds no fault in a switch that isolates, and each fault
// that is planted in one.
#include "services/provisioner/driver/switch_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "tests/support/private_switch.hpp"

namespace nucleus::tests {
namespace {

using provisioner::SwitchGuard;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t hold_ms = 10'000;  // that a fault keeps its port closed

/// Two ports each of two clusters and of the public network, and an uplink.
class SmallSwitch : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = std::make_unique<PrivateSwitch>();
    shared_->add_uplink("up0");
    for (const auto& node : nodes) shared_->add_tap(node.name, node.vlan);
  }
  static void TearDownTestSuite() { shared_.reset(); }

  ~SmallSwitch() override {
    switch_.vsctl({"clear", "bridge", PrivateSwitch::bridge, "mirrors", "--", "--if-exists",
                   "del-port", "rogue", "--", "--if-exists", "del-port", "nuc-9"});
  }

  std::vector<provisioner::SwitchPort> switch_ports() const {
    return provisioner::parse_switch_ports(
        switch_.run({"ovs-ofctl", "-O", "OpenFlow13", "dump-ports-desc", PrivateSwitch::bridge}));
  }
  std::string number_of(const std::string& name) const {
    for (const auto& port : switch_ports())
      if (port.name == name) return port.number;
    return {};
  }
  std::vector<std::string> closed_ports() const {
    std::vector<std::string> names;
    for (const auto& port : switch_ports())
      if (port.is_closed) names.push_back(port.name);
    return names;
  }

  struct TestNode {
    const char* name;
    const char* mac;
    int vlan;
    const char* public_ip;
  };
  static constexpr std::array<TestNode, 6> nodes{
      {{"nuc-1", "52:54:00:00:00:01", 101, ""},
       {"nuc-2", "52:54:00:00:00:02", 101, ""},
       {"nuc-3", "52:54:00:00:00:03", 102, ""},
       {"nuc-4", "52:54:00:00:00:04", 102, ""},
       {"nuc-5", "52:54:00:00:00:05", 4000, "172.30.0.5"},
       {"nuc-6", "52:54:00:00:00:06", 4000, "172.30.0.6"}}};
  static inline std::unique_ptr<PrivateSwitch> shared_ = {};  // starting one takes a second

  PrivateSwitch& switch_ = *shared_;
};

class SwitchChecks : public SmallSwitch {
 protected:
  SwitchChecks() {
    for (const auto& node : nodes)
      job_.ports.push_back({.mac = node.mac,
                            .vlan = static_cast<std::uint16_t>(node.vlan),
                            .device = node.name,
                            .guarded_ip = node.public_ip});
    // The switch has seen the links of all taps.
    EXPECT_TRUE(eventually([&] {
      return std::ranges::count_if(switch_ports(), [](const auto& port) {
               return port.has_link && port.number != "LOCAL";
             }) == std::ssize(nodes) + 1;
    }));
  }
  provisioner::SwitchCheck check(std::int64_t after_ms = 2'000) {
    job_.now_ms += after_ms;
    ++job_.random;
    auto checked = guard_.check(job_);
    EXPECT_TRUE(checked) << checked.error().detail;
    return checked.value_or(provisioner::SwitchCheck{});
  }
  /// `PORT: REASON` of each fault.
  std::vector<std::string> faults(std::int64_t after_ms = 2'000) {
    std::vector<std::string> shown;
    const auto checked = check(after_ms);
    EXPECT_EQ(checked.not_probed, "");
    for (const auto& fault : checked.faults) shown.push_back(fault.port + ": " + fault.reason);
    return shown;
  }
  /// After a fault was put right.
  void expect_restored() {
    EXPECT_THAT(faults(hold_ms + 1'000), IsEmpty());
    EXPECT_THAT(closed_ports(), IsEmpty());
    job_.must_probe_all = true;
    EXPECT_THAT(faults(), IsEmpty());
    job_.must_probe_all = false;
  }

  SwitchGuard guard_{{.layout = {.bridge = PrivateSwitch::bridge,
                                 .tap_prefix = "nuc-",
                                 .uplinks = std::set<std::string>{"up0"}},
                      .flows_file = switch_.file("flows"),
                      .network_namespace = switch_.network_namespace()}};
  SwitchGuard::Job job_{.is_complete = true, .now_ms = 1'000'000, .random = 0x01020304};
};

TEST_F(SwitchChecks, FindNoFaultInASwitchThatIsolates) {
  const auto first = check();
  EXPECT_THAT(first.faults, IsEmpty());
  EXPECT_TRUE(first.is_complete);
  EXPECT_EQ(first.port_count, nodes.size());
  EXPECT_EQ(first.not_probed, "");
  EXPECT_EQ(first.oldest_probe_ms, job_.now_ms) << "each port was probed";
  for (int pass = 0; pass < 16; ++pass) {
    const auto checked = check();
    EXPECT_THAT(checked.faults, IsEmpty());
    EXPECT_LE(job_.now_ms - checked.oldest_probe_ms, 30'000);
  }
}

TEST_F(SwitchChecks, LetAPortSendOnlyUntaggedFramesFromItsOwnMac) {
  (void)check();
  const std::string everyone(6, '\xff');
  const std::string own = std::string("\x52\x54\0\0\0\x01", 6);
  const std::string other = std::string("\x52\x54\0\0\0\x02", 6);
  const std::string tag_of_102 = std::string("\x81\x00\x00\x66", 4);
  const std::string provider_tag = std::string("\x88\xa8\x00\x66", 4);
  const auto frame = [&](const std::string& source, const std::string& tags, const char* text) {
    return everyone + source + tags + "\x88\xb5guest:" + text + std::string(60, '.');
  };
  switch_.send("nuc-1", frame(own, tag_of_102, "tagged"));
  switch_.send("nuc-1", frame(own, provider_tag, "provider"));
  switch_.send("nuc-1", frame(own, provider_tag + tag_of_102, "double"));
  switch_.send("nuc-1", frame(other, "", "spoofed"));
  switch_.send("nuc-1", frame(own, "", "honest"));
  // The switch keeps the order: the forged frames would have arrived before the honest one.
  const auto first = switch_.receive("nuc-2", "guest:", 5'000);
  EXPECT_THAT(first, HasSubstr("honest"));
  for (const auto* tap : {"nuc-3", "nuc-4"}) EXPECT_EQ(switch_.receive(tap, "guest:", 50), "");
}

TEST_F(SwitchChecks, CloseAPortWithAWrongTag) {
  EXPECT_THAT(faults(), IsEmpty());
  switch_.vsctl({"set", "port", "nuc-1", "tag=102"});
  EXPECT_THAT(faults(), ElementsAre("nuc-1: its VLAN is 102, not 101"));
  EXPECT_THAT(closed_ports(), ElementsAre("nuc-1"));
  EXPECT_THAT(faults(60'000), ElementsAre("nuc-1: its VLAN is 102, not 101")) << "it stays closed";
  switch_.vsctl({"set", "port", "nuc-1", "tag=101"});
  EXPECT_THAT(faults(), ElementsAre("nuc-1: its VLAN is 102, not 101")) << "for a while";
  expect_restored();
}

TEST_F(SwitchChecks, CloseATrunk) {
  EXPECT_THAT(faults(), IsEmpty());
  switch_.vsctl({"clear", "port", "nuc-1", "tag"});
  EXPECT_THAT(faults(), ElementsAre("nuc-1: its VLAN is any, not 101"));
  switch_.vsctl({"set", "port", "nuc-1", "tag=101", "trunks=102"});
  EXPECT_THAT(faults(), ElementsAre("nuc-1: it also carries VLANs 102"));
  switch_.vsctl({"clear", "port", "nuc-1", "trunks"});
  expect_restored();
}

TEST_F(SwitchChecks, RestoreARuleThatWasLeftOut) {
  EXPECT_THAT(faults(), IsEmpty());
  switch_.ofctl({"--strict", "del-flows", PrivateSwitch::bridge,
                 "table=0,priority=400,in_port=" + number_of("nuc-1") + ",vlan_tci=0x1000/0x1000"});
  EXPECT_THAT(faults(), ElementsAre("nuc-1: 1 flows were missing"));
  EXPECT_THAT(closed_ports(), ElementsAre("nuc-1"));
  expect_restored();
}

TEST_F(SwitchChecks, RestoreAPortWithoutARule) {
  EXPECT_THAT(faults(), IsEmpty());
  switch_.ofctl({"del-flows", PrivateSwitch::bridge, "in_port=" + number_of("nuc-1")});
  EXPECT_THAT(faults(), ElementsAre("nuc-1: 2 flows were missing"));
  expect_restored();
}

TEST_F(SwitchChecks, RemoveARuleThatLetsFramesPass) {
  EXPECT_THAT(faults(), IsEmpty());
  switch_.ofctl(
      {"add-flow", PrivateSwitch::bridge,
       "priority=500,in_port=" + number_of("nuc-1") + ",actions=output:" + number_of("nuc-3")});
  EXPECT_THAT(faults(), ElementsAre("nuc-1: the switch had 1 other flows"));
  expect_restored();
  switch_.ofctl({"add-flow", PrivateSwitch::bridge, "priority=500,actions=NORMAL"});
  EXPECT_THAT(faults(), Contains(": the switch had 1 other flows"));
  expect_restored();
}

TEST_F(SwitchChecks, CloseAForeignPortInTheVlanOfACluster) {
  EXPECT_THAT(faults(), IsEmpty());
  switch_.vsctl({"add-port", PrivateSwitch::bridge, "rogue", "tag=101", "--", "set", "interface",
                 "rogue", "type=internal"});
  EXPECT_THAT(faults(), ElementsAre("rogue: it is not a port of Nucleus, and is in VLAN 101"));
  EXPECT_THAT(closed_ports(), ElementsAre("rogue"));
  switch_.vsctl({"del-port", PrivateSwitch::bridge, "rogue"});
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(SwitchChecks, CloseATapOfNoNode) {
  EXPECT_THAT(faults(), IsEmpty());
  switch_.add_tap("nuc-9", 101);
  EXPECT_THAT(faults(), IsEmpty()) << "a node may just have ended";
  EXPECT_THAT(faults(), ElementsAre("nuc-9: it belongs to no node of this host"));
  EXPECT_THAT(closed_ports(), ElementsAre("nuc-9"));
}

/// Real frames show what neither flows nor tags show.
TEST_F(SwitchChecks, CloseThePortThatAMirrorCopiesFramesTo) {
  EXPECT_THAT(faults(), IsEmpty());
  switch_.vsctl({"--", "--id=@p", "get", "port", "nuc-3", "--", "--id=@m", "create", "mirror",
                 "name=m", "select_all=true", "output_port=@p", "--", "set", "bridge",
                 PrivateSwitch::bridge, "mirrors=@m"});
  job_.must_probe_all = true;
  std::vector<std::string> found;
  for (const auto& fault : check().faults) found.push_back(fault.port + ": " + fault.reason);
  EXPECT_THAT(found, Contains(": the bridge has a mirror, which copies frames of all VLANs"));
  EXPECT_THAT(found, Contains("nuc-3: a frame of VLAN 101 was forwarded untagged to it"));
}

TEST_F(SwitchChecks, RestoreTheFailModeOfTheBridge) {
  EXPECT_THAT(faults(), IsEmpty());
  switch_.vsctl({"set", "bridge", PrivateSwitch::bridge, "fail_mode=standalone"});
  EXPECT_THAT(faults(), Contains(": the bridge forwarded frames without a flow"));
  expect_restored();
}

TEST_F(SwitchChecks, RestoreTheHandlingOfFragments) {
  EXPECT_THAT(faults(), IsEmpty());
  switch_.ofctl({"set-frags", PrivateSwitch::bridge, "normal"});
  EXPECT_THAT(faults(20'000), ElementsAre(": the bridge did not compare fragments with its flows"));
  expect_restored();
}

TEST_F(SwitchChecks, TakeARestartOfTheSwitchForNoFault) {
  EXPECT_THAT(faults(), IsEmpty());
  // As after a restart.
  switch_.ofctl({"del-flows", PrivateSwitch::bridge});
  switch_.ofctl({"set-frags", PrivateSwitch::bridge, "normal"});
  EXPECT_THAT(faults(20'000), IsEmpty());
  EXPECT_THAT(closed_ports(), IsEmpty());
  switch_.ofctl({"set-frags", PrivateSwitch::bridge, "normal"});
  EXPECT_THAT(faults(20'000), ElementsAre(": the bridge did not compare fragments with its flows"))
      << "the restart was mended";
}

TEST_F(SwitchChecks, SayThatFramesCannotBeCaptured) {
  SwitchGuard guard{{.layout = {.bridge = PrivateSwitch::bridge, .tap_prefix = "nuc-"},
                     .flows_file = switch_.file("flows"),
                     .network_namespace = "nuc-test-absent"}};
  const auto checked = guard.check(job_);
  ASSERT_TRUE(checked);
  EXPECT_THAT(checked->not_probed, HasSubstr("nuc-test-absent"));
}

TEST_F(SwitchChecks, FailIfThereIsNoSuchBridge) {
  SwitchGuard guard{
      {.layout = {.bridge = "absent", .tap_prefix = "nuc-"}, .flows_file = switch_.file("flows")}};
  EXPECT_FALSE(guard.check(job_));
}

}  // namespace
}  // namespace nucleus::tests
