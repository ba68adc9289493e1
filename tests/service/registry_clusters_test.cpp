// The registry's clusters and nodes on a real bus and Redis: names, ids, refusals, events.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "services/registry/service.hpp"
#include "tests/support/clusters.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;

core::Result<std::shared_ptr<void>> build_registry(core::Runtime& runtime) {
  return std::make_shared<registry::Service>(runtime, *registry::Config::from(runtime.settings));
}

class RegistryClusters : public testing::Test {
 protected:
  void SetUp() override {
    restart();
    ASSERT_TRUE(ask(msg::DefineProject{{"p"}}));
    ASSERT_TRUE(ask(msg::DefineProject{{"other"}}));
  }
  void restart() {
    service_.reset();
    service_ = std::make_unique<Process>(deployment_, "registry",
                                         std::map<std::string, std::string>{}, build_registry);
  }
  template <class Request>
  core::Result<typename Request::Reply> ask(const Request& request,
                                            const std::string& request_id = {}) {
    return caller_.call(request, {.request_id = request_id, .deadline = wait_timeout});
  }
  static msg::DefineCluster a_cluster(const std::string& name, std::uint32_t computes = 2) {
    return {.cluster_id = {name}, .project_id = {"p"}, .compute_count = computes};
  }
  WholeCluster listed(const std::string& name) {
    return whole_cluster([&](const auto& request) { return ask(request); }, name)
        .value_or(WholeCluster{});
  }
  core::Result<msg::Node> change(msg::ChangeNode request) {
    request.viewer = as_operator;
    return ask(request);
  }
  core::Result<msg::Done> remove(const std::string& cluster) {
    return ask(msg::RemoveCluster{.cluster_id = {cluster}, .viewer = as_operator});
  }

  Deployment deployment_ = {};
  Events events_{deployment_};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> service_ = {};
};

TEST_F(RegistryClusters, NamesAndNumbersTheNodesOfACluster) {
  ASSERT_TRUE(ask(a_cluster("vc1", 3)));
  const auto cluster = listed("vc1");
  ASSERT_EQ(cluster.nodes.size(), 4U);
  EXPECT_EQ(cluster.nodes[0].name, "vc1");
  EXPECT_EQ(cluster.nodes[0].kind, msg::NodeKind::frontend);
  EXPECT_EQ(cluster.nodes[0].index, 0U);
  std::set<std::string> ids;
  for (std::uint32_t i = 0; i < 4; ++i) {
    const auto& node = cluster.nodes[i];
    EXPECT_EQ(node.index, i);
    if (i > 0) {
      EXPECT_EQ(node.name, "vm-vc1-0" + std::to_string(i - 1));
    }
    EXPECT_TRUE(node.node_id.value.starts_with("n-"));
    EXPECT_EQ(node.node_id.value.size(), 18U);
    ids.insert(node.node_id.value);
  }
  EXPECT_EQ(ids.size(), 4U);
}

TEST_F(RegistryClusters, EmitsTheClusterAndThenEachOfItsNodes) {
  ASSERT_TRUE(ask(a_cluster("vc1", 2)));
  const auto defined = events_.next<msg::ClusterDefined>();
  ASSERT_TRUE(defined);
  EXPECT_EQ(defined->cluster.node_count, 3U);
  const auto cluster = listed("vc1");
  for (const auto& node : cluster.nodes) {
    const auto event = events_.next<msg::NodeDefined>();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->node, node);
  }
}

TEST_F(RegistryClusters, RefusesANameThatIsTakenInAnyProject) {
  ASSERT_TRUE(ask(a_cluster("vc1")));
  auto again = a_cluster("vc1");
  again.project_id = {"other"};
  const auto refused = ask(again);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::wrong_state);
  EXPECT_EQ(refused.error().field, "cluster_id");
}

TEST_F(RegistryClusters, CreatesOneClusterForARepeatedRequest) {
  ASSERT_TRUE(ask(a_cluster("vc1"), "same"));
  restart();
  EXPECT_TRUE(ask(a_cluster("vc1"), "same")) << "the first reply, though the name is taken now";
  EXPECT_EQ(listed("vc1").nodes.size(), 3U);
}

TEST_F(RegistryClusters, ChangesNothingForBadInput) {
  const auto broken = [](auto change) {
    auto request = a_cluster("vc1");
    change(request);
    return request;
  };
  const std::pair<msg::DefineCluster, const char*> refused[] = {
      {broken([](auto& r) { r.cluster_id = {""}; }), "cluster_id"},
      {broken([](auto& r) { r.cluster_id = {"../x"}; }), "cluster_id"},
      {broken([](auto& r) { r.cluster_id = {"a/b"}; }), "cluster_id"},
      {broken([](auto& r) { r.cluster_id = {"a\nb"}; }), "cluster_id"},
      {broken([](auto& r) { r.cluster_id = {"-o"}; }), "cluster_id"},
      {broken([](auto& r) { r.cluster_id = {"\"/><disk"}; }), "cluster_id"},
      {broken([](auto& r) { r.cluster_id = {std::string(65, 'x')}; }), "cluster_id"},
      {broken([](auto& r) { r.project_id = {"$(id)"}; }), "project_id"},
      {broken([](auto& r) { r.description = std::string(1025, 'x'); }), "description"},
      {broken([](auto& r) { r.compute_count = 4097; }), "compute_count"},
      {broken([](auto& r) { r.allocations = {{"a b"}}; }), "allocations"},
      {broken([](auto& r) { r.compute_size.cpus = 0; }), "compute_size.cpus"},
      {broken([](auto& r) { r.frontend_size.memory_mb = 1ULL << 40; }), "frontend_size.memory_mb"},
      {broken([](auto& r) { r.compute_size.disk_gb = 65'537; }), "compute_size.disk_gb"},
  };
  for (const auto& [request, field] : refused) {
    const auto reply = ask(request);
    ASSERT_FALSE(reply) << field;
    EXPECT_EQ(reply.error().code, ErrorCode::invalid_argument) << field;
    EXPECT_EQ(reply.error().field, field);
  }
  auto all = ask(msg::ListClusters{.viewer = as_operator});
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->clusters.empty());
}

TEST_F(RegistryClusters, RefusesAProjectThatDoesNotExist) {
  auto request = a_cluster("vc1");
  request.project_id = {"nobody"};
  const auto refused = ask(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_found);
}

TEST_F(RegistryClusters, AcceptsOnlyPublicImagesAndThoseOfTheProject) {
  auto request = a_cluster("vc1");
  request.image_id = {"other/secret"};
  const auto refused = ask(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_found);
  request.image_id = {"public/debian"};
  EXPECT_TRUE(ask(request));
  auto own = a_cluster("vc2");
  own.image_id = {"p/own"};
  EXPECT_TRUE(ask(own));
}

TEST_F(RegistryClusters, AnswersForAClusterOfAnotherProjectAsIfItDidNotExist) {
  ASSERT_TRUE(ask(a_cluster("vc1")));
  const auto others =
      ask(msg::ListClusters{.viewer = {.projects = {{"other"}}}, .cluster_id = {"vc1"}});
  const auto none =
      ask(msg::ListClusters{.viewer = {.projects = {{"other"}}}, .cluster_id = {"vc9"}});
  ASSERT_FALSE(others);
  ASSERT_FALSE(none);
  EXPECT_EQ(others.error().code, none.error().code);
  EXPECT_EQ(others.error().detail, "no such cluster: vc1");
  EXPECT_EQ(none.error().detail, "no such cluster: vc9");
  auto listing = ask(msg::ListClusters{.viewer = {.projects = {{"other"}}}});
  ASSERT_TRUE(listing);
  EXPECT_TRUE(listing->clusters.empty());
}

TEST_F(RegistryClusters, RenamesAComputeAndEmitsItWhole) {
  ASSERT_TRUE(ask(a_cluster("vc1")));
  const auto node = listed("vc1").nodes[1];
  ASSERT_TRUE(change({.node = {.node_id = node.node_id}, .name = "login"}));
  const auto event = events_.next<msg::NodeDefined>(
      [](const msg::NodeDefined& defined) { return defined.node.name == "login"; });
  ASSERT_TRUE(event);
  auto expected = node;
  expected.name = "login";
  ++expected.revision;
  EXPECT_EQ(event->node, expected);
  restart();
  EXPECT_EQ(listed("vc1").nodes[1].name, "login");
}

TEST_F(RegistryClusters, RefusesNamesThatCollideOrAreMalformed) {
  ASSERT_TRUE(ask(a_cluster("vc1")));
  const auto nodes = listed("vc1").nodes;
  const auto rename = [&](const msg::NodeId& node_id, const std::string& name) {
    return change({.node = {.node_id = node_id}, .name = name});
  };
  EXPECT_EQ(rename(nodes[1].node_id, nodes[2].name).error().code, ErrorCode::wrong_state);
  EXPECT_EQ(rename(nodes[1].node_id, "a/b").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(rename(nodes[1].node_id, "").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(rename(nodes[0].node_id, "x").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(rename({"n-0000000000000000"}, "x").error().code, ErrorCode::not_found);
  EXPECT_TRUE(rename(nodes[1].node_id, nodes[1].name)) << "its own name is no change";
  EXPECT_EQ(listed("vc1").nodes, nodes);
}

TEST_F(RegistryClusters, AttachesAndDetachesAnIso) {
  ASSERT_TRUE(ask(a_cluster("vc1")));
  const auto node = listed("vc1").nodes[0];
  const auto attach = [&](const std::string& iso) {
    return change({.node = {.node_id = node.node_id}, .iso_id = msg::ImageId{iso}});
  };
  ASSERT_TRUE(attach("public/debian.iso"));
  EXPECT_EQ(listed("vc1").nodes[0].iso_id.value, "public/debian.iso");
  const auto refused = attach("other/x.iso");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_found);
  EXPECT_EQ(attach("no-slash").error().code, ErrorCode::invalid_argument);
  ASSERT_TRUE(attach(""));
  EXPECT_EQ(listed("vc1").nodes[0].iso_id.value, "");
}

TEST_F(RegistryClusters, LetsNodesBootFromTheNetworkFirst) {
  ASSERT_TRUE(ask(a_cluster("vc1")));
  const auto nodes = listed("vc1").nodes;
  ASSERT_TRUE(change({.node = {.node_id = nodes[0].node_id}, .boots_from_network = true}));
  ASSERT_TRUE(ask(msg::ChangeNodes{.cluster_id = {"vc1"},
                                   .viewer = as_operator,
                                   .nodes = {nodes[0].name, nodes[1].name},
                                   .boots_from_network = true}));
  const auto changed = listed("vc1").nodes;
  EXPECT_TRUE(changed[0].boots_from_network && changed[1].boots_from_network);
  EXPECT_EQ(changed[0].revision, nodes[0].revision + 1) << "the second request changed nothing";
  ASSERT_TRUE(change({.node = {.node_id = nodes[0].node_id}, .boots_from_network = false}));
  EXPECT_FALSE(listed("vc1").nodes[0].boots_from_network);
}

TEST_F(RegistryClusters, EmitsAndDropsAClusterThatIsRemoved) {
  ASSERT_TRUE(ask(a_cluster("vc1")));
  const auto cluster = listed("vc1");
  ASSERT_TRUE(remove("vc1"));
  const auto event = events_.next<msg::ClusterRemoved>();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->cluster, cluster.cluster);
  ASSERT_EQ(event->nodes.size(), cluster.nodes.size());
  EXPECT_EQ(remove("vc1").error().code, ErrorCode::not_found);
  EXPECT_EQ(change({.node = {.node_id = cluster.nodes[1].node_id}, .name = "x"}).error().code,
            ErrorCode::not_found);
  restart();
  ASSERT_TRUE(ask(a_cluster("vc1"))) << "the name is free again";
  const auto anew = listed("vc1");
  for (std::size_t i = 0; i < anew.nodes.size(); ++i)
    EXPECT_NE(anew.nodes[i].node_id, cluster.nodes[i].node_id) << "ids are never used again";
}

TEST_F(RegistryClusters, CountsClustersAndNodes) {
  ASSERT_TRUE(ask(a_cluster("vc1", 3)));
  ASSERT_TRUE(ask(a_cluster("vc2", 1)));
  ASSERT_TRUE(remove("vc2"));
  EXPECT_EQ(metric(*service_, "nucleus_registry_clusters"), 1);
  EXPECT_EQ(metric(*service_, "nucleus_registry_nodes"), 4);
  restart();
  ASSERT_EQ(listed("vc1").nodes.size(), 4U);
  EXPECT_EQ(metric(*service_, "nucleus_registry_nodes"), 4);
}

}  // namespace
}  // namespace nucleus::tests
