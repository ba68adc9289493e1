// What clusters and nodes are leased, decided on a view without a store.
#include "services/network/lease_plan.hpp"

#include <gtest/gtest.h>

#include <random>

namespace nucleus::network {
namespace {

constexpr std::int64_t quarantine_s = 300;

/// A view, and the registry's part: clusters and nodes with growing indexes.
class Site {
 public:
  explicit Site(const Config& config = {}) : view_{config} {}

  View& view() { return view_; }
  void define_cluster(const std::string& name, std::uint32_t node_count,
                      bool has_infiniband = false,
                      msg::AddressMode mode = msg::AddressMode::frontend) {
    apply(plan_network(view_,
                       {.cluster = {.cluster_id = {name},
                                    .project_id = {"p"},
                                    .node_count = node_count,
                                    .has_infiniband = has_infiniband,
                                    .address_mode = mode}},
                       ++event_id_));
    add_node(name, true);
  }
  const StoredPorts& add_node(const std::string& cluster, bool is_frontend = false) {
    const auto index = next_index_[cluster]++;
    const msg::NodeId id{cluster + "-" + std::to_string(index)};
    apply(plan_ports(view_, {.node_id = id,
                             .cluster_id = {cluster},
                             .project_id = {"p"},
                             .is_frontend = is_frontend,
                             .index = index,
                             .since_event = ++event_id_}));
    return *view_.ports(id);
  }
  /// All addresses of the widest subnet, at once; the frontend has the first.
  void fill(const std::string& cluster) {
    Plan full{.networks = {view_.cluster({cluster})->stored}};
    auto& network = full.networks.front().network;
    network.subnet = "10.0.0.0/19";
    for (std::uint32_t index = 1; index < 8190; ++index)
      full.ports.push_back({.node_id = {cluster + "-" + std::to_string(index)},
                            .cluster_id = {cluster},
                            .project_id = {"p"},
                            .index = index,
                            .ports = {{.mac = mac_text(1'000 + index),
                                       .ip = ipv4_text((10U << 24) + 1 + index),
                                       .prefix_length = 19,
                                       .vlan = network.vlan}},
                            .since_event = ++event_id_});
    apply(full);
  }
  void remove_node(const msg::NodeId& id, std::int64_t now_unix_s) {
    apply(plan_node_removal(view_, id, now_unix_s, quarantine_s));
  }
  void remove_cluster(const std::string& name, std::int64_t now_unix_s) {
    apply(plan_cluster_removal(view_, {name}, now_unix_s + quarantine_s));
  }
  void sweep(std::int64_t now_unix_s) {
    if (const auto ended = plan_quarantine_ends(view_, now_unix_s)) apply(*ended);
    while (const auto plan = plan_waiting(view_)) apply(*plan);
  }
  /// False if nothing changes.
  bool set_mode(const std::string& cluster, msg::AddressMode mode) {
    const auto plan = plan_address_mode(view_, {cluster}, mode);
    if (plan) apply(*plan);
    return plan.has_value();
  }
  const msg::ClusterNetwork& network(const std::string& cluster) const {
    return view_.cluster({cluster})->stored.network;
  }
  const Plan& last() const { return last_; }

 private:
  void apply(const Plan& plan) {
    last_ = plan;
    view_.apply(last_);
    view_.check();
  }

  View view_;
  Plan last_ = {};
  std::uint64_t event_id_ = 0;
  std::map<std::string, std::uint32_t> next_index_ = {};
};

TEST(LeasePlan, WidensTheSubnetOfAClusterThatGrowsBeyondIt) {
  Site site;
  site.define_cluster("c", 1);
  for (int i = 1; i < 254; ++i) ASSERT_EQ(site.add_node("c").ports[0].prefix_length, 24u) << i;
  const auto& grown = site.add_node("c");
  ASSERT_EQ(grown.ports.size(), 1u);
  EXPECT_EQ(grown.ports[0].ip, "10.0.0.255");
  EXPECT_EQ(site.view().cluster({"c"})->stored.network.subnet, "10.0.0.0/20");
  EXPECT_EQ(site.last().ports.size(), 255u) << "every node's prefix length is announced";
  for (const auto& node_id : site.view().cluster({"c"})->nodes)
    EXPECT_EQ(site.view().ports(node_id)->ports.back().prefix_length, 20u);
  EXPECT_EQ(site.view().ports({"c-0"})->ports.back().ip, "10.0.0.1") << "addresses stay";
}

TEST(LeasePlan, GivesAnAddressToEveryNodeOfTheLargestCluster) {
  Site site;
  site.define_cluster("c", 1);
  for (int i = 1; i < 4097; ++i) ASSERT_FALSE(site.add_node("c").ports.empty()) << i;
  EXPECT_EQ(site.view().cluster({"c"})->addresses.size(), 4097u);
}

TEST(LeasePlan, ReusesTheAddressesOfRemovedNodesAfterTheirQuarantine) {
  Site site;
  site.define_cluster("c", 1);
  std::map<std::string, std::int64_t> freed_at;
  std::int64_t now_unix_s = 0;
  for (int i = 0; i < 1000; ++i) {
    now_unix_s += 10;
    site.sweep(now_unix_s);
    const auto node = site.add_node("c");
    ASSERT_FALSE(node.ports.empty()) << i << ": " << node.reason;
    const auto& ip = node.ports[0].ip;
    if (freed_at.contains(ip)) {
      ASSERT_GE(now_unix_s - freed_at[ip], quarantine_s) << ip;
    }
    freed_at[ip] = now_unix_s;
    site.remove_node(node.node_id, now_unix_s);
  }
  EXPECT_EQ(site.view().cluster({"c"})->stored.network.subnet, "10.0.0.0/24");
}

TEST(LeasePlan, LetsANodeWaitIfOnlyQuarantinedAddressesAreLeft) {
  Site site;
  site.define_cluster("c", 4097);
  for (int i = 0; i < 8189; ++i) site.remove_node(site.add_node("c").node_id, 0);
  EXPECT_EQ(site.add_node("c").reason, "no private address is free: waiting for one");
  EXPECT_EQ(site.view().nodes_waiting().size(), 1u);
  site.sweep(quarantine_s);
  EXPECT_TRUE(site.view().nodes_waiting().empty());
  EXPECT_EQ(site.view().ports({"c-8190"})->ports.size(), 1u);
}

TEST(LeasePlan, ServesClustersAndNodesInTheirOrder) {
  Site site({.vlans = {.first = 7, .last = 7, .reserved = 4000},
             .public_subnet = *parse_subnet("192.0.2.0/29")});
  for (const char* name : {"a", "z", "b"}) site.define_cluster(name, 1);
  EXPECT_EQ(site.view().ports({"z-0"})->reason, "no VLAN is free: waiting for one");
  site.remove_cluster("a", 0);
  site.sweep(quarantine_s - 1);
  EXPECT_EQ(site.view().cluster({"z"})->stored.network.vlan, 0u) << "7 is quarantined";
  site.sweep(quarantine_s);
  EXPECT_EQ(site.view().cluster({"z"})->stored.network.vlan, 7u);
  EXPECT_EQ(site.view().cluster({"b"})->stored.network.vlan, 0u);
  EXPECT_EQ(site.view().ports({"z-0"})->ports.size(), 2u);
}

TEST(LeasePlan, KeepsItsViewConsistentThroughManyChanges) {
  std::mt19937 random(7);
  Site site({.vlans = {.first = 2, .last = 6, .reserved = 4},
             .public_subnet = *parse_subnet("192.0.2.0/29")});
  std::vector<std::string> clusters;
  int named = 0;
  for (std::int64_t now = 0; now < 3000; ++now) {
    const auto choice = random() % 8;
    if (choice == 0) {
      clusters.push_back("c" + std::to_string(named++));
      site.define_cluster(clusters.back(), 1);
    } else if (choice == 1 && !clusters.empty()) {
      std::swap(clusters[random() % clusters.size()], clusters.back());
      site.remove_cluster(clusters.back(), now);
      clusters.pop_back();
    } else if (choice < 5 && !clusters.empty()) {
      site.add_node(clusters[random() % clusters.size()]);
    } else if (choice == 5 && !clusters.empty()) {
      const auto* cluster = site.view().cluster({clusters[random() % clusters.size()]});
      if (const auto node = *cluster->nodes.rbegin(); !site.view().ports(node)->is_frontend)
        site.remove_node(node, now);
    } else {
      site.sweep(now);
    }
  }
  Plan records;
  for (const auto& [id, cluster] : site.view().clusters()) {
    records.networks.push_back(cluster.stored);
    for (const auto& node_id : cluster.nodes) records.ports.push_back(*site.view().ports(node_id));
    for (const auto& one : site.view().addresses_quarantined(id))
      records.address_quarantines.push_back(one);
  }
  View loaded({.vlans = {.first = 2, .last = 6, .reserved = 4}});
  loaded.load(records);
  loaded.check();
  EXPECT_EQ(loaded.nodes_waiting(), site.view().nodes_waiting());
  EXPECT_EQ(loaded.clusters_waiting(), site.view().clusters_waiting());
}

const std::vector<msg::FabricLease>& fabrics_of(Site& site, const std::string& cluster) {
  return site.view().cluster({cluster})->stored.network.fabrics;
}

Config with_fabrics(std::uint32_t last_of_first_fabric) {
  Config config;
  config.fabrics["ib0"].pkeys = {.first = 0x100, .last = last_of_first_fabric};
  config.fabrics["ib1"].pkeys = {.first = 0x200, .last = 0x2ff};
  return config;
}

TEST(NameServer, IsTheHighestAddressOfTheSubnetAndOfPrivatePortsAlone) {
  Site site;
  site.define_cluster("c", 2, false, msg::AddressMode::nucleus);
  EXPECT_EQ(site.network("c").name_server, "10.0.0.254");
  const auto& frontend = site.view().ports({"c-0"})->ports;
  ASSERT_EQ(frontend.size(), 2u);
  EXPECT_EQ(frontend[0].name_server, "") << "the public port";
  EXPECT_EQ(frontend[1].name_server, "10.0.0.254");
  EXPECT_EQ(site.add_node("c").ports[0].name_server, "10.0.0.254");
  site.define_cluster("d", 1);
  EXPECT_EQ(site.network("d").name_server, "");
}

TEST(NameServer, IsNoNodesWhenTheSubnetIsWidened) {
  Site site;
  site.define_cluster("c", 1, false, msg::AddressMode::nucleus);
  std::set<std::string> addresses;
  for (int i = 1; i < 300; ++i) addresses.insert(site.add_node("c").ports.at(0).ip);
  EXPECT_EQ(addresses.size(), 299u);
  EXPECT_FALSE(addresses.contains("10.0.0.254"));
  EXPECT_EQ(site.network("c").subnet, "10.0.0.0/20");
  EXPECT_EQ(site.network("c").name_server, "10.0.0.254") << "it stays";
  for (const auto& node_id : site.view().cluster({"c"})->nodes)
    EXPECT_EQ(site.view().ports(node_id)->ports.back().name_server, "10.0.0.254");
}

TEST(NameServer, ComesAndGoesWithTheModeAndIsTheSameAgain) {
  Site site;
  site.define_cluster("c", 1);
  site.add_node("c");
  EXPECT_FALSE(site.set_mode("c", msg::AddressMode::frontend));
  EXPECT_TRUE(site.set_mode("c", msg::AddressMode::nucleus));
  EXPECT_EQ(site.last().networks.size(), 1u);
  EXPECT_EQ(site.last().ports.size(), 2u) << "every node's ports are announced";
  EXPECT_FALSE(site.set_mode("c", msg::AddressMode::nucleus));
  EXPECT_EQ(site.view().ports({"c-1"})->ports[0].name_server, "10.0.0.254");
  EXPECT_TRUE(site.set_mode("c", msg::AddressMode::frontend));
  EXPECT_EQ(site.network("c").name_server, "");
  EXPECT_EQ(site.view().ports({"c-1"})->ports[0].name_server, "");
  for (int i = 2; i < 260; ++i)
    EXPECT_NE(site.add_node("c").ports.at(0).ip, "10.0.0.254") << "nodes that run may use it";
  EXPECT_TRUE(site.set_mode("c", msg::AddressMode::nucleus));
  EXPECT_EQ(site.network("c").name_server, "10.0.0.254");
  for (const auto& node_id : std::set(site.view().cluster({"c"})->nodes))
    site.remove_node(node_id, 0);
  site.remove_cluster("c", 0);
}

TEST(NameServer, WidensASubnetThatIsFull) {
  Site site;
  site.define_cluster("c", 1);
  for (int i = 1; i < 254; ++i) ASSERT_EQ(site.add_node("c").ports[0].prefix_length, 24u) << i;
  EXPECT_TRUE(site.set_mode("c", msg::AddressMode::nucleus));
  EXPECT_EQ(site.network("c").subnet, "10.0.0.0/20");
  EXPECT_EQ(site.network("c").name_server, "10.0.15.254");
  EXPECT_EQ(site.view().ports({"c-7"})->ports[0].prefix_length, 20u);
  EXPECT_EQ(site.view().ports({"c-7"})->ports[0].name_server, "10.0.15.254");
}

TEST(NameServer, IsWaitedForIfNoAddressIsFree) {
  Site site;
  site.define_cluster("c", 1);
  site.fill("c");
  EXPECT_TRUE(site.set_mode("c", msg::AddressMode::nucleus));
  EXPECT_EQ(site.network("c").name_server, "");
  site.sweep(0);
  EXPECT_EQ(site.network("c").name_server, "");
  site.remove_node({"c-9"}, 0);
  site.sweep(quarantine_s);
  EXPECT_EQ(site.network("c").name_server, "10.0.0.10");
  EXPECT_TRUE(site.view().name_servers_waiting().empty());
}

TEST(FabricLeases, AreAPkeyOfEachFabricForAClusterWithInfiniBand) {
  Site site(with_fabrics(0x1ff));
  site.define_cluster("a", 2, true);
  site.define_cluster("plain", 2);
  site.define_cluster("b", 2, true);
  EXPECT_EQ(fabrics_of(site, "a"), (std::vector<msg::FabricLease>{{"ib0", 0x100}, {"ib1", 0x200}}));
  EXPECT_EQ(fabrics_of(site, "b"), (std::vector<msg::FabricLease>{{"ib0", 0x101}, {"ib1", 0x201}}));
  EXPECT_TRUE(fabrics_of(site, "plain").empty());
}

TEST(FabricLeases, AreQuarantinedBeforeTheyAreLeasedAgain) {
  Site site(with_fabrics(0x100));
  site.define_cluster("a", 2, true);
  site.define_cluster("b", 2, true);  // waits: ib0 has one pkey
  EXPECT_EQ(site.view().cluster({"b"})->stored.network.vlan, 0u);
  EXPECT_EQ(site.view().ports({"b-0"})->reason, "no pkey of fabric ib0 is free: waiting for one");
  site.remove_cluster("a", 1'000);
  EXPECT_EQ(site.view().pkeys().at("ib0").state(0x100), NumberState::quarantined);
  site.sweep(1'000 + quarantine_s - 1);
  EXPECT_TRUE(fabrics_of(site, "b").empty());
  site.sweep(1'000 + quarantine_s);
  EXPECT_EQ(fabrics_of(site, "b").front(), (msg::FabricLease{"ib0", 0x100}));
  EXPECT_FALSE(site.view().ports({"b-0"})->ports.empty());
}

TEST(FabricLeases, DoNotMakeAClusterWithoutInfiniBandWait) {
  Site site(with_fabrics(0x100));
  site.define_cluster("a", 2, true);
  site.define_cluster("b", 2, true);
  site.define_cluster("plain", 2);
  site.sweep(1);
  EXPECT_NE(site.view().cluster({"plain"})->stored.network.vlan, 0u);
  EXPECT_EQ(site.view().clusters_waiting().size(), 1u);
}

TEST(FabricLeases, WaitIfThereIsNoFabric) {
  Site site;
  site.define_cluster("a", 2, true);
  EXPECT_EQ(site.view().ports({"a-0"})->reason, "there is no InfiniBand fabric: waiting for one");
}

TEST(FabricLeases, OfAFabricThatIsNoLongerInTheSettingsAreKept) {
  View view{Config{}};
  view.load({.networks = {{.network = {.cluster_id = {"a"},
                                       .vlan = 100,
                                       .subnet = "10.0.0.0/24",
                                       .fabrics = {{"gone", 7}}},
                           .has_infiniband = true}},
             .pkey_quarantines = {{.lease = {"gone", 8}, .until_unix_s = 5}}});
  view.check();
  EXPECT_EQ(view.pkeys().at("gone").state(7), NumberState::leased);
  view.apply(*plan_quarantine_ends(view, 5));
  view.apply(plan_cluster_removal(view, {"a"}, 9));
  view.apply(*plan_quarantine_ends(view, 9));
  EXPECT_EQ(view.pkeys().at("gone").lowest_free(), std::nullopt);
}

}  // namespace
}  // namespace nucleus::network
