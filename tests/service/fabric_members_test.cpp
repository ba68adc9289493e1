// The network service with a fabric in memory: the ports of leased adapters join the partitions of
// their cluster, and leave them, over restarts and faults.
#include <gtest/gtest.h>

#include "messages/adapters.hpp"
#include "services/network/service.hpp"
#include "tests/support/rooms.hpp"
#include "tests/support/simulated_fabric.hpp"

namespace nucleus::tests {
namespace {

using network::Partitions;
using network::PortGuid;

constexpr PortGuid manager_port{0x0002c90300000001};
constexpr PortGuid leased_port{0x0002c90300000011};
constexpr PortGuid other_port{0x0002c90300000021};

/// A fabric that survives its driver, and asserts that its calls are made one at a time.
class LastingFabric final : public network::PartitionDriver {
 public:
  explicit LastingFabric(SimulatedFabric& fabric) : fabric_{fabric} {}
  core::Result<void> apply(const Partitions& partitions) override {
    return alone([&] { return fabric_.apply(partitions); });
  }
  core::Result<std::string> configured_difference(const Partitions& partitions) override {
    return alone([&] { return fabric_.configured_difference(partitions); });
  }
  core::Result<network::FabricReading> read(const std::set<PortGuid>& now) override {
    return alone([&] { return fabric_.read(now); });
  }
  core::Result<std::vector<std::string>> unsafe_settings() override {
    return alone([&] { return fabric_.unsafe_settings(); });
  }

 private:
  template <class Call>
  std::invoke_result_t<Call> alone(const Call& call) {
    EXPECT_FALSE(is_busy_.exchange(true));
    auto result = call();
    is_busy_ = false;
    return result;
  }
  SimulatedFabric& fabric_;
  std::atomic<bool> is_busy_ = false;
};

class FabricMembers : public testing::Test {
 protected:
  using Settings = std::map<std::string, std::string>;

  void start(const Settings& settings = {}, bool has_manager = true) {
    settings_ = settings;
    settings_.emplace("network.sweep_ms", "20");
    settings_.emplace("network.fabrics", "ib0:0x0100-0x01ff");
    settings_.emplace("network.fabric_check_ms", "20");
    has_manager_ = has_manager;
    restart();
    define("a");
    define("b");
  }
  void restart() {
    service_.reset();
    const auto driver = [this](const std::string&) -> std::unique_ptr<network::PartitionDriver> {
      if (!has_manager_) return nullptr;
      return std::make_unique<LastingFabric>(fabric_);
    };
    service_ = std::make_unique<Process>(
        deployment_, "network", settings_,
        [driver](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          auto config = network::Config::from(runtime.settings);
          if (!config) return std::unexpected(config.error());
          return std::make_shared<network::Service>(runtime, *config, driver);
        });
  }
  void define(const std::string& cluster) {
    ASSERT_TRUE(registry_.emit(msg::ClusterDefined{.cluster = {.cluster_id = {cluster},
                                                               .project_id = {"p"},
                                                               .node_count = 2,
                                                               .has_infiniband = true}}));
  }
  void remove(const std::string& cluster) {
    ASSERT_TRUE(registry_.emit(
        msg::ClusterRemoved{.cluster = {.cluster_id = {cluster}, .project_id = {"p"}}}));
  }
  void lease(const std::string& node, const std::string& cluster, PortGuid guid, std::uint32_t pkey,
             std::uint64_t epoch = 1) {
    const msg::LeasedAdapter adapter{.adapter = {.pci_address = "0000:81:00.1",
                                                 .fabric = "ib0",
                                                 .port_guid = network::guid_text(guid)},
                                     .pkey = pkey};
    ASSERT_TRUE(scheduler_.emit(msg::AdaptersLeased{.node_id = {node},
                                                    .cluster_id = {cluster},
                                                    .project_id = {"p"},
                                                    .epoch = epoch,
                                                    .adapters = {adapter}}));
  }
  void release(const std::string& node, const std::string& cluster, std::uint64_t epoch = 1) {
    ASSERT_TRUE(scheduler_.emit(msg::AdaptersReleased{
        .node_id = {node}, .cluster_id = {cluster}, .project_id = {"p"}, .epoch = epoch}));
  }
  /// The reason in the next answer to a lease of the node; "no answer".
  std::string answer(const std::string& node, std::uint64_t epoch = 1) {
    const auto joined = events_.next<msg::PartitionsJoined>([&](const msg::PartitionsJoined& one) {
      return one.node_id.value == node && one.epoch == epoch;
    });
    return joined ? joined->reason : "no answer";
  }
  bool leaves(const std::string& node, std::uint64_t epoch = 1) {
    return events_
        .next<msg::PartitionsLeft>([&](const msg::PartitionsLeft& one) {
          return one.node_id.value == node && one.epoch == epoch;
        })
        .has_value();
  }
  bool is_member(PortGuid guid, std::uint32_t pkey) {
    const auto reading = fabric_.read({});
    const auto entry = static_cast<std::uint16_t>(pkey | network::full_member);
    return reading && reading->tables.contains(guid) && reading->tables.at(guid).contains(entry);
  }
  /// Until the service has handled every event before, and checked its fabric.
  void wait_for_check() {
    lease("barrier", "b", other_port, 0x101, ++barriers_);
    ASSERT_EQ(answer("barrier", barriers_), "");
    release("barrier", "b", barriers_);
    ASSERT_TRUE(leaves("barrier", barriers_));
  }
  std::size_t count_answers(const std::string& node) {
    std::size_t count = 0;
    for (const auto& one : events_.all<msg::PartitionsJoined>()) count += one.node_id.value == node;
    return count;
  }

  SimulatedFabric fabric_{{manager_port, leased_port, other_port}};
  Deployment deployment_ = {};
  Events events_{deployment_};
  StandIn registry_{deployment_, "registry"};
  StandIn scheduler_{deployment_, "scheduler"};
  Settings settings_ = {};
  bool has_manager_ = true;
  std::uint64_t barriers_ = 0;
  std::unique_ptr<Process> service_ = {};
};

constexpr const char* not_on_fabric = "fabric ib0: port 0x0002c90300000011 is not on the fabric";
constexpr const char* no_manager = "fabric ib0: its subnet manager or a port does not answer";

TEST_F(FabricMembers, JoinOnceTheirAdapterIsLeasedAndLeaveOnceItIsReleased) {
  start({{"network.fabric_check_ms", "4000"}});  // a change is not left to the next regular check
  lease("n", "a", leased_port, 0x100);
  EXPECT_EQ(answer("n"), "");
  EXPECT_TRUE(is_member(leased_port, 0x100));
  EXPECT_EQ(metric(*service_, "nucleus_network_members_joined"), 1);
  release("n", "a");
  EXPECT_TRUE(leaves("n"));
  EXPECT_FALSE(is_member(leased_port, 0x100));
  EXPECT_EQ(metric(*service_, "nucleus_network_members_joined"), 0);
  EXPECT_EQ(metric(*service_, "nucleus_network_members_leaving"), 0);
}

TEST_F(FabricMembers, AreOfferedThePartitionsOfTheirClusterUnlessTheyAreFrontends) {
  start();
  for (const auto index : {0u, 1u})
    ASSERT_TRUE(registry_.emit(msg::NodeDefined{
        .node = {.node_id = {"a-" + std::to_string(index)},
                 .cluster_id = {"a"},
                 .project_id = {"p"},
                 .kind = index == 0 ? msg::NodeKind::frontend : msg::NodeKind::compute,
                 .index = index}}));
  const auto frontend = events_.next<msg::PortsLeased>();
  const auto compute = events_.next<msg::PortsLeased>();
  ASSERT_TRUE(frontend && compute);
  EXPECT_TRUE(frontend->fabrics.empty());
  EXPECT_EQ(compute->fabrics, (std::vector<msg::FabricLease>{{"ib0", 0x100}}));
}

TEST_F(FabricMembers, AreRefusedAForeignPartitionWithoutHarmToTheNext) {
  start();
  lease("n", "a", leased_port, 0x101);
  EXPECT_EQ(answer("n"), "fabric ib0: the cluster is not leased partition 0x0101");
  lease("m", "b", other_port, 0x101);
  EXPECT_EQ(answer("m"), "");
  EXPECT_FALSE(is_member(leased_port, 0x101));
  release("n", "a");
  EXPECT_TRUE(leaves("n"));
}

TEST_F(FabricMembers, JoinWhenTheirPortAppears) {
  fabric_.set_link(leased_port, false);
  start();
  lease("n", "a", leased_port, 0x100);
  EXPECT_EQ(answer("n"), not_on_fabric);
  EXPECT_EQ(metric(*service_, "nucleus_network_members_joining"), 1);
  fabric_.set_link(leased_port, true);
  EXPECT_EQ(answer("n"), "");
  EXPECT_EQ(count_answers("n"), 2u);
}

TEST_F(FabricMembers, JoinAndLeaveWhenTheSubnetManagerIsBack) {
  start();
  wait_for_check();
  fabric_.set_manager(false);
  lease("n", "a", leased_port, 0x100);
  EXPECT_EQ(answer("n"), no_manager);
  fabric_.set_manager(true);
  EXPECT_EQ(answer("n"), "");
  fabric_.set_manager(false);
  release("n", "a");
  // Handled, but not answered before the fabric can be read.
  EXPECT_TRUE(
      eventually([&] { return metric(*service_, "nucleus_network_members_leaving") == 1; }));
  EXPECT_TRUE(events_.all<msg::PartitionsLeft>().size() == barriers_);
  fabric_.set_manager(true);
  EXPECT_TRUE(leaves("n"));
  EXPECT_FALSE(is_member(leased_port, 0x100));
}

TEST_F(FabricMembers, AreCheckedAgainAfterARestartAndAnsweredOnce) {
  fabric_.set_link(leased_port, false);
  start();
  lease("n", "a", leased_port, 0x100);
  EXPECT_EQ(answer("n"), not_on_fabric);
  restart();
  wait_for_check();
  fabric_.set_link(leased_port, true);
  EXPECT_EQ(answer("n"), "");
  restart();
  wait_for_check();
  EXPECT_EQ(count_answers("n"), 2u);
  service_.reset();
  fabric_.set_manager(false);
  release("n", "a");
  restart();
  EXPECT_TRUE(
      eventually([&] { return metric(*service_, "nucleus_network_members_leaving") == 1; }));
  restart();
  fabric_.set_manager(true);
  EXPECT_TRUE(leaves("n"));
  EXPECT_FALSE(is_member(leased_port, 0x100));
}

TEST_F(FabricMembers, AreAnsweredOnceAlthoughRedisIsKilled) {
  fabric_.set_link(leased_port, false);
  start();
  lease("n", "a", leased_port, 0x100);
  EXPECT_EQ(answer("n"), not_on_fabric);
  deployment_.redis.kill();
  fabric_.set_link(leased_port, true);  // its commit fails
  EXPECT_TRUE(eventually([&] { return is_member(leased_port, 0x100); }));
  deployment_.redis.start();
  EXPECT_EQ(answer("n"), "");
  EXPECT_EQ(count_answers("n"), 2u);
}

TEST_F(FabricMembers, JoinAnotherClusterOnlyOnceTheirPortHasLeft) {
  start();
  lease("n", "a", leased_port, 0x100);
  EXPECT_EQ(answer("n"), "");
  fabric_.set_manager(false);
  release("n", "a");
  lease("m", "b", leased_port, 0x101);
  EXPECT_EQ(answer("m"), "fabric ib0: port 0x0002c90300000011 has not left another partition");
  fabric_.set_manager(true);
  EXPECT_TRUE(leaves("n"));
  release("m", "b");
  lease("m", "b", leased_port, 0x101, 2);
  EXPECT_EQ(answer("m", 2), "");
  EXPECT_TRUE(is_member(leased_port, 0x101));
  EXPECT_FALSE(is_member(leased_port, 0x100));
}

TEST_F(FabricMembers, KeepAPartitionFromItsNextClusterUntilTheyLeft) {
  start({{"network.fabrics", "ib0:0x0100-0x0101"}, {"network.vlan_quarantine_s", "0"}});
  lease("n", "a", leased_port, 0x100);
  EXPECT_EQ(answer("n"), "");
  fabric_.set_manager(false);
  remove("a");
  ASSERT_TRUE(events_.next<msg::NetworkReleased>());
  define("c");
  define("d");
  EXPECT_TRUE(
      eventually([&] { return metric(*service_, "nucleus_network_clusters_waiting") == 2; }));
  fabric_.set_manager(true);
  EXPECT_TRUE(leaves("n"));
  const auto leased = events_.next<msg::NetworkLeased>();
  ASSERT_TRUE(leased);
  EXPECT_EQ(leased->network.cluster_id.value, "c");
  EXPECT_EQ(leased->network.fabrics, (std::vector<msg::FabricLease>{{"ib0", 0x100}}));
  release("n", "a");
  EXPECT_TRUE(leaves("n")) << "each release is answered";
}

TEST_F(FabricMembers, JoinAndLeaveAtOnceWithoutASubnetManagerToTell) {
  start({}, false);
  lease("n", "a", leased_port, 0x100);
  EXPECT_EQ(answer("n"), "");
  release("n", "a");
  EXPECT_TRUE(leaves("n"));
  EXPECT_FALSE(is_member(leased_port, 0x100));
}

TEST_F(FabricMembers, LeaveAFabricThatIsNoLongerInTheSettings) {
  start();
  lease("n", "a", leased_port, 0x100);
  lease("m", "b", other_port, 0x101);
  EXPECT_EQ(answer("n"), "");
  EXPECT_EQ(answer("m"), "");
  fabric_.set_manager(false);
  release("n", "a");
  EXPECT_TRUE(
      eventually([&] { return metric(*service_, "nucleus_network_members_leaving") == 1; }));
  settings_["network.fabrics"] = "ib1:0x0100-0x01ff";
  restart();
  EXPECT_TRUE(leaves("n"));
  EXPECT_EQ(count_answers("m"), 1u) << "it was answered before";
}

TEST_F(FabricMembers, AreAnsweredOnceIfAnEventIsRepeated) {
  start();
  lease("n", "a", leased_port, 0x100);
  lease("n", "a", leased_port, 0x100);
  EXPECT_EQ(answer("n"), "");
  wait_for_check();
  EXPECT_EQ(count_answers("n"), 1u);
  EXPECT_TRUE(is_member(leased_port, 0x100));
}

}  // namespace
}  // namespace nucleus::tests
