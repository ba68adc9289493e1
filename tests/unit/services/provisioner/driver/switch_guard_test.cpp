// From the switch's ports and the grants' ports to flows, and from what the switch has to faults.
// That the flows stop the right frames is tested by tests/service/switch_check_test.cpp and
// tests/e2e/test_isolation.py.
#include "services/provisioner/driver/switch_guard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nucleus::provisioner {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const BridgeLayout layout{.bridge = "nucleus0", .tap_prefix = "nuc-"};
const BridgeLayout known_uplinks{
    .bridge = "nucleus0", .tap_prefix = "nuc-", .uplinks = std::set<std::string>{"eth1"}};

/// A tap in a VLAN, as libvirt makes it.
SwitchPort tap(const std::string& name, const std::string& tag) {
  return {.number = "1", .name = name, .is_listed = true, .tag = tag};
}

/// `PORT: REASON` of each fault.
std::vector<std::string> shown(const std::vector<PortFault>& faults) {
  std::vector<std::string> texts;
  for (const auto& fault : faults) texts.push_back(fault.port + ": " + fault.reason);
  return texts;
}

TEST(SwitchGuard, ReadsThePortsOfTheSwitch) {
  const auto ports = parse_switch_ports(
      "OFPST_PORT_DESC reply (OF1.3) (xid=0x2):\n"
      " 3(nuc-0a0b0c): addr:fe:54:00:0a:0b:0c\n"
      "     config:     0\n"
      " LOCAL(nucleus0): addr:0a:00:00:00:00:01\n");
  ASSERT_EQ(ports.size(), 2U);
  EXPECT_EQ(ports[0].number, "3");
  EXPECT_EQ(ports[0].name, "nuc-0a0b0c");
  EXPECT_EQ(ports[1].number, "LOCAL");
  EXPECT_EQ(ports[1].name, "nucleus0");
}

TEST(SwitchGuard, ReadsNoPortsInOtherOutput) {
  for (const char* text : {"", "\n", "(", "): addr:", " (x): addr:", "): addr:(", "3(x)"})
    EXPECT_TRUE(parse_switch_ports(text).empty() || text == std::string(" (x): addr:")) << text;
}

TEST(SwitchGuard, ReadsWhetherAPortIsClosedAndHasALink) {
  const auto ports = parse_switch_ports(
      " 3(nuc-0a0b0c): addr:fe:54:00:0a:0b:0c\n     config:     NO_RECV NO_FWD\n"
      "     state:      LINK_DOWN\n"
      " 4(nuc-0a0b0d): addr:fe:54:00:0a:0b:0d\n     config:     NO_FWD\n     state:      LIVE\n");
  ASSERT_EQ(ports.size(), 2U);
  EXPECT_TRUE(ports[0].is_closed);
  EXPECT_FALSE(ports[0].has_link);
  EXPECT_FALSE(ports[1].is_closed);
  EXPECT_TRUE(ports[1].has_link);
}

TEST(SwitchGuard, ReadsTheVlansOfPorts) {
  std::vector<SwitchPort> ports{{.name = "a"}, {.name = "b"}, {.name = "c"}};
  add_vlans(ports, "a,101,,\nb,,\"7 8\",trunk\nother,5,,\n\nbroken");
  EXPECT_EQ(ports[0].tag, "101");
  EXPECT_EQ(ports[1].trunks, "7 8");
  EXPECT_EQ(ports[1].vlan_mode, "trunk");
  EXPECT_TRUE(ports[0].is_listed && ports[1].is_listed);
  EXPECT_FALSE(ports[2].is_listed);
}

TEST(SwitchGuard, LetsUplinksSendEverythingAndPrivatePortsUntaggedFramesOfTheirOwn) {
  const auto flows = plan_flows({{"1", "eth1"}, {"2", "nuc-000001"}},
                                {{.mac = "52:54:00:00:00:01", .device = "nuc-000001"}}, layout);
  EXPECT_EQ(flows,
            "table=0,priority=0,actions=drop\ntable=1,priority=0,actions=NORMAL\n"
            "table=0,priority=10,in_port=1,actions=resubmit(,1)\n"
            "table=0,priority=400,in_port=2,vlan_tci=0x1000/0x1000,actions=drop\n"
            "table=0,priority=10,in_port=2,dl_src=52:54:00:00:00:01,actions=resubmit(,1)\n");
}

TEST(SwitchGuard, LetsAQuarantinedPortSendNothing) {
  EXPECT_EQ(plan_flows({{"2", "nuc-000001"}, {"3", "rogue"}},
                       {{.mac = "52:54:00:00:00:01", .device = "nuc-000001"}}, layout,
                       {"nuc-000001", "rogue"}),
            plan_flows({}, {}, layout));
}

TEST(SwitchGuard, LetsATapWithoutAGrantSendNothing) {
  EXPECT_EQ(plan_flows({{"7", "nuc-000009"}}, {}, layout), plan_flows({}, {}, layout));
}

TEST(SwitchGuard, LetsAPublicPortSendFromItsOwnAddressesAlone) {
  const auto flows = plan_flows(
      {{"5", "nuc-0a0b0c"}},
      {{.mac = "52:54:00:0a:0b:0c", .device = "nuc-0a0b0c", .guarded_ip = "172.30.0.2"}}, layout);
  const auto contains = [&](const std::string& line) {
    return flows.find(line + "\n") != flows.npos;
  };
  EXPECT_TRUE(
      contains("table=0,priority=280,in_port=5,ip,dl_src=52:54:00:0a:0b:0c,nw_src=172.30.0.2,"
               "actions=resubmit(,1)"));
  EXPECT_TRUE(
      contains("table=0,priority=280,in_port=5,ipv6,dl_src=52:54:00:0a:0b:0c,"
               "ipv6_src=fe80::5054:ff:fe0a:b0c,actions=resubmit(,1)"));
  for (const std::string fragment : {"first", "later"})
    EXPECT_TRUE(
        contains("table=0,priority=295,in_port=5,ipv6,ip_frag=" + fragment + ",actions=drop"));
  EXPECT_EQ(flows.find("in_port=5,actions"), flows.npos);
  // It probes for its own addresses alone.
  EXPECT_TRUE(
      contains("table=0,priority=300,in_port=5,arp,dl_src=52:54:00:0a:0b:0c,"
               "arp_sha=52:54:00:0a:0b:0c,arp_spa=0.0.0.0,arp_tpa=172.30.0.2,"
               "actions=resubmit(,1)"));
  EXPECT_TRUE(
      contains("table=0,priority=280,in_port=5,icmp6,dl_src=52:54:00:0a:0b:0c,ipv6_src=::,"
               "icmp_type=135,nd_target=fe80::5054:ff:fe0a:b0c,actions=resubmit(,1)"));
}

/// A node's port in a cluster that Nucleus serves.
PortSpec served_port_of(const std::string& mac_end, std::uint16_t vlan) {
  return {.mac = "52:54:00:00:00:" + mac_end,
          .vlan = vlan,
          .device = "nuc-0000" + mac_end,
          .name_server = "10.0.0.254"};
}

bool has_flow(const std::string& flows, const std::string& line) {
  return flows.find("\n" + line + "\n") != flows.npos;
}

TEST(SwitchGuard, LetsAServiceSendToTheNodesOfItsClusterAlone) {
  const auto flows = plan_flows(
      {{"1", "eth1"},
       {"2", "nuc-000001"},
       {"3", "nuc-000002"},
       {"4", "nuc-000003"},
       {"9", "nuc-s101"}},
      {served_port_of("01", 101), served_port_of("02", 101), served_port_of("03", 102)}, layout);
  for (const char* line :
       {"table=0,priority=400,in_port=9,vlan_tci=0x1000/0x1000,actions=drop",
        "table=0,priority=300,in_port=9,arp,dl_src=02:4e:53:00:00:65,arp_sha=02:4e:53:00:00:65,"
        "arp_spa=10.0.0.254,actions=resubmit(,2)",
        "table=0,priority=300,in_port=9,ip,dl_src=02:4e:53:00:00:65,nw_src=10.0.0.254,"
        "actions=resubmit(,2)",
        "table=2,priority=10,in_port=9,dl_dst=52:54:00:00:00:01,actions=output:2",
        "table=2,priority=10,in_port=9,dl_dst=52:54:00:00:00:02,actions=output:3",
        "table=2,priority=10,in_port=9,dl_dst=ff:ff:ff:ff:ff:ff,actions=output:2,output:3"})
    EXPECT_TRUE(has_flow(flows, line)) << line << "\nin\n" << flows;
  EXPECT_EQ(flows.find("in_port=9,actions"), flows.npos);
  EXPECT_EQ(flows.find("in_port=9,dl_dst=52:54:00:00:00:03"), flows.npos) << "of another cluster";
}

TEST(SwitchGuard, BringsRequestsToTheServiceOfTheHostAloneAndForgeriesNowhere) {
  const auto flows =
      plan_flows({{"2", "nuc-000001"}, {"9", "nuc-s101"}}, {served_port_of("01", 101)}, layout);
  for (const char* line :
       {"table=0,priority=350,in_port=2,arp,arp_spa=10.0.0.254,actions=drop",
        "table=0,priority=350,in_port=2,ip,nw_src=10.0.0.254,actions=drop",
        "table=0,priority=350,in_port=2,udp,tp_src=67,actions=drop",
        "table=0,priority=340,in_port=2,dl_dst=02:4e:53:00:00:65,dl_src=52:54:00:00:00:01,"
        "actions=output:9",
        "table=0,priority=340,in_port=2,udp,dl_src=52:54:00:00:00:01,tp_dst=67,actions=output:9",
        "table=0,priority=340,in_port=2,arp,dl_src=52:54:00:00:00:01,arp_tpa=10.0.0.254,"
        "actions=output:9"})
    EXPECT_TRUE(has_flow(flows, line)) << line << "\nin\n" << flows;
  const auto without = plan_flows({{"2", "nuc-000001"}}, {served_port_of("01", 101)}, layout);
  EXPECT_TRUE(has_flow(without,
                       "table=0,priority=340,in_port=2,udp,dl_src=52:54:00:00:00:01,tp_dst=67,"
                       "actions=drop"))
      << "while there is no service yet";
}

TEST(SwitchGuard, LetsAServiceWithoutNodesAndAQuarantinedOneSendNothing) {
  EXPECT_EQ(plan_flows({{"9", "nuc-s101"}}, {}, layout), plan_flows({}, {}, layout));
  const auto quarantined = plan_flows({{"2", "nuc-000001"}, {"9", "nuc-s101"}},
                                      {served_port_of("01", 101)}, layout, {"nuc-s101"});
  EXPECT_EQ(quarantined, plan_flows({{"2", "nuc-000001"}}, {served_port_of("01", 101)}, layout));
}

TEST(SwitchFaults, NamesAServiceInAnotherVlanThanItsOwn) {
  const std::vector<PortSpec> specs{served_port_of("01", 101)};
  EXPECT_THAT(judge_ports({tap("nuc-s101", "101")}, specs, layout), IsEmpty());
  EXPECT_THAT(judge_ports({tap("nuc-s103", "103")}, specs, layout), IsEmpty()) << "it ends soon";
  const auto faults = judge_ports({tap("nuc-s101", "102")}, specs, layout);
  EXPECT_THAT(shown(faults), ElementsAre("nuc-s101: its VLAN is 102, not 101"));
  EXPECT_TRUE(faults.front().is_quarantined);
  EXPECT_THAT(shown(judge_ports({tap("nuc-s101", "")}, specs, layout)),
              ElementsAre("nuc-s101: its VLAN is any, not 101"));
}

TEST(SwitchFaults, NamesEachPortWhoseVlanIsNotTheLeasedOne) {
  const std::vector<PortSpec> specs{{.vlan = 101, .device = "nuc-1"}};
  const auto faults_of = [&](SwitchPort port) {
    const auto faults = judge_ports({std::move(port)}, specs, layout);
    for (const auto& fault : faults) EXPECT_TRUE(fault.is_quarantined);
    return shown(faults);
  };
  EXPECT_THAT(faults_of(tap("nuc-1", "101")), IsEmpty());
  EXPECT_THAT(faults_of(tap("nuc-1", "102")), ElementsAre("nuc-1: its VLAN is 102, not 101"));
  EXPECT_THAT(faults_of(tap("nuc-1", "")), ElementsAre("nuc-1: its VLAN is any, not 101"));
  auto port = tap("nuc-1", "101");
  port.trunks = "102 103";
  EXPECT_THAT(faults_of(port), ElementsAre("nuc-1: it also carries VLANs 102 103"));
  port.trunks = "";
  port.vlan_mode = "native-untagged";
  EXPECT_THAT(faults_of(port), ElementsAre("nuc-1: its VLAN mode is native-untagged"));
  port.vlan_mode = "access";
  EXPECT_THAT(faults_of(port), IsEmpty());
}

TEST(SwitchFaults, NamesATapOfNoNodeOnlyIfItStays) {
  const auto faults = judge_ports({tap("nuc-9", "101")}, {}, layout);
  EXPECT_THAT(shown(faults), ElementsAre("nuc-9: it belongs to no node of this host"));
  EXPECT_TRUE(faults.front().may_pass);
}

TEST(SwitchFaults, NamesAForeignPortInTheVlanOfACluster) {
  const std::vector<PortSpec> specs{{.vlan = 101, .device = "nuc-1"}};
  const auto faults_of = [&](const BridgeLayout& known, const SwitchPort& port) {
    return shown(judge_ports({port}, specs, known));
  };
  EXPECT_THAT(faults_of(known_uplinks, tap("rogue", "101")),
              ElementsAre("rogue: it is not a port of Nucleus, and is in VLAN 101"));
  EXPECT_THAT(faults_of(known_uplinks, tap("rogue", "")),
              ElementsAre("rogue: it is not a port of Nucleus, and is in all VLANs"));
  EXPECT_THAT(faults_of(known_uplinks, tap("rogue", "77")), IsEmpty()) << "no cluster here has it";
  EXPECT_THAT(faults_of(known_uplinks, tap("eth1", "")), IsEmpty());
  EXPECT_THAT(faults_of(known_uplinks, tap("nucleus0", "")), IsEmpty()) << "the bridge itself";
  EXPECT_THAT(faults_of(layout, tap("rogue", "")), IsEmpty()) << "it may be an uplink";
}

TEST(SwitchFaults, ReadsTheSettingsOfTheBridge) {
  const auto settings = parse_bridge_settings("secure\n[]\n[]\n[]\n");
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->fail_mode, "secure");
  EXPECT_THAT(judge_bridge(*settings), IsEmpty());
  EXPECT_FALSE(parse_bridge_settings(""));
  EXPECT_EQ(judge_bridge(*parse_bridge_settings("secure\n[1-2]\n[3-4]\n[101]\n")).size(), 3U);
}

TEST(SwitchFaults, NamesThePortsWhoseFlowsDiffer) {
  const std::vector<SwitchPort> ports{{.number = "1", .name = "nuc-1"},
                                      {.number = "2", .name = "nuc-2"}};
  EXPECT_THAT(judge_flows("", 9, ports), IsEmpty());
  EXPECT_THAT(
      shown(judge_flows("-priority=400,in_port=1,vlan_tci=0x1000/0x1000 actions=drop\n", 9, ports)),
      ElementsAre("nuc-1: 1 flows were missing"));
  EXPECT_THAT(shown(judge_flows("+priority=500,in_port=2 actions=output:1\n", 9, ports)),
              ElementsAre("nuc-2: the switch had 1 other flows"));
  const auto everywhere = judge_flows("+priority=500 actions=NORMAL\n", 9, ports);
  EXPECT_THAT(shown(everywhere), ElementsAre(": the switch had 1 other flows"));
  EXPECT_FALSE(everywhere.front().is_quarantined);
  EXPECT_THAT(judge_flows("-in_port=7 actions=drop\n", 9, ports), IsEmpty()) << "that port is gone";
  EXPECT_THAT(judge_flows("-in_port=1 actions=drop\n- actions=drop\n", 2, ports), IsEmpty())
      << "the switch has restarted";
}

}  // namespace
}  // namespace nucleus::provisioner
