#include "core/config/settings.hpp"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cstdlib>

namespace nucleus::core {

namespace {

/// `scheduler.lease_sweep_s` is NUCLEUS_SCHEDULER_LEASE_SWEEP_S in the environment.
std::string environment_name(const std::string& key) {
  std::string name = "NUCLEUS_";
  for (char c : key)
    name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

}  // namespace

Result<Settings> Settings::load(const std::string& path) {
  std::map<std::string, std::string> values;
  if (!path.empty()) {
    try {
      const YAML::Node file = YAML::LoadFile(path);
      if (!file.IsMap() && !file.IsNull())
        return refuse(ErrorCode::invalid_argument, path + ": is not a map of settings");
      for (const auto& entry : file) {
        if (!entry.second.IsScalar())
          return refuse(ErrorCode::invalid_argument,
                        path + ": " + entry.first.as<std::string>() + " is not one value");
        values[entry.first.as<std::string>()] = entry.second.as<std::string>();
      }
    } catch (const YAML::Exception& error) {
      return refuse(ErrorCode::invalid_argument, path + ": " + error.what());
    }
  }
  return Settings(std::move(values));
}

const std::string* Settings::find(const std::string& key) {
  asked_.insert(key);
  if (const char* said = std::getenv(environment_name(key).c_str())) values_[key] = said;
  auto value = values_.find(key);
  return value == values_.end() ? nullptr : &value->second;
}

std::string Settings::text(const std::string& key, const std::string& otherwise) {
  const std::string* value = find(key);
  return in_force_[key] = value ? *value : otherwise;
}

std::string Settings::secret(const std::string& key) {
  const std::string* value = find(key);
  in_force_[key] = value ? "(said)" : "";
  return value ? *value : "";
}

std::int64_t Settings::number(const std::string& key, std::int64_t otherwise, std::int64_t least,
                              std::int64_t most) {
  std::int64_t number = otherwise;
  if (const std::string* value = find(key)) {
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
    const bool is_number = error == std::errc{} && end == value->data() + value->size();
    if ((!is_number || number < least || number > most) && fault_.empty())
      fault_ = key + " must be a whole number from " + std::to_string(least) + " to " +
               std::to_string(most);
  }
  in_force_[key] = std::to_string(number);
  return number;
}

bool Settings::flag(const std::string& key, bool otherwise) {
  const std::string* value = find(key);
  if (value && *value != "true" && *value != "false" && fault_.empty())
    fault_ = key + " must be true or false";
  const bool is_set = value ? *value == "true" : otherwise;
  in_force_[key] = is_set ? "true" : "false";
  return is_set;
}

Endpoint Settings::endpoint(const std::string& key, const Endpoint& otherwise) {
  const std::string* value = find(key);
  const auto endpoint = value ? parse_endpoint(*value) : otherwise;
  if (!endpoint && fault_.empty())
    fault_ = key + " must be ADDRESS:PORT or [IPV6]:PORT, with a numeric address";
  in_force_[key] = endpoint.value_or(otherwise).text();
  return endpoint.value_or(otherwise);
}

std::optional<Endpoint> Settings::optional_endpoint(const std::string& key) {
  if (text(key, "").empty()) return std::nullopt;
  return endpoint(key, {});
}

Result<void> Settings::finish() const {
  if (!fault_.empty()) return refuse(ErrorCode::invalid_argument, fault_);
  for (const auto& [key, value] : values_)
    if (!asked_.contains(key))
      return refuse(ErrorCode::invalid_argument, "no such setting: " + key);
  return {};
}

}  // namespace nucleus::core
