// The order of computesets that wait: who may pass whom, and when the first one starts. Compared
// with a search of every assignment on small sites.
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::ComputesetState;

struct Queued : SmallDeployment {
  /// A minute passes; what is over by then is off at once.
  void pass_minute() {
    pass_time_s(minute_s);
    apply(plan_walltime_ends(view, now_unix_ms));
    apply(plan_reservation_steps(view, now_unix_ms));
    end_stopping();
    pass();
  }
  bool waits(msg::ComputesetId id) const {
    const auto* stored = view.computeset(id);
    return stored && stored->computeset.state == ComputesetState::submitted;
  }
  std::int64_t predicted_unix_s(msg::ComputesetId id) const {
    return view.computeset(id)->computeset.predicted_start_unix_s;
  }
  std::int64_t start_unix_s(msg::ComputesetId id) const {
    const auto* stored = view.computeset(id);
    return stored ? stored->computeset.start_unix_s : view.finished().find(id)->start_unix_s;
  }
};

TEST(Queue, PredictsTheStartOfTheFirstThatWaits) {
  Queued site;
  site.add_host("h1", 4);
  site.submit(2, 1, 10);
  site.submit(2, 1, 20);
  const auto begin = site.now_unix_s();
  const auto first = site.submit(3, 1, 10);
  const auto second = site.submit(4, 1, 10);
  EXPECT_EQ(site.predicted_unix_s(first), begin + 20 * minute_s);
  EXPECT_EQ(site.predicted_unix_s(second), 0) << "not known";
  for (int i = 0; i < 20; ++i) site.pass_minute();
  EXPECT_EQ(site.start_unix_s(first), begin + 20 * minute_s);
  EXPECT_EQ(site.predicted_unix_s(first), 0) << "it has started";
  EXPECT_EQ(site.predicted_unix_s(second), begin + 30 * minute_s);
}

TEST(Queue, LetsALaterOnePassIfTheFirstStartsNoLaterForIt) {
  Queued site;
  site.add_host("h1", 4);
  site.submit(2, 1, 10);
  const auto first = site.submit(3, 1, 10);
  const auto longer = site.submit(2, 1, 11);
  const auto beside = site.submit(1, 1, 60);
  const auto shorter = site.submit(1, 1, 10);
  EXPECT_TRUE(site.waits(first));
  EXPECT_EQ(site.computeset(longer).wait,
            (Wait{.reason = WaitReason::behind, .subject = std::to_string(first)}));
  EXPECT_EQ(site.computeset(longer).computeset.reason,
            "waits for computeset 2, which would start later otherwise");
  EXPECT_FALSE(site.waits(beside)) << "the first one leaves it room";
  EXPECT_FALSE(site.waits(shorter)) << "it is over by then";
  auto cancelled = plan_power_computeset(
      site.view,
      {.computeset_id = first, .viewer = as_operator, .action = msg::PowerAction::poweroff},
      site.now_unix_ms);
  ASSERT_TRUE(cancelled);
  EXPECT_TRUE(cancelled->wants_pass) << "others waited for it";
  site.apply(std::move(*cancelled));
  site.pass();
  EXPECT_EQ(site.computeset(longer).wait.reason, WaitReason::no_room_for_all);
}

TEST(Queue, StartsALargeOneAlthoughSmallOnesKeepComing) {
  Queued site;
  site.add_host("h1", 2);
  site.add_host("h2", 2);
  site.submit(1, 1, 10);
  const auto large = site.submit(4, 1, 10);
  for (int minute = 0; minute < 30 && site.waits(large); ++minute) {
    if (minute % 5 == 0) site.submit(1, 1, 10);
    site.pass_minute();
  }
  EXPECT_FALSE(site.waits(large)) << "it starves";
}

TEST(Queue, PredictsTheEndOfAReservationAndKeepsEachQueueToItsHosts) {
  Queued site;
  site.add_host("h1", 2);
  site.add_host("h2", 2);
  site.add_cluster("c", 1);  // of the project
  ASSERT_TRUE(site.reserve("r", "h2", {0, 30 * minute_s}));
  const auto begin = site.now_unix_s();
  site.submit(2, 1, 60);
  site.submit(2, 1, 10, "r");
  const auto outside = site.submit(2, 1, 10);
  const auto inside = site.submit(1, 1, 10, "r");
  EXPECT_EQ(site.predicted_unix_s(outside), begin + 30 * minute_s);
  EXPECT_EQ(site.predicted_unix_s(inside), begin + 10 * minute_s);
}

/// A computeset of nodes with one CPU that starts with at least `least` of its nodes.
msg::ComputesetId submit_any(Queued& site, std::uint32_t count, std::uint32_t least,
                             std::int64_t walltime_mins = 60) {
  const std::string cluster = "a" + std::to_string(++site.submitted_count);
  site.add_cluster(cluster, count);
  const auto id = site.start({.cluster_id = {cluster},
                              .count = count,
                              .walltime_mins = walltime_mins,
                              .node_count_min = least});
  EXPECT_TRUE(id) << id.error().detail;
  return id.value_or(0);
}

TEST(Queue, StartsAComputesetWithAsManyNodesAsFitIfItAsksForFewer) {
  Queued site;
  site.add_host("h1", 3);
  const auto id = submit_any(site, 5, 2);
  const auto& started = site.computeset(id);
  EXPECT_EQ(started.computeset.state, ComputesetState::running);
  EXPECT_EQ(started.computeset.nodes.size(), 3U);
  EXPECT_EQ(started.computeset.node_count_min, 2U);
  EXPECT_EQ(started.computeset.reason, "started with 3 of its 5 nodes, without vm-a1-[4-5]");
  EXPECT_EQ(started.cores, 3) << "only what runs is charged";
  ASSERT_EQ(started.rates.size(), 1U);
  EXPECT_EQ(started.rates[0].cores, 3);
  EXPECT_EQ(site.node("a1-4").computeset_id, 0) << "free for another computeset";
  EXPECT_FALSE(site.node("a1-4").is_desired_on);
  EXPECT_EQ(site.node("a1-3").computeset_id, id);
}

TEST(Queue, LetsAComputesetWaitUntilAsManyNodesAsItAsksForFit) {
  Queued site;
  site.add_host("h1", 4);
  site.submit(3, 1, 10);
  const auto begin = site.now_unix_s();
  const auto id = submit_any(site, 6, 4);
  EXPECT_TRUE(site.waits(id));
  EXPECT_EQ(site.computeset(id).computeset.reason,
            "waits for hosts with room for at least 4 of its nodes");
  EXPECT_EQ(site.predicted_unix_s(id), begin + 10 * minute_s) << "when enough fit, not when all do";
  for (int i = 0; i < 10; ++i) site.pass_minute();
  EXPECT_EQ(site.start_unix_s(id), begin + 10 * minute_s);
  EXPECT_EQ(site.computeset(id).computeset.nodes.size(), 4U);
  const auto never = submit_any(site, 6, 5);
  EXPECT_EQ(site.computeset(never).computeset.reason,
            "all hosts together are too small for at least 5 of its nodes");
}

TEST(Queue, StartsWithoutNodesThatCannotBePlacedYetIfEnoughOthersCan) {
  Queued site;
  site.add_host("h1", 4);
  site.add_cluster("c", 3);
  site.give_volume({"c-1"}, false);
  const auto id =
      site.start({.cluster_id = {"c"}, .count = 3, .walltime_mins = 60, .node_count_min = 2});
  ASSERT_TRUE(id);
  EXPECT_EQ(site.computeset(*id).computeset.nodes, (std::vector<msg::NodeId>{{"c-2"}, {"c-3"}}));
  EXPECT_EQ(site.computeset(*id).computeset.reason,
            "started with 2 of its 3 nodes, without vm-c-1");
}

TEST(Queue, KeepsThePromiseOfTheFirstForAComputesetThatStartsWithFewerNodes) {
  Queued site;
  site.add_host("h1", 4);
  site.submit(2, 1, 10);
  const auto first = site.submit(3, 1, 10);
  const auto promised = site.predicted_unix_s(first);
  const auto passes = submit_any(site, 2, 1);
  EXPECT_EQ(site.computeset(passes).computeset.nodes.size(), 1U)
      << "a second one would delay the first";
  EXPECT_EQ(site.predicted_unix_s(first), promised);
  for (int i = 0; i < 10; ++i) site.pass_minute();
  EXPECT_EQ(site.start_unix_s(first), promised);
}

TEST(Queue, RefusesToStartWithMoreNodesAtLeastThanThereAre) {
  Queued site;
  site.add_host("h1", 4);
  site.add_cluster("c", 3);
  const auto refused =
      site.start({.cluster_id = {"c"}, .count = 2, .walltime_mins = 60, .node_count_min = 3});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "node_count_min");
  EXPECT_TRUE(
      site.start({.cluster_id = {"c"}, .count = 2, .walltime_mins = 60, .node_count_min = 2}));
}

/// Whether the needs from `i` on fit together, by a search of every assignment.
bool fit(std::vector<Resources>& free, const std::vector<Resources>& sizes, std::size_t i = 0) {
  if (i == sizes.size()) return true;
  for (auto& host : free) {
    if (!fits(sizes[i], host)) continue;
    host -= sizes[i];
    const bool is_found = fit(free, sizes, i + 1);
    host += sizes[i];
    if (is_found) return true;
  }
  return false;
}

/// The first time at which the computeset fits beside what runs now, which ends with its walltime.
std::int64_t first_fit_unix_s(const Queued& site, msg::ComputesetId id) {
  std::vector<Resources> sizes;
  for (const auto& node : site.computeset(id).computeset.nodes)
    sizes.push_back(site.node(node.value).size);
  std::set<std::int64_t> times{site.now_unix_s()};
  for (const auto active : site.view.active())
    times.insert(walltime_end_unix_s(site.computeset(active).computeset));
  for (const auto at_unix_s : times) {
    std::vector<Resources> free;
    for (const auto& [host_id, host] : site.view.hosts()) {
      free.push_back(total_of(host, site.view.config()));
      for (const auto& node_id : site.view.nodes_on(host_id)) {
        const auto& node = site.node(node_id.value);
        const auto& runs = site.computeset(node.computeset_id).computeset;
        if (walltime_end_unix_s(runs) > at_unix_s) free.back() -= node.size;
      }
    }
    if (fit(free, sizes)) return at_unix_s;
  }
  return 0;
}

TEST(Queue, AgreesWithASearchOfEveryAssignment) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::mt19937 random{seed};
    const auto pick = [&](int least, int most) {
      return std::uniform_int_distribution<int>{least, most}(random);
    };
    Queued site;
    const int hosts = pick(1, 3);
    for (int i = 0; i < hosts; ++i)
      site.add_host("h" + std::to_string(i), static_cast<std::uint32_t>(pick(2, 4)));
    std::vector<msg::ComputesetId> all;
    std::map<msg::ComputesetId, std::int64_t> promised;  // of the first one, when it became so
    for (int minute = 0; minute < 60; ++minute) {
      for (int i = minute < 10 ? pick(0, 2) : 0; i > 0; --i)
        all.push_back(site.submit(static_cast<std::uint32_t>(pick(1, 3)),
                                  static_cast<std::uint32_t>(pick(1, 2)), pick(1, 8)));
      for (const auto id : all) {
        if (!site.waits(id) || site.predicted_unix_s(id) == 0) continue;
        // Also what passed it just now is counted.
        EXPECT_EQ(site.predicted_unix_s(id), first_fit_unix_s(site, id)) << "seed " << seed;
        const auto first = promised.try_emplace(id, site.predicted_unix_s(id)).first->second;
        EXPECT_EQ(site.predicted_unix_s(id), first) << "seed " << seed << ": it was delayed";
      }
      site.pass_minute();
    }
    for (const auto id : all) {
      if (site.waits(id)) {
        EXPECT_EQ(site.computeset(id).wait.reason, WaitReason::too_large_for_all);
        continue;
      }
      if (promised.contains(id)) {
        EXPECT_EQ(site.start_unix_s(id), promised[id]) << "seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace nucleus::scheduler
