// What a person may change of themselves.
#pragma once

#include <optional>

#include "messages/people.hpp"

namespace nucleus::msg {

/// Changes how a person is named; what is left out stays.
struct ChangeProfile {
  static constexpr std::string_view topic = "registry.change-profile";
  using Reply = Person;
  PersonId person_id = {};
  std::optional<std::string> first_name = {};  // 0..256 bytes
  std::optional<std::string> last_name = {};   // 0..256 bytes
  NUCLEUS_FIELDS(person_id, first_name, last_name);
};

}  // namespace nucleus::msg
