#include "services/bus/rights.hpp"

#include <filesystem>

#include "core/bus/curve.hpp"
#include "core/config/settings.hpp"
#include "core/log/log.hpp"

namespace nucleus::bus {

core::PeerRights find_rights(const std::string& directory, const std::string& public_key) {
  const std::string name = core::rights_file_name(public_key);
  const std::string path = directory + "/" + name;
  if (directory.empty() || name.empty() || !std::filesystem::is_regular_file(path)) return {};
  const auto values = core::read_values(path);
  const auto value = [&values](const char* key) {
    const auto found = values->find(key);
    return found == values->end() ? std::string{} : found->second;
  };
  if (!values) {
    core::log::error("rights_not_read", {{"file", path}, {"reason", values.error().detail}});
    return {};
  }
  if (value("public_key") != public_key) {
    core::log::error("rights_not_read", {{"file", path}, {"reason", "public_key differs"}});
    return {};
  }
  return {.name = value("name"), .calls = value("calls"), .project = value("project")};
}

}  // namespace nucleus::bus
