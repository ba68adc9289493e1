// Whether native and virtual runs may be compared. Pure.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "messages/overhead.hpp"

namespace nucleus::overhead {

/// One side of a comparison: how its runs were made, and where their ranks ran.
struct Side {
  msg::Conditions conditions = {};
  std::vector<msg::Rank> ranks = {};
};

/// The number of hosts that the ranks report.
inline std::size_t hosts_of(const std::vector<msg::Rank>& ranks) {
  std::set<std::pair<std::string, std::string>> hosts;
  for (const auto& rank : ranks) hosts.emplace(rank.boot_id, rank.network);
  return hosts.size();
}

/// The number of machines that the ranks report: hosts may be namespaces of one machine.
inline std::size_t machines_of(const std::vector<msg::Rank>& ranks) {
  std::set<std::string> machines;
  for (const auto& rank : ranks) machines.insert(rank.boot_id);
  return machines.size();
}

/// The program as comparisons see it: version 3 of the probe measures what version 2 does in the
/// same way, and more.
inline std::string compared_program(const std::string& program) {
  constexpr std::string_view older = "nucleus-pingpong 2";
  constexpr std::string_view newer = "nucleus-pingpong 3";
  const bool is_older = program == older || program.starts_with(std::string(older) + ",");
  return is_older ? std::string(newer) + program.substr(older.size()) : program;
}

struct Comparison {
  Side native = {};
  Side cluster = {};
  msg::Place place = msg::Place::unknown;
  bool is_single_host = false;  // all nodes are on one host
};

/// Why the sides cannot be compared; empty if they can. Two ranks on one host make a figure of
/// shared memory, unless the cluster itself is on a single host.
inline std::string refusal_of(const Comparison& compared) {
  const auto& native = compared.native;
  const auto& cluster = compared.cluster;
  if (native.conditions.program.empty() || cluster.conditions.program.empty())
    return "the tool does not report its version";
  if (compared_program(native.conditions.program) != compared_program(cluster.conditions.program))
    return "the cluster ran " + cluster.conditions.program + ", the host " +
           native.conditions.program;
  if (compared.place != msg::Place::node_pair) return "";
  if (native.ranks.size() < 2 || cluster.ranks.size() < 2)
    return "the ranks do not report their hosts";
  if (native.ranks.size() != cluster.ranks.size())
    return std::to_string(cluster.ranks.size()) + " ranks in the cluster, " +
           std::to_string(native.ranks.size()) + " on the hosts";
  for (const auto* side : {&native, &cluster})
    for (const auto& rank : side->ranks)
      if (rank.boot_id.empty() || rank.network.empty()) return "a rank does not report its host";
  if (machines_of(cluster.ranks) != cluster.ranks.size())
    return "two ranks ran on node " + cluster.ranks.front().host;
  if (compared.is_single_host && hosts_of(native.ranks) != 1)
    return "the nodes are on one host, the native ranks on several";
  if (!compared.is_single_host && hosts_of(native.ranks) != native.ranks.size())
    return "two native ranks ran on host " + native.ranks.front().host;
  return "";
}

}  // namespace nucleus::overhead
