// What the scheduler makes of what hosts report about isolation.
#include "services/scheduler/plan/isolation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/scheduler/states/wait.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::IsolationState;

struct IsolationDeployment : SmallDeployment {
  Shown report(const std::string& host, const msg::HostIsolation& isolation) {
    return apply(plan_host_report(view,
                                  {.host_id = {host},
                                   .process = "provisioner/" + host,
                                   .cpus = 4,
                                   .memory_mb = 100'000,
                                   .isolation = isolation},
                                  now_unix_ms));
  }
  Shown report_fault(const std::string& host, const std::string& cluster,
                     const std::string& node = {}) {
    return report(host, {.state = IsolationState::broken,
                         .reason = "port x: wrong",
                         .checked_age_ms = 100,
                         .faults = {{.port = "x",
                                     .node_id = {node},
                                     .cluster_id = {cluster},
                                     .reason = "wrong",
                                     .is_quarantined = true}}});
  }
  msg::ClusterIsolation isolation(const std::string& cluster) const {
    return isolation_of(view, {}, *view.cluster({cluster}));
  }
};

const msg::HostIsolation verified{.state = IsolationState::verified, .checked_age_ms = 1'000};

TEST(HostIsolation, InDoubtTakesNoNodeUntilItIsVerified) {
  IsolationDeployment small;
  small.report("h1", {.state = IsolationState::unchecked, .reason = "no switch"});
  small.add_cluster("c", 1);
  const auto id = small.start("c", 1);
  EXPECT_EQ(small.computeset(id).computeset.state, msg::ComputesetState::submitted);
  EXPECT_EQ(small.computeset(id).wait.reason, WaitReason::hosts_in_doubt);
  EXPECT_EQ(small.computeset(id).computeset.reason,
            "the isolation of all hosts that are up is in doubt");
  const auto host = status_of(*small.view.host({"h1"}), {});
  EXPECT_EQ(host.state, msg::HostState::up);
  EXPECT_EQ(host.reason, "it takes no nodes: isolation unchecked: no switch");
  auto plan = plan_host_report(small.view,
                               {.host_id = {"h1"},
                                .process = "provisioner/h1",
                                .cpus = 4,
                                .memory_mb = 100'000,
                                .isolation = verified},
                               small.now_unix_ms);
  EXPECT_TRUE(plan.wants_pass);
  small.apply(std::move(plan));
  small.pass();
  EXPECT_EQ(small.host_of("c-1"), "h1");
  EXPECT_EQ(status_of(*small.view.host({"h1"}), {}).reason, "");
}

TEST(HostIsolation, InDoubtLetsAPowerOnWait) {
  IsolationDeployment small;
  small.report("h1", {.state = IsolationState::unchecked, .reason = "no switch"});
  small.add_cluster("c", 1);
  ASSERT_TRUE(small.power("c-0", msg::PowerAction::poweron));
  EXPECT_EQ(small.host_of("c-0"), "");
  EXPECT_EQ(text_of(small.node("c-0").wait), "the isolation of all hosts that are up is in doubt");
  small.report("h1", verified);
  small.pass();
  EXPECT_EQ(small.host_of("c-0"), "h1");
}

TEST(HostIsolation, IsUncheckedIfItsLastCheckIsOld) {
  IsolationDeployment small;
  auto old = verified;
  old.checked_age_ms = msg::isolation_age_ms_max + 1;
  small.report("h1", old);
  EXPECT_EQ(small.view.host({"h1"})->isolation, IsolationState::unchecked);
  small.report("h1", verified);
  EXPECT_EQ(small.view.host({"h1"})->isolation, IsolationState::verified);
}

TEST(HostIsolation, IsNotAskedOfEarlierReleasesAndSimulatedHosts) {
  IsolationDeployment small;
  small.report("h1", {});
  EXPECT_TRUE(is_open(*small.view.host({"h1"})));
  small.report("h1", {.state = IsolationState::simulated});
  EXPECT_TRUE(is_open(*small.view.host({"h1"})));
}

TEST(HostIsolation, ThatDoesNotChangeIsNotWritten) {
  IsolationDeployment small;
  small.report_fault("h1", "c");
  EXPECT_TRUE(small.report_fault("h1", "c").hosts.empty());
  const auto plan = plan_host_report(small.view,
                                     {.host_id = {"h1"},
                                      .process = "provisioner/h1",
                                      .cpus = 4,
                                      .memory_mb = 100'000,
                                      .isolation = {.state = IsolationState::broken,
                                                    .reason = "port x: wrong",
                                                    .checked_age_ms = 1'500,
                                                    .faults = {{.port = "x",
                                                                .cluster_id = {"c"},
                                                                .reason = "wrong",
                                                                .is_quarantined = true}}}},
                                     small.now_unix_ms);
  EXPECT_TRUE(plan.empty());
}

TEST(ClusterIsolation, IsReportedWhenItBreaksAndWhenItHoldsAgain) {
  IsolationDeployment small;
  small.report("h1", verified);
  small.add_cluster("c", 1);
  small.start("c", 1);
  small.observe("c-1", msg::DomainState::running);
  EXPECT_EQ(small.isolation("c").state, IsolationState::verified);
  const auto first_unix_s = small.isolation("c").since_unix_s;
  EXPECT_EQ(first_unix_s, small.now_unix_s());

  small.pass_time_s(100);
  auto shown = small.report_fault("h1", "c", "c-1");
  ASSERT_EQ(shown.isolations.size(), 1U);
  EXPECT_EQ(shown.isolations[0].state, IsolationState::broken);
  EXPECT_EQ(shown.isolations[0].since_unix_s, small.now_unix_s());
  EXPECT_EQ(shown.isolations[0].project_id.value, "p");
  ASSERT_EQ(shown.nodes.size(), 1U) << "its owner sees that a port is closed";
  EXPECT_EQ(shown.nodes[0].reason, "a port of it is closed: wrong");
  EXPECT_EQ(small.isolation("c").state, IsolationState::broken);

  small.pass_time_s(100);
  shown = small.report("h1", verified);
  ASSERT_EQ(shown.isolations.size(), 1U);
  EXPECT_EQ(shown.isolations[0].state, IsolationState::verified);
  EXPECT_EQ(shown.isolations[0].since_unix_s, small.now_unix_s());
  EXPECT_EQ(small.isolation("c").since_unix_s, small.now_unix_s());
}

TEST(ClusterIsolation, IsNotBrokenByAFaultOfAnotherClusterOnItsHost) {
  IsolationDeployment small;
  small.report("h1", verified);
  small.add_cluster("c", 1);
  small.add_cluster("d", 1);
  small.start("c", 1);
  const auto shown = small.report_fault("h1", "d");
  ASSERT_EQ(shown.isolations.size(), 1U);
  EXPECT_EQ(shown.isolations[0].cluster_id.value, "d");
  EXPECT_EQ(small.isolation("c").state, IsolationState::verified);
}

TEST(ClusterIsolation, IsUnknownWithoutANodeOnAHostAndUncheckedIfAHostIs) {
  IsolationDeployment small;
  small.report("h1", verified);
  small.add_cluster("c", 1);
  EXPECT_EQ(small.isolation("c").state, IsolationState::unknown);
  small.start("c", 1);
  small.report("h1", {.state = IsolationState::unchecked, .reason = "no switch"});
  EXPECT_EQ(small.isolation("c").state, IsolationState::unchecked);
  small.report("h1", {.state = IsolationState::simulated});
  EXPECT_EQ(small.isolation("c").state, IsolationState::simulated);
}

TEST(ClusterIsolation, ForgetsTheFaultsOfAHostThatIsLost) {
  IsolationDeployment small;
  small.report("h1", verified);
  small.add_cluster("c", 1);
  small.report_fault("h1", "c");
  EXPECT_TRUE(small.view.cluster({"c"})->is_isolation_broken);
  small.lose("h1");
  EXPECT_FALSE(small.view.cluster({"c"})->is_isolation_broken);
}

TEST(ClusterIsolation, OfAChangedClusterIsKept) {
  IsolationDeployment small;
  small.report("h1", verified);
  small.add_cluster("c", 1);
  small.report_fault("h1", "c");
  small.apply(plan_cluster_defined(
      small.view, {.cluster = {.cluster_id = {"c"}, .project_id = {"p"}, .description = "new"}},
      small.now_unix_ms));
  EXPECT_TRUE(small.view.cluster({"c"})->is_isolation_broken);
}

}  // namespace
}  // namespace nucleus::scheduler
