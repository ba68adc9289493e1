#include "operator/children.hpp"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "operator/deployment.hpp"
#include "operator/host_deployment.hpp"
#include "operator/yaml_map.hpp"

namespace nucleus::operator_ {

namespace fs = std::filesystem;

core::Result<std::vector<Child>> load_children(const StateDirectory& state) {
  if (is_host(state)) {
    const auto host = load_host(state);
    if (!host) return std::unexpected(host.error());
    return plan_host_children(state, *host, programs_folder());
  }
  const auto deployment = open_deployment(state);
  if (!deployment) return std::unexpected(deployment.error());
  return plan_children(state, *deployment, programs_folder());
}

std::vector<std::string> missing_programs(const std::vector<Child>& children) {
  std::vector<std::string> missing;
  for (const auto& child : children)
    if (access(child.argv.front().c_str(), X_OK) != 0) missing.push_back(child.argv.front());
  return missing;
}

core::Result<void> write_settings(const StateDirectory& state, const std::vector<Child>& children) {
  for (const auto& child : children) {
    if (child.settings.empty()) continue;
    if (auto written = write_text_map(state.settings_file(child.name), child.settings); !written)
      return written;
  }
  return {};
}

std::string programs_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path().string();
}

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  // A user's PATH may lack the folders of system programs.
  std::istringstream folders(std::string(path ? path : "") + ":/usr/local/sbin:/usr/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = folder + "/" + name;
    if (!folder.empty() && access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace nucleus::operator_
