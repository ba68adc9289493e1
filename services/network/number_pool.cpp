#include "services/network/number_pool.hpp"

#include <algorithm>

#include "core/assert.hpp"

namespace nucleus::network {

NumberPool::NumberPool(const NumberRange& range) : range_{range} {
  for (std::uint32_t number = range.first; number <= range.last; ++number)
    if (number != range.reserved) free_.insert(free_.end(), number);
}

NumberState NumberPool::state(std::uint32_t number) const {
  if (leased_.contains(number)) return NumberState::leased;
  return quarantined_.contains(number) ? NumberState::quarantined : NumberState::free;
}

std::optional<std::uint32_t> NumberPool::lowest_free() const {
  if (free_.empty()) return std::nullopt;
  return *free_.begin();
}

std::size_t NumberPool::count(NumberState state) const {
  switch (state) {
    case NumberState::free:
      return free_.size();
    case NumberState::leased:
      return leased_.size();
    case NumberState::quarantined:
      return quarantined_.size();
    case NumberState::unknown:
      break;
  }
  return 0;
}

std::vector<std::uint32_t> NumberPool::due(std::int64_t now_unix_s) const {
  std::vector<std::uint32_t> numbers;
  for (const auto& [number, until_unix_s] : quarantined_)
    if (until_unix_s <= now_unix_s) numbers.push_back(number);
  return numbers;
}

void NumberPool::lease(std::uint32_t number) {
  require(number, NumberState::leased);
  free_.erase(number);
  leased_.insert(number);
}

void NumberPool::quarantine(std::uint32_t number, std::int64_t until_unix_s) {
  require(number, NumberState::quarantined);
  leased_.erase(number);
  quarantined_[number] = until_unix_s;
}

void NumberPool::release(std::uint32_t number) {
  require(number, NumberState::free);
  quarantined_.erase(number);
  if (number >= range_.first && number <= range_.last && number != range_.reserved)
    free_.insert(number);
}

void NumberPool::require(std::uint32_t number, NumberState next) const {
  NUCLEUS_ASSERT(std::ranges::find(number_transitions, std::pair{state(number), next}) !=
                 number_transitions.end());
}

}  // namespace nucleus::network
