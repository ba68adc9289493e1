// The registry's lists at the sizes that it accepts: 5,000 clusters, 10,000 nodes, a cluster of
// 4,096 computes; pages, filters, viewers, and nodes named by cluster and name.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "services/registry/service.hpp"
#include "tests/support/clusters.hpp"
#include "tests/support/process.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;

class RegistryLists : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* project : {"p", "q"}) must(msg::DefineProject{{project}});
  }
  template <class Request>
  core::Result<typename Request::Reply> ask(const Request& request) {
    return caller_.call(request, {.deadline = wait_timeout});
  }
  template <class Request>
  typename Request::Reply must(const Request& request) {
    auto reply = ask(request);
    if (!reply) throw std::runtime_error(std::string(Request::topic) + ": " + reply.error().detail);
    return *reply;
  }
  template <class Request>
  core::Error refusal(const Request& request) {
    auto reply = ask(request);
    return reply ? core::Error{} : reply.error();
  }
  msg::Cluster define(const std::string& name, std::uint32_t computes = 0,
                      const std::string& project = "p") {
    return must(msg::DefineCluster{
        .cluster_id = {name}, .project_id = {project}, .compute_count = computes});
  }
  static std::vector<std::string> names(const std::vector<msg::Cluster>& clusters) {
    std::vector<std::string> all;
    for (const auto& cluster : clusters) all.push_back(cluster.cluster_id.value);
    return all;
  }
  /// All pages of `limit` entries, and how many there were.
  std::pair<std::vector<msg::Node>, std::size_t> all_nodes(msg::ListNodes request) {
    std::vector<msg::Node> nodes;
    std::size_t pages = 0;
    do {
      auto page = must(request);
      EXPECT_LE(page.nodes.size(), request.page.limit);
      std::ranges::move(page.nodes, std::back_inserter(nodes));
      request.page.after = page.next;
      ++pages;
    } while (!request.page.after.empty());
    return {std::move(nodes), pages};
  }

  Deployment deployment_ = {};
  Process registry_{
      deployment_, "registry", {}, [](core::Runtime& runtime) {
        return core::Result<std::shared_ptr<void>>(std::make_shared<registry::Service>(
            runtime, *registry::Config::from(runtime.settings)));
      }};
  Process caller_{deployment_, "caller"};
};

TEST_F(RegistryLists, ListsFiveThousandClustersByName) {
  std::vector<std::string> expected;
  for (int i = 0; i < 5'000; ++i) {
    expected.push_back("c" + std::to_string(i));
    define(expected.back());
  }
  std::ranges::sort(expected);
  const auto clusters = all_clusters([&](const auto& request) { return ask(request); });
  ASSERT_TRUE(clusters);
  EXPECT_EQ(names(*clusters), expected);
  const auto page = must(msg::ListClusters{.viewer = as_operator});
  EXPECT_EQ(page.clusters.size(), 100U) << "the default limit";
  EXPECT_EQ(page.next, expected[99]);
}

TEST_F(RegistryLists, ListsTenThousandNodesOfManyClusters) {
  for (int i = 0; i < 10; ++i) define("c" + std::to_string(i), 999);
  const auto [nodes, pages] = all_nodes({.viewer = as_operator, .page = {.limit = 1'000}});
  ASSERT_EQ(nodes.size(), 10'000U);
  EXPECT_GE(pages, 10U);
  std::set<std::string> ids;
  for (const auto& node : nodes) ids.insert(node.node_id.value);
  EXPECT_EQ(ids.size(), 10'000U);
  EXPECT_TRUE(std::ranges::is_sorted(nodes, {}, [](const msg::Node& node) {
    return std::pair{node.cluster_id.value, node.index};
  }));
}

TEST_F(RegistryLists, ListsAClusterOfTheLargestSizeWithTheLongestNames) {
  const std::string name(50, 'c');
  const std::string image = "public/" + std::string(64, 'i');
  must(msg::DefineCluster{
      .cluster_id = {name}, .project_id = {"p"}, .compute_count = 4'096, .image_id = {image}});
  const auto [nodes, pages] =
      all_nodes({.viewer = as_operator, .cluster_id = {name}, .page = {.limit = 1'000}});
  ASSERT_EQ(nodes.size(), 4'097U);
  EXPECT_GT(pages, 4U);
  for (std::size_t i = 0; i < nodes.size(); ++i) ASSERT_EQ(nodes[i].index, i);
  const auto cluster = must(msg::ListClusters{.viewer = as_operator, .cluster_id = {name}});
  EXPECT_EQ(cluster.clusters.at(0).node_count, 4'097U);
}

TEST_F(RegistryLists, EndsAPageEarlierIfItsEntriesAreLarge) {
  std::vector<msg::AllocationId> allocations;
  for (int i = 0; i < 64; ++i) allocations.push_back({std::string(60, 'a') + std::to_string(i)});
  for (int i = 0; i < 200; ++i)
    must(msg::DefineCluster{.cluster_id = {"c" + std::to_string(i)},
                            .project_id = {"p"},
                            .description = std::string(1'024, 'x'),
                            .allocations = allocations});
  const auto page = must(msg::ListClusters{.viewer = as_operator, .page = {.limit = 1'000}});
  EXPECT_LT(page.clusters.size(), 200U);
  EXPECT_FALSE(page.next.empty());
  const auto all = all_clusters([&](const auto& request) { return ask(request); });
  EXPECT_EQ(all->size(), 200U);
}

TEST_F(RegistryLists, ListsWhatTheViewerSees) {
  define("a", 1, "p");
  define("b", 1, "q");
  define("c", 1, "p");
  const msg::Viewer viewer{.projects = {{"p"}}};
  const auto listed = [&](msg::ListClusters request) { return names(must(request).clusters); };
  EXPECT_EQ(listed({.viewer = viewer}), (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(listed({.viewer = viewer, .project_id = {"q"}}), std::vector<std::string>{});
  EXPECT_EQ(listed({.viewer = as_operator, .project_id = {"q"}}), std::vector<std::string>{"b"});
  EXPECT_EQ(listed({}), std::vector<std::string>{});
  const auto page = must(msg::ListClusters{.viewer = viewer, .page = {.limit = 1}});
  EXPECT_EQ(page.next, "a");
  EXPECT_EQ(listed({.viewer = viewer, .page = {.after = page.next}}),
            std::vector<std::string>{"c"});
  EXPECT_EQ(all_nodes({.viewer = viewer, .page = {.limit = 3}}).first.size(), 4U);
  EXPECT_EQ(refusal(msg::ListNodes{.viewer = viewer, .cluster_id = {"b"}}).detail,
            "no such cluster: b");
}

TEST_F(RegistryLists, ContinuesAfterANodeOrClusterThatWasRemovedMeanwhile) {
  define("a", 3);
  define("b", 1);
  define("c", 0);
  auto page =
      must(msg::ListNodes{.viewer = as_operator, .cluster_id = {"a"}, .page = {.limit = 2}});
  EXPECT_EQ(page.next, "1");
  must(msg::RemoveNode{.node = {.cluster_id = {"a"}, .name = "vm-a-00"}, .viewer = as_operator});
  page = must(
      msg::ListNodes{.viewer = as_operator, .cluster_id = {"a"}, .page = {.after = page.next}});
  ASSERT_EQ(page.nodes.size(), 2U);
  EXPECT_EQ(page.nodes[0].name, "vm-a-01");
  EXPECT_EQ(page.cluster.node_count, 3U);

  page = must(msg::ListNodes{.viewer = as_operator, .page = {.limit = 4}});
  EXPECT_EQ(page.next, "b/0");
  must(msg::RemoveCluster{.cluster_id = {"b"}, .viewer = as_operator});
  page = must(msg::ListNodes{.viewer = as_operator, .page = {.after = page.next}});
  ASSERT_EQ(page.nodes.size(), 1U);
  EXPECT_EQ(page.nodes[0].name, "c");
}

TEST_F(RegistryLists, RefusesWhatIsNotAPage) {
  define("a", 1);
  EXPECT_EQ(refusal(msg::ListClusters{.viewer = as_operator, .page = {.limit = 1'001}}).field,
            "limit");
  EXPECT_EQ(
      refusal(msg::ListClusters{.viewer = as_operator, .page = {.after = std::string(129, 'a')}})
          .field,
      "after");
  for (const char* after : {"x", "-1", "1x", "a/1"})
    EXPECT_EQ(refusal(msg::ListNodes{
                          .viewer = as_operator, .cluster_id = {"a"}, .page = {.after = after}})
                  .field,
              "after")
        << after;
  for (const char* after : {"1", "a", "a/", "a/x"})
    EXPECT_EQ(refusal(msg::ListNodes{.viewer = as_operator, .page = {.after = after}}).field,
              "after")
        << after;
}

TEST_F(RegistryLists, FindsANodeByClusterAndNameInTheSameCall) {
  define("a", 2);
  const msg::Viewer viewer{.projects = {{"p"}}};
  const msg::NodeRef second{.cluster_id = {"a"}, .name = "vm-a-01"};
  const auto changed = must(msg::ChangeNode{.node = second, .viewer = viewer, .cpus = 3});
  EXPECT_EQ(changed.cpus, 3U);
  const auto listed =
      must(msg::ListNodes{.viewer = viewer, .cluster_id = {"a"}, .name = "vm-a-01"}).nodes;
  EXPECT_EQ(listed, std::vector<msg::Node>{changed});
  const auto by_id = [&](const msg::Viewer& who) {
    return msg::ChangeNode{.node = {.node_id = changed.node_id}, .viewer = who, .cpus = 4};
  };
  EXPECT_EQ(must(by_id(viewer)).cpus, 4U);
  EXPECT_EQ(refusal(by_id({.projects = {{"q"}}})).code, ErrorCode::not_found);
  EXPECT_EQ(refusal(msg::ChangeNode{.node = second, .cpus = 5}).code, ErrorCode::not_found);
  EXPECT_EQ(
      refusal(msg::ChangeNode{.node = {.cluster_id = {"a"}, .name = "x"}, .viewer = viewer}).code,
      ErrorCode::not_found);
  EXPECT_EQ(refusal(msg::ChangeNode{.viewer = viewer}).field, "cluster_id");
  must(msg::RemoveNode{.node = second, .viewer = viewer});
  EXPECT_EQ(refusal(msg::RemoveNode{.node = second, .viewer = viewer}).code, ErrorCode::not_found);
}

TEST_F(RegistryLists, PagesPeopleProjectsTokensAndAcknowledgements) {
  for (int i = 0; i < 150; ++i) {
    const std::string number = std::to_string(1'000 + i);
    must(msg::DefineProject{{"project-" + number}});
    must(msg::DefinePerson{{.person_id = {"person-" + number},
                            .role = msg::Role::pi,
                            .projects = {{"p"}, {"project-" + number}}}});
  }
  const auto projects = must(msg::ListProjects{.viewer = as_operator});
  EXPECT_EQ(projects.projects.size(), 100U);
  EXPECT_EQ(must(msg::ListProjects{.viewer = as_operator, .page = {.after = projects.next}})
                .projects.size(),
            52U);
  const msg::Viewer viewer{.projects = {{"p"}}};
  const auto people = must(msg::ListPeople{.viewer = viewer, .page = {.limit = 149}});
  ASSERT_EQ(people.people.size(), 149U);
  EXPECT_EQ(people.people[0].projects, std::vector<msg::ProjectId>{{"p"}})
      << "the members' other projects are not shown";
  EXPECT_EQ(must(msg::ListPeople{.viewer = viewer, .page = {.after = people.next}}).people.size(),
            1U);

  std::set<std::string> ids;
  for (int i = 0; i < 5; ++i)
    ids.insert(must(msg::IssueToken{.person_id = {"person-1000"}}).token_id);
  msg::ListTokens tokens{.person_id = {"person-1000"}, .page = {.limit = 2}};
  std::set<std::string> listed;
  do {
    const auto page = must(tokens);
    EXPECT_LE(page.tokens.size(), 2U);
    for (const auto& token : page.tokens) listed.insert(token.token_id);
    tokens.page.after = page.next;
  } while (!tokens.page.after.empty());
  EXPECT_EQ(listed, ids);

  must(msg::SetAcknowledgementText{.text = "I answer for it."});
  for (int i = 0; i < 3; ++i)
    must(msg::SignAcknowledgement{
        .person_id = {"person-100" + std::to_string(i)}, .project_id = {"p"}, .version = 1});
  const auto first = must(msg::GetAcknowledgements{.project_id = {"p"}, .page = {.limit = 2}});
  EXPECT_EQ(first.acknowledgements.size(), 2U);
  EXPECT_EQ(must(msg::GetAcknowledgements{.project_id = {"p"}, .page = {.after = first.next}})
                .acknowledgements.size(),
            1U);
}

}  // namespace
}  // namespace nucleus::tests
