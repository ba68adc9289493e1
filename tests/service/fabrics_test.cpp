// The network service with a real OpenSM on a simulated fabric: pkeys leased, the fabric watched,
// and what another program changes put right.
#include <gtest/gtest.h>

#include "messages/adapters.hpp"
#include "services/network/driver/opensm.hpp"
#include "services/network/service.hpp"
#include "tests/support/private_fabric.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {
namespace {

class NetworkWithFabric : public testing::Test {
 protected:
  void SetUp() override { restart(); }
  void restart() {
    service_.reset();
    const std::map<std::string, std::string> settings{
        {"network.sweep_ms", "20"},
        {"network.fabrics", "ib0:0x0100-0x01ff"},
        {"network.fabric_directory", fabric_.directory()},
        {"network.fabric_tools", fabric_.tools()},
        {"network.vlan_quarantine_s", "3"},
        {"network.fabric_check_ms", "100"}};
    service_ = std::make_unique<Process>(
        deployment_, "network", settings,
        [](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          auto config = network::Config::from(runtime.settings);
          if (!config) return std::unexpected(config.error());
          return std::make_shared<network::Service>(runtime, *config);
        });
  }
  void define(const std::string& cluster, bool has_infiniband) {
    ASSERT_TRUE(registry_.emit(msg::ClusterDefined{.cluster = {.cluster_id = {cluster},
                                                               .project_id = {"p"},
                                                               .node_count = 1,
                                                               .has_infiniband = has_infiniband}}));
  }
  std::optional<msg::NetworkLeased> network_of(const std::string& cluster) {
    return events_.next<msg::NetworkLeased>([&](const msg::NetworkLeased& leased) {
      return leased.network.cluster_id.value == cluster;
    });
  }
  msg::Fabric fabric() {
    const auto found = caller_.call(msg::ListFabrics{}, {.deadline = wait_timeout});
    if (!found || found->fabrics.size() != 1) return {};
    return found->fabrics.front();
  }
  bool is_in_sync() {
    return eventually([&] { return fabric().state == msg::FabricState::in_sync; },
                      std::chrono::seconds{30});
  }

  PrivateFabric fabric_{3};
  Deployment deployment_ = {};
  Events events_{deployment_};
  StandIn registry_{deployment_, "registry"};
  StandIn scheduler_{deployment_, "scheduler"};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> service_ = {};
};

TEST_F(NetworkWithFabric, LeasesAPkeyToAClusterWithInfiniBandAndKeepsItOverARestart) {
  define("a", true);
  define("plain", false);
  const auto first = network_of("a");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->network.fabrics, (std::vector<msg::FabricLease>{{"ib0", 0x100}}));
  const auto plain = network_of("plain");
  ASSERT_TRUE(plain);
  EXPECT_TRUE(plain->network.fabrics.empty());
  restart();
  define("b", true);
  const auto second = network_of("b");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->network.fabrics, (std::vector<msg::FabricLease>{{"ib0", 0x101}}));
  EXPECT_EQ(fabric().pkeys_leased, 2U);
  ASSERT_TRUE(
      registry_.emit(msg::ClusterRemoved{.cluster = {.cluster_id = {"a"}, .project_id = {"p"}}}));
  EXPECT_TRUE(eventually([&] { return fabric().pkeys_quarantined == 1U; }));
  EXPECT_TRUE(eventually([&] { return fabric().pkeys_free == 255U; }));
}

TEST_F(NetworkWithFabric, MakesEveryPortALimitedMemberAndNamesUnsafeSettings) {
  ASSERT_TRUE(is_in_sync()) << fabric().reason;
  const auto found = fabric();
  EXPECT_EQ(found.name, "ib0");
  EXPECT_EQ(found.port_count, 3U);
  EXPECT_GT(found.checked_unix_s, 0);
  ASSERT_EQ(found.warnings.size(), 2U);
  EXPECT_TRUE(found.warnings.front().starts_with("m_key"));
  EXPECT_EQ(metric(*service_, "nucleus_network_fabrics_broken"), 0);
}

TEST_F(NetworkWithFabric, NoticesWithin5SecondsThatAnotherProgramWroteThePartitions) {
  ASSERT_TRUE(is_in_sync()) << fabric().reason;
  std::ofstream(fabric_.file("ib0/partitions.conf")) << "Default=0x7fff : ALL=limited, oops\n";
  fabric_.hang_up_manager();
  EXPECT_TRUE(eventually(
      [&] { return metric(*service_, "nucleus_network_partitions_corrected_total") >= 1; },
      std::chrono::seconds{5}));
  EXPECT_TRUE(is_in_sync()) << fabric().reason;
  EXPECT_FALSE(fabric_.says("ib0/partitions.conf", "oops"));
}

TEST_F(NetworkWithFabric, MakesThePortOfALeasedAdapterAMemberUntilItIsReleased) {
  define("a", true);
  ASSERT_TRUE(network_of("a"));
  const msg::LeasedAdapter adapter{.adapter = {.pci_address = "0000:81:00.1",
                                               .fabric = "ib0",
                                               .port_guid = PrivateFabric::guid(1)},
                                   .pkey = 0x100};
  ASSERT_TRUE(scheduler_.emit(msg::AdaptersLeased{.node_id = {"n"},
                                                  .cluster_id = {"a"},
                                                  .project_id = {"p"},
                                                  .epoch = 1,
                                                  .adapters = {adapter}}));
  EXPECT_TRUE(events_.next<msg::PartitionsJoined>(
      [](const msg::PartitionsJoined& joined) { return joined.reason.empty(); }));
  network::OpenSm driver{{.directory = fabric_.file("ib0"), .tools_directory = fabric_.tools()}};
  const auto is_member = [&](std::size_t host) {
    const auto reading = driver.read({});
    const auto guid = network::parse_guid(PrivateFabric::guid(host));
    return reading && reading->tables.contains(*guid) && reading->tables.at(*guid).contains(0x8100);
  };
  EXPECT_TRUE(is_member(1));
  EXPECT_FALSE(is_member(2));
  ASSERT_TRUE(scheduler_.emit(msg::AdaptersReleased{
      .node_id = {"n"}, .cluster_id = {"a"}, .project_id = {"p"}, .epoch = 1}));
  EXPECT_TRUE(events_.next<msg::PartitionsLeft>());
  EXPECT_FALSE(is_member(1));
  EXPECT_TRUE(is_in_sync()) << fabric().reason;
}

TEST_F(NetworkWithFabric, AppliesThePartitionsToASubnetManagerThatWasRestarted) {
  ASSERT_TRUE(is_in_sync()) << fabric().reason;
  fabric_.stop_manager();
  std::filesystem::remove(fabric_.file("ib0/partitions.conf"));
  fabric_.start_manager();
  EXPECT_TRUE(
      eventually([&] { return fabric_.says("ib0/partitions.conf", "ALL=limited") && is_in_sync(); },
                 std::chrono::seconds{30}))
      << fabric().reason;
}

}  // namespace
}  // namespace nucleus::tests
