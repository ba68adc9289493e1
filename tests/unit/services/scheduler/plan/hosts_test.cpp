// Plans about hosts.
#include "services/scheduler/plan/hosts.hpp"

#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

TEST(Drain, KeepsTheReasonOfADrainedHostUnlessANewOneIsGiven) {
  SmallDeployment small;
  small.add_host("h1", 4);
  const auto reason_after = [&](bool is_drained, const std::string& reason) {
    small.apply(*plan_drain(small.view,
                            {.host_id = {"h1"}, .is_drained = is_drained, .reason = reason},
                            small.now_unix_ms));
    return small.view.host({"h1"})->drain_reason;
  };
  EXPECT_EQ(reason_after(true, "new memory"), "new memory");
  EXPECT_EQ(reason_after(true, ""), "new memory");
  EXPECT_EQ(reason_after(true, "new fan"), "new fan");
  EXPECT_EQ(reason_after(false, ""), "");
  EXPECT_EQ(reason_after(true, ""), "");
}

}  // namespace
}  // namespace nucleus::scheduler
