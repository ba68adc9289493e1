// Which links of a cluster are slow, which node they share, and what proves where the ranks ran.
#include "services/overhead/link_report.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nucleus::overhead {
namespace {

using Pair = std::pair<std::string, std::string>;

struct Case {
  Selection selection = {};
  msg::LinksRun run = {};
};

/// Nodes n0, n1 … on hosts of their own; every link has 100 us and 50 MB/s.
Case a_case(std::size_t nodes) {
  Case made;
  for (std::size_t i = 0; i < nodes; ++i) {
    const auto number = std::to_string(i);
    made.selection.nodes.push_back({.node_id = {"id" + number}, .host_id = {"h" + number}});
    made.selection.peers.push_back({.name = "n" + number});
    made.run.ranks.push_back({.host = "n" + number, .boot_id = "b" + number, .network = "4026"});
  }
  made.run.latencies_us.assign(msg::links_of(nodes), 100);
  made.run.bandwidths_mb_s.assign(msg::links_of(nodes), 50);
  return made;
}

msg::LinksReport report_of(const Case& given) {
  const auto report = report_of_links(given.selection, given.run, 1'500);
  EXPECT_TRUE(report) << report.error().detail;
  return report.value_or(msg::LinksReport{});
}

std::string refusal_of(const Case& given) {
  const auto report = report_of_links(given.selection, given.run, 1'500);
  return report ? "" : report.error().detail;
}

std::set<Pair> slow_links(const msg::LinksReport& report) {
  std::set<Pair> slow;
  for (const auto& link : report.links)
    if (link.is_slow) slow.emplace(link.first, link.second);
  return slow;
}

/// The position of the link between nodes i and j of n.
std::size_t at(std::size_t i, std::size_t j, std::size_t n) {
  return i * (2 * n - i - 1) / 2 + (j - i - 1);
}

TEST(LinkReport, OfEqualLinksHasNoSlowOne) {
  const auto report = report_of(a_case(4));
  EXPECT_EQ(report.links.size(), 6U);
  EXPECT_EQ(report.latency_us_median, 100);
  EXPECT_EQ(report.bandwidth_mb_s_median, 50);
  EXPECT_EQ(report.slow_permille, 1'500U);
  EXPECT_TRUE(slow_links(report).empty());
  EXPECT_EQ(report.shared_node, "");
}

TEST(LinkReport, FindsOneBadLinkByLatencyOrBandwidth) {
  auto slow = a_case(4);
  slow.run.latencies_us[at(1, 3, 4)] = 151;
  EXPECT_EQ(slow_links(report_of(slow)), (std::set<Pair>{{"n1", "n3"}}));
  EXPECT_EQ(report_of(slow).shared_node, "") << "it may be either node";
  auto narrow = a_case(3);
  narrow.run.bandwidths_mb_s[at(0, 2, 3)] = 33;
  EXPECT_EQ(slow_links(report_of(narrow)), (std::set<Pair>{{"n0", "n2"}}));
  auto near = a_case(4);
  near.run.latencies_us[0] = 149;
  near.run.bandwidths_mb_s[0] = 34;
  EXPECT_TRUE(slow_links(report_of(near)).empty());
}

TEST(LinkReport, FindsTheNodeWhoseLinksAreAllSlow) {
  auto bad = a_case(5);
  for (const std::size_t other : {0U, 1U, 2U, 4U})
    bad.run.latencies_us[at(std::min<std::size_t>(other, 3), std::max<std::size_t>(other, 3), 5)] =
        400;
  const auto report = report_of(bad);
  EXPECT_EQ(slow_links(report),
            (std::set<Pair>{{"n0", "n3"}, {"n1", "n3"}, {"n2", "n3"}, {"n3", "n4"}}));
  EXPECT_EQ(report.shared_node, "n3");
}

TEST(LinkReport, NamesNoNodeIfSlowLinksHaveNoneInCommon) {
  auto bad = a_case(5);
  bad.run.latencies_us[at(0, 1, 5)] = bad.run.latencies_us[at(2, 3, 5)] = 400;
  EXPECT_EQ(slow_links(report_of(bad)).size(), 2U);
  EXPECT_EQ(report_of(bad).shared_node, "");
}

TEST(LinkReport, OfTwoNodesHasOneLinkThatIsNeverSlow) {
  auto two = a_case(2);
  two.run.latencies_us[0] = 1e6;
  const auto report = report_of(two);
  EXPECT_EQ(report.latency_us_median, 1e6);
  EXPECT_TRUE(slow_links(report).empty());
}

TEST(LinkReport, ShowsWhichNodesAreOnOneHost) {
  auto shared = a_case(3);
  shared.selection.nodes[2].host_id = shared.selection.nodes[0].host_id;
  const auto report = report_of(shared);
  EXPECT_FALSE(report.links[at(0, 1, 3)].is_same_host);
  EXPECT_TRUE(report.links[at(0, 2, 3)].is_same_host);
  EXPECT_EQ(report.nodes[2].host_id.value, "h0");
  auto one_machine = a_case(3);
  one_machine.run.ranks[1].boot_id = "b0";
  EXPECT_TRUE(report_of(one_machine).links[0].is_same_host);
  EXPECT_FALSE(report_of(one_machine).links[1].is_same_host);
}

TEST(LinkReport, IsRefusedIfTheRanksRanElsewhere) {
  auto swapped = a_case(3);
  std::swap(swapped.run.ranks[0], swapped.run.ranks[2]);
  EXPECT_EQ(refusal_of(swapped), "the rank of node n0 ran on node n2");
  auto silent = a_case(3);
  silent.run.ranks[1].network = "";
  EXPECT_EQ(refusal_of(silent), "the rank of node n1 does not report its host");
  auto fewer = a_case(3);
  fewer.selection.nodes.pop_back();
  EXPECT_EQ(refusal_of(fewer), "3 ranks ran on 2 nodes");
  auto short_list = a_case(3);
  short_list.run.latencies_us.pop_back();
  EXPECT_EQ(refusal_of(short_list), "latencies_us must have one value for each pair of ranks");
  auto renamed = a_case(3);
  renamed.run.ranks[1].host = "my-node";
  EXPECT_EQ(refusal_of(renamed), "") << "a user may rename a node's system";
}

TEST(LinkReport, OfTheMostNodesFitsAMessage) {
  auto most = a_case(msg::ranks_max);
  for (auto& peer : most.selection.peers) peer.name.append(64 - peer.name.size(), 'x');
  for (std::size_t i = 0; i < msg::ranks_max; ++i) {
    auto& rank = most.run.ranks[i];
    rank.host = most.selection.peers[i].name;
    rank.boot_id = std::string(120, 'b') + std::to_string(i);
    rank.network = std::string(128, '4');
  }
  const auto report = report_of(most);
  EXPECT_EQ(report.links.size(), 2'016U);
  EXPECT_LT(msg::encode(report).size(), msg::body_bytes_max / 2);
  EXPECT_LT(msg::encode(most.run).size(), msg::body_bytes_max / 2);
}

}  // namespace
}  // namespace nucleus::overhead
