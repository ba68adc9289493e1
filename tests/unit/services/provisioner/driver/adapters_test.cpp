// Which adapters a host offers, from sysfs trees as the drivers mlx4 and mlx5 lay them out.
#include "services/provisioner/driver/adapters.hpp"

#include <gmock/gmock.h>

#include "tests/support/sysfs_tree.hpp"

namespace nucleus::provisioner {
namespace {

constexpr const char* pf = "0000:81:00.0";

FoundAdapters find_in(const SysfsTree& tree, const AdapterFunctions& functions = {{pf, "ib0"}}) {
  return find_adapters(tree.root(), functions);
}

TEST(Adapters, OfMlx4AreItsVirtualFunctionsWithTheirAliasGuids) {
  const SysfsTree tree;
  tree.add_card(pf, "mlx4_core", "mlx4_0", "fe80:0000:0000:0000:0002:c903:00a1:b2c3");
  tree.add_virtual_function(pf, 0, "0000:81:00.1");
  tree.add_virtual_function(pf, 1, "0000:81:00.2");
  tree.add_alias(pf, "0000:81:00.1", 1, "14050000000001");
  tree.add_alias(pf, "0000:81:00.2", 2, "0014050000000002");
  const auto found = find_in(tree);
  EXPECT_EQ(found.reason, "");
  EXPECT_THAT(found.adapters,
              testing::ElementsAre(msg::Adapter{"0000:81:00.1", "ib0", "0x0014050000000001", 1,
                                                true, "0x0002c90300a1b2c3"},
                                   msg::Adapter{"0000:81:00.2", "ib0", "0x0014050000000002", 1,
                                                true, "0x0002c90300a1b2c3"}));
}

TEST(Adapters, LeaveOutAVirtualFunctionWithoutAGuid) {
  const SysfsTree tree;
  tree.add_card(pf, "mlx4_core", "mlx4_0", "fe80:0000:0000:0000:0002:c903:00a1:b2c3");
  tree.add_virtual_function(pf, 0, "0000:81:00.1");
  tree.add_virtual_function(pf, 1, "0000:81:00.2");
  tree.add_alias(pf, "0000:81:00.1", 1, "0");
  const auto found = find_in(tree);
  EXPECT_TRUE(found.adapters.empty());
  EXPECT_EQ(found.reason,
            "0000:81:00.0: VF 0000:81:00.1 has no alias GUID; 0000:81:00.0: VF 0000:81:00.2 has no "
            "alias GUID");
}

TEST(Adapters, OfACardWithoutVirtualFunctionsAreItsWholeFunction) {
  const SysfsTree tree;
  tree.add_card(pf, "mlx4_core", "mlx4_0", "fe80:0000:0000:0000:0002:c903:00a1:b2c3");
  EXPECT_THAT(find_in(tree).adapters,
              testing::ElementsAre(msg::Adapter{pf, "ib0", "0x0002c90300a1b2c3", 1, false}));
}

TEST(Adapters, OfMlx5AreTheWholeFunctionAndSayWhyNotItsVirtualOnes) {
  const SysfsTree tree;
  tree.add_card(pf, "mlx5_core", "mlx5_0", "fe80:0000:0000:0000:0c42:a103:0065:AB12");
  tree.add_virtual_function(pf, 0, "0000:81:00.1");
  tree.write("bus/pci/devices/0000:81:00.0/sriov/0/port", "00:11:22:33:44:55:66:77");
  const auto found = find_in(tree);
  EXPECT_THAT(found.adapters,
              testing::ElementsAre(msg::Adapter{pf, "ib0", "0x0c42a1030065ab12", 1, false}));
  EXPECT_EQ(found.reason,
            "0000:81:00.0: its VFs are not offered: OpenSM manages no GUIDs of VFs of mlx5_core");
}

TEST(Adapters, SayWhatIsMissing) {
  const SysfsTree tree;
  tree.add_card("0000:82:00.0", "mlx5_core", "mlx5_1", "fe80::", "Ethernet");
  tree.add_function("0000:83:00.0", 0);
  tree.add_card("0000:84:00.0", "mlx5_core", "mlx5_2", "broken");
  const auto found = find_in(
      tree,
      {{pf, "ib0"}, {"0000:82:00.0", "ib0"}, {"0000:83:00.0", "ib0"}, {"0000:84:00.0", "ib0"}});
  EXPECT_TRUE(found.adapters.empty());
  EXPECT_EQ(found.reason,
            "0000:81:00.0: the host has no such function; "
            "0000:82:00.0: its first port is not on InfiniBand; "
            "0000:83:00.0: it has no InfiniBand driver, or a node has it; "
            "0000:84:00.0: its port has no GUID");
}

TEST(Adapters, AreAtMost64AndPassTheCheckOfReports) {
  const SysfsTree tree;
  tree.add_card(pf, "mlx4_core", "mlx4_0", "fe80:0000:0000:0000:0002:c903:00a1:b2c3");
  for (int i = 0; i < 80; ++i) {
    const auto address = "0000:8" + std::to_string(2 + i / 8) + ":00." + std::to_string(i % 8);
    const auto vf = address.size() == 12
                        ? address
                        : "0000:a" + std::to_string(i / 8 - 8) + ":00." + std::to_string(i % 8);
    tree.add_virtual_function(pf, i, vf);
    tree.add_alias(pf, vf, i + 1, "1405000000" + std::to_string(1000 + i));
  }
  const auto found = find_in(tree);
  EXPECT_EQ(found.adapters.size(), msg::host_adapters_max);
  EXPECT_EQ(found.reason, "only the first 64 adapters are offered");
  EXPECT_FALSE(msg::check(found.adapters));
}

TEST(AdapterFunctions, AreReadFromTheSetting) {
  const auto functions = parse_adapter_functions("0000:81:00.0=ib0  0000:c1:00.0=ib1");
  ASSERT_TRUE(functions);
  EXPECT_EQ(*functions, (AdapterFunctions{{"0000:81:00.0", "ib0"}, {"0000:c1:00.0", "ib1"}}));
  EXPECT_TRUE(parse_adapter_functions("")->empty());
  for (const auto* text : {"81:00.0=ib0", "0000:81:00.0", "0000:81:00.0=", "../../x=ib0",
                           "0000:81:00.0=a/b", "0000:81:00.0=ib0 0000:81:00.0=ib1"})
    EXPECT_FALSE(parse_adapter_functions(text)) << text;
}

}  // namespace
}  // namespace nucleus::provisioner
