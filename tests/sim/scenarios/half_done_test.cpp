// Steps that were interrupted by a fault are eventually observed, recorded and reported.
#include "tests/sim/scenarios/scenario.hpp"

namespace nucleus::tests {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class HalfDone : public Scenario {};

/// Found by a seed: the node stayed `nostate: cannot be started` while its domain ran.
TEST_F(HalfDone, ADomainThatRunsAlthoughTheDriverFailedIsActive) {
  auto& deployment = deploy();
  const auto nodes = define("c", 0);
  for (std::size_t host = 0; host < deployment.host_count(); ++host)
    deployment.hypervisor(host).faults.fails_after = 1000;
  ASSERT_TRUE(ask(msg::PowerNode{
      .node = {.node_id = nodes[0]}, .viewer = as_operator, .action = msg::PowerAction::poweron}));
  EXPECT_TRUE(eventually([&] { return node(nodes[0]).state == msg::NodeState::active; }));
  EXPECT_EQ(node(nodes[0]).reason, "");
}

/// Found by a seed: the record of the grants was lost with the connection after the domain had been
/// created; when the grants were sent again, it was not recorded that the domain runs.
TEST_F(HalfDone, ADomainObservedBeforeItsGrantIsActive) {
  auto& deployment = deploy({.host_count = 1, .host_cpus = 8, .host_memory_mb = 8192});
  const auto nodes = define("c", 0);
  auto& world = deployment.world;
  ASSERT_TRUE(ask(msg::PowerNode{
      .node = {.node_id = nodes[0]}, .viewer = as_operator, .action = msg::PowerAction::poweron}));
  // The provisioner loses its connection repeatedly while it records the grant and creates the
  // domain.
  const auto end_ms = world.now_ms() + 3'000;
  while (world.now_ms() < end_ms) {
    world.faults.commit_lost = 500;
    world.run_for(core::Milliseconds{20});
  }
  world.faults = {};
  EXPECT_TRUE(eventually([&] { return node(nodes[0]).state == msg::NodeState::active; }));
  wait(minutes{1});
  expect_settled();
}

/// Found by a seed: a computeset stopped twice emitted its `ending` event twice.
TEST_F(HalfDone, AComputesetStoppedTwiceEmitsOneEvent) {
  deploy();
  define("c", 2);
  const auto started =
      ask(msg::StartComputeset{.cluster_id = {"c"}, .viewer = as_operator, .count = 2});
  ASSERT_TRUE(started);
  wait(seconds{5});
  for (std::size_t host = 0; host < deployment_->host_count(); ++host)
    deployment_->hypervisor(host).fake().ignore_shutdowns(true);
  const auto end = [&](msg::PowerAction action) {
    return ask(msg::PowerComputeset{
        .computeset_id = started->computeset_id, .viewer = as_operator, .action = action});
  };
  ASSERT_TRUE(end(msg::PowerAction::shutdown));
  ASSERT_TRUE(end(msg::PowerAction::shutdown));
  ASSERT_TRUE(end(msg::PowerAction::poweroff));
  EXPECT_TRUE(eventually(
      [&] { return state_of(started->computeset_id) == msg::ComputesetState::completed; }));
}

/// Every service is restarted before the walltime ends.
TEST_F(HalfDone, AWalltimeEndsAComputesetAfterAllServicesRestart) {
  auto& deployment = deploy();
  define("c", 2);
  const auto started = ask(msg::StartComputeset{
      .cluster_id = {"c"}, .viewer = as_operator, .count = 2, .walltime_mins = 1});
  ASSERT_TRUE(started);
  wait(seconds{58});
  for (const auto& name : deployment.names()) deployment.start(name);
  EXPECT_TRUE(eventually(
      [&] { return state_of(started->computeset_id) == msg::ComputesetState::completed; },
      seconds{30}));
  wait(minutes{1});
  expect_settled();
}

/// A scheduler is stopped longer than every lease and resumes while its successor runs.
TEST_F(HalfDone, ASchedulerThatWasReplacedChangesNothing) {
  auto& deployment = deploy();
  const auto nodes = define("c", 0);
  power_on(nodes[0]);
  const auto epoch = node(nodes[0]).epoch;
  deployment.take_over("scheduler");
  wait(core::Milliseconds{3 * deployment.shape().host_lease_ms});
  deployment.resume_all();
  wait(minutes{1});
  EXPECT_EQ(node(nodes[0]).epoch, epoch)
      << "the old one considers every host lost, and must not write that";
  EXPECT_EQ(node(nodes[0]).state, msg::NodeState::active);
  expect_settled();
}

/// All processes are killed at the same time, repeatedly.
TEST_F(HalfDone, APowerFailureLosesNothingThatWasAccepted) {
  auto& deployment = deploy();
  const auto nodes = define("c", 4);
  for (int round = 0; round < 20; ++round) {
    const bool is_on = round % 2 == 0;
    ASSERT_TRUE(ask(
        msg::PowerNode{.node = {.node_id = nodes[0]},
                       .viewer = as_operator,
                       .action = is_on ? msg::PowerAction::poweron : msg::PowerAction::poweroff}));
    wait(core::Milliseconds{static_cast<std::int64_t>(deployment.world.pick(300))});
    for (const auto& name : deployment.names()) deployment.kill(name);
    wait(core::Milliseconds{100});
    for (const auto& name : deployment.names()) deployment.start(name);
    ASSERT_TRUE(eventually([&] {
      return node(nodes[0]).is_desired_on == is_on &&
             (node(nodes[0]).state == msg::NodeState::active) == is_on;
    })) << round;
  }
  wait(minutes{1});
  expect_settled();
}

}  // namespace
}  // namespace nucleus::tests
