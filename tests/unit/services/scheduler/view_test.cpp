// The view keeps its indexes consistent after any decisions in any order.
#include "services/scheduler/view.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::DomainState;
using msg::PowerAction;

/// One decision of any kind, drawn from `random`; `SmallDeployment::apply` checks the view.
void decide(SmallDeployment& small, std::mt19937& random) {
  const auto pick = [&](int most) { return std::uniform_int_distribution<int>{0, most}(random); };
  const std::string cluster = pick(1) ? "c" : "d";
  const auto index = static_cast<std::uint32_t>(pick(3));
  const std::string node = cluster + "-" + std::to_string(index);
  const std::string host = "h" + std::to_string(pick(2));
  constexpr PowerAction actions[] = {PowerAction::poweron, PowerAction::poweroff,
                                     PowerAction::shutdown, PowerAction::reset};
  constexpr DomainState states[] = {DomainState::running, DomainState::shutoff,
                                    DomainState::crashed, DomainState::absent};
  const auto* known = small.view.node({node});
  switch (pick(11)) {
    case 0:
      return small.add_host(host, static_cast<std::uint32_t>(1 + pick(5)));
    case 1:
      return small.drain("h0", pick(1) == 0);
    case 2:
      return small.lose(host);
    case 3:
      if (!small.view.cluster({cluster})) return small.add_cluster(cluster, 3);
      return small.define(small.definition(cluster, index, static_cast<unsigned>(1 + pick(2))));
    case 4:
      if (known) return small.give_volume({node}, pick(3) > 0);
      return;
    case 5:
    case 6:
      (void)small.start({.cluster_id = {cluster},
                         .count = static_cast<std::uint32_t>(1 + pick(2)),
                         .walltime_mins = 1 + pick(3)});
      return;
    case 7:
      (void)small.power(node, actions[pick(3)]);
      return;
    case 8:
      if (!small.view.active().empty()) small.end(*small.view.active().begin());
      return;
    case 9:
      if (known && !known->host_id.empty()) small.observe(node, states[pick(3)]);
      return;
    case 10:
      small.pass_time_s(pick(100));
      small.apply(plan_walltime_ends(small.view, small.now_unix_ms));
      return;
    default:
      if (pick(9) > 0) {
        small.pass();
        return;
      }
      if (known) small.apply(plan_node_removed(small.view, {known->definition}, small.now_unix_ms));
  }
}

TEST(View, KeepsItsIndexesConsistentAfterAnyDecision) {
  std::size_t finished = 0;
  for (unsigned seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random{seed};
    SmallDeployment small;
    small.add_host("h0", 4);
    for (int step = 0; step < 150; ++step) decide(small, random);
    finished += small.view.finished().all().size();
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(finished, 100U);
}

TEST(View, LoadedFromItsRecordsIsTheSame) {
  SmallDeployment small;
  small.add_host("h0", 2);
  small.add_cluster("c", 3);
  const auto running = small.start("c", 1);
  const auto waiting = small.start("c", 2);
  Changes records;
  for (const auto& [id, host] : small.view.hosts()) records.hosts[id] = host;
  for (const char* id : {"c-0", "c-1", "c-2", "c-3"}) records.nodes[{id}] = small.node(id);
  for (const auto id : {running, waiting}) records.computesets[id] = small.computeset(id);
  View loaded{small_config()};
  loaded.load(records);
  EXPECT_EQ(loaded.check(), std::vector<std::string>{});
  EXPECT_EQ(loaded.pool(), small.view.pool());
  EXPECT_EQ(loaded.submitted(), small.view.submitted());
  EXPECT_EQ(loaded.placed_count(), 1U);
  EXPECT_EQ(loaded.node_named({"c"}, "vm-c-2")->definition.node_id.value, "c-2");
}

TEST(View, HasThePeersOfAClusterAsTheyAreNow) {
  SmallDeployment small;
  small.add_cluster("c", 1);
  EXPECT_FALSE(small.view.peers_of({"c"}).empty());
  auto renamed = small.definition("c", 1);
  renamed.name = "login";
  small.define(renamed);
  const auto& peers = small.view.peers_of({"c"});
  EXPECT_TRUE(std::ranges::any_of(peers, [](const auto& range) { return range.names == "login"; }));
}

TEST(Events, ContainOnlyWhatDiffers) {
  SmallDeployment small;
  small.add_host("h0", 4);
  small.add_cluster("c", 1);
  EXPECT_EQ(small.power("c-0", PowerAction::poweron)->nodes.size(), 1U);
  EXPECT_TRUE(small.power("c-0", PowerAction::poweron)->nodes.empty());
  EXPECT_TRUE(small.power("c-0", PowerAction::poweron)->hosts.empty());
  EXPECT_EQ(small.observe("c-0", DomainState::running).nodes.size(), 1U);
  EXPECT_TRUE(small.observe("c-0", DomainState::running).nodes.empty());
}

TEST(Heartbeats, AreOverdueAfterTheSilenceAndAgainAfterTheLease) {
  Config config;
  config.host_silence_ms = 1'000;
  config.host_lease_ms = 10'000;
  config.host_lease_margin_ms = 500;
  Heartbeats heartbeats{config};
  EXPECT_TRUE(heartbeats.take({.host_id = {"h0"}, .boot_id = "one"}, 100, 0));
  EXPECT_FALSE(heartbeats.take({.host_id = {"h0"}, .boot_id = "one"}, 200, 0));
  EXPECT_TRUE(heartbeats.take({.host_id = {"h0"}, .boot_id = "two"}, 300, 0));
  EXPECT_TRUE(heartbeats.overdue(1'300).silent.empty());
  EXPECT_EQ(heartbeats.overdue(1'301).silent.size(), 1U);
  EXPECT_TRUE(heartbeats.overdue(10'800).expired.empty());
  EXPECT_EQ(heartbeats.overdue(10'801).expired.size(), 1U);
}

}  // namespace
}  // namespace nucleus::scheduler
