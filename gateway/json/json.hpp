// Messages as JSON, field by field, and the few readings of a request's JSON that routes share.
#pragma once

#include <nlohmann/json.hpp>

#include "core/result.hpp"
#include "messages/common.hpp"

namespace nucleus::gateway {

using Json = nlohmann::json;

/// A value as its type describes it: a message is an object of its fields.
Json json_of(const void* value, const msg::Type& type);

template <class T>
Json json_of(const T& value) {
  return json_of(&value, msg::type_of<T>);
}

/// A request's body: JSON of at most 64 levels in valid UTF-8, each key of an object once. Else
/// `invalid_argument`, with the place where it broke.
core::Result<Json> parse_json(const std::string& text);
/// As `parse_json`, and it must be an object.
core::Result<Json> parse_object(const std::string& text);

/// Text that any client can parse: bytes that are no UTF-8 are replaced.
std::string text_of(const Json& json);

}  // namespace nucleus::gateway
