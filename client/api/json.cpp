#include "client/api/json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "messages/text.hpp"

namespace nucleus::client {

namespace {

constexpr std::size_t depth_max = 64;
constexpr std::size_t sibling_size_max = 64;

nlohmann::ordered_json library_value(const Json& value) {
  using Value = nlohmann::ordered_json;
  switch (value.kind()) {
    case Json::Kind::nothing:
      return nullptr;
    case Json::Kind::boolean:
      return value.text() == "true";
    case Json::Kind::number:
      return Value::parse(value.text(), nullptr, false);
    case Json::Kind::text:
      return value.text();
    case Json::Kind::list: {
      auto list = Value::array();
      for (const auto& each : value.items()) list.push_back(library_value(each));
      return list;
    }
    case Json::Kind::object:
      break;
  }
  // Members are appended: an ordered object is a list, and operator[] would search it each time.
  auto object = Value::object();
  auto& members = object.get_ref<Value::object_t&>();
  for (const auto& each : value.items()) members.push_back({each.key(), library_value(each)});
  return object;
}

}  // namespace

/// Builds a tree of values from the events of the library's parser.
class JsonReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonReader(Json& root, bool is_exact) : root_{root}, is_exact_{is_exact} {}

  bool null() override { return put(Json::Kind::nothing, {}); }
  bool boolean(bool value) override { return put(Json::Kind::boolean, value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override {
    return put(Json::Kind::number, std::to_string(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return put(Json::Kind::number, std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return put(Json::Kind::number, text);
  }
  bool string(string_t& text) override {
    return put(Json::Kind::text, is_exact_ ? std::move(text) : msg::printable(std::move(text)));
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::Kind::object); }
  bool key(string_t& name) override {
    const auto known = names_.find(name);
    key_ = known != names_.end() ? known->second : add_name(name);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::Kind::list); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  Json& next() {
    if (open_.empty()) return root_;
    auto& items = std::get<std::vector<Json>>(open_.back()->value_);
    // Siblings mostly have the same size.
    if (items.empty()) items.reserve(std::min(sizes_[open_.size()], sibling_size_max));
    auto& item = items.emplace_back();
    item.key_ = std::exchange(key_, {});
    return item;
  }
  bool put(Json::Kind kind, std::string text) {
    auto& value = next();
    value.kind_ = kind;
    value.value_ = std::move(text);
    return true;
  }
  bool open(Json::Kind kind) {
    if (open_.size() >= depth_max) return false;
    // An open value is the last of its parent, which does not grow before it is closed: the
    // pointer stays valid.
    auto& value = next();
    value.become(kind);
    open_.push_back(&value);
    return true;
  }
  bool close() {
    sizes_[open_.size()] = open_.back()->items().size();
    open_.pop_back();
    return true;
  }

  Json::Name add_name(std::string name) {
    std::string copy = name;
    auto key = std::make_shared<const std::string>(msg::printable(copy));
    return names_.emplace(std::move(name), std::move(key)).first->second;
  }

  Json& root_;
  bool is_exact_;
  Json::Name key_ = {};
  std::unordered_map<std::string, Json::Name> names_ = {};
  std::vector<Json*> open_ = {};
  std::array<std::size_t, depth_max + 1> sizes_ = {};  // of the last closed value, by depth
};

Json Json::boolean(bool value) {
  Json made{value ? "true" : "false"};
  made.kind_ = Kind::boolean;
  return made;
}

Json Json::list(std::vector<Json> items) {
  Json value;
  value.become(Kind::list) = std::move(items);
  return value;
}

Json Json::object(std::initializer_list<std::pair<const char*, Json>> members) {
  Json value;
  value.kind_ = Kind::object;
  for (const auto& [key, member] : members) value.set(key, member);
  return value;
}

std::optional<Json> Json::parse(std::string_view text) {
  Json root;
  JsonReader reader(root, false);
  if (!nlohmann::json::sax_parse(text, &reader)) return std::nullopt;
  return root;
}

std::optional<Json> Json::parse_exact(std::string_view text) {
  Json root;
  JsonReader reader(root, true);
  if (!nlohmann::json::sax_parse(text, &reader)) return std::nullopt;
  return root;
}

std::string Json::dumped(int indent) const {
  return library_value(*this).dump(indent, ' ', false,
                                   nlohmann::ordered_json::error_handler_t::replace);
}

const std::string& Json::text() const {
  static const std::string empty;
  const auto* text = std::get_if<std::string>(&value_);
  return text ? *text : empty;
}

std::span<const Json> Json::items() const {
  const auto* items = std::get_if<std::vector<Json>>(&value_);
  return items ? std::span<const Json>(*items) : std::span<const Json>();
}

const std::string& Json::key() const {
  static const std::string empty;
  return key_ ? *key_ : empty;
}

std::optional<std::int64_t> Json::number() const {
  std::int64_t value = 0;
  const auto& written = text();
  const char* end = written.data() + written.size();
  if (kind_ != Kind::number || std::from_chars(written.data(), end, value).ptr != end)
    return std::nullopt;
  return value;
}

const Json& Json::operator[](std::string_view key) const {
  static const Json nothing;
  if (kind_ != Kind::object) return nothing;
  const auto members = items();
  const auto found = std::ranges::find(members, key, &Json::key);
  return found == members.end() ? nothing : *found;
}

Json& Json::set(std::string_view key, Json value) {
  auto& members = become(Kind::object);
  const auto found = std::ranges::find(members, key, &Json::key);
  if (found == members.end()) return put(key, std::move(value));
  value.key_ = found->key_;
  *found = std::move(value);
  return *this;
}

Json& Json::put(std::string_view key, Json value) {
  value.key_ = std::make_shared<const std::string>(key);
  become(Kind::object).push_back(std::move(value));
  return *this;
}

Json& Json::add(Json item) {
  become(Kind::list).push_back(std::move(item));
  return *this;
}

/// Its elements or members, once it is a list or an object.
std::vector<Json>& Json::become(Kind kind) {
  kind_ = kind;
  if (auto* items = std::get_if<std::vector<Json>>(&value_)) return *items;
  return value_.emplace<std::vector<Json>>();
}

}  // namespace nucleus::client
