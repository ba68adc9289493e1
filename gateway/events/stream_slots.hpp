// Limits the number of open event streams, or of downloads: in all, per person, and some reserved
// for operators. From any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "messages/people.hpp"

namespace nucleus::gateway {

class StreamSlots {
 public:
  struct Limits {
    std::size_t all = 1'000;
    std::size_t per_person = 100;
    std::size_t reserved = 20;  // of `all`, for operators
  };
  /// One stream's place, held as long as this is alive.
  using Slot = std::shared_ptr<void>;

  explicit StreamSlots(Limits limits) { state_->limits = limits; }

  /// Null if the person has too many streams, or all of them that are not reserved are taken.
  Slot take(const msg::Principal& who) {
    const std::scoped_lock lock{state_->mutex};
    const auto& limits = state_->limits;
    const std::size_t reserved = msg::is_operator(who) ? 0 : limits.reserved;
    auto& own = state_->by_person[who.person_id.value];
    if (own >= limits.per_person || state_->all + reserved >= limits.all) {
      if (own == 0) state_->by_person.erase(who.person_id.value);
      return nullptr;
    }
    ++own;
    ++state_->all;
    return Slot(state_.get(), [state = state_, person = who.person_id.value](void*) {
      const std::scoped_lock guard{state->mutex};
      --state->all;
      const auto found = state->by_person.find(person);
      if (--found->second == 0) state->by_person.erase(found);
    });
  }

 private:
  struct State {
    Limits limits = {};
    std::mutex mutex = {};
    std::size_t all = 0;
    std::map<std::string, std::size_t> by_person = {};
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace nucleus::gateway
