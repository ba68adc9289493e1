#include "operator/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "core/bus/curve.hpp"
#include "messages/hibernation.hpp"
#include "messages/image_store.hpp"
#include "messages/layers.hpp"
#include "messages/people.hpp"
#include "messages/process.hpp"
#include "messages/provisioner.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "operator/first_start.hpp"
#include "operator/join_file.hpp"
#include "operator/rights.hpp"
#include "operator/services.hpp"
#include "operator/tls.hpp"

namespace nucleus::operator_ {

namespace {

namespace fs = std::filesystem;

core::Result<void> make_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder, error)) return {};
  if (!error) fs::create_directories(folder, error);
  if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  if (!error) return {};
  return core::refuse(core::ErrorCode::internal, folder.string() + ": " + error.message());
}

/// The content of an existing file; otherwise `create` makes it, and it is written.
core::Result<TextMap> read_or_create(const std::string& path,
                                     const std::function<TextMap()>& create) {
  if (fs::exists(path)) return read_text_map(path);
  if (auto made = make_folder(fs::path(path).parent_path()); !made)
    return std::unexpected(made.error());
  const TextMap map = create();
  if (auto written = write_text_map(path, map); !written) return std::unexpected(written.error());
  return map;
}

template <class... Requests>
std::string topics() {
  std::string all;
  ((all += (all.empty() ? "" : " ") + std::string(Requests::topic)), ...);
  return all;
}

/// The topics of all services that serve requests of clients.
std::string topics_of_central_services() {
  std::string all;
  for (const auto& service : services) {
    if (service.is_per_host || service.name == "bus" || service.name == "gateway") continue;
    all += (all.empty() ? "" : " ") + std::string(service.name) + ".";
  }
  return all;
}

std::vector<std::string> files_of(const KeyFiles& known, const std::string& name) {
  const auto found = known.find(name);
  return found == known.end() ? std::vector<std::string>{} : found->second;
}

class KeyMaker {
 public:
  explicit KeyMaker(std::string directory) : directory_{std::move(directory)} {}

  core::Result<void> make_bus() {
    const auto settings = read_or_create(file("bus/settings.yaml"), [] {
      return TextMap{{"bus.curve_secret", core::new_curve_pair().secret_key}};
    });
    if (!settings) return std::unexpected(settings.error());
    const auto public_key = core::public_key_of(text_of(*settings, "bus.curve_secret"));
    if (!public_key) return std::unexpected(public_key.error());
    server_public_ = *public_key;
    if (auto made = make_folder(file("bus/rights")); !made) return made;
    known_ = find_keys(file("bus/rights"));
    return {};
  }

  core::Result<void> make_process(const core::PeerRights& rights) {
    const std::string folder = key_folder(rights.name);
    const auto settings = read_or_create(file(folder + "/settings.yaml"), [&] {
      const auto pair = core::new_curve_pair();
      return TextMap{{"bus.server_key", server_public_},
                     {"bus.public_key", pair.public_key},
                     {"bus.secret_key", pair.secret_key},
                     {"bus.name", rights.name.substr(0, rights.name.find("/*"))}};
    });
    if (!settings) return std::unexpected(settings.error());
    return grant_key(file("bus/rights"), known_, text_of(*settings, "bus.public_key"), rights);
  }

  /// DIR/operator/subscriber.yaml, for programs that follow the events of the first project.
  core::Result<void> make_subscriber() {
    const auto keys = read_or_create(file("operator/subscriber.yaml"), [&] {
      const auto pair = core::new_curve_pair();
      return TextMap{{"server_key", server_public_},
                     {"public_key", pair.public_key},
                     {"secret_key", pair.secret_key}};
    });
    if (!keys) return std::unexpected(keys.error());
    return grant_key(file("bus/rights"), known_, text_of(*keys, "public_key"),
                     {.project = first_project.value});
  }

  core::Result<void> make_tls(const HeadPlaces& head) {
    if (auto made = make_folder(file("tls")); !made) return made;
    if (auto made = make_certificate_of("console", head.console, head.others); !made) return made;
    if (auto made = make_certificate_of("image_store", head.image_store, head.others); !made)
      return made;
    const auto ca = read_file(authority().certificate);
    if (!ca)
      return core::refuse(core::ErrorCode::internal, authority().certificate + " is missing");
    return write_text_map(file("operator/" + std::string(head_file_name)),
                          {{"ca", *ca},
                           {"console_address", head.console},
                           {"image_store_url", "https://" + head.image_store}});
  }

 private:
  core::CertificateFiles authority() const {
    return {.certificate = file("tls/ca.pem"), .key = file("tls/ca.key")};
  }

  /// Of a service, for its place NAME:PORT and the other names and addresses of the head.
  core::Result<void> make_certificate_of(const std::string& service, const std::string& place,
                                         std::vector<std::string> hosts) {
    hosts.push_back(place.substr(0, place.rfind(':')));
    core::CertificateScope scope{.names = {"localhost"}};
    for (const auto& host : hosts)
      (is_ipv4_address(host) ? scope.addresses : scope.names).push_back(host);
    return make_certificate(
        authority(), "Nucleus", scope,
        {.certificate = file(service + "/head.pem"), .key = file(service + "/head.key")});
  }

  std::string file(const std::string& name) const { return directory_ + "/" + name; }

  std::string directory_;
  std::string server_public_ = {};
  KeyFiles known_ = {};
};

}  // namespace

std::vector<core::PeerRights> process_rights(const std::vector<std::string>& provisioners) {
  std::vector<core::PeerRights> all{
      {.name = "registry"},
      {.name = "network", .project = "*"},
      {.name = "image_store", .calls = topics<msg::RecheckCredential>(), .project = "*"},
      {.name = "scheduler",
       .calls = topics<msg::ApplyGrants, msg::RemoveVolumes, msg::KeepMemories, msg::SealDisk,
                       msg::SendLayer, msg::NotifyNode, msg::WorkOnDisk, msg::ReceiveLayer>(),
       .project = "*"},
      {.name = "console",
       .calls = topics<msg::CheckConsole, msg::StreamConsole, msg::RecheckCredential>(),
       .project = "*"},
      {.name = "overhead",
       .calls = topics<msg::ListNodes, msg::ListNodeStatuses, msg::RunMeasurement, msg::RunLinks>(),
       .project = "*"},
      {.name = "gateway",
       .calls = topics_of_central_services() + " " + topics<msg::GetProcessStatus>(),
       .project = "*"},
      {.name = "operator/*", .calls = "*", .project = "*"},
  };
  for (const auto& host : provisioners) all.push_back(host_rights(host));
  return all;
}

core::PeerRights host_rights(const std::string& host_id) {
  return {.name = "provisioner/" + host_id, .calls = topics<msg::ReportHost, msg::ReportDomains>()};
}

KeyFiles find_keys(const std::string& rights_directory) {
  KeyFiles known;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(rights_directory, error))
    if (const auto rights = read_text_map(entry.path()))
      known[text_of(*rights, "name")].push_back(entry.path());
  return known;
}

core::Result<void> grant_key(const std::string& rights_directory, const KeyFiles& known,
                             const std::string& public_key, const core::PeerRights& rights) {
  const std::string file = rights_directory + "/" + core::rights_file_name(public_key);
  std::error_code error;
  if (!rights.name.empty())
    for (const auto& earlier : files_of(known, rights.name))
      if (earlier != file) fs::remove(earlier, error);
  return write_rights(file, public_key, rights);
}

core::Result<void> renew_key(const std::string& rights_directory, const KeyFiles& known,
                             const std::string& public_key, core::PeerRights rights,
                             std::int64_t earlier_end_unix_s) {
  std::map<std::string, TextMap> earlier;
  for (const auto& file : files_of(known, rights.name)) {
    auto read = read_text_map(file);
    if (!read) return std::unexpected(read.error());
    rights.replaces += (rights.replaces.empty() ? "" : " ") + text_of(*read, "public_key");
    earlier[file] = std::move(*read);
  }
  // The new key first: an earlier one without a successor must not get an end.
  const std::string file = rights_directory + "/" + core::rights_file_name(public_key);
  if (auto written = write_rights(file, public_key, rights); !written) return written;
  for (auto& [path, key] : earlier) {
    if (key.contains("end_unix_s")) continue;
    key["end_unix_s"] = std::to_string(earlier_end_unix_s);
    if (auto written = write_text_map(path, key); !written) return written;
  }
  return {};
}

bool revoke_keys(const KeyFiles& known, const std::string& name) {
  bool is_any_removed = false;
  std::error_code error;
  for (const auto& file : files_of(known, name))
    is_any_removed = fs::remove(file, error) || is_any_removed;
  return is_any_removed;
}

std::string key_folder(const std::string& name) {
  std::string folder = name.substr(0, name.find("/*"));
  std::ranges::replace(folder, '/', '-');
  return folder;
}

core::Result<void> make_keys(const std::string& directory,
                             const std::vector<std::string>& provisioners, const HeadPlaces& head) {
  for (const auto& host : provisioners)
    if (auto broken = msg::check_name("provisioner", host)) return std::unexpected(*broken);
  for (const auto& [option, place] :
       {std::pair{"console", head.console}, std::pair{"image-store", head.image_store}})
    if (!place.empty() && !is_head_place(place))
      return std::unexpected(
          msg::invalid(option, fmt::format("--{} must be NAME:PORT or ADDRESS:PORT", option)));
  for (const auto& other : head.others)
    if (!is_ipv4_address(other))
      return std::unexpected(
          msg::invalid("head-address", "--head-address must be an IPv4 address"));
  KeyMaker maker(fs::absolute(directory).lexically_normal().string());
  if (auto made = maker.make_bus(); !made) return made;
  for (const auto& rights : process_rights(provisioners))
    if (auto made = maker.make_process(rights); !made) return made;
  if (auto made = maker.make_subscriber(); !made) return made;
  return head.console.empty() ? core::Result<void>{} : maker.make_tls(head);
}

}  // namespace nucleus::operator_
