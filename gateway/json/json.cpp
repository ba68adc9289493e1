#include "gateway/json/json.hpp"

namespace nucleus::gateway {

namespace {

using Kind = msg::Type::Kind;

template <class T>
const T& as(const void* value) {
  return *static_cast<const T*>(value);
}

Json structure(const void* value, const msg::Type& type) {
  Json object = Json::object();
  for (const auto& field : type.fields()) {
    const void* member = msg::member(value, field);
    if (field.type->kind == Kind::optional && field.type->count(member) == 0) continue;
    object[std::string(field.name)] = json_of(member, *field.type);
  }
  return object;
}

Json list(const void* value, const msg::Type& type) {
  Json all = Json::array();
  const auto* entry = static_cast<const char*>(type.data(value));
  for (std::size_t left = type.count(value); left > 0; --left, entry += type.element->size)
    all.push_back(json_of(entry, *type.element));
  return all;
}

Json map(const void* value, const msg::Type& type) {
  struct Into {
    Json object;
    const msg::Type& element;
  } into{Json::object(), *type.element};
  type.each(value, &into, [](void* context, const std::string& key, const void* entry) {
    auto& [object, element] = *static_cast<Into*>(context);
    object[key] = json_of(entry, element);
  });
  return into.object;
}

}  // namespace

Json json_of(const void* value, const msg::Type& type) {
  switch (type.kind) {
    case Kind::boolean:
      return as<bool>(value);
    case Kind::integer:
      return msg::with_integer(type, [&](auto kind) { return Json(as<decltype(kind)>(value)); });
    case Kind::floating:
      return type.size == sizeof(float) ? Json(as<float>(value)) : Json(as<double>(value));
    case Kind::text:
      return as<std::string>(value);
    case Kind::name: {
      const auto names = type.names();
      const std::size_t index = as<std::uint8_t>(value);
      return std::string(names[index < names.size() ? index : 0]);
    }
    case Kind::structure:
      return structure(value, type);
    case Kind::list:
      return list(value, type);
    case Kind::map:
      return map(value, type);
    case Kind::optional:
      return type.count(value) == 0 ? Json() : json_of(type.data(value), *type.element);
  }
  return {};
}

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace nucleus::gateway
