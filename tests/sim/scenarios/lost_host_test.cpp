// A lost host takes its domains with it: its nodes run elsewhere, and none runs twice.
#include "tests/sim/scenarios/scenario.hpp"

namespace nucleus::tests {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class LostHost : public Scenario {};

/// Found by a seed: the last node of an ending computeset was on the lost host.
TEST_F(LostHost, EndsAComputesetThatIsEndingOnIt) {
  auto& deployment = deploy({.host_count = 1, .host_cpus = 8, .host_memory_mb = 8192});
  define("c", 2);
  const auto started =
      ask(msg::StartComputeset{.cluster_id = {"c"}, .viewer = as_operator, .count = 2});
  ASSERT_TRUE(started);
  wait(seconds{5});
  deployment.cut_power(0);
  ASSERT_TRUE(ask(msg::PowerComputeset{.computeset_id = started->computeset_id,
                                       .viewer = as_operator,
                                       .action = msg::PowerAction::poweroff}));
  EXPECT_TRUE(eventually(
      [&] { return state_of(started->computeset_id) == msg::ComputesetState::completed; }));
  deployment.start(deployment.process_of(0));
  wait(minutes{2});
  expect_settled();
}

/// Found by a seed: the record of a removed node stayed, and a new node of its name got it.
TEST_F(LostHost, ForgetsTheNodesOfAClusterRemovedWhileTheyWereOnIt) {
  auto& deployment = deploy({.host_count = 1, .host_cpus = 8, .host_memory_mb = 8192});
  const auto nodes = define("c", 0);
  power_on(nodes[0]);
  deployment.cut_power(0);
  ASSERT_TRUE(ask(msg::RemoveCluster{.cluster_id = {"c"}, .viewer = as_operator}));
  EXPECT_TRUE(eventually([&] { return deployment.invariants.nodes().all().empty(); }));
  deployment.start(deployment.process_of(0));
  deployment.start("scheduler");
  const auto anew = define("c", 0);
  wait(minutes{1});
  const auto states = ask(msg::ListNodeStatuses{.viewer = as_operator, .cluster_id = {"c"}});
  ASSERT_TRUE(states);
  ASSERT_EQ(states->nodes.size(), 1U);
  EXPECT_EQ(states->nodes[0].node_id, anew[0]);
}

TEST_F(LostHost, EndsAComputesetAndForgetsARemovedClusterWithoutAnAnswerFromIt) {
  auto& deployment = deploy({.host_count = 1, .host_cpus = 8, .host_memory_mb = 8192});
  define("c", 2);
  const auto frontend = define("d", 0)[0];
  const auto started =
      ask(msg::StartComputeset{.cluster_id = {"c"}, .viewer = as_operator, .count = 2});
  ASSERT_TRUE(started);
  ASSERT_EQ(started->state, msg::ComputesetState::running);
  power_on(frontend);
  deployment.world.cut_off(deployment.process_of(0), true);
  ASSERT_TRUE(ask(msg::PowerComputeset{.computeset_id = started->computeset_id,
                                       .viewer = as_operator,
                                       .action = msg::PowerAction::poweroff}));
  ASSERT_TRUE(ask(msg::RemoveCluster{.cluster_id = {"d"}, .viewer = as_operator}));
  EXPECT_TRUE(eventually(
      [&] { return state_of(started->computeset_id) == msg::ComputesetState::completed; }));
  EXPECT_TRUE(eventually(
      [&] { return ask(msg::ListNodeStatuses{.viewer = as_operator})->nodes.size() == 3; }));
}

/// Before its lease ends, nothing but the nodes' shown state changes.
TEST_F(LostHost, IsUnreachableFirst) {
  auto& deployment = deploy({.host_count = 1, .host_cpus = 8, .host_memory_mb = 8192});
  const auto nodes = define("c", 0);
  deployment.world.cut_off(deployment.process_of(0), true);
  ASSERT_TRUE(ask(msg::PowerNode{
      .node = {.node_id = nodes[0]}, .viewer = as_operator, .action = msg::PowerAction::poweron}));
  wait(seconds{3});
  const auto states = ask(msg::ListNodeStatuses{.viewer = as_operator, .cluster_id = {"c"}});
  ASSERT_TRUE(states);
  ASSERT_EQ(states->nodes.size(), 1U);
  EXPECT_EQ(states->nodes[0].state, msg::NodeState::nostate_error);
  EXPECT_EQ(states->nodes[0].reason, "host h0: no heartbeat for over 1700 ms");
  EXPECT_EQ(states->nodes[0].host_id.value, "h0");
  EXPECT_TRUE(states->nodes[0].is_desired_on);
}

TEST_F(LostHost, MovesItsNodesOnlyAfterItsLeaseEnds) {
  auto& deployment = deploy();
  const auto nodes = define("c", 0);
  power_on(nodes[0]);
  const auto first = host_of(nodes[0]);
  deployment.world.cut_off(deployment.process_of(first), true);
  wait(core::Milliseconds{deployment.shape().host_lease_ms - 1000});
  EXPECT_EQ(node(nodes[0]).state, msg::NodeState::nostate_error);
  EXPECT_EQ(host_of(nodes[0]), first);
  EXPECT_EQ(hosts_running(nodes[0]).size(), 1U) << "it runs on while the lease lasts";
  ASSERT_TRUE(eventually([&] { return node(nodes[0]).state == msg::NodeState::active; }));
  EXPECT_NE(host_of(nodes[0]), first);
  EXPECT_EQ(hosts_running(nodes[0]).size(), 1U);
  deployment.world.cut_off(deployment.process_of(first), false);
  wait(minutes{1});
  expect_settled();
}

/// Found by a seed: a commit was pending when the host was disconnected, so its store was loading
/// and its lease was no longer checked.
TEST_F(LostHost, StopsItsDomainsWhenItHasLostItsStoreToo) {
  auto& deployment = deploy();
  const auto nodes = define("c", 0);
  const auto more = define("d", 0);
  power_on(nodes[0]);
  power_on(more[0]);
  const auto first = host_of(nodes[0]);
  deployment.world.cut_off(deployment.process_of(first), true);
  // The end of a domain must be recorded; that commit fails, and the store is unavailable.
  for (const auto& [name, spec] : deployment.hypervisor(first).running())
    if (name.ends_with(more[0].value)) deployment.hypervisor(first).fake().crash(name);
  ASSERT_TRUE(eventually([&] {
    return node(nodes[0]).state == msg::NodeState::active && host_of(nodes[0]) != first;
  }));
  EXPECT_EQ(hosts_running(nodes[0]).size(), 1U);
  deployment.world.cut_off(deployment.process_of(first), false);
  wait(minutes{1});
  expect_settled();
}

/// Found by a seed: the new process had no lease and waited forever for its first answer.
TEST_F(LostHost, StopsItsDomainsWhenItsProvisionerWasKilledMeanwhile) {
  auto& deployment = deploy();
  const auto nodes = define("c", 0);
  power_on(nodes[0]);
  const auto first = host_of(nodes[0]);
  deployment.world.cut_off(deployment.process_of(first), true);
  wait(seconds{5});
  deployment.start(deployment.process_of(first));
  ASSERT_TRUE(eventually([&] {
    return node(nodes[0]).state == msg::NodeState::active && host_of(nodes[0]) != first;
  }));
  EXPECT_EQ(hosts_running(nodes[0]).size(), 1U);
  deployment.world.cut_off(deployment.process_of(first), false);
  wait(minutes{1});
  expect_settled();
}

/// Found by a seed: the complete list of grants arrived before the answer that renewed the lease.
TEST_F(LostHost, RecoversWhicheverMessageArrivesFirst) {
  auto& deployment = deploy({.host_count = 1, .host_cpus = 8, .host_memory_mb = 8192});
  const auto nodes = define("c", 0);
  power_on(nodes[0]);
  for (int round = 0; round < 10; ++round) {
    deployment.world.cut_off(deployment.process_of(0), true);
    wait(core::Milliseconds{2 * deployment.shape().host_lease_ms});
    EXPECT_TRUE(hosts_running(nodes[0]).empty());
    deployment.world.cut_off(deployment.process_of(0), false);
    ASSERT_TRUE(eventually([&] { return node(nodes[0]).state == msg::NodeState::active; }))
        << round;
  }
  wait(minutes{1});
  expect_settled();
}

/// A node that was powered off while its host was disconnected is off; the other one is placed
/// elsewhere, with a new epoch.
TEST_F(LostHost, GivesOnlyNodesThatAreDesiredOnToAnother) {
  auto& deployment = deploy();
  std::map<std::size_t, std::vector<msg::NodeId>> nodes_of_host;
  for (const char* cluster : {"c", "d", "e"}) {
    const auto nodes = define(cluster, 0);
    power_on(nodes[0]);
    nodes_of_host[host_of(nodes[0])].push_back(nodes[0]);
  }
  const auto shared = std::ranges::find_if(
      nodes_of_host, [](const auto& entry) { return entry.second.size() >= 2; });
  ASSERT_NE(shared, nodes_of_host.end()) << "three nodes are on two hosts";
  const auto first = shared->first;
  const auto& [kept, stopped] = std::pair{shared->second[0], shared->second[1]};
  const auto epoch = node(kept).epoch;
  deployment.world.cut_off(deployment.process_of(first), true);
  ASSERT_TRUE(ask(msg::PowerNode{
      .node = {.node_id = stopped}, .viewer = as_operator, .action = msg::PowerAction::poweroff}));
  ASSERT_TRUE(eventually(
      [&] { return node(kept).state == msg::NodeState::active && host_of(kept) != first; }));
  EXPECT_EQ(node(kept).epoch, epoch + 1);
  ASSERT_TRUE(eventually([&] { return node(stopped).host_id.empty(); }));
  EXPECT_EQ(node(stopped).state, msg::NodeState::shutoff);
  EXPECT_EQ(node(stopped).reason, "host h" + std::to_string(first) + " was lost");
  EXPECT_EQ(hosts_running(kept), std::set{"h" + std::to_string(host_of(kept))});
  std::optional<msg::ApplyGrants> complete;  // the last list that the first host receives
  const auto observe = std::exchange(deployment.world.on_sent, {});
  deployment.world.on_sent = [&](const std::string& process, const core::Frames& frames) {
    observe(process, frames);
    if (frames.topic != msg::ApplyGrants::topic ||
        frames.envelope.kind != msg::MessageKind::request)
      return;
    auto list = msg::decode<msg::ApplyGrants>(frames.body);
    if (list.is_complete && list.host_id.value == "h" + std::to_string(first))
      complete = std::move(list);
  };
  deployment.world.cut_off(deployment.process_of(first), false);
  wait(minutes{1});
  deployment.world.on_sent = observe;
  ASSERT_TRUE(complete);
  EXPECT_TRUE(complete->grants.empty());
  EXPECT_TRUE(hosts_running(stopped).empty());
  expect_settled();
}

/// Redis returns without data: running domains keep running.
TEST_F(LostHost, EndsNoDomainWhenRedisLosesItsData) {
  auto& deployment = deploy();
  const auto nodes = define("c", 0);
  power_on(nodes[0]);
  const auto more = define("d", 2);
  ASSERT_TRUE(ask(msg::StartComputeset{.cluster_id = {"d"}, .viewer = as_operator, .count = 2}));
  wait(seconds{10});
  const auto before = deployment.invariants.running();
  ASSERT_EQ(before.size(), 3U);
  deployment.world.empty_redis();
  for (int second = 0; second < 120; ++second) {
    wait(seconds{1});
    for (const auto& name : deployment.names())
      if (!deployment.is_running(name) || second == 30) deployment.start(name);
  }
  EXPECT_EQ(deployment.invariants.running(), before);
}

}  // namespace
}  // namespace nucleus::tests
