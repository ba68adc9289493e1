#include "operator/deployment.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "core/bus/curve.hpp"
#include "core/config/endpoint.hpp"
#include "operator/services.hpp"
#include "operator/slurm.hpp"
#include "operator/yaml_map.hpp"

namespace nucleus::operator_ {

namespace fs = std::filesystem;

namespace {

core::Result<core::Endpoint> parse_option(const std::string& option, const std::string& text) {
  const auto endpoint = core::parse_endpoint(text);
  if (endpoint && !endpoint->is_ipv6 && endpoint->port != 0) return *endpoint;
  return core::refuse(core::ErrorCode::invalid_argument,
                      "--" + option + " must be ADDRESS:PORT, for example 127.0.0.1:8080", option);
}

/// This machine's name as a host id; characters that a name may not contain become `-`.
std::string own_host_id() {
  std::array<char, 65> name{};
  gethostname(name.data(), name.size() - 1);
  std::string id(name.data());
  id = id.substr(0, id.find('.'));
  for (char& c : id)
    if (!msg::is_name_character(c)) c = '-';
  return msg::is_name(id) ? id : "host-01";
}

}  // namespace

bool is_ipv4_address(const std::string& text) {
  return text.find(':') == std::string::npos && core::parse_endpoint(text + ":1");
}

core::Result<void> parse_listen(const std::string& text, Deployment& deployment) {
  const auto endpoint = parse_option("listen", text);
  if (!endpoint) return std::unexpected(endpoint.error());
  deployment.options.listen_address = endpoint->address;
  deployment.options.listen_port = endpoint->port;
  return {};
}

core::Result<void> parse_console_listen(const std::string& text, Deployment& deployment) {
  const auto endpoint = parse_option("console-listen", text);
  if (!endpoint) return std::unexpected(endpoint.error());
  deployment.options.console_address = endpoint->address;
  deployment.ports["console"] = endpoint->port;
  return {};
}

core::Result<std::optional<Deployment>> load_deployment(const StateDirectory& state) {
  if (!state.exists()) return std::optional<Deployment>{};
  const std::string path = state.file("deployment.yaml");
  try {
    const YAML::Node file = YAML::LoadFile(path);
    Deployment deployment;
    deployment.options = {.listen_address = file["listen_address"].as<std::string>(),
                          .listen_port = file["listen_port"].as<std::uint16_t>(),
                          .is_simulated = file["is_simulated"].as<bool>(),
                          .host_count = file["host_count"].as<std::uint32_t>(),
                          .console_address = file["console_address"].as<std::string>(""),
                          .rack_hosts = file["rack_hosts"].as<std::uint32_t>(0),
                          .has_slurm = file["has_slurm"].as<bool>(false),
                          .bus_address = file["bus_address"].as<std::string>("127.0.0.1"),
                          .tls = {.certificate = file["tls"]["certificate"].as<std::string>(""),
                                  .key = file["tls"]["key"].as<std::string>(""),
                                  .ca = file["tls"]["ca"].as<std::string>(""),
                                  .is_off = file["tls"]["is_off"].as<bool>(false)}};
    for (const auto& port : file["fixed_ports"])
      deployment.options.fixed_ports[port.first.as<std::string>()] =
          port.second.as<std::uint16_t>();
    deployment.host_id = file["host_id"].as<std::string>();
    deployment.short_id = file["short_id"].as<std::string>();
    for (const auto& port : file["ports"])
      deployment.ports[port.first.as<std::string>()] = port.second.as<std::uint16_t>();
    const YAML::Node curve = file["curve"];
    deployment.curve = {.server_public = curve["server_public"].as<std::string>(),
                        .server_secret = curve["server_secret"].as<std::string>(),
                        .admin_public = curve["admin_public"].as<std::string>(),
                        .admin_secret = curve["admin_secret"].as<std::string>()};
    return std::optional{std::move(deployment)};
  } catch (const std::exception& error) {  // of the library, or of the file: a directory
    return core::refuse(core::ErrorCode::invalid_argument, path + ": " + error.what());
  }
}

core::Result<Deployment> open_deployment(const StateDirectory& state) {
  auto found = load_deployment(state);
  if (!found) return std::unexpected(found.error());
  if (!*found) return core::refuse(core::ErrorCode::not_found, no_deployment(state));
  return std::move(**found);
}

core::Result<void> save_deployment(const StateDirectory& state, const Deployment& deployment) {
  YAML::Node file;
  file["listen_address"] = deployment.options.listen_address;
  file["listen_port"] = deployment.options.listen_port;
  file["is_simulated"] = deployment.options.is_simulated;
  file["host_count"] = deployment.options.host_count;
  file["console_address"] = deployment.options.console_address;
  file["rack_hosts"] = deployment.options.rack_hosts;
  file["has_slurm"] = deployment.options.has_slurm;
  file["bus_address"] = deployment.options.bus_address;
  file["tls"]["certificate"] = deployment.options.tls.certificate;
  file["tls"]["key"] = deployment.options.tls.key;
  file["tls"]["ca"] = deployment.options.tls.ca;
  file["tls"]["is_off"] = deployment.options.tls.is_off;
  file["host_id"] = deployment.host_id;
  file["short_id"] = deployment.short_id;
  for (const auto& [name, port] : deployment.options.fixed_ports) file["fixed_ports"][name] = port;
  for (const auto& [name, port] : deployment.ports) file["ports"][name] = port;
  file["curve"]["server_public"] = deployment.curve.server_public;
  file["curve"]["server_secret"] = deployment.curve.server_secret;
  file["curve"]["admin_public"] = deployment.curve.admin_public;
  file["curve"]["admin_secret"] = deployment.curve.admin_secret;
  YAML::Emitter text;
  text << file;
  return write_file(state.file("deployment.yaml"), std::string(text.c_str()) + "\n");
}

std::string new_short_id() {
  std::random_device device;
  return fmt::format("{:04x}", device() & 0xffff);
}

void choose_identity(Deployment& deployment) {
  if (deployment.host_id.empty()) deployment.host_id = own_host_id();
  if (deployment.short_id.empty()) deployment.short_id = new_short_id();
  if (deployment.curve.server_public.empty()) {
    const auto server = core::new_curve_pair();
    const auto admin = core::new_curve_pair();
    deployment.curve = {.server_public = server.public_key,
                        .server_secret = server.secret_key,
                        .admin_public = admin.public_key,
                        .admin_secret = admin.secret_key};
  }
}

std::string head_endpoint(const Deployment& deployment, const std::string& purpose) {
  const auto chosen = deployment.ports.find(purpose);
  const int port = chosen == deployment.ports.end() ? 0 : chosen->second;
  return deployment.options.bus_address + ":" + std::to_string(port);
}

std::string bus_url(const Deployment& deployment, const std::string& purpose) {
  return "tcp://" + head_endpoint(deployment, purpose);
}

core::Result<void> write_targets(const StateDirectory& state, const std::vector<Child>& children) {
  auto targets = nlohmann::json::array();
  for (const auto& child : children)
    if (const auto listen = child.settings.find("metrics.listen"); listen != child.settings.end())
      targets.push_back({{"targets", nlohmann::json::array({listen->second})},
                         {"labels", {{"process", child.name}}}});
  return write_file(state.file("monitoring/targets.json"), targets.dump(1) + "\n");
}

}  // namespace nucleus::operator_
