// The progress of operations that `--wait` follows.
#include "client/commands/waiting.hpp"

#include <gtest/gtest.h>

namespace nucleus::client {
namespace {

Json a_set(const char* state, const char* second) {
  return Json::object({{"id", 3},
                       {"state", state},
                       {"computes", Json::list({Json::object({{"state", "active"}}),
                                                Json::object({{"state", second}})})}});
}

TEST(Progress, IsDoneOnceEachNodeIsInItsState) {
  EXPECT_EQ(start_progress(a_set("running", "nostate")).line,
            "computeset 3: running, 1 of 2 nodes active");
  EXPECT_FALSE(start_progress(a_set("running", "nostate")).is_done);
  EXPECT_TRUE(start_progress(a_set("running", "active")).is_done);
  EXPECT_TRUE(start_progress(a_set("failed", "active")).is_failed);
  EXPECT_TRUE(end_progress(a_set("failed", "active")).is_done);
  const auto cluster = Json::parse(R"({"frontend": {"name": "fe", "state": "active"}, "computes": [
      {"name": "n-00", "state": "nostate"}, {"name": "n-01", "state": "active"}]})")
                           .value();
  EXPECT_TRUE(power_progress(cluster, {}, true).is_done);
  EXPECT_FALSE(power_progress(cluster, {"n-00", "n-01"}, true).is_done);
  EXPECT_TRUE(power_progress(cluster, {"n-00"}, false).is_done);
}

TEST(Progress, CountsANodeAsOffOnlyIfItIsSeenOff) {
  const std::pair<const char*, bool> states[] = {
      {"shutoff", true}, {"crashed", true},        {"nostate", true},  {"active", false},
      {"paused", false}, {"nostate-error", false}, {"shutdown", false}};
  for (const auto& [state, is_off] : states) {
    const auto cluster = Json::object({{"frontend", Json::object({{"state", state}})}});
    EXPECT_EQ(power_progress(cluster, {}, false).is_done, is_off) << state;
  }
}

}  // namespace
}  // namespace nucleus::client
