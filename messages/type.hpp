// Run-time descriptions of message types: their fields, offsets and element types. The msgpack
// codec and the gateway's JSON walk these, so no message needs code of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace nucleus::msg {

template <class T>
concept Struct = requires {
  T::field_list;
};

template <class T>
concept NamedEnum = std::is_enum_v<T> && requires(T value) {
  enum_list(value);
};

/// A string with its own type, so that a node's id cannot be passed as a host's.
template <class Tag>
struct Id {
  std::string value = {};
  auto operator<=>(const Id&) const = default;
  bool empty() const { return value.empty(); }
};

struct Type;

struct Field {
  std::string_view name;
  std::size_t offset;  // bytes from the start of the struct
  const Type* type;
};

/// The description of a C++ type. Members that do not apply to its kind are empty. There is one
/// object per type, so types can be compared by address.
struct Type {
  enum class Kind : std::uint8_t {
    boolean,
    integer,
    floating,
    text,  // a std::string, or an Id
    name,  // an enum, one byte
    structure,
    list,      // a std::vector
    map,       // a std::map from std::string
    optional,  // absent = its key is omitted
  };
  using Visit = void (*)(void* context, const std::string& key, const void* value);

  Kind kind;
  std::size_t size;                                        // bytes
  bool is_signed = false;                                  // integer
  const Type* element = nullptr;                           // list, map, optional
  std::span<const std::string_view> (*names)() = nullptr;  // name: by value
  std::span<const Field> (*fields)() = nullptr;            // structure: in order of declaration

  // list: the elements are contiguous. optional: 0 or 1 element.
  std::size_t (*count)(const void* value) = nullptr;
  const void* (*data)(const void* value) = nullptr;
  void* (*reset)(void* value, std::size_t count) =
      nullptr;  // replaces the elements with new ones; returns the first
  // map: `count` too
  void (*each)(const void* value, void* context, Visit visit) = nullptr;
  void* (*add)(void* value, std::string key) = nullptr;  // returns the new value
};

namespace detail {

constexpr std::size_t count_names(std::string_view list) {
  if (list.empty()) return 0;
  std::size_t count = 1;
  for (char c : list) count += c == ',';
  return count;
}

/// Splits "a, b, c", the preprocessor's spelling of a list, into names.
template <std::size_t Count>
constexpr std::array<std::string_view, Count> split_names(std::string_view list) {
  std::array<std::string_view, Count> names{};
  for (auto& name : names) {
    const auto comma = list.find(',');
    name = list.substr(0, comma);
    if (name.ends_with('_')) name.remove_suffix(1);
    list =
        comma == std::string_view::npos ? "" : list.substr(list.find_first_not_of(' ', comma + 1));
  }
  return names;
}

}  // namespace detail

/// The names of a struct's fields, in the order they are listed.
template <Struct T>
inline constexpr auto field_names =
    detail::split_names<detail::count_names(T::field_list)>(T::field_list);

/// The names of an enum, indexed by its value.
template <NamedEnum E>
inline constexpr auto enum_names =
    detail::split_names<detail::count_names(enum_list(E{}))>(enum_list(E{}));

namespace detail {

template <class T>
constexpr Type describe();

}  // namespace detail

/// The description of a type.
template <class T>
inline constexpr Type type_of = detail::describe<T>();

namespace detail {

template <class T>
struct Shape {  // neither a string, an id, a list, a map nor an optional
  static constexpr Type describe() {
    if constexpr (std::is_same_v<T, bool>) {
      return {.kind = Type::Kind::boolean, .size = sizeof(T)};
    } else if constexpr (std::is_floating_point_v<T>) {
      return {.kind = Type::Kind::floating, .size = sizeof(T)};
    } else if constexpr (std::is_integral_v<T>) {
      return {.kind = Type::Kind::integer, .size = sizeof(T), .is_signed = std::is_signed_v<T>};
    } else if constexpr (NamedEnum<T>) {
      static_assert(sizeof(T) == 1);
      return {.kind = Type::Kind::name, .size = 1, .names = [] {
                return std::span<const std::string_view>(enum_names<T>);
              }};
    } else {
      static_assert(Struct<T>, "the field's type cannot be encoded");
      return {.kind = Type::Kind::structure, .size = sizeof(T), .fields = &fields};
    }
  }

  static std::span<const Field> fields() {
    static const std::vector<Field> all = [] {
      std::vector<Field> fields;
      const T sample{};
      const auto* base = reinterpret_cast<const char*>(&sample);
      sample.with_fields([&](const auto&... members) {
        std::size_t index = 0;
        (fields.push_back({field_names<T>[index++],
                           static_cast<std::size_t>(reinterpret_cast<const char*>(&members) - base),
                           &type_of<std::remove_cvref_t<decltype(members)>>}),
         ...);
      });
      return fields;
    }();
    return all;
  }
};

template <>
struct Shape<std::string> {
  static constexpr Type describe() {
    return {.kind = Type::Kind::text, .size = sizeof(std::string)};
  }
};

template <class Tag>
struct Shape<Id<Tag>> : Shape<std::string> {
  static_assert(sizeof(Id<Tag>) == sizeof(std::string));
};

template <class T>
struct Shape<std::vector<T>> {
  using List = std::vector<T>;
  static constexpr Type describe() {
    static_assert(!std::is_same_v<T, bool>, "std::vector<bool> is not contiguous");
    return {.kind = Type::Kind::list,
            .size = sizeof(List),
            .element = &type_of<T>,
            .count = [](const void* list) { return static_cast<const List*>(list)->size(); },
            .data = [](const void* list) -> const void* {
              return static_cast<const List*>(list)->data();
            },
            .reset = [](void* list, std::size_t count) -> void* {
              auto& values = *static_cast<List*>(list);
              values.clear();
              values.resize(count);
              return values.data();
            }};
  }
};

template <class T>
struct Shape<std::optional<T>> {
  using Maybe = std::optional<T>;
  static constexpr Type describe() {
    return {.kind = Type::Kind::optional,
            .size = sizeof(Maybe),
            .element = &type_of<T>,
            .count = [](const void* value) -> std::size_t {
              return static_cast<const Maybe*>(value)->has_value();
            },
            .data = [](const void* value) -> const void* {
              return &**static_cast<const Maybe*>(value);
            },
            .reset = [](void* value, std::size_t) -> void* {
              return &static_cast<Maybe*>(value)->emplace();
            }};
  }
};

template <class T>
struct Shape<std::map<std::string, T>> {
  using Map = std::map<std::string, T>;
  static constexpr Type describe() {
    return {.kind = Type::Kind::map,
            .size = sizeof(Map),
            .element = &type_of<T>,
            .count = [](const void* map) { return static_cast<const Map*>(map)->size(); },
            .each =
                [](const void* map, void* context, Type::Visit visit) {
                  for (const auto& [key, value] : *static_cast<const Map*>(map))
                    visit(context, key, &value);
                },
            .add = [](void* map, std::string key) -> void* {
              return &(*static_cast<Map*>(map))[std::move(key)];
            }};
  }
};

template <class T>
constexpr Type describe() {
  return Shape<T>::describe();
}

}  // namespace detail

/// Calls `use` with a value of the C++ integer type that `type` describes.
template <class Use>
decltype(auto) with_integer(const Type& type, Use&& use) {
  switch (type.size) {
    case 1:
      return type.is_signed ? use(std::int8_t{}) : use(std::uint8_t{});
    case 2:
      return type.is_signed ? use(std::int16_t{}) : use(std::uint16_t{});
    case 4:
      return type.is_signed ? use(std::int32_t{}) : use(std::uint32_t{});
    default:
      return type.is_signed ? use(std::int64_t{}) : use(std::uint64_t{});
  }
}

/// The address of a field within its struct.
inline const void* member(const void* structure, const Field& field) {
  return static_cast<const char*>(structure) + field.offset;
}
inline void* member(void* structure, const Field& field) {
  return static_cast<char*>(structure) + field.offset;
}

}  // namespace nucleus::msg
