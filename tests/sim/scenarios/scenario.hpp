// The fixture of every scenario: a deployment without faults, a cluster whose nodes can be placed,
// and a check of the invariants at the end.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "tests/support/clusters.hpp"
#include "tests/support/sim/deployment.hpp"

namespace nucleus::tests {

class Scenario : public testing::Test {
 protected:
  void SetUp() override {
    before_ = spdlog::get_level();
    spdlog::set_level(spdlog::level::off);
  }
  void TearDown() override {
    spdlog::set_level(before_);
    if (!deployment_) return;
    for (const auto& what : deployment_->invariants.broken()) ADD_FAILURE() << what;
  }

  SimDeployment& deploy(SimShape shape = {
                            .host_count = 2, .host_cpus = 8, .host_memory_mb = 8192}) {
    deployment_ = std::make_unique<SimDeployment>(1, shape);
    deployment_->world.on_stepped = [this] {
      deployment_->end_fenced();
      deployment_->check_views();
    };
    wait(std::chrono::seconds{3});
    EXPECT_TRUE(ask(msg::DefineProject{{"p"}}));
    return *deployment_;
  }
  template <class Request>
  core::Result<typename Request::Reply> ask(const Request& request) {
    return deployment_->admin.call(request);
  }
  void wait(core::Milliseconds time) { deployment_->world.run_for(time); }
  bool eventually(const std::function<bool()>& condition,
                  core::Milliseconds time = std::chrono::minutes{5}) {
    return deployment_->world.run_until(condition, time);
  }

  /// Creates a cluster and waits until its nodes can be placed; the frontend is the first.
  std::vector<msg::NodeId> define(const std::string& cluster, std::uint32_t computes) {
    EXPECT_TRUE(ask(msg::DefineCluster{.cluster_id = {cluster},
                                       .project_id = {"p"},
                                       .allocations = {{"a"}},
                                       .compute_count = computes}));
    wait(std::chrono::seconds{5});
    const auto whole = whole_cluster([&](const auto& request) { return ask(request); }, cluster);
    std::vector<msg::NodeId> nodes;
    if (whole)
      for (const auto& node : whole->nodes) nodes.push_back(node.node_id);
    return nodes;
  }
  const scheduler::StoredNode& node(const msg::NodeId& id) const {
    static const scheduler::StoredNode none;
    for (const auto& [key, stored] : deployment_->invariants.nodes().all())
      if (stored.definition.node_id == id) return stored;
    return none;
  }
  msg::ComputesetState state_of(msg::ComputesetId id) const {
    for (const auto& [key, stored] : deployment_->invariants.computesets().all())
      if (stored.computeset.computeset_id == id) return stored.computeset.state;
    return msg::ComputesetState::unknown;
  }
  /// The number of the node's host: 0 is h0.
  std::size_t host_of(const msg::NodeId& id) const {
    return static_cast<std::size_t>(std::stoul(node(id).host_id.value.substr(1)));
  }
  std::set<std::string> hosts_running(const msg::NodeId& id) const {
    const auto running = deployment_->invariants.running();
    const auto found = running.find(id.value);
    return found == running.end() ? std::set<std::string>{} : found->second;
  }
  /// Powers a frontend on, and waits until it is active.
  void power_on(const msg::NodeId& id) {
    const auto reply = ask(msg::PowerNode{
        .node = {.node_id = id}, .viewer = as_operator, .action = msg::PowerAction::poweron});
    ASSERT_TRUE(reply) << reply.error().detail;
    ASSERT_TRUE(eventually([&] { return node(id).state == msg::NodeState::active; }));
  }
  void expect_settled() {
    for (const auto& what : deployment_->invariants.check_settled()) ADD_FAILURE() << what;
  }

  std::unique_ptr<SimDeployment> deployment_ = {};

 private:
  spdlog::level::level_enum before_ = spdlog::level::info;
};

}  // namespace nucleus::tests
