#include "services/overhead/link_report.hpp"

#include <algorithm>

#include "services/overhead/statistics.hpp"

namespace nucleus::overhead {

namespace {

constexpr double permille = 1'000;

std::vector<double> values_of(const std::vector<msg::Link>& links, double msg::Link::*value) {
  std::vector<double> values;
  for (const auto& link : links) values.push_back(link.*value);
  return values;
}

bool has_node(const msg::Link& link, const std::string& name) {
  return link.first == name || link.second == name;
}

/// The node that all slow links have. A single link cannot tell which of its nodes is the cause.
std::string shared_node(const msg::LinksReport& report) {
  if (std::ranges::count(report.links, true, &msg::Link::is_slow) < 2) return "";
  for (const auto& node : report.nodes)
    if (std::ranges::all_of(report.links, [&](const msg::Link& link) {
          return !link.is_slow || has_node(link, node.name);
        }))
      return node.name;
  return "";
}

/// Why the ranks did not run on the nodes; empty if nothing contradicts it. A node's owner may have
/// given it another host name, which proves nothing.
std::string misplaced(const std::vector<msg::LinkNode>& nodes) {
  for (const auto& node : nodes) {
    if (node.rank.boot_id.empty() || node.rank.network.empty())
      return "the rank of node " + node.name + " does not report its host";
    if (node.rank.host != node.name &&
        std::ranges::find(nodes, node.rank.host, &msg::LinkNode::name) != nodes.end())
      return "the rank of node " + node.name + " ran on node " + node.rank.host;
  }
  return "";
}

}  // namespace

core::Result<msg::LinksReport> report_of_links(const Selection& selection, const msg::LinksRun& run,
                                               std::uint32_t slow_permille) {
  using core::ErrorCode;
  if (const auto broken = msg::check(run)) return core::refuse(ErrorCode::internal, broken->detail);
  if (run.ranks.size() != selection.nodes.size())
    return core::refuse(ErrorCode::internal, std::to_string(run.ranks.size()) + " ranks ran on " +
                                                 std::to_string(selection.nodes.size()) + " nodes");
  msg::LinksReport report{.conditions = run.conditions};
  for (std::size_t i = 0; i < run.ranks.size(); ++i)
    report.nodes.push_back({.name = selection.peers[i].name,
                            .host_id = selection.nodes[i].host_id,
                            .rank = run.ranks[i]});
  if (auto why = misplaced(report.nodes); !why.empty())
    return core::refuse(ErrorCode::internal, std::move(why));
  for (std::size_t i = 0; i < report.nodes.size(); ++i)
    for (std::size_t j = i + 1; j < report.nodes.size(); ++j) {
      const auto& first = report.nodes[i];
      const auto& second = report.nodes[j];
      const auto at = report.links.size();
      report.links.push_back({.first = first.name,
                              .second = second.name,
                              .latency_us = run.latencies_us[at],
                              .bandwidth_mb_s = run.bandwidths_mb_s[at],
                              .is_same_host = first.host_id == second.host_id ||
                                              first.rank.boot_id == second.rank.boot_id});
    }
  judge_links(report, slow_permille);
  return report;
}

void judge_links(msg::LinksReport& report, std::uint32_t slow_permille) {
  const double factor = slow_permille / permille;
  report.slow_permille = slow_permille;
  report.latency_us_median = median_of(values_of(report.links, &msg::Link::latency_us));
  report.bandwidth_mb_s_median = median_of(values_of(report.links, &msg::Link::bandwidth_mb_s));
  for (auto& link : report.links)
    link.is_slow = link.latency_us > report.latency_us_median * factor ||
                   link.bandwidth_mb_s * factor < report.bandwidth_mb_s_median;
  report.shared_node = shared_node(report);
}

}  // namespace nucleus::overhead
