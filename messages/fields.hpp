// How a message becomes bytes: one field list per struct gives its msgpack map, and whatever else
// walks fields (JSON). Decoding is lenient (keys not known are skipped, missing ones keep their
// default) and bounded before it allocates: 1 MiB a body, depth 32, 100,000 objects. A value of the
// wrong type is an error that names its field.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <msgpack.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// Lists the fields of a message once: `NUCLEUS_FIELDS(cluster_id, nodes);`.
#define NUCLEUS_FIELDS(...)                                    \
  static constexpr std::string_view field_list = #__VA_ARGS__; \
  constexpr auto fields() {                                    \
    return std::tie(__VA_ARGS__);                              \
  }                                                            \
  constexpr auto fields() const {                              \
    return std::tie(__VA_ARGS__);                              \
  }

/// A struct that has no field still says so.
#define NUCLEUS_NO_FIELDS()                          \
  static constexpr std::string_view field_list = ""; \
  constexpr auto fields() {                          \
    return std::tuple<>{};                           \
  }                                                  \
  constexpr auto fields() const {                    \
    return std::tuple<>{};                           \
  }

/// An enum that travels by name. `unknown` comes first: it is the default, and what a name not
/// known decodes to.
#define NUCLEUS_ENUM(Name, ...)                            \
  enum class Name : std::uint8_t { unknown, __VA_ARGS__ }; \
  constexpr std::string_view enum_list(Name) {             \
    return "unknown, " #__VA_ARGS__;                       \
  }

namespace nucleus::msg {

constexpr std::size_t body_bytes_max = 1 << 20;
constexpr std::size_t depth_max = 32;
constexpr std::size_t objects_max = 100'000;

template <class T>
concept Struct = requires(const T& value) {
  T::field_list;
  value.fields();
};

template <class T>
concept NamedEnum = std::is_enum_v<T> && requires(T value) { enum_list(value); };

namespace detail {

constexpr std::size_t count_names(std::string_view list) {
  if (list.empty()) return 0;
  std::size_t count = 1;
  for (char c : list) count += c == ',';
  return count;
}

/// Splits "a, b, c", as the preprocessor spells a list, into its names.
template <std::size_t Count>
constexpr std::array<std::string_view, Count> split_names(std::string_view list) {
  std::array<std::string_view, Count> names{};
  for (auto& name : names) {
    const auto comma = list.find(',');
    name = list.substr(0, comma);
    list =
        comma == std::string_view::npos ? "" : list.substr(list.find_first_not_of(' ', comma + 1));
  }
  return names;
}

}  // namespace detail

/// The names of a struct's fields, in the order of `fields()`.
template <Struct T>
inline constexpr auto field_names =
    detail::split_names<detail::count_names(T::field_list)>(T::field_list);

/// The names of an enum, indexed by its value.
template <NamedEnum E>
inline constexpr auto enum_names =
    detail::split_names<detail::count_names(enum_list(E{}))>(enum_list(E{}));

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

/// Calls `visit(name, value)` for each field.
template <class T, class Visit>
  requires Struct<std::remove_cvref_t<T>>
constexpr void for_each_field(T&& value, Visit&& visit) {
  std::apply(
      [&](auto&... field) {
        std::size_t index = 0;
        (visit(field_names<std::remove_cvref_t<T>>[index++], field), ...);
      },
      value.fields());
}

/// Messages are equal when all their fields are.
template <Struct T>
constexpr bool operator==(const T& left, const T& right) {
  return left.fields() == right.fields();
}

/// An id: a string with a type of its own, so that a node's cannot be passed where a host's is
/// meant.
template <class Tag>
struct Id {
  std::string value = {};
  auto operator<=>(const Id&) const = default;
  bool empty() const { return value.empty(); }
};

template <class T>
inline constexpr bool is_id = false;
template <class Tag>
inline constexpr bool is_id<Id<Tag>> = true;

/// A body's bytes are not a message of this kind. `what()` names the field and the reason.
struct DecodeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using Packer = msgpack::packer<msgpack::sbuffer>;

template <class T>
void pack_value(Packer& packer, const T& value);

namespace detail {

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_map = false;
template <class T>
inline constexpr bool is_map<std::map<std::string, T>> = true;

[[noreturn]] inline void fail(std::string_view field, std::string_view reason) {
  throw DecodeError(std::string(field) + ": " + std::string(reason));
}

template <class T>
void unpack_value(const msgpack::object& object, T& value, std::string_view field);

template <class T>
void unpack_number(const msgpack::object& object, T& value, std::string_view field) {
  if constexpr (std::is_same_v<T, bool>) {
    if (object.type != msgpack::type::BOOLEAN) fail(field, "must be true or false");
    value = object.via.boolean;
  } else if constexpr (std::is_floating_point_v<T>) {
    if (object.type == msgpack::type::FLOAT64 || object.type == msgpack::type::FLOAT32)
      value = static_cast<T>(object.via.f64);
    else if (object.type == msgpack::type::POSITIVE_INTEGER)
      value = static_cast<T>(object.via.u64);
    else if (object.type == msgpack::type::NEGATIVE_INTEGER)
      value = static_cast<T>(object.via.i64);
    else
      fail(field, "must be a number");
  } else if (object.type == msgpack::type::POSITIVE_INTEGER) {
    if (!std::in_range<T>(object.via.u64)) fail(field, "is too large");
    value = static_cast<T>(object.via.u64);
  } else if (object.type == msgpack::type::NEGATIVE_INTEGER) {
    if (!std::in_range<T>(object.via.i64)) fail(field, "is too small");
    value = static_cast<T>(object.via.i64);
  } else {
    fail(field, "must be an integer");
  }
}

template <class T>
void unpack_struct(const msgpack::object& object, T& value, std::string_view field) {
  if (object.type != msgpack::type::MAP) fail(field, "must be a map");
  for (std::uint32_t i = 0; i < object.via.map.size; ++i) {
    const auto& [key, entry] = object.via.map.ptr[i];
    if (key.type != msgpack::type::STR) fail(field, "has a key that is not a string");
    const std::string_view key_name(key.via.str.ptr, key.via.str.size);
    for_each_field(value, [&](std::string_view name, auto& member) {
      if (name == key_name) unpack_value(entry, member, name);
    });
  }
}

template <class T>
void unpack_value(const msgpack::object& object, T& value, std::string_view field) {
  if constexpr (is_optional<T>) {
    unpack_value(object, value.emplace(), field);
  } else if constexpr (is_id<T>) {
    unpack_value(object, value.value, field);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (object.type == msgpack::type::STR)
      value.assign(object.via.str.ptr, object.via.str.size);
    else if (object.type == msgpack::type::BIN)
      value.assign(object.via.bin.ptr, object.via.bin.size);
    else
      fail(field, "must be a string");
  } else if constexpr (NamedEnum<T>) {
    if (object.type != msgpack::type::STR) fail(field, "must be a name");
    value = enum_of<T>({object.via.str.ptr, object.via.str.size});
  } else if constexpr (Struct<T>) {
    unpack_struct(object, value, field);
  } else if constexpr (is_vector<T>) {
    if (object.type != msgpack::type::ARRAY) fail(field, "must be a list");
    value.clear();
    value.reserve(object.via.array.size);
    for (std::uint32_t i = 0; i < object.via.array.size; ++i)
      unpack_value(object.via.array.ptr[i], value.emplace_back(), field);
  } else if constexpr (is_map<T>) {
    if (object.type != msgpack::type::MAP) fail(field, "must be a map");
    for (std::uint32_t i = 0; i < object.via.map.size; ++i) {
      std::string key;
      unpack_value(object.via.map.ptr[i].key, key, field);
      unpack_value(object.via.map.ptr[i].val, value[key], field);
    }
  } else {
    static_assert(std::is_arithmetic_v<T>);
    unpack_number(object, value, field);
  }
}

/// Walks the bytes without storing anything, so that a lie about a length costs nothing.
struct BoundsVisitor : msgpack::null_visitor {
  std::size_t objects = 0;
  std::size_t depth = 0;
  bool add(std::size_t count) { return (objects += count) <= objects_max; }
  bool open(std::size_t count) { return ++depth <= depth_max && add(count); }
  bool start_array(std::uint32_t count) { return open(count); }
  bool start_map(std::uint32_t count) { return open(2 * static_cast<std::size_t>(count)); }
  bool end_array() { return --depth, true; }
  bool end_map() { return --depth, true; }
};

}  // namespace detail

template <class T>
void pack_value(Packer& packer, const T& value) {
  if constexpr (detail::is_optional<T>) {
    pack_value(packer, *value);
  } else if constexpr (is_id<T>) {
    packer.pack(value.value);
  } else if constexpr (NamedEnum<T>) {
    const auto name = name_of(value);
    packer.pack_str(static_cast<std::uint32_t>(name.size()));
    packer.pack_str_body(name.data(), static_cast<std::uint32_t>(name.size()));
  } else if constexpr (Struct<T>) {
    std::uint32_t count = 0;
    const auto is_said = [](const auto& member) {
      if constexpr (detail::is_optional<std::remove_cvref_t<decltype(member)>>)
        return member.has_value();
      else
        return true;
    };
    for_each_field(value, [&](std::string_view, const auto& member) { count += is_said(member); });
    packer.pack_map(count);
    for_each_field(value, [&](std::string_view name, const auto& member) {
      if (!is_said(member)) return;
      packer.pack_str(static_cast<std::uint32_t>(name.size()));
      packer.pack_str_body(name.data(), static_cast<std::uint32_t>(name.size()));
      pack_value(packer, member);
    });
  } else if constexpr (detail::is_vector<T>) {
    packer.pack_array(static_cast<std::uint32_t>(value.size()));
    for (const auto& entry : value) pack_value(packer, entry);
  } else if constexpr (detail::is_map<T>) {
    packer.pack_map(static_cast<std::uint32_t>(value.size()));
    for (const auto& [key, entry] : value) {
      packer.pack(key);
      pack_value(packer, entry);
    }
  } else {
    packer.pack(value);
  }
}

/// The msgpack map of a message, keyed by field name.
template <Struct T>
std::string encode(const T& value) {
  msgpack::sbuffer buffer;
  Packer packer(buffer);
  pack_value(packer, value);
  return {buffer.data(), buffer.size()};
}

/// A message from its bytes; throws DecodeError. Nothing after the map is allowed.
template <Struct T>
T decode(std::string_view bytes) {
  if (bytes.size() > body_bytes_max) detail::fail("body", "is over 1 MiB");
  detail::BoundsVisitor bounds;
  std::size_t offset = 0;
  bool is_sound = false;
  try {
    is_sound = msgpack::parse(bytes.data(), bytes.size(), offset, bounds);
  } catch (const msgpack::unpack_error&) {
    is_sound = false;
  }
  if (!is_sound || offset != bytes.size()) detail::fail("body", "is not one bounded msgpack value");
  try {
    T value;
    const auto handle = msgpack::unpack(bytes.data(), bytes.size());
    detail::unpack_struct(handle.get(), value, "body");
    return value;
  } catch (const msgpack::unpack_error& error) {
    detail::fail("body", error.what());
  }
}

}  // namespace nucleus::msg
