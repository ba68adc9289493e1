// Messages as JSON, field by field, and the few readings of a request's JSON that routes share.
#pragma once

#include <nlohmann/json.hpp>

#include "messages/common.hpp"

namespace nucleus::gateway {

using Json = nlohmann::json;

template <class Tag>
Json json_of(const msg::Id<Tag>& id) {
  return id.value;
}
template <class T>
requires std::is_arithmetic_v<T> || std::same_as<T, std::string> Json json_of(const T& value) {
  return value;
}
template <msg::NamedEnum T>
Json json_of(T value) {
  return std::string(msg::name_of(value));
}
template <msg::Struct T>
Json json_of(const T& value);

template <class T>
Json json_of(const std::vector<T>& values) {
  Json list = Json::array();
  for (const auto& value : values) list.push_back(json_of(value));
  return list;
}

/// Every field by its name.
template <msg::Struct T>
Json json_of(const T& value) {
  Json object = Json::object();
  msg::for_each_field(value, [&](std::string_view name, const auto& field) {
    object[std::string(name)] = json_of(field);
  });
  return object;
}

/// Text that any client can parse: bytes that are no UTF-8 are replaced.
inline std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace nucleus::gateway
