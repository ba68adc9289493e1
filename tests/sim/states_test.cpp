// docs/states.md has the transitions of computesets, volumes, VLANs and hosts. Here they live
// through faults from many seeds: a transition that the page does not have fails, and so does a row
// that never happens.
#include <gtest/gtest.h>

#include <array>
#include <set>

#include "services/image_store/driver/simulated_store.hpp"
#include "services/image_store/service.hpp"
#include "services/network/service.hpp"
#include "services/provisioner/service.hpp"
#include "services/registry/service.hpp"
#include "services/scheduler/service.hpp"
#include "tests/support/clusters.hpp"
#include "tests/support/fake_hypervisor.hpp"
#include "tests/support/markdown_table.hpp"
#include "tests/support/sim/process.hpp"

namespace nucleus::tests {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Move = std::pair<std::string, std::string>;  // from, to
using Built = core::Result<std::shared_ptr<void>>;
using Settings = std::map<std::string, std::string>;

/// Subscribes to every event, and keeps each thing's moves from one state to another.
struct Watcher {
  core::Store& store;
  std::set<Move> computesets = {};
  std::set<Move> volumes = {};
  std::set<Move> vlans = {};
  std::set<Move> hosts = {};
  bool are_hosts_drained = false;  // reported instead of up
  std::map<std::string, std::string> now = {};

  explicit Watcher(core::Runtime& runtime) : store{runtime.store} {
    runtime.bus.subscribe<msg::ComputesetChanged>(*this, &Watcher::see_computeset);
    runtime.bus.subscribe<msg::NodeDefined>(*this, &Watcher::see_node);
    runtime.bus.subscribe<msg::NodeRemoved>(*this, &Watcher::see_node_removed);
    runtime.bus.subscribe<msg::ClusterRemoved>(*this, &Watcher::see_cluster_removed);
    runtime.bus.subscribe<msg::VolumeChanged>(*this, &Watcher::see_volume);
    runtime.bus.subscribe<msg::NetworkLeased>(*this, &Watcher::see_lease);
    runtime.bus.subscribe<msg::NetworkReleased>(*this, &Watcher::see_release);
    runtime.bus.subscribe<msg::HostChanged>(*this, &Watcher::see_host);
  }

  void move(std::set<Move>& moves, const std::string& thing, const std::string& state,
            const std::string& first = "(none)") {
    auto& is = now.try_emplace(thing, first).first->second;
    if (is != state) moves.insert({is, state});
    is = state;
  }
  core::Result<void> see_computeset(const msg::ComputesetChanged& event, core::Context&) {
    move(computesets, "computeset " + std::to_string(event.computeset.computeset_id),
         std::string(msg::name_of(event.computeset.state)));
    return {};
  }
  core::Result<void> see_node(const msg::NodeDefined& event, core::Context&) {
    const std::string volume = "volume " + event.node.node_id.value;
    if (!now.contains(volume)) move(volumes, volume, "waiting");
    return {};
  }
  core::Result<void> see_volume(const msg::VolumeChanged& event, core::Context&) {
    // A volume may be made before the image store knows that its node was removed.
    const std::string volume = "volume " + event.volume.node_id.value;
    if (now.contains(volume)) move(volumes, volume, event.volume.is_ready ? "ready" : "waiting");
    return {};
  }
  void see_removed(const msg::NodeId& node_id) {
    const std::string volume = "volume " + node_id.value;
    move(volumes, volume, "removed");
    move(volumes, volume, "(none)");
    now.erase(volume);
  }
  core::Result<void> see_node_removed(const msg::NodeRemoved& event, core::Context&) {
    see_removed(event.node.node_id);
    return {};
  }
  core::Result<void> see_cluster_removed(const msg::ClusterRemoved& event, core::Context&) {
    for (const auto& node_id : event.nodes) see_removed(node_id);
    return {};
  }
  core::Result<void> see_lease(const msg::NetworkLeased& event, core::Context&) {
    const std::string vlan = "vlan " + std::to_string(event.network.vlan);
    if (now[vlan] == "quarantined") move(vlans, vlan, "free");
    if (now[vlan].empty()) now[vlan] = "free";
    move(vlans, vlan, "leased");
    return {};
  }
  core::Result<void> see_release(const msg::NetworkReleased& event, core::Context&) {
    move(vlans, "vlan " + std::to_string(event.network.vlan), "quarantined");
    return {};
  }
  core::Result<void> see_host(const msg::HostChanged& event, core::Context&) {
    are_hosts_drained |= event.host.state == msg::HostState::drained;
    const auto state =
        event.host.state == msg::HostState::drained ? msg::HostState::up : event.host.state;
    move(hosts, "host " + event.host.host_id.value, std::string(msg::name_of(state)));
    return {};
  }
};

/// All services but overhead and console, two small hosts, two VLANs, and the watcher.
struct StatesWorld {
  explicit StatesWorld(std::uint64_t seed) : world{seed}, admin{world, "admin"} {
    world.faults = {.message_lost = 20, .message_repeated = 20, .commit_lost = 3, .answer_lost = 3};
    start("watcher", {}, [this](core::Runtime& runtime) -> Built {
      return watcher = std::make_shared<Watcher>(runtime);
    });
    start("registry", {}, [](core::Runtime& runtime) -> Built {
      return std::make_shared<registry::Service>(runtime,
                                                 *registry::Config::from(runtime.settings));
    });
    start("network",
          {{"network.vlan_first", "100"},
           {"network.vlan_last", "101"},
           {"network.vlan_quarantine_s", "30"}},
          [](core::Runtime& runtime) -> Built {
            return std::make_shared<network::Service>(runtime,
                                                      *network::Config::from(runtime.settings));
          });
    start("image_store", {}, [this](core::Runtime& runtime) -> Built {
      image_store::Config config;
      return std::make_shared<image_store::Service>(runtime, config, disks);
    });
    start("scheduler", {{"scheduler.cpu_overcommit", "1"}}, [](core::Runtime& runtime) -> Built {
      return std::make_shared<scheduler::Service>(runtime,
                                                  *scheduler::Config::from(runtime.settings));
    });
    start_host(0);
    start_host(1);
  }

  void start(const std::string& name, const Settings& settings, const SimProcess::Build& build) {
    processes[name].reset();
    processes[name] = std::make_unique<SimProcess>(world, name, settings, build);
  }
  void start_host(std::size_t i) {
    provisioner::Config config;
    config.hosts = {{"h" + std::to_string(i)}};
    config.driver = provisioner::simulated_driver;
    start("provisioner/h" + std::to_string(i), {}, [this, i, config](core::Runtime& runtime) {
      return Built(std::make_shared<provisioner::Service>(runtime, config, hypervisors[i]));
    });
  }

  void define(const std::string& cluster, std::uint32_t computes, const std::string& image = "") {
    const auto made = admin.call(msg::DefineCluster{.cluster_id = {cluster},
                                                    .project_id = {"p"},
                                                    .allocations = {{"a"}},
                                                    .compute_count = computes,
                                                    .image_id = {image}});
    ASSERT_TRUE(made) << made.error().detail;
  }
  msg::ComputesetId start_set(std::uint32_t count, std::int64_t walltime_mins) {
    const auto set = admin.call(msg::StartComputeset{.cluster_id = {"c"},
                                                     .viewer = as_operator,
                                                     .count = count,
                                                     .walltime_mins = walltime_mins});
    EXPECT_TRUE(set) << set.error().detail;
    return set ? set->computeset_id : 0;
  }
  void stop_set(msg::ComputesetId id) {
    const auto ended = admin.call(msg::PowerComputeset{
        .computeset_id = id, .viewer = as_operator, .action = msg::PowerAction::poweroff});
    EXPECT_TRUE(ended) << ended.error().detail;
  }

  SimWorld world;
  std::shared_ptr<Watcher> watcher = {};
  std::shared_ptr<image_store::SimulatedStore> disks =
      std::make_shared<image_store::SimulatedStore>();
  std::array<std::shared_ptr<provisioner::FakeHypervisor>, 2> hypervisors = {a_host(), a_host()};
  std::map<std::string, std::unique_ptr<SimProcess>> processes = {};
  SimProcess admin;

 private:
  static std::shared_ptr<provisioner::FakeHypervisor> a_host() {
    return std::make_shared<provisioner::FakeHypervisor>(
        provisioner::HostCapacity{.cpus = 4, .memory_mb = 4096});
  }
};

/// Runs computesets: one ends by its walltime, one is stopped, one is stopped while it waits.
void exercise_computesets(StatesWorld& deployment) {
  auto& world = deployment.world;
  deployment.start_set(6, 5);
  const auto waiting = deployment.start_set(3, 5);
  world.run_for(seconds{static_cast<std::int64_t>(world.pick(30))});
  deployment.stop_set(waiting);
  world.run_for(minutes{8});
  const auto running = deployment.start_set(4, 60);
  world.run_for(seconds{30});
  deployment.stop_set(running);
  world.run_for(minutes{2});
}

/// Hibernates computesets: one goes on at once, one waits for its hosts and then goes on, one ends
/// while it is hibernated, one while it waits to go on, one while its memory is being saved.
void exercise_hibernation(StatesWorld& deployment) {
  auto& world = deployment.world;
  const auto is_in = [&](msg::ComputesetId id, const char* state) {
    return [&deployment, id, state] {
      return deployment.watcher->now["computeset " + std::to_string(id)] == state;
    };
  };
  const auto hibernate = [&](msg::ComputesetId id) {
    ASSERT_TRUE(deployment.admin.call(
        msg::HibernateComputeset{.computeset_id = id, .viewer = as_operator}));
  };
  const auto resume = [&](msg::ComputesetId id) {
    ASSERT_TRUE(
        deployment.admin.call(msg::ResumeComputeset{.computeset_id = id, .viewer = as_operator}));
  };
  const auto first = deployment.start_set(8, 60);
  world.run_for(seconds{20});
  hibernate(first);
  EXPECT_TRUE(world.run_until(is_in(first, "hibernated"), minutes{1}));
  const auto second = deployment.start_set(4, 60);
  world.run_for(seconds{20});
  resume(first);
  EXPECT_TRUE(world.run_until(is_in(first, "submitted"), minutes{1}));
  hibernate(second);
  EXPECT_TRUE(world.run_until(is_in(first, "running"), minutes{1}));
  resume(second);
  EXPECT_TRUE(world.run_until(is_in(second, "submitted"), minutes{1}));
  deployment.stop_set(second);
  world.run_for(seconds{20});
  hibernate(first);
  EXPECT_TRUE(world.run_until(is_in(first, "hibernated"), minutes{1}));
  deployment.stop_set(first);
  const auto third = deployment.start_set(2, 60);
  world.run_for(seconds{20});
  deployment.hypervisors[0]->hang();
  deployment.hypervisors[1]->hang();
  hibernate(third);
  deployment.stop_set(third);
  for (auto& hypervisor : deployment.hypervisors) hypervisor->resume();
  world.run_for(minutes{1});
}

/// One host is drained and resumed. The other is silent for some seconds, then until it is lost,
/// and is lost once more, to return with a hypervisor that hangs.
void exercise_hosts(StatesWorld& deployment) {
  auto& world = deployment.world;
  for (const bool is_drained : {true, false})
    ASSERT_TRUE(deployment.admin.call(
        msg::DrainHost{.host_id = {"h0"}, .is_drained = is_drained, .reason = "a test"}));
  EXPECT_TRUE(world.run_until([&] { return deployment.watcher->are_hosts_drained; }, seconds{10}));
  deployment.processes["provisioner/h1"].reset();
  world.run_for(seconds{10});
  deployment.start_host(1);
  world.run_for(seconds{10});
  for (const bool is_hung : {false, true}) {
    deployment.processes["provisioner/h1"].reset();
    world.run_for(minutes{4});
    if (is_hung) deployment.hypervisors[1]->hang();
    deployment.start_host(1);
    world.run_for(seconds{20});
  }
  deployment.hypervisors[1]->resume();
  world.run_for(seconds{20});
}

/// A host whose hypervisor hangs from the beginning.
void exercise_a_late_hypervisor(StatesWorld& deployment) {
  deployment.processes["provisioner/h1"].reset();
  deployment.hypervisors[1]->hang();
  deployment.start_host(1);
  deployment.world.run_for(seconds{10});
  deployment.hypervisors[1]->resume();
}

/// A cluster with an image that is published late, one with an image that never is, an ISO that is
/// attached and one that does not exist, and VLANs that are released and leased again.
void exercise_clusters(StatesWorld& deployment) {
  auto& world = deployment.world;
  deployment.define("late", 1, "public/late");
  world.run_for(seconds{10});
  for (const auto& [image, format] : {std::pair{"public/late", msg::ImageFormat::qcow2},
                                      std::pair{"public/cd", msg::ImageFormat::iso}})
    ASSERT_TRUE(deployment.admin.call(
        msg::ImportImage{.image_id = {image}, .format = format, .disk_path = "/disk"}));
  world.run_for(seconds{20});
  for (const char* iso : {"public/cd", "public/none"}) {
    ASSERT_TRUE(
        deployment.admin.call(msg::ChangeNode{.node = {.cluster_id = {"late"}, .name = "late"},
                                              .viewer = as_operator,
                                              .iso_id = msg::ImageId{iso}}));
    world.run_for(seconds{10});
  }
  ASSERT_TRUE(
      deployment.admin.call(msg::RemoveCluster{.cluster_id = {"late"}, .viewer = as_operator}));
  deployment.define("never", 1, "public/never");
  world.run_for(seconds{10});
  ASSERT_TRUE(
      deployment.admin.call(msg::RemoveCluster{.cluster_id = {"never"}, .viewer = as_operator}));
  deployment.define("again", 1);
  world.run_for(minutes{1});
}

std::set<Move> moves_of(const std::string& after) {
  std::set<Move> moves;
  for (const auto& row : read_table("docs/states.md", after)) moves.insert({row[0], row[1]});
  return moves;
}

TEST(StatesPage, HasExactlyTheTransitionsThatHappen) {
  std::map<std::string, std::set<Move>> happened;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    StatesWorld deployment(seed);
    if (seed == 1) exercise_a_late_hypervisor(deployment);
    ASSERT_TRUE(deployment.admin.call(msg::DefineProject{{"p"}}));
    deployment.define("c", 12);
    deployment.world.run_for(seconds{10});
    exercise_computesets(deployment);
    exercise_hibernation(deployment);
    exercise_hosts(deployment);
    exercise_clusters(deployment);
    happened["## Computeset"].merge(deployment.watcher->computesets);
    happened["## Volume"].merge(deployment.watcher->volumes);
    happened["**A cluster's VLAN**"].merge(deployment.watcher->vlans);
    happened["**A host's right"].merge(deployment.watcher->hosts);
  }
  for (const auto& [after, moves] : happened) {
    SCOPED_TRACE(after);
    EXPECT_EQ(moves, moves_of(after));
  }
}

}  // namespace
}  // namespace nucleus::tests
