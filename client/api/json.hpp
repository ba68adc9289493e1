// JSON as a tree of values, in the order in which it was written. The library that reads and
// writes it is included in json.cpp alone.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nucleus::client {

class Json {
 public:
  enum class Kind : unsigned char { nothing, boolean, number, text, list, object };

  Json() = default;
  Json(std::string text) : kind_{Kind::text}, text_{std::move(text)} {}
  Json(const char* text) : kind_{Kind::text}, text_{text} {}
  Json(std::int64_t number) : kind_{Kind::number}, text_{std::to_string(number)} {}
  Json(int number) : Json(std::int64_t{number}) {}
  static Json list(std::vector<Json> items = {});
  static Json object(std::initializer_list<std::pair<const char*, Json>> members = {});

  /// Nothing where it is no JSON, or deeper than 64 levels.
  static std::optional<Json> parse(std::string_view text);
  /// On one line, or with each level indented by as many blanks. Bytes that are no UTF-8 become
  /// U+FFFD.
  std::string dumped(int indent = -1) const;

  Kind kind() const { return kind_; }
  bool is_nothing() const { return kind_ == Kind::nothing; }
  bool is_text() const { return kind_ == Kind::text; }
  bool is_object() const { return kind_ == Kind::object; }
  /// A text as it is, a number, true or false as written; empty for all else.
  const std::string& text() const { return text_; }
  /// Nothing where it is no whole number.
  std::optional<std::int64_t> number() const;
  /// An object's member, else nothing (never an error).
  const Json& operator[](std::string_view key) const;
  /// The elements of a list, the members of an object; none of all else.
  std::span<const Json> items() const { return items_; }
  /// By which name this is a member of its object.
  const std::string& key() const { return key_; }

  Json& set(std::string_view key, Json value);
  /// As set, for a name that is not there yet.
  Json& put(std::string_view key, Json value);
  Json& add(Json item);

 private:
  friend class JsonReader;

  Kind kind_ = Kind::nothing;
  std::string text_ = {};
  std::string key_ = {};
  std::vector<Json> items_ = {};
};

}  // namespace nucleus::client
