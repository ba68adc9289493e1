// The scheduler on a real bus and Redis, with the test's own hosts: where nodes are placed, and
// which grants the hosts receive.
#include <gtest/gtest.h>

#include "tests/service/scheduler_room.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using msg::ComputesetState;
using msg::PowerAction;

class Scheduler : public SchedulerRoom {};

TEST_F(Scheduler, PlacesANodeOnTheHostWithMostCpusFreeAndGrantsItThere) {
  start();
  Host small(deployment_, "h1", {.cpus = 2});
  Host large(deployment_, "h2", {.cpus = 8});
  ASSERT_TRUE(small.report() && large.report());
  define("c", 0);
  const auto state = power("c-0", PowerAction::poweron);
  ASSERT_TRUE(state) << state.error().detail;
  EXPECT_EQ(state->host_id.value, "h2");
  EXPECT_EQ(state->state, msg::NodeState::nostate);
  const auto grant = large.wait_for_grant("c-0");
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->epoch, 1U);
  EXPECT_TRUE(grant->is_on);
  EXPECT_EQ(grant->peers.size(), 1U);
  ASSERT_TRUE(large.report_domain(*grant, msg::DomainState::running));
  EXPECT_TRUE(becomes("c", 0, msg::NodeState::active));
}

TEST_F(Scheduler, RefusesToPowerOnAFrontendWithoutRoomOnAnyHost) {
  start();
  define("c", 0, 4);
  EXPECT_EQ(power("c-0", PowerAction::poweron).error().code, ErrorCode::no_capacity);
  Host host(deployment_, "h1", {.cpus = 2});
  ASSERT_TRUE(host.report());
  const auto refused = power("c-0", PowerAction::poweron);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "no host is large enough for this node");
  EXPECT_FALSE(state_of("c").is_desired_on);
}

TEST_F(Scheduler, GivesEachPlacementANewEpochAndEndsItWithItsDomain) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 0);
  for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) {
    ASSERT_TRUE(power("c-0", PowerAction::poweron));
    const auto grant = host.wait_for_grant("c-0", epoch);
    ASSERT_TRUE(grant);
    EXPECT_EQ(grant->epoch, epoch);
    ASSERT_TRUE(host.report_domain(*grant, msg::DomainState::running));
    ASSERT_TRUE(becomes("c", 0, msg::NodeState::active));
    ASSERT_TRUE(host.report_domain(*grant, msg::DomainState::crashed, "the kernel panicked"));
    ASSERT_TRUE(becomes("c", 0, msg::NodeState::crashed));
    EXPECT_EQ(state_of("c").reason, "the kernel panicked");
    EXPECT_FALSE(state_of("c").is_desired_on) << "it is not started again by itself";
    EXPECT_EQ(state_of("c").host_id.value, "");
  }
}

TEST_F(Scheduler, IgnoresEventsOfAnEarlierEpochAndOfAnotherProvisioner) {
  start();
  Host host(deployment_, "h1");
  Host stranger(deployment_, "h2", {.cpus = 1});
  ASSERT_TRUE(host.report() && stranger.report());
  define("c", 0);
  ASSERT_TRUE(power("c-0", PowerAction::poweron));
  auto grant = host.wait_for_grant("c-0");
  ASSERT_TRUE(grant);
  ASSERT_TRUE(host.report_domain(*grant, msg::DomainState::running));
  ASSERT_TRUE(becomes("c", 0, msg::NodeState::active));
  auto early = *grant;
  early.epoch = 0;
  ASSERT_TRUE(host.report_domain(early, msg::DomainState::crashed));
  ASSERT_TRUE(stranger.report_domain(*grant, msg::DomainState::crashed, "", "h1"));
  define("barrier", 0);
  EXPECT_EQ(state_of("c").state, msg::NodeState::active);
}

TEST_F(Scheduler, RefusesAHeartbeatForAHostOfAnotherProvisioner) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  Host impostor(deployment_, "h2");
  for (const char* process : {"provisioner/h1", "provisioner/h2"}) {
    const auto refused = impostor.report({.host_id = {"h1"}, .process = process});
    ASSERT_FALSE(refused) << process;
    EXPECT_EQ(refused.error().code, ErrorCode::forbidden) << process;
  }
  const auto hosts = ask(msg::ListHosts{});
  ASSERT_TRUE(hosts);
  ASSERT_EQ(hosts->hosts.size(), 1U);
}

TEST_F(Scheduler, RefusesAHeartbeatWithFieldsOutOfRange) {
  start();
  Host host(deployment_, "h1");
  for (const auto& report :
       {msg::ReportHost{.host_id = {"../x"}, .process = "provisioner/../x"},
        msg::ReportHost{.host_id = {"h1"}, .process = ""},
        msg::ReportHost{.host_id = {"h1"}, .process = std::string(200, 'x')}}) {
    const auto refused = host.report(report);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  }
  auto none = host.a_report();
  none.cpus = 0;
  EXPECT_EQ(host.report(none).error().field, "cpus");
  const auto refused = [&](auto change) {
    auto report = host.a_report();
    change(report);
    const auto replied = host.report(report);
    return replied ? std::string{} : replied.error().field;
  };
  const std::string large(65, 'x');
  EXPECT_EQ(refused([&](msg::ReportHost& one) { one.boot_id = large; }), "boot_id");
  EXPECT_EQ(refused([&](msg::ReportHost& one) { one.driver = large; }), "driver");
  EXPECT_EQ(refused([&](msg::ReportHost& one) { one.accelerator = large; }), "accelerator");
  EXPECT_EQ(refused([&](msg::ReportHost& one) { one.log_id = large; }), "log_id");
  EXPECT_EQ(refused([&](msg::ReportHost& one) { one.release = "\x1b[2J"; }), "release");
  EXPECT_EQ(refused([&](msg::ReportHost& one) { one.reason = std::string(1025, 'x'); }), "reason");
  EXPECT_EQ(refused([&](msg::ReportHost& one) { one.memory_mb = UINT64_MAX; }), "memory_mb");
  EXPECT_EQ(refused([&](msg::ReportHost& one) { one.unix_ms = INT64_MIN; }), "unix_ms");
  EXPECT_EQ(refused([&](msg::ReportHost& one) { one.reason = std::string(1024, 'x'); }), "");
}

TEST_F(Scheduler, ReportsAHypervisorThatDoesNotAnswerAndThatItAnswersAgain) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 0);
  ASSERT_TRUE(power("c-0", PowerAction::poweron));
  const auto grant = host.wait_for_grant("c-0");
  ASSERT_TRUE(grant);
  ASSERT_TRUE(host.report_domain(*grant, msg::DomainState::running));
  ASSERT_TRUE(becomes("c", 0, msg::NodeState::active));
  auto hung = host.a_report();
  hung.is_reachable = false;
  hung.reason = "libvirtd does not answer";
  ASSERT_TRUE(host.report(hung));
  EXPECT_EQ(state_of("c").state, msg::NodeState::nostate_error);
  EXPECT_EQ(state_of("c").reason, "host h1: libvirtd does not answer");
  ASSERT_TRUE(host.report());
  EXPECT_EQ(state_of("c").state, msg::NodeState::active);
}

TEST_F(Scheduler, SendsTheCompleteListToARestartedHost) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 0);
  ASSERT_TRUE(power("c-0", PowerAction::poweron));
  ASSERT_TRUE(host.wait_for_grant("c-0"));
  auto restarted = host.a_report();
  restarted.boot_id = "another";
  ASSERT_TRUE(host.report(restarted));
  ASSERT_TRUE(eventually([&] {
    const auto list = host.last_complete();
    return list && list->boot_id == "another";
  }));
  EXPECT_EQ(host.last_complete()->grants.size(), 1U);
}

TEST_F(Scheduler, RefusesASecondMachineThatReportsTheSameHost) {
  start();
  Host host(deployment_, "h1");
  auto own = host.a_report();
  own.machine_id = "one";
  ASSERT_TRUE(host.report(own));
  define("c", 0);
  ASSERT_TRUE(power("c-0", PowerAction::poweron));
  ASSERT_TRUE(host.wait_for_grant("c-0"));
  auto other = own;
  other.machine_id = "two";
  other.boot_id = "of the other";
  const auto refused = host.report(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::conflict);
  restart();  // it is recorded
  ASSERT_TRUE(eventually([&] { return host.report(own).has_value(); }));
  const auto again = host.report(other);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::conflict);
  ASSERT_TRUE(eventually([&] {
    const auto list = host.last_complete();
    return list && list->machine_id == "one";
  })) << "grants name the machine that they are for";
}

TEST_F(Scheduler, SendsTheCompleteListToAHostThatLags) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 0);
  ASSERT_TRUE(power("c-0", PowerAction::poweron));
  ASSERT_TRUE(host.wait_for_grant("c-0"));
  auto behind = host.a_report();
  behind.revision = 0;
  ASSERT_TRUE(eventually([&] {
    (void)host.report(behind);
    const auto list = host.last_complete();
    return list && list->grants.size() == 1;
  }));
}

TEST_F(Scheduler, PlacesNothingOnADrainedHost) {
  start();
  Host host(deployment_, "h1");
  ASSERT_TRUE(host.report());
  define("c", 0);
  ASSERT_TRUE(ask(msg::DrainHost{.host_id = {"h1"}, .is_drained = true, .reason = "a new fan"}));
  EXPECT_EQ(power("c-0", PowerAction::poweron).error().code, ErrorCode::no_capacity);
  auto hosts = ask(msg::ListHosts{});
  ASSERT_TRUE(hosts);
  EXPECT_EQ(hosts->hosts[0].state, msg::HostState::drained);
  EXPECT_EQ(hosts->hosts[0].reason, "a new fan");
  restart();
  ASSERT_TRUE(host.report());
  EXPECT_EQ(power("c-0", PowerAction::poweron).error().code, ErrorCode::no_capacity);
  ASSERT_TRUE(ask(msg::DrainHost{.host_id = {"h1"}, .is_drained = false}));
  EXPECT_TRUE(power("c-0", PowerAction::poweron));
  EXPECT_EQ(ask(msg::DrainHost{.host_id = {"h9"}}).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace nucleus::tests
