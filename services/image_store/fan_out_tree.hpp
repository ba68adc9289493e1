// Which hosts a host asks first for the chunks of a content: a tree for each stripe of chunks, with
// the image store above its root. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace nucleus::image_store {

constexpr std::size_t fan_out = 4;
constexpr std::int64_t joined_together_s = 10;

struct FanOutMember {
  std::string endpoint = {};
  std::int64_t joined_unix_s = 0;
};

/// The members' indexes in the order in which they fill a stripe's tree, top first. The
/// relative order of two members does not depend on the others, so hosts that have member lists of
/// different ages never wait for each other. Those that joined in an earlier 10 s come first, then
/// each stripe has an order of its own, so that each host is above others in a quarter of the
/// stripes.
std::vector<std::size_t> fan_out_order(std::span<const FanOutMember> members, std::size_t stripe);

/// The ranks that the member of this rank asks, nearest first: its parent, then the next above, at
/// most `parents_max`. None for the root.
std::vector<std::size_t> fan_out_parents(std::size_t rank, std::size_t parents_max);

}  // namespace nucleus::image_store
