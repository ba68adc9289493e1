// Converts messages to JSON, field by field, and parses the JSON of requests.
#pragma once

#include <nlohmann/json.hpp>

#include "core/result.hpp"
#include "messages/common.hpp"

namespace nucleus::gateway {

using Json = nlohmann::json;

/// A value by its type's description: a message is an object of its fields.
Json json_of(const void* value, const msg::Type& type);

template <class T>
Json json_of(const T& value) {
  return json_of(&value, msg::type_of<T>);
}

/// Parses a JSON object of at most 64 levels in valid UTF-8, without a duplicate key in any object;
/// else `invalid_argument` with the position.
core::Result<Json> parse_object(const std::string& text);

/// Serializes JSON; bytes that are not UTF-8 are replaced.
std::string text_of(const Json& json);

}  // namespace nucleus::gateway
