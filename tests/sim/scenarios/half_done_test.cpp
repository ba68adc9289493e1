// What was done halfway when something failed is seen, recorded and told in the end.
#include "tests/sim/scenarios/scenario.hpp"

namespace nucleus::tests {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class HalfDone : public Scenario {};

/// Found by a seed: the node stayed `nostate: cannot be started` while its domain ran.
TEST_F(HalfDone, ADomainThatRunsThoughTheDriverSaidNoIsActive) {
  auto& deployment = deploy();
  const auto nodes = define("c", 0);
  for (std::size_t host = 0; host < deployment.host_count(); ++host)
    deployment.hypervisor(host).faults.fails_after = 1000;
  ASSERT_TRUE(ask(msg::PowerNode{.node_id = nodes[0], .action = msg::PowerAction::poweron}));
  EXPECT_TRUE(comes_to_be([&] { return node(nodes[0]).state == msg::NodeState::active; }));
  EXPECT_EQ(node(nodes[0]).reason, "");
}

/// Found by a seed: the domain was begun under grants whose record was lost with the link; when the
/// grants came again, it was there already, and nobody recorded that it runs.
TEST_F(HalfDone, ADomainThatWasSeenBeforeItsGrantWasKnownIsActive) {
  auto& deployment = deploy({.host_count = 1, .host_cpus = 8, .host_memory_mb = 8192});
  const auto nodes = define("c", 0);
  auto& world = deployment.world;
  ASSERT_TRUE(ask(msg::PowerNode{.node_id = nodes[0], .action = msg::PowerAction::poweron}));
  // The provisioner loses its link again and again while it takes the grant and begins the domain.
  const auto end_ms = world.now_ms() + 3'000;
  while (world.now_ms() < end_ms) {
    world.faults.commit_lost = 500;
    world.run_for(core::Milliseconds{20});
  }
  world.faults = {};
  EXPECT_TRUE(comes_to_be([&] { return node(nodes[0]).state == msg::NodeState::active; }));
  wait(minutes{1});
  expect_settled();
}

/// Found by a seed: one that was asked twice to end was told twice to be ending.
TEST_F(HalfDone, AComputesetThatIsAskedTwiceToEndIsToldOnce) {
  deploy();
  define("c", 2);
  const auto started = ask(msg::StartComputeset{.cluster_id = {"c"}, .count = 2});
  ASSERT_TRUE(started);
  wait(seconds{5});
  for (std::size_t host = 0; host < deployment_->host_count(); ++host)
    deployment_->hypervisor(host).fake().make_guests_deaf(true);
  const auto end = [&](msg::PowerAction action) {
    return ask(msg::PowerComputeset{.computeset_id = started->computeset_id, .action = action});
  };
  ASSERT_TRUE(end(msg::PowerAction::shutdown));
  ASSERT_TRUE(end(msg::PowerAction::shutdown));
  ASSERT_TRUE(end(msg::PowerAction::poweroff));
  EXPECT_TRUE(comes_to_be(
      [&] { return state_of(started->computeset_id) == msg::ComputesetState::completed; }));
}

/// A walltime ends a computeset though every service is restarted in the middle of it.
TEST_F(HalfDone, AWalltimeEndsAComputesetThoughAllServicesAreRestarted) {
  auto& deployment = deploy();
  define("c", 2);
  const auto started =
      ask(msg::StartComputeset{.cluster_id = {"c"}, .count = 2, .walltime_mins = 1});
  ASSERT_TRUE(started);
  wait(seconds{58});
  for (const auto& name : deployment.names()) deployment.start(name);
  EXPECT_TRUE(comes_to_be(
      [&] { return state_of(started->computeset_id) == msg::ComputesetState::completed; },
      seconds{30}));
  wait(minutes{1});
  expect_settled();
}

/// A scheduler that was stopped beyond every lease, and goes on beside its successor.
TEST_F(HalfDone, ASchedulerThatWasTakenOverChangesNothingMore) {
  auto& deployment = deploy();
  const auto nodes = define("c", 0);
  power_on(nodes[0]);
  const auto epoch = node(nodes[0]).epoch;
  deployment.take_over("scheduler");
  wait(core::Milliseconds{3 * deployment.shape().host_lease_ms});
  deployment.resume_all();
  wait(minutes{1});
  EXPECT_EQ(node(nodes[0]).epoch, epoch) << "the old one holds every host for lost, and may not";
  EXPECT_EQ(node(nodes[0]).state, msg::NodeState::active);
  expect_settled();
}

/// Every process of a deployment is killed at once, again and again.
TEST_F(HalfDone, APowerCutOfAllServicesLosesNothingThatWasAccepted) {
  auto& deployment = deploy();
  const auto nodes = define("c", 4);
  for (int round = 0; round < 20; ++round) {
    const bool is_on = round % 2 == 0;
    ASSERT_TRUE(ask(
        msg::PowerNode{.node_id = nodes[0],
                       .action = is_on ? msg::PowerAction::poweron : msg::PowerAction::poweroff}));
    wait(core::Milliseconds{static_cast<std::int64_t>(deployment.world.pick(300))});
    for (const auto& name : deployment.names()) deployment.kill(name);
    wait(core::Milliseconds{100});
    for (const auto& name : deployment.names()) deployment.start(name);
    ASSERT_TRUE(comes_to_be([&] {
      return node(nodes[0]).is_desired_on == is_on &&
             (node(nodes[0]).state == msg::NodeState::active) == is_on;
    })) << round;
  }
  wait(minutes{1});
  expect_settled();
}

}  // namespace
}  // namespace nucleus::tests
