// The scheduler on a real bus and Redis, with clusters as other services report them.
#pragma once

#include <gtest/gtest.h>

#include "services/scheduler/service.hpp"
#include "tests/support/clusters.hpp"
#include "tests/support/hosts.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {

inline core::Result<std::shared_ptr<void>> build_scheduler(core::Runtime& runtime) {
  return std::make_shared<scheduler::Service>(runtime, *scheduler::Config::from(runtime.settings));
}

class SchedulerRoom : public testing::Test {
 protected:
  using Settings = std::map<std::string, std::string>;

  void start(Settings settings = {}) {
    settings_ = std::move(settings);
    settings_.emplace("scheduler.sweep_ms", "10");
    settings_.emplace("scheduler.cpu_overcommit", "1");
    // A loaded machine may be silent for long: silence is tested on the simulation's clock.
    settings_.emplace("scheduler.host_silence_ms", "600000");
    restart();
  }
  void restart() {
    service_.reset();
    service_ = std::make_unique<Process>(deployment_, "scheduler", settings_, build_scheduler);
  }
  template <class Request>
  core::Result<typename Request::Reply> ask(const Request& request,
                                            const std::string& request_id = {}) {
    return caller_.call(request, {.request_id = request_id, .deadline = wait_timeout});
  }

  /// A cluster as registry, network and image store report it: all its nodes can be placed.
  void define(const std::string& cluster, std::uint32_t computes, std::uint32_t cpus = 1) {
    ASSERT_TRUE(registry_.emit(msg::ProjectDefined{{"p"}}));
    ASSERT_TRUE(registry_.emit(msg::ClusterDefined{
        .cluster = {.cluster_id = {cluster}, .project_id = {"p"}, .allocations = {{"a"}}}}));
    for (std::uint32_t i = 0; i <= computes; ++i) {
      const msg::NodeId node_id{cluster + "-" + std::to_string(i)};
      ASSERT_TRUE(registry_.emit(
          msg::NodeDefined{{.node_id = node_id,
                            .cluster_id = {cluster},
                            .project_id = {"p"},
                            .name = node_id.value,
                            .kind = i == 0 ? msg::NodeKind::frontend : msg::NodeKind::compute,
                            .index = i,
                            .cpus = cpus,
                            .memory_mb = 512}}));
      ASSERT_TRUE(
          image_store_.emit(msg::VolumePlaced{.volume = {.node_id = node_id}, .is_ready = true}));
      ASSERT_TRUE(network_.emit(
          msg::PortsLeased{.node_id = node_id,
                           .cluster_id = {cluster},
                           .project_id = {"p"},
                           .ports = {{.mac = "52:54:00:00:00:01", .ip = "10.0.0.1"}}}));
    }
    // The last event is the last node's ports: the scheduler handled all events once it lists them.
    ASSERT_TRUE(eventually([&] {
      const auto states =
          ask(msg::ListNodeStatuses{.viewer = as_operator, .cluster_id = {cluster}});
      return states && states->nodes.size() == computes + 1 &&
             !states->nodes.back().ports.empty() && states->nodes.back().reason.empty();
    }));
  }
  msg::NodeStatus state_of(const std::string& cluster, std::size_t index = 0) {
    const auto states = ask(msg::ListNodeStatuses{.viewer = as_operator, .cluster_id = {cluster}});
    return states && states->nodes.size() > index ? states->nodes[index] : msg::NodeStatus{};
  }
  bool becomes(const std::string& cluster, std::size_t index, msg::NodeState state) {
    return eventually([&] { return state_of(cluster, index).state == state; });
  }
  core::Result<msg::NodeStatus> power(const std::string& node, msg::PowerAction action) {
    return ask(
        msg::PowerNode{.node = {.node_id = {node}}, .viewer = as_operator, .action = action});
  }
  msg::Computeset computeset(msg::ComputesetId id) {
    const auto listed = ask(msg::ListComputesets{.viewer = as_operator, .computeset_id = id});
    return listed ? listed->computesets[0] : msg::Computeset{};
  }

  Deployment deployment_ = {};
  StandIn registry_{deployment_, "registry"};
  StandIn network_{deployment_, "network"};
  StandIn image_store_{deployment_, "image_store"};
  Process caller_{deployment_, "caller"};
  Settings settings_ = {};
  std::unique_ptr<Process> service_ = {};
};

}  // namespace nucleus::tests
