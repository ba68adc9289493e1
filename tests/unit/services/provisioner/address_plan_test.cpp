// From the grants of a cluster to the configuration of dnsmasq. What dnsmasq does with it is tested
// by tests/contract/provisioner/address_servers_test.cpp.
#include "services/provisioner/address_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/provisioner/driver/service_port.hpp"

namespace nucleus::provisioner {
namespace {

using testing::HasSubstr;
using testing::Not;

msg::Grant a_served_grant(const std::string& name = "vm-tiny-00",
                          const std::string& ip = "10.0.0.2") {
  return {.node_id = {"n-" + name},
          .cluster_id = {"tiny"},
          .node_name = name,
          .revision = 1,
          .ports = {{.mac = "52:54:00:00:00:02",
                     .ip = ip,
                     .prefix_length = 24,
                     .vlan = 101,
                     .name_server = "10.0.0.254"}},
          .peers = {{"tiny", "10.0.0.1"}, {"vm-tiny-[00-01]", "10.0.0.2"}}};
}

AddressService service_planned(const std::vector<msg::Grant>& grants) {
  const auto service = plan_address_service(grants, "nuc");
  EXPECT_TRUE(service) << service.error().detail;
  return service.value_or(AddressService{});
}

core::ErrorCode refusal_of(const msg::Grant& grant) {
  const auto service = plan_address_service({grant}, "nuc");
  return service ? core::ErrorCode::unknown : service.error().code;
}

TEST(AddressPlan, ServesOnlyThePrivatePortsWithANameServer) {
  auto grant = a_served_grant();
  ASSERT_NE(served_port(grant), nullptr);
  grant.ports[0].name_server = {};
  EXPECT_EQ(served_port(grant), nullptr);
  grant = a_served_grant();
  grant.ports.insert(grant.ports.begin(), {.ip = "172.30.0.2", .is_public = true});
  EXPECT_EQ(served_port(grant)->ip, "10.0.0.2");
}

TEST(AddressPlan, HasAPortThatFollowsFromTheVlan) {
  const auto service = service_planned({a_served_grant()});
  EXPECT_EQ(service.vlan, 101);
  EXPECT_EQ(service.device, "nuc-s101");
  EXPECT_EQ(service.mac, "02:4e:53:00:00:65");
  EXPECT_EQ(service.address, "10.0.0.254/24");
  EXPECT_EQ(service_vlan("nuc-", service.device), 101);
  for (const char* other : {"nuc-0a0b0c", "nuc-s", "nuc-s1", "nuc-s4095", "nuc-s10x", "eth0", ""})
    EXPECT_EQ(service_vlan("nuc-", other), std::nullopt) << other;
}

TEST(AddressPlan, LeasesAddressesToTheNodesOfThisHostAndNamesAllNodes) {
  auto second = a_served_grant("vm-tiny-01", "10.0.0.3");
  second.ports[0].mac = "52:54:00:00:00:03";
  const auto service = service_planned({a_served_grant(), second});
  EXPECT_EQ(service.hosts,
            "52:54:00:00:00:02,10.0.0.2,vm-tiny-00,infinite\n"
            "52:54:00:00:00:03,10.0.0.3,vm-tiny-01,infinite\n");
  EXPECT_EQ(service.names, "10.0.0.1 tiny\n10.0.0.2 vm-tiny-00\n10.0.0.3 vm-tiny-01\n");
  EXPECT_THAT(service.options, HasSubstr("\ndhcp-range=10.0.0.0,static,255.255.255.0,infinite\n"));
  EXPECT_THAT(service.options, HasSubstr("\ninterface=nuc-s101\n"));
  EXPECT_THAT(service.options, HasSubstr("\nuser=nobody\n"));
}

TEST(AddressPlan, FollowsTheGrantThatChangedLast) {
  auto newer = a_served_grant("vm-tiny-01", "10.0.0.3");
  newer.ports[0].mac = "52:54:00:00:00:03";
  newer.ports[0].prefix_length = 20;
  newer.revision = 2;
  newer.peers = {{"renamed", "10.0.0.1"}};
  for (const auto& grants :
       {std::vector{a_served_grant(), newer}, std::vector{newer, a_served_grant()}}) {
    EXPECT_EQ(service_planned(grants).address, "10.0.0.254/20");
    EXPECT_EQ(service_planned(grants).names, "10.0.0.1 renamed\n");
    EXPECT_THAT(service_planned(grants).options, HasSubstr("=10.0.0.0,static,255.255.240.0,"));
  }
}

TEST(AddressPlan, NamesARouterOnlyIfThereIsOne) {
  auto grant = a_served_grant();
  EXPECT_THAT(service_planned({grant}).options, HasSubstr("\ndhcp-option=option:router\n"));
  grant.ports[0].gateway = "10.0.0.1";
  EXPECT_THAT(service_planned({grant}).options,
              HasSubstr("\ndhcp-option=option:router,10.0.0.1\n"));
}

TEST(AddressPlan, HasADomainIfTheClustersNameIsALabel) {
  auto grant = a_served_grant();
  EXPECT_THAT(service_planned({grant}).options, HasSubstr("\ndomain=tiny\n"));
  for (const char* name : {"a.b", "a_b", "a-", "10", "a/b"}) {
    grant.cluster_id = {name};
    EXPECT_THAT(service_planned({grant}).options, Not(HasSubstr("\ndomain="))) << name;
  }
}

TEST(AddressPlan, LeasesAnAddressToANodeWhoseNameIsTooLongForDns) {
  const std::string name(64, 'a');
  auto grant = a_served_grant(name);
  grant.peers = {{name, "10.0.0.2"}, {"b", "10.0.0.3"}};
  EXPECT_EQ(service_planned({grant}).hosts, "52:54:00:00:00:02,10.0.0.2,infinite\n");
  EXPECT_EQ(service_planned({grant}).names, "10.0.0.3 b\n");
}

TEST(AddressPlan, RefusesWhatCouldSayMoreThanItShould) {
  const auto spoiled = [](auto change) {
    auto grant = a_served_grant();
    change(grant);
    return refusal_of(grant);
  };
  constexpr auto invalid = core::ErrorCode::invalid_argument;
  for (const std::string text : {"a\nserver=1.2.3.4", "a b", "a,b", "", "#a", "a\r"})
    EXPECT_EQ(spoiled([&](auto& grant) { grant.node_name = text; }), invalid) << text;
  EXPECT_EQ(spoiled([](auto& grant) { grant.ports[0].mac = "52:54:00:00:00:02,x"; }), invalid);
  EXPECT_EQ(spoiled([](auto& grant) { grant.ports[0].mac = "52:54:00:00:00\n02"; }), invalid);
  EXPECT_EQ(spoiled([](auto& grant) { grant.ports[0].ip = "10.0.0.2\n"; }), invalid);
  EXPECT_EQ(spoiled([](auto& grant) { grant.ports[0].gateway = "10.0.0.1\nlog-dhcp"; }), invalid);
  EXPECT_EQ(spoiled([](auto& grant) { grant.ports[0].name_server = "x"; }), invalid);
  EXPECT_EQ(spoiled([](auto& grant) { grant.ports[0].prefix_length = 0; }), invalid);
  EXPECT_EQ(spoiled([](auto& grant) { grant.ports[0].vlan = 4095; }), invalid);
  EXPECT_EQ(spoiled([](auto& grant) { grant.peers = {{"a b", "10.0.0.1"}}; }), invalid);
  EXPECT_EQ(spoiled([](auto& grant) { grant.peers = {{"a", "10.0.0"}}; }), invalid);
}

}  // namespace
}  // namespace nucleus::provisioner
