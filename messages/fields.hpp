// Encodes messages as msgpack maps and decodes them, from one field list per struct. Decoding skips
// unknown keys and leaves missing ones at their default. It is bounded before it allocates: body
// 1 MiB, depth 32, 131,072 objects, 16 MiB of memory for list elements. A value of the wrong type
// is an error that names the field.
#pragma once

#include <stdexcept>

#include "messages/type.hpp"

/// Declares the fields of a message: `NUCLEUS_FIELDS(cluster_id, nodes);`. A trailing `_`, for
/// names that are C++ keywords, is not encoded.
#define NUCLEUS_FIELDS(...)               \
  template <class Visit>                  \
  void with_fields(Visit&& visit) const { \
    visit(__VA_ARGS__);                   \
  }                                       \
  static constexpr std::string_view field_list = #__VA_ARGS__

/// Declares a message without fields.
#define NUCLEUS_NO_FIELDS()                          \
  static constexpr std::string_view field_list = ""; \
  template <class Visit>                             \
  void with_fields(Visit&& visit) const {            \
    visit();                                         \
  }

/// Declares an enum that is encoded by name. `unknown` is added as the first value: it is the
/// default, and an unknown name decodes to it. A trailing `_`, for C++ keywords, is not encoded.
#define NUCLEUS_ENUM(Name, ...)                            \
  enum class Name : std::uint8_t { unknown, __VA_ARGS__ }; \
  constexpr std::string_view enum_list(Name) {             \
    return "unknown, " #__VA_ARGS__;                       \
  }

namespace nucleus::msg {

constexpr std::size_t body_bytes_max = 1 << 20;
constexpr std::size_t depth_max = 32;
constexpr std::size_t objects_max = 1 << 17;  // a cluster of 4,097 nodes has 102,000
// Memory for list elements: one byte of msgpack may decode to a struct of hundreds of bytes.
constexpr std::size_t list_bytes_max = std::size_t{16} << 20;

template <NamedEnum E>
constexpr std::string_view name_of(E value) {
  const auto index = static_cast<std::size_t>(value);
  return index < enum_names<E>.size() ? enum_names<E>[index] : enum_names<E>[0];
}

template <NamedEnum E>
constexpr E enum_of(std::string_view name) {
  for (std::size_t i = 0; i < enum_names<E>.size(); ++i)
    if (enum_names<E>[i] == name) return static_cast<E>(i);
  return E{};
}

/// The bytes are not a message of the expected type. `what()` names the field and the reason.
struct DecodeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string encode(const void* value, const Type& type);
/// Fills a default-constructed `value`; throws DecodeError. Bytes after the map are an error.
void decode(std::string_view bytes, void* value, const Type& type);

/// The msgpack map of a message, keyed by field name.
template <Struct T>
std::string encode(const T& value) {
  return encode(&value, type_of<T>);
}

/// Decodes a message; throws DecodeError.
template <Struct T>
T decode(std::string_view bytes) {
  T value{};
  decode(bytes, &value, type_of<T>);
  return value;
}

/// Messages are equal if they encode to the same bytes.
template <Struct T>
bool operator==(const T& left, const T& right) {
  return encode(left) == encode(right);
}

}  // namespace nucleus::msg
