// JSON as a tree of values whose members keep their order. nlohmann/json is included in json.cpp
// only.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nucleus::client {

class Json {
 public:
  enum class Kind : unsigned char { nothing, boolean, number, text, list, object };

  Json() = default;
  Json(std::string text) : kind_{Kind::text}, value_{std::move(text)} {}
  Json(const char* text) : kind_{Kind::text}, value_{text} {}
  Json(std::int64_t number) : kind_{Kind::number}, value_{std::to_string(number)} {}
  Json(int number) : Json(std::int64_t{number}) {}
  Json(bool) = delete;  // boolean(): a bool would be the number 0 or 1
  static Json boolean(bool value);
  static Json list(std::vector<Json> items = {});
  static Json object(std::initializer_list<std::pair<const char*, Json>> members = {});

  /// Nothing if it is not JSON, or deeper than 64 levels. Control characters in texts but line
  /// feeds and tabs become U+FFFD: no text of a server can control the terminal.
  static std::optional<Json> parse(std::string_view text);
  /// As parse, but texts keep their control characters: never print them as they are.
  static std::optional<Json> parse_exact(std::string_view text);
  /// On one line, or with `indent` blanks per level. Bytes that are not UTF-8 become U+FFFD.
  std::string dumped(int indent = -1) const;

  Kind kind() const { return kind_; }
  bool is_text() const { return kind_ == Kind::text; }
  bool is_object() const { return kind_ == Kind::object; }
  /// A text, or a number, true or false as written; empty for other kinds.
  const std::string& text() const;
  /// Nothing if it is not a whole number.
  std::optional<std::int64_t> number() const;
  /// A member of an object; a null value if there is none.
  const Json& operator[](std::string_view key) const;
  /// The elements of a list or the members of an object; empty for other kinds.
  std::span<const Json> items() const;
  /// The name of this member in its object.
  const std::string& key() const;

  Json& set(std::string_view key, Json value);
  /// As set, for a name that the object does not have yet.
  Json& put(std::string_view key, Json value);
  Json& add(Json item);

 private:
  friend class JsonReader;

  using Name = std::shared_ptr<const std::string>;

  std::vector<Json>& become(Kind kind);

  // Small, because a large response is mostly the page faults of its tree: members of the same name
  // share it.
  Kind kind_ = Kind::nothing;
  Name key_ = {};
  std::variant<std::string, std::vector<Json>> value_ = {};
};

}  // namespace nucleus::client
