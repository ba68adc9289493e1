// What a request names, and who sees it.
#include "services/scheduler/plan/lookups.hpp"

#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;

struct Lookups : testing::Test {
  Lookups() {
    small.add_cluster("c", 2);
    small.add_cluster("d", 1);
  }
  std::string find(const msg::NodeRef& node, const msg::Viewer& viewer = as_operator) const {
    const auto found = find_node(small.view, viewer, node);
    return found ? (*found)->definition.node_id.value : found.error().detail;
  }
  SmallDeployment small = {};
};

TEST_F(Lookups, FindANodeByIdOrByName) {
  EXPECT_EQ(find({.node_id = {"c-1"}}), "c-1");
  EXPECT_EQ(find({.cluster_id = {"c"}, .name = "vm-c-2"}), "c-2");
  EXPECT_EQ(find({.cluster_id = {"c"}, .name = "c"}), "c-0") << "the frontend";
}

TEST_F(Lookups, DoNotFindANodeOfAnotherCluster) {
  EXPECT_EQ(find({.cluster_id = {"d"}, .name = "vm-c-1"}), "no such node: vm-c-1");
  EXPECT_EQ(find({.cluster_id = {"e"}, .name = "vm-c-1"}), "no such cluster: e");
  EXPECT_EQ(find({.name = "vm-c-1"}), "cluster_id must be set");
}

TEST_F(Lookups, AnswerForWhatAViewerDoesNotSeeAsForWhatDoesNotExist) {
  const msg::Viewer stranger{.projects = {{"q"}}};
  EXPECT_EQ(find({.cluster_id = {"c"}, .name = "c"}, stranger), "no such cluster: c");
  EXPECT_EQ(find({.node_id = {"c-1"}}, stranger), "no such node: c-1");
  EXPECT_EQ(find_cluster(small.view, stranger, {"c"}).error().code, ErrorCode::not_found);
  small.add_host("h1", 4);
  const auto id = small.start("c", 1);
  const auto hidden = plan_power_computeset(
      small.view, {.computeset_id = id, .viewer = stranger, .action = msg::PowerAction::poweroff},
      small.now_unix_ms);
  ASSERT_FALSE(hidden);
  EXPECT_EQ(hidden.error().code, ErrorCode::not_found);
  EXPECT_EQ(plan_start(small.view, small.backend,
                       {.cluster_id = {"c"}, .viewer = stranger, .count = 1}, small.now_unix_ms)
                .error()
                .detail,
            "no such cluster: c");
}

TEST_F(Lookups, FollowARename) {
  auto renamed = small.definition("c", 1);
  renamed.name = "login";
  small.define(renamed);
  EXPECT_EQ(find({.cluster_id = {"c"}, .name = "login"}), "c-1");
  EXPECT_EQ(find({.cluster_id = {"c"}, .name = "vm-c-1"}), "no such node: vm-c-1");
}

TEST_F(Lookups, FollowTwoNodesThatExchangeNames) {
  auto first = small.definition("c", 1);
  auto second = small.definition("c", 2);
  std::swap(first.name, second.name);
  small.define(first);
  small.define(second);
  EXPECT_EQ(find({.cluster_id = {"c"}, .name = "vm-c-2"}), "c-1");
  EXPECT_EQ(find({.cluster_id = {"c"}, .name = "vm-c-1"}), "c-2");
}

}  // namespace
}  // namespace nucleus::scheduler
