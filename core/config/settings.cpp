#include "core/config/settings.hpp"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cstdlib>

namespace nucleus::core {

namespace {

/// The environment variable of `scheduler.lease_sweep_s` is NUCLEUS_SCHEDULER_LEASE_SWEEP_S.
std::string environment_name(const std::string& key) {
  std::string name = "NUCLEUS_";
  for (char c : key)
    name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

}  // namespace

Result<std::map<std::string, std::string>> read_values(const std::string& path) {
  std::map<std::string, std::string> values;
  try {
    const YAML::Node file = YAML::LoadFile(path);
    if (!file.IsMap() && !file.IsNull())
      return refuse(ErrorCode::invalid_argument, path + ": must be a map");
    for (const auto& entry : file) {
      if (!entry.second.IsScalar())
        return refuse(ErrorCode::invalid_argument,
                      path + ": " + entry.first.as<std::string>() + " must be a single value");
      values[entry.first.as<std::string>()] = entry.second.as<std::string>();
    }
  } catch (const std::exception& error) {  // of the library, or of the file: a directory
    return refuse(ErrorCode::invalid_argument, path + ": " + error.what());
  }
  return values;
}

Result<Settings> Settings::load(const std::string& path) {
  if (path.empty()) return Settings();
  auto values = read_values(path);
  if (!values) return std::unexpected(values.error());
  Settings settings(std::move(*values));
  settings.path_ = path;
  return settings;
}

const std::string* Settings::find(const std::string& key) {
  keys_read_.insert(key);
  if (const char* variable = std::getenv(environment_name(key).c_str())) values_[key] = variable;
  auto value = values_.find(key);
  return value == values_.end() ? nullptr : &value->second;
}

std::string Settings::text(const std::string& key, const std::string& fallback) {
  const std::string* value = find(key);
  return in_force_[key] = value ? *value : fallback;
}

std::string Settings::secret(const std::string& key) {
  const std::string* value = find(key);
  in_force_[key] = value ? "(set)" : "";
  return value ? *value : "";
}

std::int64_t Settings::number(const std::string& key, std::int64_t fallback, std::int64_t min,
                              std::int64_t max) {
  std::int64_t number = fallback;
  if (const std::string* value = find(key)) {
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
    const bool is_number = error == std::errc{} && end == value->data() + value->size();
    if ((!is_number || number < min || number > max) && fault_.empty())
      fault_ =
          key + " must be an integer from " + std::to_string(min) + " to " + std::to_string(max);
  }
  in_force_[key] = std::to_string(number);
  return number;
}

bool Settings::flag(const std::string& key, bool fallback) {
  const std::string* value = find(key);
  if (value && *value != "true" && *value != "false" && fault_.empty())
    fault_ = key + " must be true or false";
  const bool is_set = value ? *value == "true" : fallback;
  in_force_[key] = is_set ? "true" : "false";
  return is_set;
}

Endpoint Settings::endpoint(const std::string& key, const Endpoint& fallback) {
  const std::string* value = find(key);
  const auto endpoint = value ? parse_endpoint(*value) : fallback;
  if (!endpoint && fault_.empty())
    fault_ = key + " must be ADDRESS:PORT or [IPV6]:PORT, with a numeric address";
  in_force_[key] = endpoint.value_or(fallback).text();
  return endpoint.value_or(fallback);
}

std::optional<Endpoint> Settings::optional_endpoint(const std::string& key) {
  if (text(key, "").empty()) return std::nullopt;
  return endpoint(key, {});
}

Result<void> Settings::finish() const {
  if (!fault_.empty()) return refuse(ErrorCode::invalid_argument, fault_);
  for (const auto& [key, value] : values_)
    if (!keys_read_.contains(key))
      return refuse(ErrorCode::invalid_argument, "unknown setting: " + key);
  return {};
}

}  // namespace nucleus::core
