// Clock skew: one host is an hour ahead of the head, the other an hour behind.
#include "tests/sim/scenarios/scenario.hpp"

namespace nucleus::tests {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::int64_t hour_ms = 3'600'000;

class ClockSkew : public Scenario {
 protected:
  /// Two hosts with room for one node each.
  SimDeployment& deploy_skewed() {
    return deploy({.host_count = 2,
                   .host_cpus = 1,
                   .host_memory_mb = 8192,
                   .shutdown_ms = 10'000,
                   .clock_skew_ms = hour_ms});
  }
};

TEST_F(ClockSkew, IsShownInTheListOfHosts) {
  deploy_skewed();
  const auto hosts = ask(msg::ListHosts{});
  ASSERT_TRUE(hosts);
  ASSERT_EQ(hosts->hosts.size(), 2U);
  EXPECT_EQ(hosts->hosts[0].state, msg::HostState::up);
  EXPECT_EQ(hosts->hosts[1].state, msg::HostState::up);
  EXPECT_NEAR(static_cast<double>(hosts->hosts[0].clock_skew_ms), hour_ms, 1'000);
  EXPECT_NEAR(static_cast<double>(hosts->hosts[1].clock_skew_ms), -hour_ms, 1'000);
}

TEST_F(ClockSkew, LeavesAGuestItsTimeToShutDownAndNoMore) {
  auto& deployment = deploy_skewed();
  for (const auto* cluster : {"c", "d"}) {
    const auto node_id = define(cluster, 0)[0];
    power_on(node_id);
    deployment.hypervisor(host_of(node_id)).fake().ignore_shutdowns(true);
    ASSERT_TRUE(ask(msg::PowerNode{.node = {.node_id = node_id},
                                   .viewer = as_operator,
                                   .action = msg::PowerAction::shutdown}));
    wait(seconds{8});
    EXPECT_EQ(hosts_running(node_id).size(), 1U) << cluster;
    wait(seconds{8});
    EXPECT_TRUE(hosts_running(node_id).empty()) << cluster;
    power_on(node_id);  // it keeps its host busy, so that the other cluster gets the other one
  }
}

TEST_F(ClockSkew, DoesNotChangeWhatIsChargedForWhatEndedUnwatched) {
  for (const bool are_hosts_first : {false, true}) {
    auto& deployment = deploy({.host_count = 2,
                               .host_cpus = 1,
                               .host_memory_mb = 8192,
                               .host_lease_ms = 60'000,
                               .clock_skew_ms = hour_ms});
    define("c", 2);
    const auto started =
        ask(msg::StartComputeset{.cluster_id = {"c"}, .viewer = as_operator, .count = 2});
    ASSERT_TRUE(started);
    wait(minutes{2});
    const auto gone_unix_s = deployment.admin.bus().context().now_unix_s();
    // The whole deployment is down for longer than a lease.
    deployment.kill("scheduler");
    for (std::size_t host = 0; host < 2; ++host) deployment.cut_power(host);
    wait(minutes{2});
    if (!are_hosts_first) deployment.start("scheduler");
    for (const auto& name : deployment.host_processes()) deployment.start(name);
    // Without an answer, the hosts find that their leases are over, and that nothing runs.
    if (are_hosts_first) wait(seconds{5});
    if (are_hosts_first) deployment.start("scheduler");
    ASSERT_TRUE(eventually(
        [&] { return state_of(started->computeset_id) == msg::ComputesetState::completed; }));
    for (const auto& [key, stored] : deployment.invariants.computesets().all())
      EXPECT_NEAR(static_cast<double>(stored.computeset.end_unix_s),
                  static_cast<double>(gone_unix_s), 3.0);
  }
}

}  // namespace
}  // namespace nucleus::tests
