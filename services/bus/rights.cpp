#include "services/bus/rights.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
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
  return {.name = value("name"),
          .calls = value("calls"),
          .project = value("project"),
          .replaces = value("replaces"),
          .end_unix_s = std::strtoll(value("end_unix_s").c_str(), nullptr, 10)};
}

void remove_rights(const std::string& directory, const std::string& public_key) {
  const std::string name = core::rights_file_name(public_key);
  if (directory.empty() || name.empty()) return;
  std::error_code error;
  std::filesystem::remove(directory + "/" + name, error);
  if (error)
    core::log::error("key_not_ended",
                     {{"file", directory + "/" + name}, {"reason", error.message()}});
}

RightsWatch::RightsWatch(std::string directory)
    : directory_{std::move(directory)}, descriptor_{inotify_init1(IN_NONBLOCK | IN_CLOEXEC)} {}

RightsWatch::~RightsWatch() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool RightsWatch::has_changed() {
  if (directory_.empty()) return false;
  if (!is_watched_) {
    is_watched_ = inotify_add_watch(descriptor_, directory_.c_str(),
                                    IN_CLOSE_WRITE | IN_MOVE | IN_DELETE | IN_ATTRIB) >= 0;
    return true;
  }
  bool has_events = false;
  std::array<char, 4096> events{};
  while (read(descriptor_, events.data(), events.size()) > 0) has_events = true;
  return has_events;
}

}  // namespace nucleus::bus
