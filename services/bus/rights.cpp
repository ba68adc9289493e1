#include "services/bus/rights.hpp"

#include <filesystem>

#include "core/config/settings.hpp"
#include "core/log/log.hpp"

namespace nucleus::bus {

core::PeerRights rights_of(const std::string& directory, const std::string& public_key) {
  std::error_code missing;
  for (const auto& file : std::filesystem::directory_iterator(directory, missing)) {
    if (file.path().extension() != ".yaml") continue;
    auto settings = core::Settings::load(file.path().string());
    if (!settings) {
      core::log::error("rights_not_read",
                       {{"file", file.path().string()}, {"reason", settings.error().detail}});
      continue;
    }
    if (settings->text("public_key", "") != public_key) continue;
    return {.name = settings->text("name", ""),
            .calls = settings->text("calls", ""),
            .project = settings->text("project", "")};
  }
  return {};
}

}  // namespace nucleus::bus
