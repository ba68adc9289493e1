// The msgpack codec: the only file that uses msgpack. Encodes and decodes values by their types.
#include <cstring>
#include <msgpack.hpp>
#include <utility>

#include "messages/fields.hpp"

namespace nucleus::msg {

namespace {

using Packer = msgpack::packer<msgpack::sbuffer>;
using Kind = Type::Kind;

[[noreturn]] void fail(std::string_view field, std::string_view reason) {
  throw DecodeError(std::string(field) + ": " + std::string(reason));
}

void pack_text(Packer& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

template <class T>
T load(const void* value) {
  T copy;
  std::memcpy(&copy, value, sizeof copy);
  return copy;
}

/// False for an empty optional, whose key is omitted.
bool is_present(const void* structure, const Field& field) {
  return field.type->kind != Kind::optional || field.type->count(member(structure, field)) > 0;
}

void pack(Packer& packer, const void* value, const Type& type);

void pack_structure(Packer& packer, const void* value, const Type& type) {
  const auto fields = type.fields();
  std::uint32_t count = 0;
  for (const auto& field : fields) count += is_present(value, field);
  packer.pack_map(count);
  for (const auto& field : fields) {
    if (!is_present(value, field)) continue;
    pack_text(packer, field.name);
    pack(packer, member(value, field), *field.type);
  }
}

void pack_map(Packer& packer, const void* value, const Type& type) {
  packer.pack_map(static_cast<std::uint32_t>(type.count(value)));
  struct Into {
    Packer& packer;
    const Type& type;
  } into{packer, *type.element};
  type.each(value, &into, [](void* context, const std::string& key, const void* entry) {
    const auto& [to, element] = *static_cast<Into*>(context);
    pack_text(to, key);
    pack(to, entry, element);
  });
}

void pack(Packer& packer, const void* value, const Type& type) {
  switch (type.kind) {
    case Kind::boolean:
      packer.pack(load<bool>(value));
      return;
    case Kind::integer:
      return with_integer(type, [&](auto kind) { packer.pack(load<decltype(kind)>(value)); });
    case Kind::floating:
      type.size == sizeof(float) ? packer.pack(load<float>(value))
                                 : packer.pack(load<double>(value));
      return;
    case Kind::text:
      return pack_text(packer, *static_cast<const std::string*>(value));
    case Kind::name: {
      const auto names = type.names();
      const std::size_t index = load<std::uint8_t>(value);
      return pack_text(packer, names[index < names.size() ? index : 0]);
    }
    case Kind::structure:
      return pack_structure(packer, value, type);
    case Kind::list: {
      const std::size_t count = type.count(value);
      packer.pack_array(static_cast<std::uint32_t>(count));
      const auto* entry = static_cast<const char*>(type.data(value));
      for (std::size_t i = 0; i < count; ++i, entry += type.element->size)
        pack(packer, entry, *type.element);
      return;
    }
    case Kind::map:
      return pack_map(packer, value, type);
    case Kind::optional:
      return pack(packer, type.data(value), *type.element);
  }
}

/// Decodes objects into values, and limits the memory of list elements.
class Unpacker {
 public:
  void structure(const msgpack::object& object, void* value, const Type& type,
                 std::string_view field) {
    if (object.type != msgpack::type::MAP) fail(field, "must be a map");
    const auto fields = type.fields();
    for (std::uint32_t i = 0; i < object.via.map.size; ++i) {
      const auto& [key, entry] = object.via.map.ptr[i];
      if (key.type != msgpack::type::STR) fail(field, "has a key that is not a string");
      const std::string_view name(key.via.str.ptr, key.via.str.size);
      for (const auto& known : fields) {
        if (known.name != name) continue;
        unpack(entry, member(value, known), *known.type, known.name);
        break;
      }
    }
  }

 private:
  void unpack(const msgpack::object& object, void* value, const Type& type,
              std::string_view field) {
    switch (type.kind) {
      case Kind::boolean:
        if (object.type != msgpack::type::BOOLEAN) fail(field, "must be true or false");
        *static_cast<bool*>(value) = object.via.boolean;
        return;
      case Kind::integer:
        return integer(object, value, type, field);
      case Kind::floating:
        return floating(object, value, type, field);
      case Kind::text:
        *static_cast<std::string*>(value) = text(object, field);
        return;
      case Kind::name: {
        if (object.type != msgpack::type::STR) fail(field, "must be a name");
        const auto names = type.names();
        const std::string_view name(object.via.str.ptr, object.via.str.size);
        std::uint8_t index = 0;
        for (std::size_t i = 0; i < names.size(); ++i)
          if (names[i] == name) index = static_cast<std::uint8_t>(i);
        std::memcpy(value, &index, 1);
        return;
      }
      case Kind::structure:
        return structure(object, value, type, field);
      case Kind::list:
        return list(object, value, type, field);
      case Kind::map:
        if (object.type != msgpack::type::MAP) fail(field, "must be a map");
        for (std::uint32_t i = 0; i < object.via.map.size; ++i) {
          const auto& entry = object.via.map.ptr[i];
          std::string key = text(entry.key, field);
          unpack(entry.val, type.add(value, std::move(key)), *type.element, field);
        }
        return;
      case Kind::optional:
        return unpack(object, type.reset(value, 1), *type.element, field);
    }
  }

  void list(const msgpack::object& object, void* value, const Type& type, std::string_view field) {
    if (object.type != msgpack::type::ARRAY) fail(field, "must be a list");
    const std::size_t count = object.via.array.size;
    const std::size_t bytes = count * type.element->size;
    if (bytes > list_bytes_left_) fail(field, "is too long");
    list_bytes_left_ -= bytes;
    auto* entry = static_cast<char*>(type.reset(value, count));
    for (std::size_t i = 0; i < count; ++i, entry += type.element->size)
      unpack(object.via.array.ptr[i], entry, *type.element, field);
  }

  static std::string text(const msgpack::object& object, std::string_view field) {
    if (object.type == msgpack::type::STR) return {object.via.str.ptr, object.via.str.size};
    if (object.type == msgpack::type::BIN) return {object.via.bin.ptr, object.via.bin.size};
    fail(field, "must be a string");
  }

  template <class To, class From>
  static void store(From number, void* value, std::string_view field) {
    if (!std::in_range<To>(number)) fail(field, number < From{} ? "is too small" : "is too large");
    const To stored = static_cast<To>(number);
    std::memcpy(value, &stored, sizeof stored);
  }

  static void integer(const msgpack::object& object, void* value, const Type& type,
                      std::string_view field) {
    const bool is_positive = object.type == msgpack::type::POSITIVE_INTEGER;
    if (!is_positive && object.type != msgpack::type::NEGATIVE_INTEGER)
      fail(field, "must be an integer");
    with_integer(type, [&](auto kind) {
      if (is_positive)
        store<decltype(kind)>(object.via.u64, value, field);
      else
        store<decltype(kind)>(object.via.i64, value, field);
    });
  }

  static void floating(const msgpack::object& object, void* value, const Type& type,
                       std::string_view field) {
    double number = 0;
    if (object.type == msgpack::type::FLOAT64 || object.type == msgpack::type::FLOAT32)
      number = object.via.f64;
    else if (object.type == msgpack::type::POSITIVE_INTEGER)
      number = static_cast<double>(object.via.u64);
    else if (object.type == msgpack::type::NEGATIVE_INTEGER)
      number = static_cast<double>(object.via.i64);
    else
      fail(field, "must be a number");
    if (type.size == sizeof(double)) {
      std::memcpy(value, &number, sizeof number);
    } else {
      const auto narrow = static_cast<float>(number);
      std::memcpy(value, &narrow, sizeof narrow);
    }
  }

  std::size_t list_bytes_left_ = list_bytes_max;
};

/// Parses without allocating, so that a false length in the input costs no memory.
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

bool is_bounded(std::string_view bytes) {
  BoundsVisitor bounds;
  std::size_t offset = 0;
  try {
    return msgpack::parse(bytes.data(), bytes.size(), offset, bounds) && offset == bytes.size();
  } catch (const msgpack::unpack_error&) {
    return false;
  }
}

}  // namespace

std::string encode(const void* value, const Type& type) {
  msgpack::sbuffer buffer;
  Packer packer(buffer);
  pack(packer, value, type);
  return {buffer.data(), buffer.size()};
}

void decode(std::string_view bytes, void* value, const Type& type) {
  if (bytes.size() > body_bytes_max) fail("body", "is over 1 MiB");
  if (!is_bounded(bytes)) fail("body", "is not one bounded msgpack value");
  try {
    const auto handle = msgpack::unpack(bytes.data(), bytes.size());
    Unpacker().structure(handle.get(), value, type, "body");
  } catch (const msgpack::unpack_error& error) {
    fail("body", error.what());
  }
}

}  // namespace nucleus::msg
