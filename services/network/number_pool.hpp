// Numbers that clusters lease: the VLANs of a deployment, the pkeys of a fabric. Each number is
// free, leased to one cluster, or quarantined after its cluster was removed. No I/O, no clock.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "messages/fields.hpp"

namespace nucleus::network {

NUCLEUS_ENUM(NumberState, free, leased, quarantined)

/// Every change of a number's state; the table in docs/states.md, held to it by a test.
constexpr std::array<std::pair<NumberState, NumberState>, 3> number_transitions = {{
    {NumberState::free, NumberState::leased},
    {NumberState::leased, NumberState::quarantined},
    {NumberState::quarantined, NumberState::free},
}};

struct NumberRange {
  std::uint32_t first = 1;
  std::uint32_t last = 0;      // below `first` = no number
  std::uint32_t reserved = 0;  // never leased to a cluster: the public VLAN
  friend bool operator==(const NumberRange&, const NumberRange&) = default;
};

/// Asserts that each change is in `number_transitions`. A number outside the range, leased before
/// the range was narrowed, keeps its lease and is never free again.
class NumberPool {
 public:
  explicit NumberPool(const NumberRange& range = {});

  NumberState state(std::uint32_t number) const;
  /// The lowest free number, or nothing.
  std::optional<std::uint32_t> lowest_free() const;
  std::size_t count(NumberState state) const;
  /// The numbers whose quarantine has ended, lowest first.
  std::vector<std::uint32_t> due(std::int64_t now_unix_s) const;

  void lease(std::uint32_t number);
  void quarantine(std::uint32_t number, std::int64_t until_unix_s);
  void release(std::uint32_t number);

 private:
  void require(std::uint32_t number, NumberState next) const;

  NumberRange range_;
  std::set<std::uint32_t> free_ = {};
  std::set<std::uint32_t> leased_ = {};
  std::map<std::uint32_t, std::int64_t> quarantined_ = {};  // with its end, Unix seconds
};

}  // namespace nucleus::network
