// A VF of mlx4 gets its partition and nothing else, and only its own files are written.
#include "services/provisioner/driver/adapter_partitions.hpp"

#include <gmock/gmock.h>

#include "tests/support/sysfs_tree.hpp"

namespace nucleus::provisioner {
namespace {

using core::ErrorCode;
using testing::ElementsAre;
using testing::Pair;

constexpr const char* card = "0000:81:00.0";
constexpr const char* vf1 = "0000:81:00.1";
constexpr const char* vf2 = "0000:81:00.2";

/// A ConnectX-3 with two VFs; its port is in the partitions 0x0101 and 0x0102.
class Mlx4Host {
 public:
  Mlx4Host() {
    tree.add_card(card, "mlx4_core", "mlx4_0", "fe80:0000:0000:0000:0002:c903:00a1:b2c3");
    tree.add_virtual_function(card, 0, vf1);
    tree.add_virtual_function(card, 1, vf2);
    tree.add_alias(card, vf1, 1, "14050000000001");
    tree.add_alias(card, vf2, 2, "14050000000002");
    tree.set_port_pkeys(card, {"0x7fff", "0x8102", "0x0000", "0x8101", "0x0000"});
    // As after the driver was loaded.
    for (const auto* vf : {vf1, vf2}) tree.set_guest_pkeys(card, vf, {"0", "none", "none", "none"});
  }

  HostAdapters host() const { return {.sysfs = tree.root(), .functions = {{card, "ib0"}}}; }
  static msg::LeasedAdapter leased(const std::string& vf = vf1, std::uint32_t pkey = 0x0101) {
    return {.adapter = {.pci_address = vf,
                        .fabric = "ib0",
                        .port_guid = vf == vf1 ? "0x0014050000000001" : "0x0014050000000002",
                        .numa_node = 1,
                        .is_virtual = true},
            .pkey = pkey};
  }
  std::vector<std::string> guest_pkeys(const std::string& vf, const std::string& port = "1") const {
    const auto all = tree.content();
    std::vector<std::string> entries;
    for (std::size_t i = 0; all.contains(SysfsTree::guest_pkey(card, vf, i, port)); ++i)
      entries.push_back(all.at(SysfsTree::guest_pkey(card, vf, i, port)));
    return entries;
  }

  SysfsTree tree;
};

TEST(AdapterPartitions, AreTheNodesAndTheLimitedDefaultAndNoOther) {
  const Mlx4Host mlx4;
  ASSERT_TRUE(set_partition(mlx4.host(), Mlx4Host::leased()));
  EXPECT_THAT(mlx4.guest_pkeys(vf1), ElementsAre("3\n", "0\n", "none\n", "none\n"));
  ASSERT_TRUE(set_partition(mlx4.host(), Mlx4Host::leased(vf2, 0x0102)));
  EXPECT_THAT(mlx4.guest_pkeys(vf2), ElementsAre("1\n", "0\n", "none\n", "none\n"));
  ASSERT_TRUE(set_partition(mlx4.host(), Mlx4Host::leased(vf1, 0x0102))) << "of another cluster";
  EXPECT_THAT(mlx4.guest_pkeys(vf1), ElementsAre("1\n", "0\n", "none\n", "none\n"));
}

TEST(AdapterPartitions, AreWrittenToFilesOfTheVirtualFunctionAlone) {
  const Mlx4Host mlx4;
  const auto before = mlx4.tree.content();
  const auto changed = [&] {
    std::map<std::string, std::string> files;
    for (const auto& [path, content] : mlx4.tree.content())
      if (!before.contains(path) || before.at(path) != content) files[path] = content;
    return files;
  };
  ASSERT_TRUE(set_partition(mlx4.host(), Mlx4Host::leased()));
  EXPECT_THAT(changed(), ElementsAre(Pair(SysfsTree::guest_pkey(card, vf1, 0), "3\n"),
                                     Pair(SysfsTree::guest_pkey(card, vf1, 1), "0\n")));
  EXPECT_EQ(mlx4.tree.content().size(), before.size()) << "no file was made or removed";
  ASSERT_TRUE(clear_partitions(mlx4.host(), vf1));
  EXPECT_THAT(changed(), ElementsAre(Pair(SysfsTree::guest_pkey(card, vf1, 0), "none\n")));
}

TEST(AdapterPartitions, AreCompletedAfterTheyWereCutOffAnywhere) {
  const std::vector<std::string> old{"1", "0", "3", "1"};
  const std::vector<std::string> wanted{"3", "0", "none", "none"};
  for (std::size_t written = 0; written <= wanted.size(); ++written) {
    const Mlx4Host mlx4;
    auto entries = old;
    std::copy_n(wanted.begin(), written, entries.begin());
    mlx4.tree.set_guest_pkeys(card, vf1, entries);
    ASSERT_TRUE(set_partition(mlx4.host(), Mlx4Host::leased()));
    EXPECT_THAT(mlx4.guest_pkeys(vf1), ElementsAre("3\n", "0\n", "none\n", "none\n"));
    mlx4.tree.set_guest_pkeys(card, vf1, entries);
    ASSERT_TRUE(clear_partitions(mlx4.host(), vf1));
    EXPECT_THAT(mlx4.guest_pkeys(vf1), ElementsAre("none\n", "none\n", "none\n", "none\n"));
  }
}

TEST(AdapterPartitions, AreNoneAtASecondPort) {
  const Mlx4Host mlx4;
  mlx4.tree.set_port_pkeys(card, {"0xffff", "0x8101"}, "2");
  mlx4.tree.set_guest_pkeys(card, vf1, {"0", "1"}, "2");
  ASSERT_TRUE(set_partition(mlx4.host(), Mlx4Host::leased()));
  EXPECT_THAT(mlx4.guest_pkeys(vf1), ElementsAre("3\n", "0\n", "none\n", "none\n"));
  EXPECT_THAT(mlx4.guest_pkeys(vf1, "2"), ElementsAre("none\n", "none\n"));
  // Files of a port on Ethernet cannot be written.
  mlx4.tree.write(std::string("bus/pci/devices/") + card + "/infiniband/mlx4_0/ports/2/link_layer",
                  "Ethernet");
  mlx4.tree.set_guest_pkeys(card, vf1, {"0"}, "2");
  ASSERT_TRUE(set_partition(mlx4.host(), Mlx4Host::leased()));
  EXPECT_THAT(mlx4.guest_pkeys(vf1, "2"), ElementsAre("0\n", "none\n"));
}

TEST(AdapterPartitions, WaitForTheSubnetManager) {
  const Mlx4Host mlx4;
  const auto before = mlx4.tree.content();
  const auto missing = set_partition(mlx4.host(), Mlx4Host::leased(vf1, 0x0103));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::unavailable);
  EXPECT_EQ(missing.error().detail,
            "its adapter 0000:81:00.1 has no entry for partition 0x0103 yet");
  EXPECT_EQ(mlx4.tree.content(), before);
  // A limited member of its own partition does not reach the other nodes.
  mlx4.tree.set_port_pkeys(card, {"0x7fff", "0x0101", "0x0000", "0x0000", "0x0000"});
  EXPECT_FALSE(set_partition(mlx4.host(), Mlx4Host::leased()));
  // A full member of the default partition would reach all.
  mlx4.tree.set_port_pkeys(card, {"0xffff", "0x8101", "0x0000", "0x0000", "0x0000"});
  const auto full = set_partition(mlx4.host(), Mlx4Host::leased());
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::unavailable);
  EXPECT_EQ(full.error().detail,
            "its adapter 0000:81:00.1 is not a limited member of the default partition yet");
}

TEST(AdapterPartitions, AreReadBack) {
  const Mlx4Host mlx4;
  const auto path = mlx4.tree.file(SysfsTree::guest_pkey(card, vf1, 0));
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/dev/null", path);
  const auto unchanged = set_partition(mlx4.host(), Mlx4Host::leased());
  ASSERT_FALSE(unchanged);
  EXPECT_EQ(unchanged.error().code, ErrorCode::internal);
  EXPECT_EQ(unchanged.error().detail,
            "entry 0 of the partitions of adapter 0000:81:00.1 is empty, not 3");
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/dev/full", path);
  const auto refused = set_partition(mlx4.host(), Mlx4Host::leased());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail,
            "entry 0 of the partitions of adapter 0000:81:00.1 cannot be written: No space left on "
            "device");
}

TEST(AdapterPartitions, NeedATable) {
  const Mlx4Host mlx4;
  std::filesystem::remove_all(
      std::filesystem::path(mlx4.tree.file(SysfsTree::guest_pkey(card, vf1, 0))).parent_path());
  const auto refused = set_partition(mlx4.host(), Mlx4Host::leased());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::internal);
  EXPECT_EQ(refused.error().detail, "its adapter 0000:81:00.1 has room for 0 partitions, not 2");
}

TEST(AdapterPartitions, OfAWholeFunctionAreThoseOfItsPort) {
  const SysfsTree tree;
  tree.add_card(card, "mlx5_core", "mlx5_0", "fe80:0000:0000:0000:0c42:a103:0065:ab12");
  tree.write(std::string("bus/pci/devices/") + card + "/infiniband/mlx5_0/ports/1/pkeys/0",
             "0x7fff");
  const HostAdapters host{.sysfs = tree.root(), .functions = {{card, "ib0"}}};
  const auto before = tree.content();
  const msg::LeasedAdapter whole{
      .adapter = {.pci_address = card, .fabric = "ib0", .port_guid = "0x0c42a1030065ab12"},
      .pkey = 0x0101};
  EXPECT_TRUE(check_adapter(host, whole.adapter));
  EXPECT_TRUE(set_partition(host, whole));
  EXPECT_TRUE(clear_partitions(host, card));
  EXPECT_EQ(tree.content(), before);
}

TEST(AdapterPartitions, OfOtherFunctionsAreLeftAlone) {
  const Mlx4Host mlx4;
  const auto before = mlx4.tree.content();
  auto others = mlx4.host();
  others.functions = {{"0000:c1:00.0", "ib0"}};
  EXPECT_TRUE(clear_partitions(others, vf1)) << "its PF is not one that nodes may be given";
  for (const auto* address : {card, "0000:81:00.7", "../../x", ""})
    EXPECT_TRUE(clear_partitions(mlx4.host(), address)) << address;
  EXPECT_EQ(mlx4.tree.content(), before);
}

TEST(CheckAdapter, SaysWhatDiffersFromTheGrant) {
  const Mlx4Host mlx4;
  const auto fault = [&](const msg::Adapter& adapter) {
    const auto same = check_adapter(mlx4.host(), adapter);
    if (same) return std::string{};
    EXPECT_EQ(same.error().code, ErrorCode::wrong_state);
    return same.error().detail;
  };
  const auto granted = Mlx4Host::leased().adapter;
  EXPECT_EQ(fault(granted), "");
  auto other = granted;
  other.port_guid = "0x0014050000000009";
  EXPECT_EQ(fault(other),
            "its adapter 0000:81:00.1 has port GUID 0x0014050000000001, not 0x0014050000000009");
  other = granted;
  other.fabric = "ib1";
  EXPECT_EQ(fault(other), "its adapter 0000:81:00.1 is on fabric ib0, not ib1");
  other = granted;
  other.is_virtual = false;
  EXPECT_EQ(fault(other), "its adapter 0000:81:00.1 is a VF");
  for (const auto* address : {"0000:81:00.3", "0000:c1:00.0", card}) {
    other.pci_address = address;
    EXPECT_EQ(fault(other), std::string("its host has no adapter ") + address);
  }
  mlx4.tree.add_alias(card, vf1, 1, "0");
  EXPECT_EQ(fault(granted), "its host has no adapter 0000:81:00.1") << "its GUID was deleted";
}

}  // namespace
}  // namespace nucleus::provisioner
