// Changes of clusters and nodes, with registry, network, image store and scheduler: revisions,
// added and removed nodes, volumes, usage, idempotency keys.
#include <gtest/gtest.h>

#include <algorithm>

#include "services/image_store/driver/simulated_store.hpp"
#include "services/image_store/service.hpp"
#include "services/network/service.hpp"
#include "services/registry/service.hpp"
#include "services/scheduler/service.hpp"
#include "tests/support/clusters.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {
namespace {

using Built = core::Result<std::shared_ptr<void>>;
using core::ErrorCode;

class Definitions : public testing::Test {
 protected:
  void SetUp() override {
    must(msg::DefineProject{{"p"}});
    cluster_ = must(msg::DefineCluster{
        .cluster_id = {"c"}, .project_id = {"p"}, .allocations = {{"p"}}, .compute_count = 2});
  }

  template <class Request>
  typename Request::Reply must(const Request& request) {
    auto reply = caller_.call(request, {.deadline = wait_timeout, .after_sequence = sequence_});
    if (!reply) throw std::runtime_error(reply.error().detail);
    return *reply;
  }
  template <class Request>
  ErrorCode refusal(const Request& request) {
    auto reply = caller_.call(request, {.deadline = wait_timeout});
    return reply ? ErrorCode::unknown : reply.error().code;
  }
  WholeCluster whole() {
    return whole_cluster(
               [&](const auto& request) { return core::Result<msg::Nodes>(must(request)); }, "c")
        .value();
  }
  msg::Node node(std::size_t index) { return whole().nodes.at(index); }
  /// From now on each service answers after it has handled every event so far.
  void settle() { sequence_ = registry_.bus().newest_event(); }

  Deployment deployment_ = {};
  Process registry_{deployment_, "registry", {}, [](core::Runtime& runtime) -> Built {
                      return std::make_shared<registry::Service>(
                          runtime, *registry::Config::from(runtime.settings));
                    }};
  Process network_{deployment_,
                   "network",
                   {{"network.vlan_quarantine_s", "0"}},
                   [](core::Runtime& runtime) -> Built {
                     return std::make_shared<network::Service>(
                         runtime, *network::Config::from(runtime.settings));
                   }};
  Process image_store_{deployment_,
                       "image_store",
                       {{"image_store.driver", "simulated"}},
                       [](core::Runtime& runtime) -> Built {
                         return std::make_shared<image_store::Service>(
                             runtime, *image_store::Config::from(runtime.settings),
                             std::make_shared<image_store::SimulatedStore>());
                       }};
  Process scheduler_{deployment_, "scheduler", {}, [](core::Runtime& runtime) -> Built {
                       return std::make_shared<scheduler::Service>(
                           runtime, *scheduler::Config::from(runtime.settings));
                     }};
  Process caller_{deployment_, "caller"};
  msg::Cluster cluster_ = {};
  std::uint64_t sequence_ = 0;
};

TEST_F(Definitions, EachChangeHasTheNextRevisionAndAnOldRevisionIsAConflict) {
  EXPECT_EQ(cluster_.revision, 1u);
  const auto changed = must(msg::ChangeCluster{
      .cluster_id = {"c"}, .viewer = as_operator, .description = "mine", .if_revision = 1});
  EXPECT_EQ(changed.description, "mine");
  EXPECT_EQ(changed.revision, 2u);
  EXPECT_EQ(changed.allocations, cluster_.allocations);
  EXPECT_EQ(
      refusal(msg::ChangeCluster{
          .cluster_id = {"c"}, .viewer = as_operator, .description = "late", .if_revision = 1}),
      ErrorCode::conflict);
  EXPECT_EQ(
      refusal(msg::RemoveCluster{.cluster_id = {"c"}, .viewer = as_operator, .if_revision = 1}),
      ErrorCode::conflict);
  EXPECT_EQ(whole().cluster, changed);
}

TEST_F(Definitions, TheAddressModeOfAClusterIsKeptAndMayChange) {
  EXPECT_EQ(cluster_.address_mode, msg::AddressMode::frontend);
  const msg::ChangeCluster to_nucleus{
      .cluster_id = {"c"}, .viewer = as_operator, .address_mode = msg::AddressMode::nucleus};
  const auto changed = must(to_nucleus);
  EXPECT_EQ(changed.address_mode, msg::AddressMode::nucleus);
  EXPECT_EQ(changed.revision, 2u);
  EXPECT_EQ(must(to_nucleus).revision, 2u);
  EXPECT_EQ(
      must(msg::ChangeCluster{.cluster_id = {"c"}, .viewer = as_operator, .description = "other"})
          .address_mode,
      msg::AddressMode::nucleus);
  EXPECT_EQ(
      refusal(msg::ChangeCluster{
          .cluster_id = {"c"}, .viewer = as_operator, .address_mode = msg::AddressMode::unknown}),
      ErrorCode::invalid_argument);
}

TEST_F(Definitions, AChangeThatChangesNothingKeepsTheRevision) {
  EXPECT_EQ(must(msg::ChangeCluster{.cluster_id = {"c"}, .viewer = as_operator, .description = ""})
                .revision,
            1u);
  EXPECT_EQ(
      must(msg::ChangeNode{
               .node = {.node_id = node(1).node_id}, .viewer = as_operator, .name = node(1).name})
          .revision,
      1u);
}

TEST_F(Definitions, AChangeOfANodeIsARevisionOfTheNodeAndOfItsCluster) {
  const auto changed = must(msg::ChangeNode{.node = {.node_id = node(1).node_id},
                                            .viewer = as_operator,
                                            .name = "first",
                                            .cpus = 3,
                                            .memory_mb = 4096,
                                            .iso_id = msg::ImageId{"public/x.iso"},
                                            .if_revision = 1});
  EXPECT_EQ(changed.revision, 2u);
  EXPECT_EQ(node(1), changed);
  EXPECT_EQ(changed.cpus, 3u);
  EXPECT_EQ(changed.iso_id.value, "public/x.iso");
  EXPECT_EQ(whole().cluster.revision, 2u);
  EXPECT_EQ(refusal(msg::ChangeNode{.node = {.node_id = changed.node_id},
                                    .viewer = as_operator,
                                    .cpus = 1,
                                    .if_revision = 1}),
            ErrorCode::conflict);
  EXPECT_EQ(refusal(msg::ChangeNode{
                .node = {.node_id = changed.node_id}, .viewer = as_operator, .cpus = 0}),
            ErrorCode::invalid_argument);
  EXPECT_EQ(refusal(msg::ChangeNode{
                .node = {.node_id = node(2).node_id}, .viewer = as_operator, .name = "first"}),
            ErrorCode::wrong_state);
  EXPECT_EQ(refusal(msg::ChangeNode{
                .node = {.node_id = node(0).node_id}, .viewer = as_operator, .name = "other"}),
            ErrorCode::invalid_argument);
  EXPECT_EQ(refusal(msg::ChangeNode{.node = {.node_id = node(1).node_id},
                                    .viewer = as_operator,
                                    .iso_id = msg::ImageId{"q/x.iso"}}),
            ErrorCode::not_found);
}

TEST_F(Definitions, NodesMayExchangeNamesOfTheLargestLength) {
  const std::string long_a = std::string(63, 'x') + "a";
  const std::string long_b = std::string(63, 'x') + "b";
  must(msg::ChangeNodes{.cluster_id = {"c"},
                        .viewer = as_operator,
                        .nodes = {"vm-c-00", "vm-c-01"},
                        .names = {long_a, long_b}});
  const auto before = whole();
  const auto cluster = must(msg::ChangeNodes{.cluster_id = {"c"},
                                             .viewer = as_operator,
                                             .nodes = {long_a, long_b},
                                             .names = {long_b, long_a},
                                             .if_revision = before.cluster.revision});
  EXPECT_EQ(cluster.revision, before.cluster.revision + 1);
  EXPECT_EQ(node(1).name, long_b);
  EXPECT_EQ(node(2).name, long_a);
  settle();
  for (const auto& [name, id] : {std::pair{long_b, node(1).node_id}, {long_a, node(2).node_id}}) {
    const auto status =
        must(msg::ListNodeStatuses{.viewer = as_operator, .cluster_id = {"c"}, .name = name});
    EXPECT_EQ(status.nodes.at(0).node_id, id);
  }
}

TEST_F(Definitions, ARefusedChangeOfSeveralNodesChangesNone) {
  const auto before = whole();
  using Names = std::vector<std::string>;
  const auto rename = [&](Names nodes, Names names) {
    return refusal(msg::ChangeNodes{.cluster_id = {"c"},
                                    .viewer = as_operator,
                                    .nodes = std::move(nodes),
                                    .names = std::move(names)});
  };
  const Names both{"vm-c-00", "vm-c-01"};
  EXPECT_EQ(rename(both, {"x", "vm-c-00"}), ErrorCode::unknown);
  EXPECT_EQ(rename({"x", "vm-c-00"}, both), ErrorCode::unknown) << "back again";
  EXPECT_EQ(rename(both, {"x", "x"}), ErrorCode::wrong_state);
  EXPECT_EQ(rename(both, {"x", "c"}), ErrorCode::wrong_state) << "the frontend's name";
  EXPECT_EQ(rename(both, {"x", "bad name"}), ErrorCode::invalid_argument);
  EXPECT_EQ(rename(both, {"x", std::string(65, 'y')}), ErrorCode::invalid_argument);
  EXPECT_EQ(rename(both, {"x", ""}), ErrorCode::invalid_argument);
  EXPECT_EQ(rename(both, {"x"}), ErrorCode::invalid_argument);
  EXPECT_EQ(rename({"vm-c-00", "none"}, {"x", "y"}), ErrorCode::not_found);
  EXPECT_EQ(rename({"vm-c-00", "vm-c-00"}, {"x", "y"}), ErrorCode::invalid_argument);
  EXPECT_EQ(rename({"vm-c-00", "c"}, {"x", "y"}), ErrorCode::invalid_argument);
  EXPECT_EQ(rename({}, {}), ErrorCode::invalid_argument);
  EXPECT_EQ(refusal(msg::ChangeNodes{.cluster_id = {"c"},
                                     .viewer = as_operator,
                                     .nodes = both,
                                     .iso_id = msg::ImageId{"other/x.iso"}}),
            ErrorCode::not_found);
  const auto after = whole();
  for (std::size_t i = 0; i < before.nodes.size(); ++i)
    EXPECT_EQ(after.nodes[i].name, before.nodes[i].name);
  EXPECT_EQ(after.cluster.revision, before.cluster.revision + 2) << "two of them succeeded";
}

TEST_F(Definitions, AddedNodesContinueTheNumbersAndGetPortsAndVolumes) {
  const auto grown = must(msg::AddNodes{.cluster_id = {"c"},
                                        .viewer = as_operator,
                                        .count = 2,
                                        .size = {.cpus = 5},
                                        .if_revision = 1});
  EXPECT_EQ(grown.cluster.revision, 2u);
  EXPECT_EQ(grown.cluster.node_count, 5u);
  EXPECT_EQ(grown.first_index, 3u);
  const auto nodes = whole().nodes;
  ASSERT_EQ(nodes.size(), 5u);
  EXPECT_EQ(nodes[3].name, "vm-c-02");
  EXPECT_EQ(nodes[4].name, "vm-c-03");
  EXPECT_EQ(nodes[4].index, 4u);
  EXPECT_EQ(nodes[4].cpus, 5u);
  EXPECT_TRUE(eventually([&] {
    const auto states =
        must(msg::ListNodeStatuses{.viewer = as_operator, .cluster_id = {"c"}}).nodes;
    return states.size() == 5 && std::ranges::all_of(states, [](const msg::NodeStatus& state) {
             return !state.ports.empty();
           });
  }));
  EXPECT_TRUE(eventually([&] {
    const auto volumes =
        must(msg::ListVolumes{.viewer = {.is_operator = true}, .cluster_id = {"c"}}).volumes;
    return volumes.size() == 5 && std::ranges::all_of(volumes, &msg::NodeVolume::is_ready);
  }));
  EXPECT_EQ(refusal(msg::AddNodes{.cluster_id = {"c"}, .viewer = as_operator, .count = 4093}),
            ErrorCode::invalid_argument);
  EXPECT_EQ(refusal(msg::AddNodes{.cluster_id = {"none"}, .viewer = as_operator, .count = 1}),
            ErrorCode::not_found);
}

TEST_F(Definitions, ARemovedNodeIsRemovedEverywhereAndItsAddressIsUsedAgain) {
  const auto removed = node(2);
  EXPECT_EQ(refusal(msg::RemoveNode{.node = {.node_id = node(0).node_id}, .viewer = as_operator}),
            ErrorCode::wrong_state);
  EXPECT_EQ(refusal(msg::RemoveNode{
                .node = {.node_id = removed.node_id}, .viewer = as_operator, .if_revision = 9}),
            ErrorCode::conflict);
  must(msg::RemoveNode{
      .node = {.node_id = removed.node_id}, .viewer = as_operator, .if_revision = 1});
  settle();
  EXPECT_EQ(whole().nodes.size(), 2u);
  EXPECT_EQ(refusal(msg::RemoveNode{.node = {.node_id = removed.node_id}, .viewer = as_operator}),
            ErrorCode::not_found);
  EXPECT_EQ(must(msg::ListNodeStatuses{.viewer = as_operator, .cluster_id = {"c"}}).nodes.size(),
            2u);
  EXPECT_TRUE(eventually([&] {
    return must(msg::ListVolumes{.viewer = {.is_operator = true}, .cluster_id = {"c"}})
               .volumes.size() == 2;
  }));
  must(msg::AddNodes{.cluster_id = {"c"}, .viewer = as_operator, .count = 1});
  EXPECT_EQ(node(2).name, removed.name);
  EXPECT_TRUE(eventually([&] {
    const auto states =
        must(msg::ListNodeStatuses{.viewer = as_operator, .cluster_id = {"c"}}).nodes;
    return states.size() == 3 && !states[2].ports.empty() && states[2].ports[0].ip == "10.0.0.3";
  }));
}

TEST_F(Definitions, AComputesetThatWaitsForARemovedNodeIsCancelled) {
  ASSERT_TRUE(eventually([&] {
    return must(msg::ListNodeStatuses{.viewer = as_operator, .cluster_id = {"c"}}).nodes.size() ==
           3;
  }));
  const auto set = must(msg::StartComputeset{
      .cluster_id = {"c"}, .viewer = as_operator, .nodes = {node(1).node_id, node(2).node_id}});
  EXPECT_EQ(set.state, msg::ComputesetState::submitted);  // there is no host
  must(msg::RemoveNode{.node = {.node_id = node(2).node_id}, .viewer = as_operator});
  settle();
  const auto sets =
      must(msg::ListComputesets{.viewer = as_operator, .computeset_id = set.computeset_id});
  EXPECT_EQ(sets.computesets.front().state, msg::ComputesetState::cancelled);
  EXPECT_EQ(sets.computesets.front().reason, "node vm-c-01 was removed");
  for (const auto& state :
       must(msg::ListNodeStatuses{.viewer = as_operator, .cluster_id = {"c"}}).nodes)
    EXPECT_EQ(state.computeset_id, 0);
}

TEST_F(Definitions, UsageListsWhatRanInTheViewersProjects) {
  ASSERT_TRUE(eventually([&] {
    return must(msg::ListNodeStatuses{.viewer = as_operator, .cluster_id = {"c"}}).nodes.size() ==
           3;
  }));
  msg::StartComputeset both{
      .cluster_id = {"c"}, .viewer = as_operator, .nodes = {node(1).node_id, node(2).node_id}};
  const auto waiting = must(both);
  EXPECT_TRUE(must(msg::ListUsage{.viewer = as_operator}).entries.empty());
  Process host(deployment_, "provisioner/h");
  ASSERT_TRUE(host.call(msg::ReportHost{.host_id = {"h"},
                                        .process = "provisioner/h",
                                        .boot_id = "b",
                                        .cpus = 64,
                                        .memory_mb = 65536,
                                        .driver = "simulated"},
                        {.deadline = wait_timeout}));
  const msg::ListUsage ours{.viewer = {.projects = {{"p"}}}, .allocation_id = {"p"}};
  ASSERT_TRUE(eventually([&] { return must(ours).entries.size() == 1; }));
  const auto entry = must(ours).entries.front();
  EXPECT_EQ(entry.computeset_id, waiting.computeset_id);
  EXPECT_EQ(entry.node_count, 2u);
  EXPECT_EQ(entry.cores, 2u);
  EXPECT_EQ(entry.end_unix_s, 0);
  EXPECT_TRUE(must(msg::ListUsage{.viewer = {.projects = {{"q"}}}}).entries.empty());
  EXPECT_TRUE(must(msg::ListUsage{.viewer = {.projects = {{"p"}}}, .allocation_id = {"q"}})
                  .entries.empty());
  EXPECT_TRUE(
      must(msg::ListUsage{.viewer = as_operator, .to_unix_s = entry.start_unix_s}).entries.empty());
  EXPECT_TRUE(must(msg::ListUsage{.viewer = as_operator,
                                  .page = {.after = std::to_string(entry.computeset_id)}})
                  .entries.empty());
}

TEST_F(Definitions, AnIdempotencyKeyIsBoundToOneRequestOfItsPerson) {
  const msg::BindIdempotencyKey binding{
      .person_id = {"ada"}, .idempotency_key = "k1", .fingerprint = std::string(64, 'a')};
  must(binding);
  must(binding);
  auto other = binding;
  other.fingerprint = std::string(64, 'b');
  EXPECT_EQ(refusal(other), ErrorCode::invalid_argument);
  other.person_id = {"bob"};
  must(other);
  other.idempotency_key = std::string(129, 'k');
  EXPECT_EQ(refusal(other), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace nucleus::tests
