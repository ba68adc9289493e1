// Who pays, and up to which limit.
#include "services/scheduler/plan/allocations.hpp"

#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using msg::DomainState;

struct Allocations : OneCluster {
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
  ASSERT_EQ(define({.allocation_id = {"a"}, .project_id = {"p"}}), ErrorCode::unknown);
  ASSERT_EQ(define({.allocation_id = {"a"}, .project_id = {"q"}}), ErrorCode::unknown);
  EXPECT_EQ(start(), ErrorCode::invalid_argument);
  const auto named = small.start(msg::StartComputeset{
      .cluster_id = {"c"}, .count = 1, .allocation_id = {"a"}, .walltime_mins = 60});
  ASSERT_FALSE(named);
  EXPECT_EQ(named.error().field, "allocation_id");
}

TEST_F(Allocations, StayWithTheProjectThatTheyWereChargedFor) {
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
