// How a message becomes bytes: one field list per struct gives its msgpack map, and whatever else
// walks fields (JSON). Decoding is lenient (keys not known are skipped, missing ones keep their
// default) and bounded before it allocates: 1 MiB a body, depth 32, 131,072 objects, 16 MiB of
// memory for what lists become. A value of the wrong type is an error that names its field.
#pragma once

#include <stdexcept>

#include "messages/type.hpp"

/// Lists the fields of a message once: `NUCLEUS_FIELDS(cluster_id, nodes);`. A name that C++ keeps
/// for itself ends in `_` here and travels without it.
#define NUCLEUS_FIELDS(...)               \
  template <class Visit>                  \
  void with_fields(Visit&& visit) const { \
    visit(__VA_ARGS__);                   \
  }                                       \
  static constexpr std::string_view field_list = #__VA_ARGS__

/// A struct that has no field still says so.
#define NUCLEUS_NO_FIELDS()                          \
  static constexpr std::string_view field_list = ""; \
  template <class Visit>                             \
  void with_fields(Visit&& visit) const {            \
    visit();                                         \
  }

/// An enum that travels by name. `unknown` comes first: it is the default, and what a name not
/// known decodes to. A name that C++ keeps for itself ends in `_` here and travels without it.
#define NUCLEUS_ENUM(Name, ...)                            \
  enum class Name : std::uint8_t { unknown, __VA_ARGS__ }; \
  constexpr std::string_view enum_list(Name) {             \
    return "unknown, " #__VA_ARGS__;                       \
  }

namespace nucleus::msg {

constexpr std::size_t body_bytes_max = 1 << 20;
constexpr std::size_t depth_max = 32;
constexpr std::size_t objects_max = 1 << 17;  // a cluster of 4,097 nodes is 102,000 of them
// Of the structs that a body's lists become: one byte of msgpack may be a struct of hundreds.
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

/// A body's bytes are not a message of this kind. `what()` names the field and the reason.
struct DecodeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string encode(const void* value, const Type& type);
/// Fills `value`, which is as new; throws DecodeError. Nothing after the map is allowed.
void decode(std::string_view bytes, void* value, const Type& type);

/// The msgpack map of a message, keyed by field name.
template <Struct T>
std::string encode(const T& value) {
  return encode(&value, type_of<T>);
}

/// A message from its bytes; throws DecodeError.
template <Struct T>
T decode(std::string_view bytes) {
  T value{};
  decode(bytes, &value, type_of<T>);
  return value;
}

/// Messages are equal when they travel as the same bytes.
template <Struct T>
bool operator==(const T& left, const T& right) {
  return encode(left) == encode(right);
}

}  // namespace nucleus::msg
