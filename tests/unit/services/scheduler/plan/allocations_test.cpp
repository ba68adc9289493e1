// Who pays, and up to which limit.
#include "services/scheduler/plan/allocations.hpp"

#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using msg::DomainState;

struct Allocations : OneCluster {
  Allocations() { define_project("p"); }
  void define_project(const std::string& id) {
    small.apply(plan_project_defined(small.view, {{id}}, small.now_unix_ms));
  }
  void remove_project(const std::string& id) {
    small.apply(plan_project_removed(small.view, {{id}}, small.now_unix_ms));
  }
  ErrorCode define(const msg::DefineAllocation& request) {
    auto plan = plan_allocation(small.view, request, small.now_unix_ms);
    if (!plan) return plan.error().code;
    small.apply(std::move(*plan));
    return ErrorCode::unknown;
  }
  ErrorCode start() {
    const auto started =
        small.start(msg::StartComputeset{.cluster_id = {"c"}, .count = 1, .walltime_mins = 60});
    return started ? ErrorCode::unknown : started.error().code;
  }
  const msg::Allocation& allocation() { return small.view.allocation({"a"})->allocation; }
};

TEST_F(Allocations, KeepTheirLimitUntilAnotherIsGiven) {
  ASSERT_EQ(define({.allocation_id = {"a"}, .project_id = {"p"}, .limit_core_s = 9}),
            ErrorCode::unknown);
  ASSERT_EQ(define({.allocation_id = {"a"}, .project_id = {"p"}}), ErrorCode::unknown);
  EXPECT_EQ(allocation().limit_core_s, 9);
  EXPECT_EQ(start(), ErrorCode::wrong_state);
  ASSERT_EQ(define({.allocation_id = {"a"}, .project_id = {"p"}, .is_closed = false}),
            ErrorCode::unknown);
  EXPECT_EQ(allocation().limit_core_s, 0) << "no limit";
  EXPECT_EQ(start(), ErrorCode::unknown);
}

TEST_F(Allocations, AreNamedToAClusterThatHasNone) {
  small.apply(plan_cluster_defined(
      small.view, {.cluster = {.cluster_id = {"c"}, .project_id = {"p"}}}, small.now_unix_ms));
  for (const char* named : {"", "a"}) {
    const auto refused = small.start(msg::StartComputeset{
        .cluster_id = {"c"}, .count = 1, .allocation_id = {named}, .walltime_mins = 60});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().detail,
              "Cluster c has no allocation: set one with comet allocation CLUSTER NAME.");
  }
}

TEST_F(Allocations, PayForNothingWhileTheyAreClosed) {
  ASSERT_EQ(define({.allocation_id = {"a"}, .project_id = {"p"}, .is_closed = true}),
            ErrorCode::unknown);
  EXPECT_EQ(start(), ErrorCode::wrong_state);
  ASSERT_EQ(define({.allocation_id = {"a"}, .project_id = {"p"}}), ErrorCode::unknown);
  EXPECT_EQ(start(), ErrorCode::wrong_state) << "it stays closed";
  ASSERT_EQ(define({.allocation_id = {"a"}, .project_id = {"p"}, .limit_core_s = 3600}),
            ErrorCode::unknown);
  EXPECT_EQ(start(), ErrorCode::unknown) << "a limit opens it";
}

TEST_F(Allocations, DoNotPayForAProjectThatTheyWereTakenFrom) {
  define_project("q");
  ASSERT_EQ(define({.allocation_id = {"a"}, .project_id = {"p"}}), ErrorCode::unknown);
  ASSERT_EQ(define({.allocation_id = {"a"}, .project_id = {"q"}}), ErrorCode::unknown);
  EXPECT_EQ(start(), ErrorCode::invalid_argument);
  const auto named = small.start(msg::StartComputeset{
      .cluster_id = {"c"}, .count = 1, .allocation_id = {"a"}, .walltime_mins = 60});
  ASSERT_FALSE(named);
  EXPECT_EQ(named.error().field, "allocation_id");
}

TEST_F(Allocations, AreOfProjectsThatExist) {
  const auto refused = plan_allocation(small.view, {.allocation_id = {"b"}, .project_id = {"none"}},
                                       small.now_unix_ms);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_found);
  EXPECT_EQ(refused.error().field, "project_id");
  EXPECT_EQ(refused.error().detail, "no such project: none");
  define_project("q");
  EXPECT_EQ(define({.allocation_id = {"b"}, .project_id = {"q"}}), ErrorCode::unknown);
  remove_project("q");
  EXPECT_EQ(define({.allocation_id = {"b"}, .project_id = {"q"}}), ErrorCode::not_found);
  EXPECT_EQ(define({.allocation_id = {"c"}, .project_id = {"q"}}), ErrorCode::not_found);
  EXPECT_EQ(small.view.allocation({"b"})->allocation.project_id.value, "") << "of no project";
}

TEST_F(Allocations, OfAProjectThatNeverExistedMakeItNoProjectAndCanBeCorrected) {
  // As a scheduler that did not check projects stored it.
  Plan stored;
  stored.changes.allocations[{"old"}] =
      StoredAllocation{.allocation = {.allocation_id = {"old"}, .project_id = {"none"}}};
  small.apply(std::move(stored));
  EXPECT_EQ(define({.allocation_id = {"b"}, .project_id = {"none"}}), ErrorCode::not_found);
  EXPECT_EQ(define({.allocation_id = {"old"}, .project_id = {"none"}}), ErrorCode::not_found);
  const auto named = small.start(msg::StartComputeset{
      .cluster_id = {"c"}, .count = 1, .allocation_id = {"old"}, .walltime_mins = 60});
  EXPECT_FALSE(named) << "it pays for nothing";
  EXPECT_EQ(define({.allocation_id = {"old"}, .project_id = {"p"}}), ErrorCode::unknown);
  EXPECT_EQ(small.view.allocation({"old"})->allocation.project_id.value, "p");
}

TEST_F(Allocations, ThatARemovedProjectWasChargedForPayForNothingElse) {
  ASSERT_EQ(define({.allocation_id = {"a"}, .project_id = {"p"}}), ErrorCode::unknown);
  const auto id = small.start("c", 1);
  small.end(id);
  small.pass_time_s(10);
  small.observe("c-1", DomainState::shutoff);
  small.apply(
      plan_cluster_removed(small.view, {.cluster = {.cluster_id = {"c"}}}, small.now_unix_ms));
  remove_project("p");
  define_project("q");
  EXPECT_EQ(define({.allocation_id = {"a"}, .project_id = {"q"}}), ErrorCode::wrong_state);
  EXPECT_EQ(define({.allocation_id = {"a"}, .project_id = {"p"}}), ErrorCode::not_found);
}

TEST_F(Allocations, StayWithTheProjectThatTheyWereChargedFor) {
  define_project("q");
  ASSERT_EQ(define({.allocation_id = {"a"}, .project_id = {"p"}}), ErrorCode::unknown);
  const auto id = small.start("c", 1);
  EXPECT_EQ(define({.allocation_id = {"a"}, .project_id = {"q"}}), ErrorCode::wrong_state)
      << "a running computeset will charge it";
  small.end(id);
  small.pass_time_s(10);
  small.observe("c-1", DomainState::shutoff);
  ASSERT_EQ(allocation().used_core_s, 10);
  EXPECT_EQ(define({.allocation_id = {"a"}, .project_id = {"q"}}), ErrorCode::wrong_state);
  EXPECT_EQ(allocation().project_id.value, "p");
}

}  // namespace
}  // namespace nucleus::scheduler
