// What a cluster's definition leads to.
#include "services/registry/cluster_plan.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nucleus::registry {
namespace {

msg::DefineCluster a_request(std::uint32_t compute_count) {
  return {.cluster_id = {"vc1"},
          .project_id = {"demo"},
          .compute_count = compute_count,
          .frontend_size = {.cpus = 2, .memory_mb = 1024, .disk_gb = 10},
          .compute_size = {.cpus = 4, .memory_mb = 2048, .disk_gb = 20},
          .image_id = {"public/debian"}};
}

core::Result<ClusterPlan> plan(const msg::DefineCluster& request) {
  int last = 0;
  return plan_cluster(request, [&last] { return msg::NodeId{"n-" + std::to_string(++last)}; });
}

TEST(ClusterPlan, NamesTheFrontendAfterItsClusterAndPutsItFirst) {
  const auto cluster = plan(a_request(2));
  ASSERT_TRUE(cluster);
  ASSERT_EQ(cluster->nodes.size(), 3u);
  const auto& frontend = cluster->nodes.front();
  EXPECT_EQ(frontend.name, "vc1");
  EXPECT_EQ(frontend.kind, msg::NodeKind::frontend);
  EXPECT_EQ(frontend.index, 0u);
  EXPECT_EQ(frontend.cpus, 2u);
  EXPECT_EQ(frontend.image_id.value, "public/debian");
}

TEST(ClusterPlan, NumbersComputeNodesFromZeroAndIndexesThemFromOne) {
  const auto cluster = plan(a_request(2));
  ASSERT_TRUE(cluster);
  EXPECT_EQ(cluster->nodes[1].name, "vm-vc1-00");
  EXPECT_EQ(cluster->nodes[1].index, 1u);
  EXPECT_EQ(cluster->nodes[2].name, "vm-vc1-01");
  EXPECT_EQ(cluster->nodes[2].kind, msg::NodeKind::compute);
  EXPECT_EQ(cluster->nodes[2].memory_mb, 2048u);
  EXPECT_EQ(cluster->nodes[2].project_id.value, "demo");
}

TEST(ClusterPlan, WidensNumbersIfTwoDigitsAreTooFew) {
  EXPECT_EQ(compute_name("c", 7, 100), "vm-c-07");
  EXPECT_EQ(compute_name("c", 7, 101), "vm-c-007");
  EXPECT_EQ(compute_name("c", 4095, 4096), "vm-c-4095");
}

TEST(ClusterPlan, NamesAddedNodesAsWideAsThoseThatTheClusterHas) {
  const auto cluster = plan(a_request(2));
  ASSERT_TRUE(cluster);
  const auto added = plan_more_nodes(cluster->cluster, cluster->nodes, {.count = 260},
                                     [] { return msg::NodeId{"n-new"}; });
  ASSERT_TRUE(added);
  EXPECT_EQ(added->front().name, "vm-vc1-02");
  EXPECT_EQ((*added)[97].name, "vm-vc1-99");
  EXPECT_EQ((*added)[98].name, "vm-vc1-100");
  EXPECT_EQ(added->back().name, "vm-vc1-261");
}

TEST(ClusterPlan, GivesEveryNodeItsOwnIdAndName) {
  const auto cluster = plan(a_request(4096));
  ASSERT_TRUE(cluster);
  std::set<std::string> ids;
  std::set<std::string> names;
  for (const auto& node : cluster->nodes) {
    ids.insert(node.node_id.value);
    names.insert(node.name);
  }
  EXPECT_EQ(ids.size(), 4097u);
  EXPECT_EQ(names.size(), 4097u);
}

TEST(ClusterPlan, CountsTheFrontendAndItsComputes) {
  EXPECT_EQ(plan(a_request(0))->cluster.node_count, 1u);
  EXPECT_EQ(plan(a_request(4096))->cluster.node_count, 4097u);
}

TEST(ClusterPlan, RefusesANameThatIsTooLongForItsComputes) {
  auto request = a_request(1);
  request.cluster_id.value = std::string(60, 'c');
  const auto refused = plan(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "cluster_id");
  request.compute_count = 0;
  EXPECT_TRUE(plan(request));
}

TEST(ClusterPlan, RefusesANumberWhichWouldNameItsFrontendLikeAComputeset) {
  auto request = a_request(0);
  request.cluster_id.value = "5";
  const auto refused = plan(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "cluster_id");
  request.cluster_id.value = "5a";
  EXPECT_TRUE(plan(request));
}

TEST(ClusterPlan, AcceptsOnlyPublicImagesAndThoseOfTheProject) {
  const msg::ProjectId project{"demo"};
  EXPECT_FALSE(check_image("image_id", {}, project));
  EXPECT_FALSE(check_image("image_id", {"public/a.iso"}, project));
  EXPECT_FALSE(check_image("image_id", {"demo/a"}, project));
  EXPECT_EQ(check_image("image_id", {"other/a"}, project)->code, msg::ErrorCode::not_found);
  for (const char* bad : {"a", "/a", "demo/", "demo/../x", "demo/a/b", "demo/.a", "public/a b"}) {
    const auto broken = check_image("image_id", {bad}, project);
    ASSERT_TRUE(broken) << bad;
    EXPECT_EQ(broken->code, msg::ErrorCode::invalid_argument) << bad;
    EXPECT_EQ(broken->field, "image_id");
  }
}

TEST(ClusterPlan, RefusesNodeNamesThatOldClientsRefuse) {
  EXPECT_FALSE(check_node_name("compute-1_a"));
  for (const char* bad : {"", "a.b", "-a", "a b", "a/b", "<a>", "a\n", "5", "007"})
    EXPECT_TRUE(check_node_name(bad)) << bad;
}

}  // namespace
}  // namespace nucleus::registry
