// A running computeset grows and shrinks: one effect for each request, whatever is restarted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/explanations.hpp"
#include "tests/service/scheduler_room.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using msg::ComputesetState;
using msg::DomainState;
using msg::PowerAction;
using testing::ElementsAre;

/// A host of four CPUs, and a computeset that runs with two of the four nodes of cluster `c`.
class Resizing : public SchedulerRoom {
 protected:
  Resizing() {
    start();
    EXPECT_TRUE(host_.report());
    define("c", 4);
    const auto started =
        ask(msg::StartComputeset{.cluster_id = {"c"}, .viewer = as_operator, .count = 2});
    EXPECT_TRUE(started) << started.error().detail;
    for (const auto* node : {"c-1", "c-2"}) run(node);
  }
  void run(const std::string& node) {
    const auto grant = host_.wait_for_grant(node);
    ASSERT_TRUE(grant && host_.report_domain(*grant, DomainState::running));
  }
  core::Result<msg::Computeset> grow(const std::vector<std::string>& names,
                                     const std::string& request_id = {}) {
    return ask(msg::GrowComputeset{.computeset_id = 1, .viewer = as_operator, .names = names},
               request_id);
  }
  core::Result<msg::Computeset> shrink(const std::vector<std::string>& names) {
    return ask(msg::ShrinkComputeset{.computeset_id = 1,
                                     .viewer = as_operator,
                                     .names = names,
                                     .action = PowerAction::shutdown});
  }
  std::vector<std::string> nodes() {
    std::vector<std::string> nodes;
    for (const auto& node : computeset(1).nodes) nodes.push_back(node.value);
    return nodes;
  }

  Host host_{deployment_, "h1"};
};

TEST_F(Resizing, GrowsOnceForEachRequestAndShrinksWhenANodeIsOff) {
  const auto before = host_.grant_of("c-1");
  const auto plan =
      ask(msg::PlanGrowth{.grow = {.computeset_id = 1, .viewer = as_operator, .count = 1}});
  ASSERT_TRUE(plan) << plan.error().detail;
  EXPECT_THAT(plan->names, ElementsAre("c-3"));
  EXPECT_EQ(plan->cores, 1);
  const auto grown = grow({"c-4"}, "request-1");
  ASSERT_TRUE(grown) << grown.error().detail;
  EXPECT_EQ(grown->nodes.size(), 3U);
  EXPECT_EQ(*grow({"c-4"}, "request-1"), *grown) << "repeated, it is answered again";
  run("c-4");
  ASSERT_TRUE(becomes("c", 4, msg::NodeState::active));
  EXPECT_EQ(host_.grant_of("c-1")->epoch, before->epoch);
  EXPECT_EQ(grow({"c-3", "c-2"}).error().field, "names");
  EXPECT_THAT(nodes(), ElementsAre("c-1", "c-2", "c-4"));

  const auto shrunk = shrink({"c-2"});
  ASSERT_TRUE(shrunk) << shrunk.error().detail;
  EXPECT_EQ(shrunk->state, ComputesetState::running);
  const auto stopping =
      host_.wait_for_grant("c-2", [](const msg::Grant& grant) { return !grant.is_on; });
  ASSERT_TRUE(stopping);
  EXPECT_TRUE(stopping->is_graceful);
  restart();
  ASSERT_TRUE(host_.report());
  ASSERT_TRUE(host_.report_domain(*stopping, DomainState::shutoff));
  ASSERT_TRUE(eventually([&] { return state_of("c", 2).computeset_id == 0; }));
  EXPECT_THAT(nodes(), ElementsAre("c-1", "c-4"));
  EXPECT_TRUE(host_.grant_of("c-1")->is_on);

  const auto again =
      ask(msg::StartComputeset{.cluster_id = {"c"}, .viewer = as_operator, .names = {"c-2"}});
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ(again->state, ComputesetState::running);
}

TEST_F(Resizing, IsRefusedWithoutRoom) {
  ASSERT_TRUE(power("c-0", PowerAction::poweron));
  const auto refused = grow({"c-3", "c-4"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::no_capacity);
  EXPECT_EQ(refused.error().detail, "no hosts have room for all of these nodes now");
  EXPECT_EQ(state_of("c", 3).computeset_id, 0);
}

}  // namespace
}  // namespace nucleus::tests
