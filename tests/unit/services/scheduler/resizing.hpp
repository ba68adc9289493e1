// A computeset that grows and shrinks, on hosts of a test's own.
#pragma once

#include <gtest/gtest.h>

#include "services/scheduler/plan/resize.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {

/// Two hosts of four CPUs, and cluster `c` with six nodes of one.
struct Resize : testing::Test {
  Resize() {
    small.add_host("h1", 4);
    small.add_host("h2", 4);
    small.add_cluster("c", 6);
  }
  msg::ComputesetId start(std::uint32_t count, std::int64_t walltime_mins = 60) {
    const auto id =
        small.start({.cluster_id = {"c"}, .count = count, .walltime_mins = walltime_mins});
    EXPECT_TRUE(id) << id.error().detail;
    return id.value_or(0);
  }
  core::Result<Shown> grow(msg::GrowComputeset request) {
    request.viewer = as_operator;
    auto plan = plan_grow(small.view, small.backend, request, small.now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    return small.apply(std::move(*plan));
  }
  core::Result<Shown> grow(msg::ComputesetId id, const std::vector<std::string>& names) {
    return grow({.computeset_id = id, .names = names});
  }
  core::Result<Shown> shrink(msg::ComputesetId id, const std::vector<std::string>& names,
                             msg::PowerAction action = msg::PowerAction::shutdown) {
    auto plan = plan_shrink(
        small.view, {.computeset_id = id, .viewer = as_operator, .names = names, .action = action},
        small.now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    return small.apply(std::move(*plan));
  }
  core::Result<msg::StartPlan> plan_growth(msg::GrowComputeset request) {
    request.viewer = as_operator;
    return explain_growth(small.view, small.backend, request, small.now_unix_ms);
  }
  void limit(std::int64_t core_s) {
    small.apply(*plan_allocation(
        small.view, {.allocation_id = {"a"}, .project_id = {"p"}, .limit_core_s = core_s},
        small.now_unix_ms));
  }
  std::vector<std::string> nodes_of(msg::ComputesetId id) const {
    std::vector<std::string> nodes;
    for (const auto& node : small.computeset(id).computeset.nodes) nodes.push_back(node.value);
    return nodes;
  }
  std::int64_t used_core_s() const { return small.view.allocation({"a"})->allocation.used_core_s; }
  msg::ComputesetState state(msg::ComputesetId id) const {
    const auto* stored = small.view.computeset(id);
    return stored ? stored->computeset.state : small.view.finished().find(id)->state;
  }
  SmallDeployment small = {};
};

/// Refused, and nothing has changed.
#define EXPECT_REFUSED(result, wanted_code, wanted_field, wanted_detail) \
  do {                                                                   \
    const auto refused = (result);                                       \
    ASSERT_FALSE(refused);                                               \
    EXPECT_EQ(refused.error().code, wanted_code);                        \
    EXPECT_EQ(refused.error().field, wanted_field);                      \
    EXPECT_EQ(refused.error().detail, wanted_detail);                    \
  } while (false)

}  // namespace nucleus::scheduler
