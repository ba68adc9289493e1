// From the switch's ports and the grants' ports to flows. That the flows stop the right frames is
// tested by tests/e2e/test_isolation.py.
#include "services/provisioner/driver/switch_guard.hpp"

#include <gtest/gtest.h>

namespace nucleus::provisioner {
namespace {

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

TEST(SwitchGuard, LetsUplinksAndPrivatePortsSendEverything) {
  const auto flows = plan_flows({{"1", "eth1"}, {"2", "nuc-000001"}},
                                {{.mac = "52:54:00:00:00:01", .device = "nuc-000001"}}, "nuc-");
  EXPECT_EQ(flows,
            "table=0,priority=0,actions=drop\ntable=1,priority=0,actions=NORMAL\n"
            "table=0,priority=10,in_port=1,actions=resubmit(,1)\n"
            "table=0,priority=10,in_port=2,actions=resubmit(,1)\n");
}

TEST(SwitchGuard, LetsATapWithoutAGrantSendNothing) {
  EXPECT_EQ(plan_flows({{"7", "nuc-000009"}}, {}, "nuc-"), plan_flows({}, {}, "nuc-"));
}

TEST(SwitchGuard, LetsAPublicPortSendFromItsOwnAddressesAlone) {
  const auto flows = plan_flows(
      {{"5", "nuc-0a0b0c"}},
      {{.mac = "52:54:00:0a:0b:0c", .device = "nuc-0a0b0c", .guarded_ip = "172.30.0.2"}}, "nuc-");
  const auto contains = [&](const std::string& line) {
    return flows.find(line + "\n") != flows.npos;
  };
  EXPECT_TRUE(
      contains("table=0,priority=280,in_port=5,ip,dl_src=52:54:00:0a:0b:0c,nw_src=172.30.0.2,"
               "actions=resubmit(,1)"));
  EXPECT_TRUE(
      contains("table=0,priority=280,in_port=5,ipv6,dl_src=52:54:00:0a:0b:0c,"
               "ipv6_src=fe80::5054:ff:fe0a:b0c,actions=resubmit(,1)"));
  EXPECT_TRUE(contains("table=0,priority=295,in_port=5,ipv6,ip_frag=yes,actions=drop"));
  EXPECT_EQ(flows.find("in_port=5,actions"), flows.npos);
}

}  // namespace
}  // namespace nucleus::provisioner
