// The members of text messages, which are JSON objects; what is missing or of another type is
// empty.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace nucleus::console {

/// -1 if there is no such number.
inline std::int64_t number_in(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : -1;
}

inline std::string text_in(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace nucleus::console
