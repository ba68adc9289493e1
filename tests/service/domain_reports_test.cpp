// The reports of provisioners as the scheduler takes them: each once, and from a hostile host
// nothing but the state of its own domains.
#include "tests/service/scheduler_room.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using msg::PowerAction;

using msg::DomainState;

class DomainReports : public SchedulerRoom {
 protected:
  void SetUp() override {
    start();
    ASSERT_TRUE(host_.report() && stranger_.report());
    define("c", 0);
    ASSERT_TRUE(power("c-0", PowerAction::poweron));
    const auto grant = host_.wait_for_grant("c-0");
    ASSERT_TRUE(grant);
    grant_ = *grant;
  }
  msg::ReportDomains a_report(std::uint64_t first, std::vector<msg::DomainChanged> changes) const {
    return {.process = "provisioner/h1",
            .log_id = "log",
            .first_number = first,
            .changes = std::move(changes)};
  }
  /// All that was emitted so far.
  std::vector<msg::DomainChanged> emitted() {
    define("barrier" + std::to_string(++barriers_), 0);
    const std::string barrier = "barrier" + std::to_string(barriers_) + "-0";
    EXPECT_TRUE(events_.next<msg::NodeChanged>(
        [&](const msg::NodeChanged& changed) { return changed.node.node_id.value == barrier; }));
    return events_.all<msg::DomainChanged>();
  }

  Events events_{deployment_};
  Host host_{deployment_, "h1"};
  Host stranger_{deployment_, "h2", {.cpus = 1}};  // too small for the node
  msg::Grant grant_ = {};
  int barriers_ = 0;
};

TEST_F(DomainReports, TakeEffectOnceHoweverOftenTheyAreSent) {
  const auto report = a_report(1, {host_.a_change(grant_, DomainState::running)});
  for (int i = 0; i < 2; ++i) {
    const auto answer = host_.send(report);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->number, 1U);
  }
  restart();
  ASSERT_TRUE(host_.send(report));
  const auto all = emitted();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all.front().state, DomainState::running);
  EXPECT_EQ(state_of("c").state, msg::NodeState::active);
}

TEST_F(DomainReports, PassOverNoStateOfANode) {
  ASSERT_TRUE(host_.send(a_report(1, {host_.a_change(grant_, DomainState::running),
                                      host_.a_change(grant_, DomainState::crashed, "panic")})));
  const auto all = emitted();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].state, DomainState::running);
  EXPECT_EQ(all[1].state, DomainState::crashed);
  EXPECT_TRUE(becomes("c", 0, msg::NodeState::crashed));
}

TEST_F(DomainReports, TakeOnlyTheChangesThatAreNewOfARepeatedList) {
  ASSERT_TRUE(host_.send(a_report(1, {host_.a_change(grant_, DomainState::running)})));
  const auto answer = host_.send(a_report(1, {host_.a_change(grant_, DomainState::running),
                                              host_.a_change(grant_, DomainState::paused)}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->number, 2U);
  EXPECT_EQ(emitted().size(), 2U);
  EXPECT_TRUE(becomes("c", 0, msg::NodeState::paused));
}

TEST_F(DomainReports, OfAHostileHostChangeNothingOfOtherHostsAndTenants) {
  auto lie = host_.a_change(grant_, DomainState::crashed, "killed");
  auto forged = stranger_.a_change(grant_, DomainState::running);  // as if the node ran there
  forged.project_id = {"victim"};
  msg::ReportDomains report{
      .process = "provisioner/h2", .log_id = "log", .first_number = 1, .changes = {lie, forged}};
  const auto answer = stranger_.send(report);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->number, 2U) << "counted, without effect";
  EXPECT_TRUE(emitted().empty());
  report.process = "provisioner/h1";
  const auto refused = stranger_.send(report);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::forbidden);
  EXPECT_EQ(refused.error().field, "process");
  EXPECT_TRUE(emitted().empty());
}

TEST_F(DomainReports, BelongToTheProjectThatTheSchedulerKnows) {
  auto change = host_.a_change(grant_, DomainState::running);
  change.project_id = {"victim"};
  change.cluster_id = {"other"};
  ASSERT_TRUE(host_.send(a_report(1, {change})));
  const auto all = emitted();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all.front().project_id.value, "p");
  EXPECT_EQ(all.front().cluster_id.value, "c");
  EXPECT_TRUE(events_.topics().contains("p/c/provisioner.domain-changed"));
}

TEST_F(DomainReports, WithFieldsOutOfRangeAreRefusedByName) {
  const auto change = host_.a_change(grant_, DomainState::running);
  auto long_reason = change;
  long_reason.reason = std::string(1025, 'x');
  const std::vector<std::pair<std::string, msg::ReportDomains>> cases = {
      {"first_number", a_report(0, {change})},
      {"first_number", a_report(UINT64_MAX, {change})},
      {"changes", a_report(1, {})},
      {"changes", a_report(1, std::vector(1001, change))},
      {"changes", a_report(1, {long_reason})},
      {"log_id", {.process = "provisioner/h1", .first_number = 1, .changes = {change}}}};
  for (const auto& [field, report] : cases) {
    const auto refused = host_.send(report);
    ASSERT_FALSE(refused) << field;
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument) << field;
    EXPECT_EQ(refused.error().field, field);
  }
  EXPECT_TRUE(emitted().empty());
}

TEST_F(DomainReports, AreRequestedAgainIfTheSchedulerDoesNotKnowWhatItAcknowledged) {
  ASSERT_TRUE(host_.send(a_report(1, {host_.a_change(grant_, DomainState::running)})));
  auto heartbeat = host_.a_report();
  heartbeat.log_id = "log";
  heartbeat.reported = 1;
  auto lease = host_.report(heartbeat);
  ASSERT_TRUE(lease);
  EXPECT_FALSE(lease->must_report_all);
  heartbeat.reported = 2;
  lease = host_.report(heartbeat);
  ASSERT_TRUE(lease);
  EXPECT_TRUE(lease->must_report_all);
  heartbeat.log_id = "another";
  heartbeat.reported = 1;
  EXPECT_TRUE(host_.report(heartbeat)->must_report_all);
  heartbeat.reported = 0;
  EXPECT_FALSE(host_.report(heartbeat)->must_report_all);
}

}  // namespace
}  // namespace nucleus::tests
