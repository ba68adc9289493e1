// Which addresses nodes are leased.
#include "services/network/address_plan.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "services/network/config.hpp"

namespace nucleus::network {
namespace {

Subnet subnet(const char* text) {
  return parse_subnet(text).value();
}

TEST(AddressPlan, ReadsSubnetsAndWritesThemBack) {
  for (const char* text : {"10.0.0.0/24", "172.30.0.0/20", "192.168.4.8/29"})
    EXPECT_EQ(subnet_text(subnet(text)), text);
  for (const char* bad : {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/7", "10.0.0.0/30", "10.0.0.1/24",
                          "10.0.0/24", "10.0.0.0/24x", "10.0.0.0/-4", "300.0.0.0/24", "a/24"})
    EXPECT_FALSE(parse_subnet(bad)) << bad;
}

TEST(AddressPlan, GivesSmallClustersTheSame24) {
  EXPECT_EQ(subnet_text(private_subnet(0)), "10.0.0.0/24");
  EXPECT_EQ(subnet_text(private_subnet(3)), "10.0.0.0/24");
  EXPECT_EQ(subnet_text(private_subnet(250)), "10.0.0.0/24");
}

TEST(AddressPlan, GivesEveryNodeOfALargeClusterAnAddress) {
  for (const std::uint32_t count : {250u, 251u, 4090u, 4094u, 4097u}) {
    const auto plan = private_subnet(count);
    const auto last = choose_private_address(plan, count - 1, {});
    ASSERT_TRUE(last) << count;
    EXPECT_LT(*last, plan.base + plan.size() - 1) << count;
  }
  EXPECT_EQ(private_subnet(251).prefix_length, 20u);
}

TEST(AddressPlan, NumbersNodesFromOne) {
  EXPECT_EQ(ipv4_text(*choose_private_address(subnet("10.0.0.0/24"), 0, {})), "10.0.0.1");
  EXPECT_EQ(ipv4_text(*choose_private_address(subnet("10.0.0.0/24"), 1, {})), "10.0.0.2");
  EXPECT_EQ(ipv4_text(*choose_private_address(subnet("10.0.0.0/20"), 300, {})), "10.0.1.45");
}

TEST(AddressPlan, GivesANodeBeyondTheSubnetTheLowestFreeAddress) {
  const auto small = subnet("10.0.0.0/29");
  for (const std::uint32_t index : {6u, 0xFFFFFFFFu})
    EXPECT_EQ(ipv4_text(*choose_private_address(small, index, {})), "10.0.0.2")
        << "the first is the frontend's";
  std::set<Ipv4> taken;
  for (Ipv4 address = small.base + 1; address < small.base + 7; ++address) taken.insert(address);
  EXPECT_FALSE(choose_private_address(small, 6, taken)) << "the last one is for broadcasts";
  EXPECT_FALSE(choose_private_address(small, 3, taken));
  taken.erase(small.base + 4);
  EXPECT_EQ(ipv4_text(*choose_private_address(small, 9, taken)), "10.0.0.4");
}

TEST(AddressPlan, NeverGivesTheBroadcastAddress) {
  EXPECT_EQ(ipv4_text(*choose_private_address(subnet("10.0.0.0/24"), 253, {})), "10.0.0.254");
  EXPECT_EQ(ipv4_text(*choose_private_address(subnet("10.0.0.0/24"), 254, {})), "10.0.0.2");
}

TEST(AddressPlan, WidensAPrivateSubnetUntilItHoldsTheLargestCluster) {
  auto plan = private_subnet(1);
  std::vector<std::string> sizes;
  for (std::optional<Subnet> next = plan; next; next = widened(plan)) {
    plan = *next;
    sizes.push_back(subnet_text(plan));
  }
  EXPECT_EQ(sizes, (std::vector<std::string>{"10.0.0.0/24", "10.0.0.0/20", "10.0.0.0/19"}));
  EXPECT_GT(plan.size(), 4097u + 2);
}

TEST(AddressPlan, LeasesTheLowestPublicAddressAfterTheGateway) {
  const auto outside = subnet("172.30.0.0/29");
  EXPECT_EQ(ipv4_text(public_gateway(outside)), "172.30.0.1");
  std::set<Ipv4> taken;
  for (std::uint64_t i = 0; i < count_public_addresses(outside); ++i) {
    const auto address = lowest_free_address(outside, taken);
    ASSERT_TRUE(address);
    EXPECT_EQ(ipv4_text(*address), "172.30.0." + std::to_string(i + 2));
    taken.insert(*address);
  }
  EXPECT_FALSE(lowest_free_address(outside, taken));
  taken.erase(*parse_ipv4("172.30.0.4"));
  EXPECT_EQ(ipv4_text(*lowest_free_address(outside, taken)), "172.30.0.4");
}

TEST(AddressPlan, GivesEachPortItsOwnMacUntilTheCountWraps) {
  std::vector<bool> seen(macs_max);
  for (std::uint32_t number = 0; number < macs_max; ++number) {
    const auto bits = mac_bits(number);
    ASSERT_LT(bits, macs_max);
    ASSERT_FALSE(seen[bits]) << number;
    seen[bits] = true;
  }
}

TEST(AddressPlan, WritesMacsOfTheQemuPrefix) {
  std::set<std::string> macs;
  for (std::uint64_t number = 0; number < 10'000; ++number) {
    const auto mac = mac_text(number);
    EXPECT_EQ(mac.substr(0, 9), "52:54:00:");
    EXPECT_EQ(mac.size(), 17u);
    macs.insert(mac);
  }
  EXPECT_EQ(macs.size(), 10'000u);
  EXPECT_EQ(mac_text(0), mac_text(macs_max));  // the count wraps
}

TEST(NetworkConfig, RefusesValuesThatContradictEachOther) {
  const auto field = [](std::map<std::string, std::string> values) {
    core::Settings settings(std::move(values));
    const auto config = Config::from(settings);
    return config ? std::string{} : config.error().field;
  };
  EXPECT_EQ(field({}), "");
  EXPECT_EQ(field({{"network.vlan_first", "200"}, {"network.vlan_last", "100"}}),
            "network.vlan_last");
  EXPECT_EQ(field({{"network.public_subnet", "172.30.0.0"}}), "network.public_subnet");
  EXPECT_EQ(field({{"network.public_subnet", "10.0.0.0/8"}}), "network.public_subnet");
  EXPECT_EQ(field({{"network.public_subnet", "10.0.8.0/24"}}), "network.public_subnet");
  EXPECT_EQ(field({{"network.public_subnet", "192.168.0.0/16"}}), "");
}

}  // namespace
}  // namespace nucleus::network
