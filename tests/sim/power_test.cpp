// Nodes are powered on and off while messages are lost and repeated, commits fail, hypervisors fail
// and processes are killed between any two steps. A node never runs twice, a host is never over its
// capacity, and in the end every node is as was asked last.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "messages/image_store.hpp"
#include "services/network/service.hpp"
#include "services/provisioner/service.hpp"
#include "services/registry/service.hpp"
#include "services/scheduler/service.hpp"
#include "tests/support/fake_hypervisor.hpp"
#include "tests/support/sim/process.hpp"

namespace nucleus::tests {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// Stands for the image store: every node has its volume at once.
struct InstantVolumes {
  core::Store& store;
  explicit InstantVolumes(core::Runtime& runtime) : store{runtime.store} {
    runtime.bus.hear<msg::NodeDefined>(*this, &InstantVolumes::clone);
  }
  core::Result<void> clone(const msg::NodeDefined& event, core::Context& context) {
    auto tx = store.begin(context);
    tx.emit(msg::VolumeChanged{.volume = {.node_id = event.node.node_id},
                               .cluster_id = event.node.cluster_id,
                               .project_id = event.node.project_id,
                               .is_ready = true});
    return tx.commit();
  }
};

struct PowerWorld {
  static constexpr int host_count = 3;

  explicit PowerWorld(std::uint64_t seed) : world{seed}, admin{world, "admin"} {
    for (int i = 0; i < host_count; ++i)
      hypervisors.push_back(std::make_shared<provisioner::FakeHypervisor>(
          provisioner::HostCapacity{.cpus = 4, .memory_mb = 4096}));
    for (std::size_t i = 0; i < process_count; ++i) start(i);
  }

  static constexpr std::size_t process_count = 4 + host_count;

  /// Kills process `i`, if it runs, and starts it.
  void start(std::size_t i) {
    processes.resize(process_count);
    processes[i].reset();
    using Settings = std::map<std::string, std::string>;
    using Built = core::Result<std::shared_ptr<void>>;
    if (i == 0)
      processes[i] = std::make_unique<SimProcess>(
          world, "registry", Settings{}, [](core::Runtime& runtime) -> Built {
            return std::make_shared<registry::Service>(runtime,
                                                       registry::Config::from(runtime.settings));
          });
    else if (i == 1)
      processes[i] = std::make_unique<SimProcess>(
          world, "network", Settings{}, [](core::Runtime& runtime) -> Built {
            return std::make_shared<network::Service>(runtime,
                                                      *network::Config::from(runtime.settings));
          });
    else if (i == 2)
      processes[i] = std::make_unique<SimProcess>(
          world, "image_store", Settings{}, [](core::Runtime& runtime) -> Built {
            return std::make_shared<InstantVolumes>(runtime);
          });
    else if (i == 3)
      processes[i] = std::make_unique<SimProcess>(
          world, "scheduler", Settings{{"scheduler.cpu_overcommit", "1"}},
          [](core::Runtime& runtime) -> Built {
            return std::make_shared<scheduler::Service>(runtime,
                                                        scheduler::Config::from(runtime.settings));
          });
    else
      start_provisioner(i);
  }

  void start_provisioner(std::size_t i) {
    const std::string host = "h" + std::to_string(i - 4);
    provisioner::Config config;
    config.hosts = {{host}};
    config.is_simulated = true;
    processes[i] = std::make_unique<SimProcess>(
        world, "provisioner/" + host, std::map<std::string, std::string>{},
        [this, i, config](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          return std::make_shared<provisioner::Service>(runtime, config, hypervisors[i - 4]);
        });
  }

  /// Domains that run, by node id; more than one of a node is what must never be.
  std::map<std::string, int> running() {
    std::map<std::string, int> count;
    for (const auto& hypervisor : hypervisors) {
      const auto domains = hypervisor->list();
      if (!domains) continue;
      for (const auto& domain : *domains) ++count[domain.name.substr(domain.name.find('.') + 1)];
    }
    return count;
  }

  void expect_no_node_runs_twice() {
    for (const auto& [node, count] : running())
      ASSERT_LE(count, 1) << "node " << node << " runs twice";
  }

  SimWorld world;
  std::vector<std::shared_ptr<provisioner::FakeHypervisor>> hypervisors = {};
  std::vector<std::unique_ptr<SimProcess>> processes = {};
  SimProcess admin;
};

std::vector<std::uint64_t> seeds() {
  std::vector<std::uint64_t> all;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) all.push_back(seed);
  if (const char* extra = std::getenv("NUCLEUS_SEED")) all.push_back(std::stoull(extra));
  return all;
}

const auto seed_name = [](const auto& named) { return "seed" + std::to_string(named.param); };

class Power : public testing::TestWithParam<std::uint64_t> {
 protected:
  /// Defines cluster `c` and waits until all its nodes can be placed.
  std::vector<msg::Node> define(PowerWorld& deployment, std::uint32_t computes) {
    EXPECT_TRUE(deployment.admin.call(msg::DefineProject{{"p"}}));
    auto made = deployment.admin.call(msg::DefineCluster{.cluster_id = {"c"},
                                                         .project_id = {"p"},
                                                         .allocations = {{"a"}},
                                                         .compute_count = computes});
    EXPECT_TRUE(made) << made.error().detail;
    deployment.world.run_for(seconds{20});
    auto listed = deployment.admin.call(msg::ListClusters{.is_operator = true});
    if (!listed || listed->clusters.empty()) return {};
    return listed->clusters[0].nodes;
  }
};

TEST_P(Power, EndsAsWasAskedLastWhateverFails) {
  PowerWorld deployment(GetParam());
  auto& world = deployment.world;
  const auto nodes = define(deployment, 0);
  ASSERT_EQ(nodes.size(), 1U);
  world.faults = {.message_lost = 30, .message_repeated = 30, .commit_lost = 5, .answer_lost = 5};
  bool is_wanted_on = false;
  for (int round = 0; round < 30; ++round) {
    if (world.happens(500)) deployment.start(world.pick(PowerWorld::process_count - 1));
    const bool is_on = world.pick(1) == 0;
    auto reply = deployment.admin.call(
        msg::PowerNode{.node_id = nodes[0].node_id,
                       .action = is_on ? msg::PowerAction::poweron : msg::PowerAction::poweroff});
    if (reply)
      is_wanted_on = is_on;  // no host may be up for a moment: refused, and nothing changes
    if (!reply) {
      ASSERT_EQ(reply.error().code, core::ErrorCode::no_capacity) << reply.error().detail;
    }
    world.run_for(core::Milliseconds{static_cast<std::int64_t>(world.pick(400))});
    deployment.expect_no_node_runs_twice();
  }
  world.faults = {};
  world.run_for(minutes{4});
  deployment.expect_no_node_runs_twice();
  EXPECT_EQ(deployment.running().size(), is_wanted_on ? 1U : 0U);
  auto states = deployment.admin.call(msg::ListNodeStates{.cluster_id = {"c"}});
  ASSERT_TRUE(states);
  EXPECT_EQ(states->nodes[0].is_wanted_on, is_wanted_on);
  EXPECT_EQ(states->nodes[0].state == "active", is_wanted_on) << states->nodes[0].reason;
}

TEST_P(Power, StartsAndEndsComputesetsWholeWhateverFails) {
  PowerWorld deployment(GetParam());
  auto& world = deployment.world;
  const auto nodes = define(deployment, 6);
  ASSERT_EQ(nodes.size(), 7U);
  world.faults = {.message_lost = 30, .message_repeated = 30, .commit_lost = 5, .answer_lost = 5};
  std::int64_t last_id = 0;
  for (int round = 0; round < 5; ++round) {
    auto started = deployment.admin.call(
        msg::StartComputeset{.cluster_id = {"c"}, .count = 6, .walltime_mins = 10});
    ASSERT_TRUE(started) << started.error().detail;
    ASSERT_GT(started->computeset_id, last_id);
    last_id = started->computeset_id;
    for (int i = 0; i < 3; ++i) {
      world.run_for(core::Milliseconds{static_cast<std::int64_t>(world.pick(1000))});
      if (world.happens(500)) deployment.start(world.pick(PowerWorld::process_count - 1));
      deployment.expect_no_node_runs_twice();
    }
    // Half of them end by their walltime.
    if (world.pick(1) == 0) {
      ASSERT_TRUE(deployment.admin.call(
          msg::PowerComputeset{.computeset_id = last_id, .action = msg::PowerAction::poweroff}));
    }
    const bool is_over = world.run_until(
        [&] {
          auto listed = deployment.admin.call(
              msg::ListComputesets{.is_operator = true, .computeset_id = last_id});
          if (listed) world.run_for(seconds{5});
          return listed && (listed->computesets[0].state == msg::ComputesetState::completed ||
                            listed->computesets[0].state == msg::ComputesetState::cancelled);
        },
        minutes{30});
    ASSERT_TRUE(is_over) << "computeset " << last_id;
    EXPECT_TRUE(deployment.running().empty());
  }
  // Every second that a computeset ran was charged, once.
  auto all = deployment.admin.call(msg::ListComputesets{.is_operator = true});
  auto allocations = deployment.admin.call(msg::ListAllocations{});
  ASSERT_TRUE(all && allocations);
  std::int64_t expected_core_s = 0;
  for (const auto& computeset : all->computesets)
    if (computeset.start_unix_s > 0)
      expected_core_s += 6 * (computeset.end_unix_s - computeset.start_unix_s);
  const std::int64_t charged =
      allocations->allocations.empty() ? 0 : allocations->allocations[0].used_core_s;
  EXPECT_EQ(charged, expected_core_s);
}

TEST_P(Power, MovesANodeOffALostHostOnlyAfterItsLease) {
  PowerWorld deployment(GetParam());
  auto& world = deployment.world;
  const auto nodes = define(deployment, 0);
  ASSERT_EQ(nodes.size(), 1U);
  ASSERT_TRUE(deployment.admin.call(
      msg::PowerNode{.node_id = nodes[0].node_id, .action = msg::PowerAction::poweron}));
  world.run_for(seconds{5});
  auto states = deployment.admin.call(msg::ListNodeStates{.cluster_id = {"c"}});
  ASSERT_TRUE(states);
  const std::string host = states->nodes[0].host_id.value;
  const std::size_t lost = static_cast<std::size_t>(host[1] - '0') + 4;
  // The host is cut off: its process is away, its domain is ended as by a power cut.
  deployment.processes[lost].reset();
  world.run_for(seconds{3});
  states = deployment.admin.call(msg::ListNodeStates{.cluster_id = {"c"}});
  EXPECT_EQ(states->nodes[0].state, "nostate-error");
  EXPECT_FALSE(states->nodes[0].reason.empty());
  world.run_for(seconds{60});
  EXPECT_EQ(deployment.running().size(), 1U) << "moved before the lease was over";
  const auto domains = deployment.hypervisors[lost - 4]->list();
  ASSERT_TRUE(domains);
  for (const auto& domain : *domains) deployment.hypervisors[lost - 4]->crash(domain.name);
  world.run_for(seconds{90});
  states = deployment.admin.call(msg::ListNodeStates{.cluster_id = {"c"}});
  EXPECT_EQ(states->nodes[0].state, "active");
  EXPECT_NE(states->nodes[0].host_id.value, host);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Power, testing::ValuesIn(seeds()), seed_name);

}  // namespace
}  // namespace nucleus::tests
