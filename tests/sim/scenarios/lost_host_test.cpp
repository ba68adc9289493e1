// A host that is lost takes its domains with it: what stood on it goes on without it, and nothing
// runs twice.
#include "tests/sim/scenarios/scenario.hpp"

namespace nucleus::tests {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class LostHost : public Scenario {};

/// Found by a seed: the last node of an ending computeset was on the host that was lost.
TEST_F(LostHost, EndsAComputesetThatWasEndingOnIt) {
  auto& deployment = deploy({.host_count = 1, .host_cpus = 8, .host_memory_mb = 8192});
  define("c", 2);
  const auto started = ask(msg::StartComputeset{.cluster_id = {"c"}, .count = 2});
  ASSERT_TRUE(started);
  wait(seconds{5});
  deployment.cut_power(0);
  ASSERT_TRUE(ask(msg::PowerComputeset{.computeset_id = started->computeset_id,
                                       .action = msg::PowerAction::poweroff}));
  EXPECT_TRUE(comes_to_be(
      [&] { return state_of(started->computeset_id) == msg::ComputesetState::completed; }));
  deployment.start(deployment.process_of(0));
  wait(minutes{2});
  expect_settled();
}

/// Found by a seed: its record stayed for ever, and would have been its successor's by name.
TEST_F(LostHost, ForgetsTheNodesOfAClusterThatWasRemovedWhileTheyStoodOnIt) {
  auto& deployment = deploy({.host_count = 1, .host_cpus = 8, .host_memory_mb = 8192});
  const auto nodes = define("c", 0);
  power_on(nodes[0]);
  deployment.cut_power(0);
  ASSERT_TRUE(ask(msg::RemoveCluster{.cluster_id = {"c"}, .viewer = as_operator}));
  EXPECT_TRUE(comes_to_be([&] { return deployment.invariants.nodes().all().empty(); }));
  deployment.start(deployment.process_of(0));
  deployment.start("scheduler");
  const auto anew = define("c", 0);
  wait(minutes{1});
  const auto states = ask(msg::ListNodeStatuses{.cluster_id = {"c"}});
  ASSERT_TRUE(states);
  ASSERT_EQ(states->nodes.size(), 1U);
  EXPECT_EQ(states->nodes[0].node_id, anew[0]);
}

TEST_F(LostHost, GivesItsNodesToAnotherOnlyAfterItsLease) {
  auto& deployment = deploy();
  const auto nodes = define("c", 0);
  power_on(nodes[0]);
  const auto first = host_of(nodes[0]);
  deployment.world.cut_off(deployment.process_of(first), true);
  wait(core::Milliseconds{deployment.shape().host_lease_ms - 1000});
  EXPECT_EQ(node(nodes[0]).state, msg::NodeState::nostate_error);
  EXPECT_EQ(host_of(nodes[0]), first);
  EXPECT_EQ(hosts_running(nodes[0]).size(), 1U) << "it runs on while the lease lasts";
  ASSERT_TRUE(comes_to_be([&] { return node(nodes[0]).state == msg::NodeState::active; }));
  EXPECT_NE(host_of(nodes[0]), first);
  EXPECT_EQ(hosts_running(nodes[0]).size(), 1U);
  deployment.world.cut_off(deployment.process_of(first), false);
  wait(minutes{1});
  expect_settled();
}

/// Found by a seed: a commit was under way when the host was cut off, so its records were being
/// loaded, so nobody looked at its lease any more.
TEST_F(LostHost, StopsItsDomainsThoughItHasLostItsStoreToo) {
  auto& deployment = deploy();
  const auto nodes = define("c", 0);
  const auto more = define("d", 0);
  power_on(nodes[0]);
  power_on(more[0]);
  const auto first = host_of(nodes[0]);
  deployment.world.cut_off(deployment.process_of(first), true);
  // A domain that ends has to be recorded; that cannot land, and the store is lost with it.
  for (const auto& [name, spec] : deployment.hypervisor(first).running())
    if (name.ends_with(more[0].value)) deployment.hypervisor(first).fake().crash(name);
  ASSERT_TRUE(comes_to_be([&] {
    return node(nodes[0]).state == msg::NodeState::active && host_of(nodes[0]) != first;
  }));
  EXPECT_EQ(hosts_running(nodes[0]).size(), 1U);
  deployment.world.cut_off(deployment.process_of(first), false);
  wait(minutes{1});
  expect_settled();
}

/// Found by a seed: the new process knew of no lease, and waited for its first answer for ever.
TEST_F(LostHost, StopsItsDomainsThoughItsProvisionerWasKilledMeanwhile) {
  auto& deployment = deploy();
  const auto nodes = define("c", 0);
  power_on(nodes[0]);
  const auto first = host_of(nodes[0]);
  deployment.world.cut_off(deployment.process_of(first), true);
  wait(seconds{5});
  deployment.start(deployment.process_of(first));
  ASSERT_TRUE(comes_to_be([&] {
    return node(nodes[0]).state == msg::NodeState::active && host_of(nodes[0]) != first;
  }));
  EXPECT_EQ(hosts_running(nodes[0]).size(), 1U);
  deployment.world.cut_off(deployment.process_of(first), false);
  wait(minutes{1});
  expect_settled();
}

/// Found by a seed: the complete list came before the answer that renewed the lease.
TEST_F(LostHost, GoesOnOnceItIsBackWhicheverWordComesFirst) {
  auto& deployment = deploy({.host_count = 1, .host_cpus = 8, .host_memory_mb = 8192});
  const auto nodes = define("c", 0);
  power_on(nodes[0]);
  for (int round = 0; round < 10; ++round) {
    deployment.world.cut_off(deployment.process_of(0), true);
    wait(core::Milliseconds{2 * deployment.shape().host_lease_ms});
    EXPECT_TRUE(hosts_running(nodes[0]).empty());
    deployment.world.cut_off(deployment.process_of(0), false);
    ASSERT_TRUE(comes_to_be([&] { return node(nodes[0]).state == msg::NodeState::active; }))
        << round;
  }
  wait(minutes{1});
  expect_settled();
}

/// Redis comes back with nothing in it: what runs, runs on, though nobody knows of it any more.
TEST_F(LostHost, EndsNothingThoughRedisHasLostAllItHeld) {
  auto& deployment = deploy();
  const auto nodes = define("c", 0);
  power_on(nodes[0]);
  const auto more = define("d", 2);
  ASSERT_TRUE(ask(msg::StartComputeset{.cluster_id = {"d"}, .count = 2}));
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
