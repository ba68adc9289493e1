// What is read of the programs of infiniband-diags, and of OpenSM's options.
#include "services/network/driver/fabric_tools.hpp"

#include <gmock/gmock.h>

#include <random>

namespace nucleus::network {
namespace {

constexpr const char* ports_output =
    "CA     7  1 0x0002c90300000051 4x SDR - SW     2  6 0x0000000000200000 ( 'h6' - 'Sw1' )\n"
    "SW     2  8 0x0000000000200000 4x SDR                                    'Sw1'\n"
    "SW     2  6 0x0000000000200000 4x SDR - CA     7  1 0x0002c90300000051 ( 'Sw1' - 'h6' )\n"
    "CA     0  1 0x0002c90300000061 4x SDR - SW     2  7 0x0000000000200000 ( 'h7' - 'Sw1' )\n"
    "CA     1  2 0x0002c90300000001 4x SDR - SW     2  1 0x0000000000200000 ( '\nCA x' - 'Sw1' )\n";
constexpr const char* table_output =
    "   0: 0x7fff 0x0000 0x8002 0x0000 0x0000 0x0000 0x0000 0x0000\n"
    "   8: 0x0000 0x0000 0x0000 0x0000 0x0000 0x0000 0x0000 0x8003\n"
    "64 pkeys capacity for this port\n";
constexpr const char* manager_output =
    "sminfo: sm lid 1 sm guid 0x2c90300000001, activity count 118 priority 0 state 3 "
    "SMINFO_MASTER\n";

TEST(FabricTools, ListThePortsOfHostsThatHaveALid) {
  const auto ports = parse_ports(ports_output);
  ASSERT_TRUE(ports) << ports.error().detail;
  ASSERT_EQ(ports->size(), 2u);
  EXPECT_EQ(ports->front().guid, PortGuid{0x0002c90300000051});
  EXPECT_EQ(ports->front().lid, 7u);
  EXPECT_EQ(ports->back().number, 2u);
}

TEST(FabricTools, RefuseAPortThatCannotBeRead) {
  EXPECT_FALSE(parse_ports("CA 7 1 0xzz 4x SDR - SW 2 6 0x0000000000200000 ( 'h6' - 'Sw1' )\n"));
  EXPECT_FALSE(parse_ports("CA 70000 1 0x1 4x SDR - SW 2 6 0x200000 ( 'h6' - 'Sw1' )\n"));
  std::string many;
  for (std::size_t i = 0; i <= fabric_ports_max; ++i)
    many += "CA 7 1 0x1 4x SDR - SW 2 6 0x200000 ( 'h6' - 'Sw1' )\n";
  EXPECT_FALSE(parse_ports(many));
}

TEST(FabricTools, ReadThePkeysOfAPortWithHolesInItsTable) {
  const auto table = parse_pkey_table(table_output);
  ASSERT_TRUE(table) << table.error().detail;
  EXPECT_THAT(*table, testing::ElementsAre(0x7fff, 0x8002, 0x8003));
}

TEST(FabricTools, DoNotTakeAFailureForAnEmptyTable) {
  for (const auto* output : {"", "smpquery: iberror: failed\n", "   0: 0xzzzz\n", "   0:\n"})
    EXPECT_FALSE(parse_pkey_table(output)) << output;
}

TEST(FabricTools, NameTheMasterSubnetManager) {
  EXPECT_EQ(parse_manager(manager_output).value(), PortGuid{0x2c90300000001});
  EXPECT_FALSE(
      parse_manager("sminfo: sm lid 1 sm guid 0x1, activity count 1 priority 0 state 2 "
                    "SMINFO_STANDBY\n"));
  EXPECT_FALSE(parse_manager(""));
}

TEST(FabricTools, ReadAnyBytesWithoutAFault) {
  std::mt19937 random(14);
  for (const auto* sample : {ports_output, table_output, manager_output})
    for (int round = 0; round < 2'000; ++round) {
      std::string text(sample);
      for (auto changes = 1 + random() % 8; changes > 0; --changes)
        text[random() % text.size()] = static_cast<char>(random());
      text.resize(random() % (text.size() + 1));
      (void)parse_ports(text);
      (void)parse_pkey_table(text);
      (void)parse_manager(text);
      (void)unsafe_options(text, "/p");
    }
}

TEST(OpenSmOptions, AreUnsafeAsOpenSmShipsThem) {
  const auto found = unsafe_options("", "/etc/p.conf");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_THAT(found[0], testing::StartsWith("m_key"));
  EXPECT_THAT(found[1], testing::StartsWith("sm_key"));
}

TEST(OpenSmOptions, AreSafeWithKeysAndEnforcement) {
  EXPECT_THAT(unsafe_options("# m_key 0x0\nm_key 0x1a2b\nm_key_protection_level 2\nsm_key 0x77\n"
                             "part_enforce both\nno_partition_enforcement FALSE\n"
                             "allow_both_pkeys FALSE\npartition_config_file /etc/p.conf\n",
                             "/etc/p.conf"),
              testing::IsEmpty());
}

TEST(OpenSmOptions, AreUnsafeIfSwitchesOrTheFileDoNotEnforceThePartitions) {
  const auto found = unsafe_options(
      "m_key 0x1a2b\nm_key_protection_level 2\nsm_key 0x77\npart_enforce off\n"
      "allow_both_pkeys TRUE\npartition_config_file /etc/opensm/partitions.conf\n",
      "/etc/p.conf");
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[2], "partition_config_file is /etc/opensm/partitions.conf, not /etc/p.conf");
}

}  // namespace
}  // namespace nucleus::network
