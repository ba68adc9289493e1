// InfiniBand adapters as a resource: which placement has which, and when a grant is given.
#include "services/scheduler/plan/adapters.hpp"

#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::PowerAction;

msg::Adapter adapter_at(int slot, const std::string& fabric, std::int32_t cell = 0) {
  return {.pci_address = "0000:81:0" + std::to_string(slot) + ".0",
          .fabric = fabric,
          .port_guid = "0x000000000000000" + std::to_string(slot),
          .numa_node = cell};
}

/// Cluster `c`, whose nodes need an adapter on each of these fabrics.
struct InfinibandCluster {
  explicit InfinibandCluster(std::vector<msg::FabricLease> fabrics, std::uint32_t computes = 3) {
    small.add_cluster("c", computes);
    for (std::uint32_t i = 1; i <= computes; ++i)
      small.apply(plan_ports(small.view,
                             {.node_id = {"c-" + std::to_string(i)},
                              .ports = {{.ip = "10.0.0.1"}},
                              .fabrics = fabrics},
                             small.now_unix_ms));
  }
  void add_host(const std::string& host, const std::vector<msg::Adapter>& adapters) {
    small.apply(plan_host_report(small.view,
                                 {.host_id = {host},
                                  .process = "provisioner/" + host,
                                  .cpus = 64,
                                  .memory_mb = 100'000,
                                  .adapters = adapters},
                                 small.now_unix_ms));
  }
  void join(const std::string& node, const std::string& reason = {}) {
    small.apply(plan_partitions_joined(
        small.view, {.node_id = {node}, .epoch = small.node(node).epoch, .reason = reason},
        small.now_unix_ms));
  }
  Plan left(const std::string& node, std::uint64_t epoch) const {
    return plan_partitions_left(small.view, {.node_id = {node}, .epoch = epoch}, small.now_unix_ms);
  }
  /// Asks for a computeset of this node alone.
  const StoredComputeset& start(const std::string& node) {
    const auto id = small.start({.cluster_id = {"c"}, .nodes = {{node}}, .walltime_mins = 60});
    EXPECT_TRUE(id) << id.error().detail;
    return small.computeset(id.value_or(0));
  }
  void stop(const std::string& node) {
    small.end(small.node(node).computeset_id);
    small.observe(node, msg::DomainState::shutoff);
  }
  std::string address_of(const std::string& node) const {
    const auto& adapters = small.node(node).adapters;
    return adapters.empty() ? "" : adapters.front().adapter.pci_address;
  }

  SmallDeployment small = {};
};

const std::vector<msg::FabricLease> on_ib0 = {{.fabric = "ib0", .pkey = 0x0101}};

TEST(AdapterLeases, GiveEachPlacementItsOwnUntilNoneIsLeft) {
  InfinibandCluster one(on_ib0);
  one.add_host("h1", {adapter_at(1, "ib0"), adapter_at(2, "ib0")});
  one.start("c-1");
  one.start("c-2");
  const auto last = one.start("c-3").computeset.computeset_id;
  EXPECT_EQ(one.address_of("c-1"), "0000:81:01.0");
  EXPECT_EQ(one.address_of("c-2"), "0000:81:02.0");
  EXPECT_EQ(one.small.node("c-1").adapters.front().pkey, 0x0101U);
  EXPECT_EQ(one.small.host_of("c-3"), "");
  EXPECT_EQ(one.small.computeset(last).wait.reason, WaitReason::no_room_for_all);
  ASSERT_TRUE(one.small.power("c-0", PowerAction::poweron));
  one.small.pass();
  EXPECT_EQ(one.small.host_of("c-0"), "h1") << "a frontend needs none";
}

TEST(AdapterLeases, KeepTheGrantFromTheHostUntilThePortsHaveJoined) {
  InfinibandCluster one(on_ib0);
  one.add_host("h1", {adapter_at(1, "ib0")});
  one.start("c-1");
  EXPECT_TRUE(is_joining(one.small.node("c-1")));
  EXPECT_EQ(one.small.node("c-1").reason, "its InfiniBand adapters join its partitions");
  one.join("c-1", "fabric ib0: no subnet manager answers");
  EXPECT_EQ(one.small.node("c-1").reason,
            "its InfiniBand adapters join its partitions: fabric ib0: no subnet manager answers");
  const auto epoch = one.small.node("c-1").epoch;
  const auto stale = plan_partitions_joined(
      one.small.view, {.node_id = {"c-1"}, .epoch = epoch - 1}, one.small.now_unix_ms);
  EXPECT_TRUE(stale.empty());
  const auto joined = plan_partitions_joined(one.small.view, {.node_id = {"c-1"}, .epoch = epoch},
                                             one.small.now_unix_ms);
  EXPECT_EQ(joined.grants.at({"h1"}).count({"c-1"}), 1U) << "now it is sent";
  one.join("c-1");
  EXPECT_FALSE(is_joining(one.small.node("c-1")));
  EXPECT_EQ(one.small.node("c-1").reason, "is being started");
  EXPECT_EQ(grant_of(one.small.node("c-1"), one.small.view).adapters,
            one.small.node("c-1").adapters);
}

TEST(AdapterLeases, AreNotGivenToAnotherBeforeThePortsHaveLeft) {
  InfinibandCluster one(on_ib0);
  one.add_host("h1", {adapter_at(1, "ib0")});
  one.start("c-1");
  one.join("c-1");
  const auto epoch = one.small.node("c-1").epoch;
  one.start("c-2");
  one.stop("c-1");
  one.small.pass();
  EXPECT_TRUE(one.small.node("c-1").adapters.empty());
  EXPECT_EQ(one.small.host_of("c-2"), "") << "the port is still in the partition";
  EXPECT_TRUE(one.left("c-1", epoch + 1).empty()) << "of no placement";
  auto left = one.left("c-1", epoch);
  EXPECT_TRUE(left.wants_pass);
  one.small.apply(std::move(left));
  EXPECT_TRUE(one.left("c-1", epoch).empty()) << "once";
  one.small.pass();
  EXPECT_EQ(one.address_of("c-2"), "0000:81:01.0");
}

TEST(AdapterLeases, OfAPlacementThatStillRunsAreNotFreedByAnAnswerForIt) {
  InfinibandCluster one(on_ib0);
  one.add_host("h1", {adapter_at(1, "ib0")});
  one.start("c-1");
  EXPECT_TRUE(one.left("c-1", one.small.node("c-1").epoch).empty());
}

TEST(AdapterLeases, CountAPortThatItsHostDoesNotReportWhileANodeHasIt) {
  InfinibandCluster one(on_ib0);
  one.add_host("h1", {adapter_at(1, "ib0"), adapter_at(2, "ib0")});
  one.start("c-1");
  one.add_host("h1", {adapter_at(2, "ib0")});
  one.start("c-2");
  EXPECT_EQ(one.address_of("c-2"), "0000:81:02.0");
}

TEST(AdapterLeases, AreNotNeededByANodeThatWasPlacedWithoutThem) {
  InfinibandCluster one(std::vector<msg::FabricLease>{});
  one.add_host("h1", {adapter_at(1, "ib0")});
  one.start("c-1");
  one.small.apply(plan_ports(one.small.view,
                             {.node_id = {"c-1"}, .ports = {{.ip = "10.0.0.1"}}, .fabrics = on_ib0},
                             one.small.now_unix_ms));
  EXPECT_FALSE(is_joining(one.small.node("c-1"))) << "its host would end it without its grant";
  EXPECT_EQ(one.small.node("c-1").size.adapters, 0);
}

TEST(AdapterLeases, OfAGangWaitForHostsWithEnoughOfThem) {
  InfinibandCluster one(on_ib0);
  one.small.add_host("plain", 64);
  one.add_host("h1", {adapter_at(1, "ib0"), adapter_at(2, "ib0")});
  const auto id = one.small.start("c", 3);
  EXPECT_EQ(one.small.computeset(id).wait.reason, WaitReason::too_large_for_all);
  one.add_host("h2", {adapter_at(3, "ib0")});
  one.small.pass();
  EXPECT_EQ(one.small.computeset(id).computeset.state, msg::ComputesetState::running);
  EXPECT_EQ(one.small.host_of("c-1"), "h1");
  for (const auto* node : {"c-1", "c-2", "c-3"}) EXPECT_NE(one.small.host_of(node), "plain");
}

TEST(AdapterLeases, NeedAHostThatIsOnEachFabricOfTheCluster) {
  InfinibandCluster one({{.fabric = "ib0", .pkey = 0x0101}, {.fabric = "ib1", .pkey = 0x0202}});
  one.add_host("h1", {adapter_at(1, "ib0"), adapter_at(2, "ib0")});
  const auto id = one.start("c-1").computeset.computeset_id;
  EXPECT_EQ(one.small.computeset(id).wait.reason, WaitReason::no_adapters);
  one.add_host("h2", {adapter_at(3, "ib0", 0), adapter_at(4, "ib0", 1), adapter_at(5, "ib1", 1)});
  one.small.pass();
  const auto& adapters = one.small.node("c-1").adapters;
  ASSERT_EQ(adapters.size(), 2U);
  EXPECT_EQ(adapters[0].adapter.pci_address, "0000:81:04.0") << "both of one NUMA cell";
  EXPECT_EQ(adapters[0].pkey, 0x0101U);
  EXPECT_EQ(adapters[1].adapter.pci_address, "0000:81:05.0");
  EXPECT_EQ(adapters[1].pkey, 0x0202U);
}

TEST(AdapterLeases, OfALostHostAreReleasedAndTheNodeStartsElsewhere) {
  InfinibandCluster one(on_ib0);
  one.add_host("h1", {adapter_at(1, "ib0")});
  one.start("c-1");
  one.join("c-1");
  one.add_host("h2", {adapter_at(2, "ib0")});
  one.small.lose("h1");
  one.small.pass();
  EXPECT_EQ(one.address_of("c-1"), "0000:81:02.0");
  EXPECT_TRUE(is_joining(one.small.node("c-1"))) << "its new port has not joined";
  ASSERT_EQ(one.small.view.host({"h1"})->adapter_uses.size(), 1U);
  EXPECT_TRUE(one.small.view.host({"h1"})->adapter_uses.front().is_leaving);
}

}  // namespace
}  // namespace nucleus::scheduler
