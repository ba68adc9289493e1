// Clusters come and go while messages are lost and repeated, commits fail, and processes are killed
// between any two steps. What was accepted is there at the end, once, and nothing is leased twice.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "messages/network.hpp"
#include "messages/registry.hpp"
#include "services/network/service.hpp"
#include "services/registry/service.hpp"
#include "tests/support/sim/process.hpp"

namespace nucleus::tests {
namespace {

using std::chrono::minutes;

core::Result<std::shared_ptr<void>> build_registry(core::Runtime& runtime) {
  return std::make_shared<registry::Service>(runtime, registry::Config::from(runtime.settings));
}

core::Result<std::shared_ptr<void>> build_network(core::Runtime& runtime) {
  auto config = network::Config::from(runtime.settings);
  if (!config) return std::unexpected(config.error());
  return std::make_shared<network::Service>(runtime, *config);
}

/// The deployment and who speaks to it; each service may be killed, and is started again at once.
struct LeaseWorld {
  explicit LeaseWorld(std::uint64_t seed) : world{seed}, admin{world, "admin"} {
    start_registry();
    start_network();
  }
  void start_registry() {
    registry.reset();
    registry = std::make_unique<SimProcess>(world, "registry", std::map<std::string, std::string>{},
                                            build_registry);
  }
  void start_network() {
    network.reset();
    network = std::make_unique<SimProcess>(
        world, "network", std::map<std::string, std::string>{{"network.vlan_rest_s", "1"}},
        build_network);
  }
  void kill_one() { world.pick(1) == 0 ? start_registry() : start_network(); }

  SimWorld world;
  std::unique_ptr<SimProcess> registry = {};
  std::unique_ptr<SimProcess> network = {};
  SimProcess admin;
};

class Leases : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Leases, AreWholeAndOfOneClusterEachWhateverFails) {
  LeaseWorld deployment(GetParam());
  auto& world = deployment.world;
  world.faults = {.message_lost = 50, .message_repeated = 50, .commit_lost = 10, .answer_lost = 10};
  ASSERT_TRUE(deployment.admin.call(msg::DefineProject{{"p"}}));
  std::set<std::string> wanted;
  for (int round = 0; round < 40; ++round) {
    if (world.happens(300)) deployment.kill_one();
    const std::string name = "c" + std::to_string(world.pick(9));
    if (!wanted.contains(name)) {
      auto made = deployment.admin.call(
          msg::DefineCluster{.cluster_id = {name}, .project_id = {"p"}, .compute_count = 3});
      ASSERT_TRUE(made) << made.error().detail;
      wanted.insert(name);
    } else {
      auto removed = deployment.admin.call(msg::RemoveCluster{{name}});
      ASSERT_TRUE(removed) << removed.error().detail;
      wanted.erase(name);
    }
  }
  world.faults = {};
  world.run_for(minutes{1});

  auto leased = deployment.admin.call(msg::ListNetworks{});
  ASSERT_TRUE(leased);
  std::set<std::string> names;
  std::set<std::uint32_t> vlans;
  for (const auto& network : leased->networks) {
    names.insert(network.cluster_id.value);
    EXPECT_TRUE(vlans.insert(network.vlan).second) << "VLAN " << network.vlan << " leased twice";
  }
  EXPECT_EQ(names, wanted);
  auto clusters = deployment.admin.call(msg::ListClusters{.is_operator = true});
  ASSERT_TRUE(clusters);
  EXPECT_EQ(clusters->clusters.size(), wanted.size());
  for (const auto& cluster : clusters->clusters) EXPECT_EQ(cluster.nodes.size(), 4U);
}

/// One seed more from NUCLEUS_SEED, to repeat a failure.
std::vector<std::uint64_t> seeds() {
  std::vector<std::uint64_t> all;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) all.push_back(seed);
  if (const char* extra = std::getenv("NUCLEUS_SEED")) all.push_back(std::stoull(extra));
  return all;
}

INSTANTIATE_TEST_SUITE_P(Seeds, Leases, testing::ValuesIn(seeds()),
                         [](const auto& named) { return "seed" + std::to_string(named.param); });

}  // namespace
}  // namespace nucleus::tests
