// Settings: `room.noun_unit` from a flat YAML map, each overridden by the environment
// (NUCLEUS_ROOM_NOUN_UNIT). Strict: a key that nobody asked for stops the start, and so does a
// value out of its bounds.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/config/endpoint.hpp"
#include "core/result.hpp"

namespace nucleus::core {

class Settings {
 public:
  /// From a YAML file (`key: value` lines; empty path = none); the environment goes before it at
  /// each look-up.
  static Result<Settings> load(const std::string& path);
  explicit Settings(std::map<std::string, std::string> values = {}) : values_{std::move(values)} {}

  std::string text(const std::string& key, const std::string& otherwise);
  /// A text that is never shown: `in_force` tells only whether it was said.
  std::string secret(const std::string& key);
  /// A whole number from `least` to `most`; else the first fault is kept for `finish`.
  std::int64_t number(const std::string& key, std::int64_t otherwise, std::int64_t least,
                      std::int64_t most);
  bool flag(const std::string& key, bool otherwise);
  /// ADDRESS:PORT or [IPV6]:PORT.
  Endpoint endpoint(const std::string& key, const Endpoint& otherwise);
  /// The same; nothing if it is empty or missing.
  std::optional<Endpoint> optional_endpoint(const std::string& key);
  /// Call after all were read: the first fault, or a key that nobody asked for.
  Result<void> finish() const;
  /// What is in force, for `process.get-config`.
  const std::map<std::string, std::string>& in_force() const { return in_force_; }

 private:
  const std::string* find(const std::string& key);

  std::map<std::string, std::string> values_;
  std::map<std::string, std::string> in_force_ = {};
  std::set<std::string> asked_ = {};
  std::string fault_ = {};
};

}  // namespace nucleus::core
