// Computesets whose memory is saved and which go on later: states, charges, and where they resume.
#include "services/scheduler/plan/hibernation.hpp"

#include <gmock/gmock.h>

#include "services/scheduler/plan/budgets.hpp"
#include "services/scheduler/plan/disk_work.hpp"
#include "services/scheduler/plan/walltime.hpp"
#include "services/scheduler/usage.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using msg::ComputesetState;
using msg::DomainState;
using msg::HibernationOutcome;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Computeset of `c-1` and `c-2`, one core each and an hour long, on `h1`.
struct Hibernation : OneCluster {
  Hibernation() {
    id = small.start("c", 2);
    run();
  }
  void run() {
    for (const char* node : {"c-1", "c-2"}) small.observe(node, DomainState::running);
  }
  core::Result<void> hibernate() {
    auto plan =
        plan_hibernate(small.view, {.computeset_id = id, .viewer = as_operator}, small.now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    small.apply(std::move(*plan));
    return {};
  }
  core::Result<void> resume(bool discards_memory = false) {
    auto plan = plan_resume(
        small.view, small.backend,
        {.computeset_id = id, .viewer = as_operator, .discards_memory = discards_memory},
        small.now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    small.apply(std::move(*plan));
    return {};
  }
  /// The provisioner reports what became of the node's hibernation.
  void report(const std::string& node, DomainState state, HibernationOutcome outcome,
              const std::string& reason = {}) {
    auto report = small.a_report({{node, state}});
    report.changes.front().hibernation = outcome;
    report.changes.front().reason = reason;
    report.changes.front().memory_bytes = outcome == HibernationOutcome::saved ? 512 << 20 : 0;
    small.apply(plan_domain_report(small.view, report, small.now_unix_ms));
  }
  void save(const std::string& node) {
    report(node, DomainState::shutoff, HibernationOutcome::saved);
  }
  void hibernate_and_save() {
    ASSERT_TRUE(hibernate());
    for (const char* node : {"c-1", "c-2"}) save(node);
  }
  ComputesetState state() const { return small.computeset(id).computeset.state; }
  const std::string& reason() const { return small.computeset(id).computeset.reason; }
  std::int64_t used_core_s() const {
    return charged_core_s(small.computeset(id), small.now_unix_s());
  }

  msg::ComputesetId id = 0;
};

TEST_F(Hibernation, AsksTheHostsToSaveEachNodeUnderAnIdOfItsOwn) {
  ASSERT_TRUE(hibernate());
  EXPECT_EQ(state(), ComputesetState::hibernating);
  const auto grant = grant_of(small.node("c-1"), small.view);
  EXPECT_FALSE(grant.is_on);
  EXPECT_EQ(grant.hibernation_id, "1-1");
  EXPECT_GT(grant.stop_by_unix_ms, small.now_unix_ms);
  save("c-1");
  EXPECT_EQ(state(), ComputesetState::hibernating) << "until the last one is off";
  save("c-2");
  EXPECT_EQ(state(), ComputesetState::hibernated);
  EXPECT_EQ(small.used("h1"), Resources{}) << "its hosts are free";
  EXPECT_EQ(status_of(small.node("c-1"), nullptr).saved_memory_bytes, 512U << 20);
  EXPECT_EQ(small.node("c-1").computeset_id, id);
}

TEST_F(Hibernation, IsChargedUntilTheLastNodeIsOffAndAgainFromThePlacementOn) {
  small.pass_time_s(100);
  ASSERT_TRUE(hibernate());
  save("c-1");
  small.pass_time_s(10);
  save("c-2");
  EXPECT_EQ(used_core_s(), 2 * 110) << "both nodes, until the last one is off";
  small.pass_time_s(5 * 86'400);
  EXPECT_EQ(used_core_s(), 2 * 110) << "nothing while it is hibernated";
  const auto entry = usage_of(small.view, small.computeset(id), {}, small.now_unix_s());
  EXPECT_EQ(entry.elapsed_s, 110);
  ASSERT_TRUE(resume());
  EXPECT_EQ(state(), ComputesetState::running);
  small.pass_time_s(50);
  EXPECT_EQ(used_core_s(), 2 * 160);
  const auto& computeset = small.computeset(id).computeset;
  EXPECT_EQ(computeset.hibernated_s, 5 * 86'400);
  EXPECT_EQ(computeset.hibernated_unix_s, 0);
}

TEST_F(Hibernation, DelaysTheEndOfTheWalltimeAndChargesAllOfItInTheEnd) {
  const auto most = charge_core_s_max(small.computeset(id));
  EXPECT_EQ(most, 2 * 3'600);
  const auto end_unix_s = walltime_end_unix_s(small.computeset(id).computeset);
  small.pass_time_s(600);
  hibernate_and_save();
  EXPECT_EQ(charge_core_s_max(small.computeset(id)), most) << "the rest stays reserved";
  small.pass_time_s(7'200);
  small.sweep();
  EXPECT_EQ(state(), ComputesetState::hibernated) << "its walltime does not pass meanwhile";
  ASSERT_TRUE(resume());
  EXPECT_EQ(walltime_end_unix_s(small.computeset(id).computeset), end_unix_s + 7'200);
  EXPECT_EQ(charge_core_s_max(small.computeset(id)), most);
  run();
  small.pass_time_s(2'999);
  small.sweep();
  EXPECT_EQ(state(), ComputesetState::running);
  small.pass_time_s(1);
  small.sweep();
  EXPECT_EQ(state(), ComputesetState::ending);
  small.end_stopping();
  EXPECT_FALSE(small.view.computeset(id));
  EXPECT_EQ(small.view.allocation({"a"})->allocation.used_core_s, most);
}

TEST_F(Hibernation, ResumesANodeOnlyOnTheHostThatHasItsMemory) {
  small.add_host("h2", 128);
  hibernate_and_save();
  small.pass_time_s(60);
  small.drain("h1");
  ASSERT_TRUE(resume());
  EXPECT_EQ(state(), ComputesetState::submitted);
  EXPECT_THAT(reason(), HasSubstr("its memory is on host h1, which is drained"));
  small.drain("h1", false);
  small.pass();
  EXPECT_EQ(state(), ComputesetState::running);
  EXPECT_EQ(small.host_of("c-1"), "h1");
  EXPECT_EQ(grant_of(small.node("c-1"), small.view).hibernation_id, "1-1");
  EXPECT_EQ(small.node("c-1").epoch, 2U);
}

TEST_F(Hibernation, WaitsForALostHostUntilTheMemoryIsDiscarded) {
  small.add_host("h2", 128);
  hibernate_and_save();
  small.lose("h1");
  ASSERT_TRUE(resume());
  EXPECT_THAT(reason(), HasSubstr("its memory is on host h1, which is lost"));
  EXPECT_EQ(resume().error().code, ErrorCode::wrong_state) << "it waits already";
  ASSERT_TRUE(resume(true));
  EXPECT_EQ(state(), ComputesetState::running);
  EXPECT_EQ(small.host_of("c-1"), "h2");
  EXPECT_EQ(grant_of(small.node("c-1"), small.view).hibernation_id, "");
}

TEST_F(Hibernation, PredictsTheStartIfItsHostHasNoRoom) {
  hibernate_and_save();
  const auto other = small.submit(1, 64, 30);
  EXPECT_EQ(small.computeset(other).computeset.state, ComputesetState::running);
  ASSERT_TRUE(resume());
  EXPECT_EQ(state(), ComputesetState::submitted);
  EXPECT_EQ(reason(), "host h1 has no room now");
  EXPECT_EQ(small.computeset(id).computeset.predicted_start_unix_s,
            small.now_unix_s() + 30 * minute_s);
}

TEST_F(Hibernation, SaysWhichNodesHaveNoMemoryAndBootsThem) {
  ASSERT_TRUE(hibernate());
  save("c-1");
  report("c-2", DomainState::shutoff, HibernationOutcome::failed, "no space left");
  EXPECT_EQ(state(), ComputesetState::hibernated);
  EXPECT_EQ(reason(), "without the memory of vm-c-2, which will boot from disk");
  ASSERT_TRUE(resume());
  EXPECT_EQ(grant_of(small.node("c-1"), small.view).hibernation_id, "1-1");
  EXPECT_EQ(grant_of(small.node("c-2"), small.view).hibernation_id, "");
}

TEST_F(Hibernation, SaysThatANodeHasBootedBecauseItsMemoryFailed) {
  hibernate_and_save();
  ASSERT_TRUE(resume());
  report("c-1", DomainState::running, HibernationOutcome::resumed);
  EXPECT_EQ(reason(), "");
  report("c-2", DomainState::absent, HibernationOutcome::failed, "cannot be started: no bridge");
  EXPECT_EQ(reason(), "") << "it has not booted yet";
  report("c-2", DomainState::running, HibernationOutcome::failed, "its saved memory is damaged");
  EXPECT_EQ(reason(), "vm-c-2 has booted from its disk: its saved memory is damaged");
  for (const char* node : {"c-1", "c-2"}) EXPECT_FALSE(has_memory(small.node(node)));
}

TEST_F(Hibernation, KeepsNoMemoryThatAHostMayHaveUsed) {
  hibernate_and_save();
  ASSERT_TRUE(resume());
  EXPECT_TRUE(has_memory(small.node("c-1"))) << "until it runs";
  small.lose("h1");
  for (const char* node : {"c-1", "c-2"}) EXPECT_FALSE(has_memory(small.node(node)));
}

TEST_F(Hibernation, CompletesAtOnceWhenItIsEndedAndForgetsItsMemory) {
  small.pass_time_s(100);
  hibernate_and_save();
  small.pass_time_s(1'000);
  small.end(id);
  EXPECT_FALSE(small.view.computeset(id));
  EXPECT_EQ(small.view.allocation({"a"})->allocation.used_core_s, 2 * 100);
  EXPECT_FALSE(has_memory(small.node("c-1")));
  EXPECT_EQ(small.node("c-1").computeset_id, 0);
  EXPECT_THAT(memories_kept(small.view, *small.view.host({"h1"})).memories, IsEmpty());
}

TEST_F(Hibernation, IsChargedForWhatItHasRunWhenItEndsWhileItWaitsToGoOn) {
  small.pass_time_s(100);
  hibernate_and_save();
  small.drain("h1");
  ASSERT_TRUE(resume());
  small.pass_time_s(1'000);
  small.end(id);
  EXPECT_FALSE(small.view.computeset(id));
  EXPECT_EQ(small.view.allocation({"a"})->allocation.used_core_s, 2 * 100);
}

TEST_F(Hibernation, EndsWhileItsMemoryIsSavedWithoutThatMemory) {
  ASSERT_TRUE(hibernate());
  save("c-1");
  small.end(id);
  EXPECT_EQ(state(), ComputesetState::ending);
  EXPECT_EQ(grant_of(small.node("c-2"), small.view).hibernation_id, "");
  save("c-2");
  EXPECT_FALSE(small.view.computeset(id));
  for (const char* node : {"c-1", "c-2"}) EXPECT_FALSE(has_memory(small.node(node)));
}

TEST_F(Hibernation, OfNodesThatAreOffIsOverAtOnceAndBootsThemLater) {
  for (const char* node : {"c-1", "c-2"})
    ASSERT_TRUE(small.power(node, msg::PowerAction::poweroff));
  small.end_stopping();
  ASSERT_TRUE(hibernate());
  EXPECT_EQ(state(), ComputesetState::hibernated);
  ASSERT_TRUE(resume());
  EXPECT_EQ(state(), ComputesetState::running);
  EXPECT_TRUE(small.node("c-1").is_grant_on);
}

TEST_F(Hibernation, IsRefusedUnlessItRuns) {
  EXPECT_EQ(resume().error().detail, "computeset 1 is not hibernated");
  ASSERT_TRUE(hibernate());
  EXPECT_EQ(hibernate().error().detail, "computeset 1 is not running");
  EXPECT_EQ(resume().error().detail, "computeset 1 is still being hibernated");
  EXPECT_EQ(small.power("c-1", msg::PowerAction::poweron).error().code, ErrorCode::wrong_state);
}

TEST_F(Hibernation, IsRefusedOfNodesThatAreStillBeingResumed) {
  hibernate_and_save();
  ASSERT_TRUE(resume());
  EXPECT_THAT(hibernate().error().detail, HasSubstr("node vm-c-1 is still being resumed"));
  for (const char* node : {"c-1", "c-2"})
    report(node, DomainState::running, HibernationOutcome::resumed);
  ASSERT_TRUE(hibernate());
  EXPECT_EQ(grant_of(small.node("c-1"), small.view).hibernation_id, "1-2");
}

TEST_F(Hibernation, ProtectsTheDiskThatTheMemoryBelongsTo) {
  small.give_disk({"c-1"});
  hibernate_and_save();
  const auto refused = plan_disk_work(
      small.view,
      {.node = {.node_id = {"c-1"}}, .viewer = as_operator, .kind = msg::DiskWorkKind::save}, "w",
      small.now_unix_ms);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("vm-c-1 is hibernated"));
}

TEST_F(Hibernation, LetsItsWalltimeBeChangedAndRefusesToGoOnWithoutAny) {
  small.pass_time_s(600);
  hibernate_and_save();
  small.pass_time_s(86'400);
  const auto change = [&](std::int64_t mins) {
    return plan_change_walltime(small.view,
                                {.computeset_id = id, .viewer = as_operator, .walltime_mins = mins},
                                small.now_unix_ms);
  };
  EXPECT_THAT(change(10).error().detail, HasSubstr("has run for 10 minutes already"));
  small.apply(*change(11));
  ASSERT_TRUE(resume());
  EXPECT_EQ(walltime_end_unix_s(small.computeset(id).computeset), small.now_unix_s() + 60);
}

TEST_F(Hibernation, LosesANodeThatIsRemovedAndIsChargedLessThen) {
  hibernate_and_save();
  small.apply(
      plan_node_removed(small.view, {.node = small.node("c-2").definition}, small.now_unix_ms));
  EXPECT_EQ(state(), ComputesetState::hibernated);
  ASSERT_TRUE(resume());
  small.pass_time_s(10);
  EXPECT_EQ(used_core_s(), 10) << "one core";
}

TEST_F(Hibernation, FollowsABudgetWhichAlsoRefusesToResume) {
  small.apply(*plan_allocation(
      small.view,
      {.allocation_id = {"a"},
       .project_id = {"p"},
       .limit_core_s = 10'000,
       .budget =
           std::vector<msg::BudgetStep>{{.percent = 10, .action = msg::BudgetAction::hibernate}}},
      small.now_unix_ms));
  small.pass_time_s(499);
  small.apply(plan_budgets(small.view, small.now_unix_ms));
  EXPECT_EQ(state(), ComputesetState::running);
  small.pass_time_s(1);
  small.apply(plan_budgets(small.view, small.now_unix_ms));
  EXPECT_EQ(state(), ComputesetState::hibernating);
  EXPECT_EQ(reason(), "allocation a has used 10 % of its limit");
  for (const char* node : {"c-1", "c-2"}) save(node);
  small.apply(plan_budgets(small.view, small.now_unix_ms));
  EXPECT_EQ(state(), ComputesetState::hibernated);
  EXPECT_THAT(resume().error().detail, HasSubstr("nothing new is started"));
}

TEST_F(Hibernation, TellsAHostWhatToKeep) {
  hibernate_and_save();
  const auto kept = memories_kept(small.view, *small.view.host({"h1"}));
  ASSERT_EQ(kept.memories.size(), 2U);
  EXPECT_EQ(kept.memories[0], (msg::SavedMemory{{"c-1"}, "1-1"}));
  EXPECT_EQ(kept.log_id, "log");
  EXPECT_EQ(kept.reported, small.view.reporter("provisioner/h1")->number);
}

}  // namespace
}  // namespace nucleus::scheduler
