#include "services/image_store/fan_out_tree.hpp"

#include <algorithm>
#include <tuple>

#include "core/digest/digest.hpp"

namespace nucleus::image_store {

namespace {

struct Place {
  std::int64_t joined = 0;
  core::Sha256 draw = {};
  std::size_t member = 0;
  auto operator<=>(const Place&) const = default;
};

}  // namespace

std::vector<std::size_t> fan_out_order(std::span<const FanOutMember> members, std::size_t stripe) {
  std::vector<Place> places;
  places.reserve(members.size());
  for (std::size_t i = 0; i < members.size(); ++i)
    places.push_back({.joined = members[i].joined_unix_s / joined_together_s,
                      .draw = core::sha256(std::to_string(stripe) + " " + members[i].endpoint),
                      .member = i});
  std::ranges::sort(places);
  std::vector<std::size_t> order;
  order.reserve(places.size());
  for (const auto& place : places) order.push_back(place.member);
  return order;
}

std::vector<std::size_t> fan_out_parents(std::size_t rank, std::size_t parents_max) {
  std::vector<std::size_t> parents;
  while (rank > 0 && parents.size() < parents_max) {
    rank = (rank - 1) / fan_out;
    parents.push_back(rank);
  }
  return parents;
}

}  // namespace nucleus::image_store
