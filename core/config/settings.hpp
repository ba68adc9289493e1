// Settings: `room.noun_unit` from a flat YAML file; environment variables (NUCLEUS_ROOM_NOUN_UNIT)
// override the file. A process with an unknown key in its file, or a value out of range, does not
// start.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/config/endpoint.hpp"
#include "core/result.hpp"

namespace nucleus::core {

/// The values of a flat YAML file (`key: value` lines), and nothing else: the environment does not
/// override them.
Result<std::map<std::string, std::string>> read_values(const std::string& path);

class Settings {
 public:
  /// From a YAML file; an empty path means no file.
  static Result<Settings> load(const std::string& path);
  explicit Settings(std::map<std::string, std::string> values = {}) : values_{std::move(values)} {}

  std::string text(const std::string& key, const std::string& fallback);
  /// A text that is never shown: `in_force` contains only whether it is set.
  std::string secret(const std::string& key);
  /// An integer from `min` to `max`; `finish` reports the first value that is not.
  std::int64_t number(const std::string& key, std::int64_t fallback, std::int64_t min,
                      std::int64_t max);
  bool flag(const std::string& key, bool fallback);
  /// ADDRESS:PORT or [IPV6]:PORT.
  Endpoint endpoint(const std::string& key, const Endpoint& fallback);
  /// The same; nothing if it is empty or missing.
  std::optional<Endpoint> optional_endpoint(const std::string& key);
  /// Call after every setting was read. Fails on the first invalid value, or on a key that was
  /// never read.
  Result<void> finish() const;
  /// The file that was loaded; empty = none.
  const std::string& path() const { return path_; }
  /// The effective values, for `process.get-config`.
  const std::map<std::string, std::string>& in_force() const { return in_force_; }

 private:
  const std::string* find(const std::string& key);

  std::string path_ = {};
  std::map<std::string, std::string> values_;
  std::map<std::string, std::string> in_force_ = {};
  std::set<std::string> keys_read_ = {};
  std::string fault_ = {};
};

}  // namespace nucleus::core
