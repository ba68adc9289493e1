#include "operator/keys.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>

#include "core/bus/curve.hpp"
#include "messages/provisioner.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "operator/state_directory.hpp"

namespace nucleus::op {

namespace {

namespace fs = std::filesystem;
using Words = std::map<std::string, std::string>;

constexpr const char* subscriber_project = "demo";

core::Result<Words> read_words(const std::string& path) {
  Words words;
  try {
    const YAML::Node file = YAML::LoadFile(path);
    for (const auto& entry : file)
      words[entry.first.as<std::string>()] = entry.second.as<std::string>();
  } catch (const YAML::Exception& error) {
    return core::refuse(core::ErrorCode::invalid_argument, path + ": " + error.what());
  }
  return words;
}

core::Result<void> write_words(const std::string& path, const Words& words) {
  std::error_code error;
  const auto folder = fs::path(path).parent_path();
  if (!fs::exists(folder)) {
    fs::create_directories(folder, error);
    if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  }
  if (error)
    return core::refuse(core::ErrorCode::internal, folder.string() + ": " + error.message());
  YAML::Emitter text;
  text << YAML::BeginMap;
  for (const auto& [key, value] : words)
    text << YAML::Key << key << YAML::Value << YAML::DoubleQuoted << value;
  text << YAML::EndMap;
  return write_file(path, std::string(text.c_str()) + "\n");
}

/// The words of a file that is there, else those of `fresh`, written.
core::Result<Words> keep_or_write(const std::string& path, const std::function<Words()>& fresh) {
  if (fs::exists(path)) return read_words(path);
  const Words words = fresh();
  if (auto written = write_words(path, words); !written) return std::unexpected(written.error());
  return words;
}

template <class... Requests>
std::string topics() {
  std::string all;
  ((all += (all.empty() ? "" : " ") + std::string(Requests::topic)), ...);
  return all;
}

class KeyFolder {
 public:
  explicit KeyFolder(std::string directory) : directory_{std::move(directory)} {}

  core::Result<void> make_bus() {
    const core::CurvePair pair = core::new_curve_pair();
    const auto secret = keep_or_write(file("bus/settings.yaml"), [&] {
      return Words{{"bus.curve_secret", pair.secret_key}};
    });
    if (!secret) return std::unexpected(secret.error());
    const auto bus_public = core::public_key_of(secret->at("bus.curve_secret"));
    if (!bus_public) return std::unexpected(bus_public.error());
    server_public_ = *bus_public;
    return {};
  }

  core::Result<void> make_process(const core::PeerRights& rights) {
    const std::string folder = key_folder(rights.name);
    const auto settings = keep_or_write(file(folder + "/settings.yaml"), [&] {
      const auto pair = core::new_curve_pair();
      return Words{{"bus.server_key", server_public_},
                   {"bus.public_key", pair.public_key},
                   {"bus.secret_key", pair.secret_key},
                   {"bus.name", rights.name.substr(0, rights.name.find("/*"))}};
    });
    if (!settings) return std::unexpected(settings.error());
    return write_rights(settings->at("bus.public_key"), rights);
  }

  /// For programs that hear one project's events: DIR/operator/subscriber.yaml.
  core::Result<void> make_subscriber() {
    const auto keys = keep_or_write(file("operator/subscriber.yaml"), [&] {
      const auto pair = core::new_curve_pair();
      return Words{{"server_key", server_public_},
                   {"public_key", pair.public_key},
                   {"secret_key", pair.secret_key}};
    });
    if (!keys) return std::unexpected(keys.error());
    return write_rights(keys->at("public_key"), {.project = subscriber_project});
  }

 private:
  std::string file(const std::string& name) const { return directory_ + "/" + name; }

  /// Revokes an earlier key of the process of this name, if there is one.
  core::Result<void> write_rights(const std::string& public_key,
                                  const core::PeerRights& rights) const {
    const std::string path = file("bus/rights/" + core::rights_file_name(public_key));
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(file("bus/rights"), error)) {
      if (rights.name.empty() || entry.path() == path) continue;
      const auto words = read_words(entry.path());
      const bool is_earlier = words && words->contains("name") && words->at("name") == rights.name;
      if (is_earlier) fs::remove(entry.path(), error);
    }
    return write_words(path, {{"public_key", public_key},
                              {"name", rights.name},
                              {"calls", rights.calls},
                              {"project", rights.project}});
  }

  std::string directory_;
  std::string server_public_ = {};
};

}  // namespace

std::vector<core::PeerRights> roles(const std::vector<std::string>& provisioners) {
  std::vector<core::PeerRights> all{
      {.name = "registry"},
      {.name = "network", .project = "*"},
      {.name = "image_store", .project = "*"},
      {.name = "scheduler", .calls = topics<msg::ApplyGrants>(), .project = "*"},
      {.name = "console", .calls = topics<msg::OpenConsole>()},
      {.name = "overhead",
       .calls = topics<msg::ListNodes, msg::ListNodeStatuses, msg::ProbeNode, msg::ProbeHost>(),
       .project = "*"},
      {.name = "gateway",
       .calls = "registry. scheduler. network. image_store. console. overhead.",
       .project = "*"},
      {.name = "operator/*", .calls = "*", .project = "*"},
  };
  for (const auto& host : provisioners)
    all.push_back({.name = "provisioner/" + host, .calls = topics<msg::ReportHost>()});
  return all;
}

std::string key_folder(const std::string& name) {
  std::string folder = name.substr(0, name.find("/*"));
  std::ranges::replace(folder, '/', '-');
  return folder;
}

core::Result<void> make_keys(const std::string& directory,
                             const std::vector<std::string>& provisioners) {
  for (const auto& host : provisioners)
    if (auto broken = msg::check_name("provisioner", host)) return std::unexpected(*broken);
  KeyFolder keys(fs::absolute(directory).lexically_normal().string());
  if (auto made = keys.make_bus(); !made) return made;
  for (const auto& rights : roles(provisioners))
    if (auto made = keys.make_process(rights); !made) return made;
  return keys.make_subscriber();
}

}  // namespace nucleus::op
