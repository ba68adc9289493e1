// The whole deployment is stopped, by `nucleus down` or a power failure, and started much later.
#include "tests/sim/scenarios/scenario.hpp"

namespace nucleus::tests {
namespace {

using msg::ComputesetState;
using std::chrono::hours;
using std::chrono::seconds;

class DownAndUp : public Scenario {
 protected:
  std::int64_t now_unix_s() const {
    return (SimLoop::unix_epoch_ms + deployment_->world.now_ms()) / 1000;
  }
  void go_down() {
    for (const auto& name : deployment_->names()) deployment_->kill(name);
    for (std::size_t i = 0; i < deployment_->host_processes().size(); ++i)
      deployment_->hypervisor(i).fake().vanish();
  }
  void come_up() {
    for (const auto& name : deployment_->names()) deployment_->start(name);
  }
};

TEST_F(DownAndUp, EndsComputesetsAndChargesThemForTheTimeTheyRan) {
  for (const bool is_one_provisioner : {false, true}) {
    deploy({.host_count = 2,
            .is_one_provisioner = is_one_provisioner,
            .host_cpus = 8,
            .host_memory_mb = 8192});
    const auto nodes = define("c", 3);
    const auto started =
        ask(msg::StartComputeset{.cluster_id = {"c"}, .viewer = as_operator, .count = 3});
    ASSERT_TRUE(started);
    const auto id = started->computeset_id;
    wait(seconds{100});
    ASSERT_EQ(state_of(id), ComputesetState::running);
    const std::int64_t down_unix_s = now_unix_s();
    go_down();
    wait(hours{10});
    come_up();
    ASSERT_TRUE(eventually([&] { return state_of(id) == ComputesetState::completed; }));
    const auto listed = ask(msg::ListComputesets{.viewer = as_operator, .computeset_id = id});
    ASSERT_TRUE(listed);
    EXPECT_LE(listed->computesets[0].end_unix_s, down_unix_s);
    EXPECT_GE(listed->computesets[0].end_unix_s, down_unix_s - 2);
    wait(seconds{60});
    expect_settled();
  }
}

TEST_F(DownAndUp, StartsAWaitingComputesetWhenHostsAreUp) {
  deploy({.host_count = 1, .host_cpus = 2, .host_memory_mb = 8192});
  const auto nodes = define("c", 4);
  ASSERT_TRUE(ask(msg::StartComputeset{.cluster_id = {"c"}, .viewer = as_operator, .count = 2}));
  const auto waiting =
      ask(msg::StartComputeset{.cluster_id = {"c"}, .viewer = as_operator, .count = 2});
  ASSERT_TRUE(waiting);
  wait(seconds{30});
  ASSERT_EQ(state_of(waiting->computeset_id), ComputesetState::submitted);
  go_down();
  wait(hours{1});
  come_up();
  ASSERT_TRUE(
      eventually([&] { return state_of(waiting->computeset_id) == ComputesetState::running; }));
  wait(seconds{60});
  expect_settled();
}

}  // namespace
}  // namespace nucleus::tests
