// Which host for which node: pure functions. No host is given more than it has; its CPUs are
// counted with the overcommit factor, which the pool applies.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "services/scheduler/host_pool.hpp"

namespace nucleus::scheduler {

/// Hosts that the search of one scheduling pass may try for nodes of different sizes.
constexpr std::size_t search_steps_max = 200'000;

/// A host for each need, in order, or nothing if not all fit; takes the given room from `pool`.
///
/// If hosts are in several racks, all nodes go to one rack that has room, or else to few of them.
/// Within that, each node goes to the host with most CPUs free, the first by id of equals; those
/// that may use fewest hosts come first. If all name hosts, or are alike, this finds a placement
/// whenever one exists. Others that do not fit this way are searched for, largest first: the result
/// is exact unless `steps_left` runs out, which every host tried counts down.
std::optional<std::vector<msg::HostId>> place_together(HostPoolDraft& pool,
                                                       std::span<const Need> needs,
                                                       std::size_t& steps_left);

/// The needs of nodes that are to start together: at least `count_min` of them.
struct Needs {
  std::vector<Need> all = {};
  std::size_t count_min = 0;  // 1..size of `all`
};

/// Hosts for as many of the needs as fit, in order: an empty id for one that does not fit. Nothing
/// if fewer than `count_min` fit. Takes the given room from `pool`. Exact for all of them and for
/// needs that are alike; otherwise the smallest nodes come first.
std::optional<std::vector<msg::HostId>> place_most(HostPoolDraft& pool, const Needs& needs,
                                                   std::size_t& steps_left);

/// The smallest `count_min` of the needs.
std::vector<Need> smallest(const Needs& needs);

/// True if `needs` do not fit even on empty hosts, of all hosts known. Exact for nodes of one size;
/// for different sizes only what the largest node and the sum prove.
bool can_never_fit(const HostPool& pool, std::span<const Need> needs);

}  // namespace nucleus::scheduler
