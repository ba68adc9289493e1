// The network service on a real bus and Redis, against its README: which VLANs, addresses and MACs
// are leased, what waits, and what survives a restart.
#include <gtest/gtest.h>

#include <set>

#include "services/network/service.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {
namespace {

using Settings = std::map<std::string, std::string>;

core::Result<std::shared_ptr<void>> build_network(core::Runtime& runtime) {
  auto config = network::Config::from(runtime.settings);
  if (!config) return std::unexpected(config.error());
  return std::make_shared<network::Service>(runtime, *config);
}

class Network : public testing::Test {
 protected:
  void start(const Settings& settings = {}) {
    settings_ = settings;
    settings_.emplace("network.sweep_ms", "20");
    restart();
  }
  void restart() {
    service_.reset();
    service_ = std::make_unique<Process>(deployment_, "network", settings_, build_network);
  }

  static msg::Node node(const std::string& cluster, std::uint32_t index) {
    return {.node_id = {cluster + "-" + std::to_string(index)},
            .cluster_id = {cluster},
            .project_id = {"p"},
            .name = cluster + std::to_string(index),
            .kind = index == 0 ? msg::NodeKind::frontend : msg::NodeKind::compute,
            .index = index};
  }
  /// Emits the registry's events for a new cluster: its frontend and its computes.
  void define(const std::string& cluster, std::uint32_t computes, std::uint32_t node_count = 0) {
    ASSERT_TRUE(registry_.emit(
        msg::ClusterDefined{.cluster = {.cluster_id = {cluster},
                                        .project_id = {"p"},
                                        .node_count = node_count ? node_count : computes + 1}}));
    for (std::uint32_t i = 0; i <= computes; ++i)
      ASSERT_TRUE(registry_.emit(msg::NodeDefined{node(cluster, i)}));
  }
  void remove(const std::string& cluster) {
    ASSERT_TRUE(registry_.emit(
        msg::ClusterRemoved{.cluster = {.cluster_id = {cluster}, .project_id = {"p"}}}));
  }
  std::optional<msg::PortsLeased> ports_of(const std::string& node_id) {
    return events_.next<msg::PortsLeased>(
        [&](const msg::PortsLeased& leased) { return leased.node_id.value == node_id; });
  }
  std::optional<msg::NetworkLeased> network_of(const std::string& cluster) {
    return events_.next<msg::NetworkLeased>([&](const msg::NetworkLeased& leased) {
      return leased.network.cluster_id.value == cluster;
    });
  }

  Deployment deployment_ = {};
  Events events_{deployment_};
  StandIn registry_{deployment_, "registry"};
  Process caller_{deployment_, "caller"};
  Settings settings_ = {};
  std::unique_ptr<Process> service_ = {};
};

TEST_F(Network, LeasesAVlanASubnetAndPortsForEachNode) {
  start();
  define("c", 2);
  const auto leased = network_of("c");
  ASSERT_TRUE(leased);
  EXPECT_EQ(leased->network.vlan, 100U);
  EXPECT_EQ(leased->network.subnet, "10.0.0.0/24");
  const auto frontend = ports_of("c-0");
  ASSERT_TRUE(frontend);
  ASSERT_EQ(frontend->ports.size(), 2U);
  EXPECT_TRUE(frontend->ports[0].is_public) << "the public port comes first";
  EXPECT_EQ(frontend->ports[0].ip, "172.30.0.2");
  EXPECT_EQ(frontend->ports[0].gateway, "172.30.0.1");
  EXPECT_EQ(frontend->ports[0].vlan, 4000U);
  EXPECT_EQ(frontend->ports[1].ip, "10.0.0.1");
  EXPECT_EQ(frontend->ports[1].gateway, "") << "the frontend routes for its cluster";
  const auto compute = ports_of("c-2");
  ASSERT_TRUE(compute);
  ASSERT_EQ(compute->ports.size(), 1U);
  EXPECT_EQ(compute->ports[0].ip, "10.0.0.3");
  EXPECT_EQ(compute->ports[0].vlan, 100U);
  EXPECT_FALSE(compute->ports[0].is_public);
}

TEST_F(Network, GivesTwoClustersTheSameSubnetInTwoVlans) {
  start();
  define("a", 1);
  define("b", 1);
  const auto first = network_of("a");
  const auto second = network_of("b");
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->network.subnet, second->network.subnet);
  EXPECT_NE(first->network.vlan, second->network.vlan);
}

TEST_F(Network, ListsTheNetworksThatTheViewerMaySeeInPages) {
  start();
  for (const char* cluster : {"c", "a", "b"}) define(cluster, 0);
  ASSERT_TRUE(ports_of("b-0"));
  const auto list = [this](const msg::ListNetworks& request) {
    auto listed = caller_.call(request, {.deadline = wait_timeout});
    std::string names;
    for (const auto& network : listed.value().networks) names += network.cluster_id.value;
    return std::pair{names, listed->next};
  };
  const msg::Viewer of_project{.projects = {{"p"}}};
  EXPECT_EQ(list({.viewer = of_project}).first, "abc");
  EXPECT_EQ(list({.viewer = {.is_operator = true}}).first, "abc");
  EXPECT_EQ(list({.viewer = {.projects = {{"q"}}}}).first, "");
  EXPECT_EQ(list({.viewer = of_project, .cluster_id = {"b"}}).first, "b");
  const auto first = list({.viewer = of_project, .page = {.limit = 2}});
  EXPECT_EQ(first.first, "ab");
  const auto second = list({.viewer = of_project, .page = {.limit = 2, .after = first.second}});
  EXPECT_EQ(second, (std::pair<std::string, std::string>{"c", ""}));
  const auto refused = caller_.call(msg::ListNetworks{.page = {.limit = 1001}});
  EXPECT_EQ(refused.error().field, "limit");
}

TEST_F(Network, WidensTheSubnetOfAClusterThatGrows) {
  start();
  define("c", 253);
  ASSERT_TRUE(ports_of("c-253"));
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{node("c", 254)}));
  const auto leased = ports_of("c-254");
  ASSERT_TRUE(leased);
  ASSERT_EQ(leased->ports.size(), 1U);
  EXPECT_EQ(leased->ports[0].prefix_length, 20U);
  restart();
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{node("c", 255)}));
  const auto next = ports_of("c-255");
  ASSERT_TRUE(next);
  EXPECT_EQ(next->ports[0].ip, "10.0.1.0");
}

TEST_F(Network, QuarantinesTheAddressOfARemovedNodeOverARestart) {
  start({{"network.vlan_quarantine_s", "600"}});
  define("c", 1);
  ASSERT_TRUE(ports_of("c-1"));
  ASSERT_TRUE(registry_.emit(msg::NodeRemoved{node("c", 1)}));
  restart();
  auto next = node("c", 1);
  next.node_id = {"c-next"};
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{next}));
  const auto leased = ports_of("c-next");
  ASSERT_TRUE(leased);
  EXPECT_EQ(leased->ports[0].ip, "10.0.0.3") << "10.0.0.2 is quarantined";
}

TEST_F(Network, LeasesPortsToEachOfManyNodesThatReplaceOneAnother) {
  start({{"network.vlan_quarantine_s", "600"}});
  define("c", 0);
  for (int i = 0; i < 600; ++i) {
    auto next = node("c", 1);
    next.node_id = {"c-next-" + std::to_string(i)};
    ASSERT_TRUE(registry_.emit(msg::NodeDefined{next}));
    const auto leased = ports_of(next.node_id.value);
    ASSERT_TRUE(leased && leased->ports.size() == 1) << i;
    ASSERT_TRUE(registry_.emit(msg::NodeRemoved{next}));
  }
}

TEST_F(Network, LeasesNoMacTwice) {
  start();
  define("a", 20);
  define("b", 20);
  ASSERT_TRUE(ports_of("b-20"));
  std::set<std::string> macs;
  std::size_t count = 0;
  for (const auto& leased : events_.all<msg::PortsLeased>())
    for (const auto& port : leased.ports) {
      EXPECT_TRUE(port.mac.starts_with("52:54:00:")) << port.mac;
      macs.insert(port.mac);
      ++count;
    }
  EXPECT_EQ(count, 44U);
  EXPECT_EQ(macs.size(), count);
}

TEST_F(Network, WidensTheSubnetOfALargeCluster) {
  start();
  define("c", 1, 300);
  const auto leased = network_of("c");
  ASSERT_TRUE(leased);
  EXPECT_EQ(leased->network.subnet, "10.0.0.0/20");
}

TEST_F(Network, KeepsThePortsOfAChangedNode) {
  start();
  define("c", 1);
  ASSERT_TRUE(ports_of("c-1"));
  auto renamed = node("c", 1);
  renamed.name = "other";
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{renamed}));
  define("barrier", 0);
  ASSERT_TRUE(ports_of("barrier-0"));
  std::size_t count = 0;
  for (const auto& leased : events_.all<msg::PortsLeased>()) count += leased.node_id.value == "c-1";
  EXPECT_EQ(count, 1U);
}

TEST_F(Network, QuarantinesAFreedVlan) {
  start({{"network.vlan_first", "7"},
         {"network.vlan_last", "7"},
         {"network.vlan_quarantine_s", "3600"}});
  define("a", 0);
  ASSERT_TRUE(network_of("a"));
  remove("a");
  const auto released = events_.next<msg::NetworkReleased>();
  ASSERT_TRUE(released);
  EXPECT_EQ(released->network.vlan, 7U);
  define("b", 0);
  const auto waiting = ports_of("b-0");
  ASSERT_TRUE(waiting);
  EXPECT_TRUE(waiting->ports.empty());
  EXPECT_EQ(waiting->reason, "no VLAN is free: waiting for one");
}

TEST_F(Network, LeasesAVlanAgainAfterItsQuarantine) {
  start({{"network.vlan_first", "7"},
         {"network.vlan_last", "7"},
         {"network.vlan_quarantine_s", "1"}});
  define("a", 0);
  ASSERT_TRUE(network_of("a"));
  remove("a");
  ASSERT_TRUE(events_.next<msg::NetworkReleased>());
  define("b", 0);
  const auto leased = network_of("b");
  ASSERT_TRUE(leased);
  EXPECT_EQ(leased->network.vlan, 7U);
  auto ports = ports_of("b-0");
  if (ports && ports->ports.empty()) ports = ports_of("b-0");  // it had to wait
  ASSERT_TRUE(ports);
  EXPECT_EQ(ports->ports.size(), 2U);
}

TEST_F(Network, LeasesAFreedVlanToTheClusterThatHasWaitedLongest) {
  start({{"network.vlan_first", "7"},
         {"network.vlan_last", "7"},
         {"network.vlan_quarantine_s", "0"}});
  define("a", 0);
  ASSERT_TRUE(network_of("a"));
  define("z", 0);
  define("b", 0);
  ASSERT_TRUE(ports_of("b-0"));
  remove("a");
  ASSERT_TRUE(network_of("z")) << "it was defined first";
  remove("z");
  EXPECT_TRUE(network_of("b"));
}

TEST_F(Network, NeverLeasesThePublicVlan) {
  start({{"network.vlan_first", "7"},
         {"network.vlan_last", "8"},
         {"network.public_vlan", "7"},
         {"network.vlan_quarantine_s", "600"}});
  define("a", 0);
  const auto leased = network_of("a");
  ASSERT_TRUE(leased);
  EXPECT_EQ(leased->network.vlan, 8U);
  define("b", 0);
  const auto waiting = ports_of("b-0");
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->reason, "no VLAN is free: waiting for one");
}

TEST_F(Network, LeasesANameServerToAClusterWhoseModeBecomesNucleus) {
  start();
  define("c", 1);
  ASSERT_TRUE(network_of("c"));
  ASSERT_TRUE(ports_of("c-1"));
  ASSERT_TRUE(
      registry_.emit(msg::ClusterDefined{.cluster = {.cluster_id = {"c"},
                                                     .project_id = {"p"},
                                                     .node_count = 2,
                                                     .revision = 2,
                                                     .address_mode = msg::AddressMode::nucleus}}));
  const auto network = network_of("c");
  ASSERT_TRUE(network);
  EXPECT_EQ(network->network.name_server, "10.0.0.254");
  const auto frontend = ports_of("c-0");
  ASSERT_TRUE(frontend);
  EXPECT_EQ(frontend->ports[0].name_server, "");
  EXPECT_EQ(frontend->ports[1].name_server, "10.0.0.254");
  restart();
  ASSERT_TRUE(registry_.emit(msg::NodeDefined{node("c", 2)}));
  const auto added = ports_of("c-2");
  ASSERT_TRUE(added);
  EXPECT_EQ(added->ports[0].name_server, "10.0.0.254") << "after a restart too";
  const auto listed = caller_.call(msg::ListNetworks{.viewer = {.is_operator = true}});
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->networks.size(), 1U);
  EXPECT_EQ(listed->networks[0].name_server, "10.0.0.254");
}

TEST_F(Network, LetsAFrontendWaitUntilAPublicAddressIsFree) {
  // A /29 has five addresses besides its gateway.
  start({{"network.public_subnet", "192.0.2.0/29"}});
  for (const char* cluster : {"a", "b", "c", "d", "e"}) define(cluster, 0);
  ASSERT_TRUE(ports_of("e-0"));
  define("f", 1);
  const auto waiting = ports_of("f-0");
  ASSERT_TRUE(waiting);
  EXPECT_TRUE(waiting->ports.empty());
  EXPECT_EQ(waiting->reason, "no public address is free: waiting for one");
  const auto compute = ports_of("f-1");
  ASSERT_TRUE(compute);
  EXPECT_EQ(compute->ports.size(), 1U) << "a compute needs no public address";
  remove("c");
  const auto served = ports_of("f-0");
  ASSERT_TRUE(served);
  ASSERT_EQ(served->ports.size(), 2U);
  EXPECT_EQ(served->ports[0].ip, "192.0.2.4") << "the freed address";
}

TEST_F(Network, KeepsItsLeasesOverARestart) {
  start({{"network.vlan_quarantine_s", "600"}});
  define("a", 1);
  define("b", 1);
  ASSERT_TRUE(ports_of("b-1"));
  remove("a");
  ASSERT_TRUE(events_.next<msg::NetworkReleased>());
  restart();
  define("c", 1);
  const auto leased = network_of("c");
  ASSERT_TRUE(leased);
  EXPECT_EQ(leased->network.vlan, 102U) << "100 is quarantined, 101 is leased to b";
  ASSERT_TRUE(ports_of("c-1"));
  std::set<std::string> macs;
  std::size_t count = 0;
  for (const auto& event : events_.all<msg::PortsLeased>())
    for (const auto& port : event.ports) {
      macs.insert(port.mac);
      ++count;
    }
  EXPECT_EQ(macs.size(), count) << "a MAC was leased twice";
}

TEST_F(Network, HandlesEventsThatWereEmittedWhileItWasStopped) {
  start();
  define("a", 0);
  ASSERT_TRUE(network_of("a"));
  service_.reset();
  define("b", 0);
  remove("a");
  restart();
  EXPECT_TRUE(network_of("b"));
  EXPECT_TRUE(events_.next<msg::NetworkReleased>());
}

TEST_F(Network, ContinuesAfterRedisWasKilled) {
  start();
  define("a", 0);
  ASSERT_TRUE(network_of("a"));
  deployment_.redis.kill();
  deployment_.redis.start();
  // The first commit may fail because its connection was lost.
  ASSERT_TRUE(eventually([&] {
    return registry_.emit(
        msg::ClusterDefined{.cluster = {.cluster_id = {"b"}, .project_id = {"p"}}});
  }));
  const auto leased = network_of("b");
  ASSERT_TRUE(leased);
  EXPECT_EQ(leased->network.vlan, 101U);
}

TEST_F(Network, ShowsItsCountsAsMetrics) {
  start({{"network.vlan_first", "10"},
         {"network.vlan_last", "14"},
         {"network.public_subnet", "192.0.2.0/29"}});
  define("a", 0);
  define("b", 0);
  ASSERT_TRUE(ports_of("b-0"));
  remove("a");
  ASSERT_TRUE(events_.next<msg::NetworkReleased>());
  EXPECT_EQ(metric(*service_, "nucleus_network_vlans_leased"), 1);
  EXPECT_EQ(metric(*service_, "nucleus_network_vlans_quarantined"), 1);
  EXPECT_EQ(metric(*service_, "nucleus_network_vlans_free"), 3);
  EXPECT_EQ(metric(*service_, "nucleus_network_public_addresses_free"), 4);
  EXPECT_EQ(metric(*service_, "nucleus_network_clusters_waiting"), 0);
  EXPECT_EQ(metric(*service_, "nucleus_network_nodes_waiting"), 0);
}

TEST_F(Network, RefusesSettingsThatContradictEachOther) {
  for (const auto& wrong : {Settings{{"network.vlan_first", "9"}, {"network.vlan_last", "8"}},
                            Settings{{"network.public_subnet", "10.0.0.0/24"}},
                            Settings{{"network.public_subnet", "10.0.0.0/8"}},
                            Settings{{"network.public_subnet", "nowhere"}},
                            Settings{{"network.public_subnet", "192.0.2.1/29"}}}) {
    core::Settings settings(wrong);
    EXPECT_FALSE(network::Config::from(settings)) << wrong.begin()->second;
  }
}

}  // namespace
}  // namespace nucleus::tests
