// Plans the processes of the head: programs, sockets, ports and folders.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>
#include <set>

#include "operator/deployment.hpp"
#include "operator/health.hpp"
#include "operator/services.hpp"
#include "operator/slurm.hpp"
#include "operator/tls.hpp"

namespace nucleus::operator_ {

namespace {

class Planner {
 public:
  Planner(const StateDirectory& state, const Deployment& deployment, const std::string& programs)
      : state_{state}, deployment_{deployment}, programs_{programs} {}

  std::vector<Child> plan() {
    add_redis();
    if (deployment_.options.has_slurm)
      children_.push_back(slurm_child(state_, deployment_, programs_));
    std::vector<Child> host;
    if (has_own_host(deployment_.options)) {
      host = plan_host_children(state_, own_host(state_, deployment_), programs_);
      std::ranges::move(host | std::views::take(host.size() - 1), std::back_inserter(children_));
    }
    for (const auto& entry : services)
      if (!entry.is_per_host) add_service(std::string(entry.name));
    if (!host.empty()) children_.push_back(std::move(host.back()));
    if (deployment_.options.is_simulated) add_simulated_provisioner();
    return std::move(children_);
  }

 private:
  using Settings = std::map<std::string, std::string>;

  /// Port 0 if none is chosen yet; such a plan serves only to find missing programs.
  std::string port_text(const std::string& purpose) const {
    const auto chosen = deployment_.ports.find(purpose);
    return ":" + std::to_string(chosen == deployment_.ports.end() ? 0 : chosen->second);
  }
  std::string loopback(const std::string& purpose) const {
    return "127.0.0.1" + port_text(purpose);
  }

  /// A service has the settings that all have, and its own.
  void add_service(const std::string& name) {
    auto& child = children_.emplace_back(
        Child{.name = name,
              .bus_name = name,
              .argv = {programs_ + "/" + program_of(name), "--config", state_.settings_file(name)},
              .settings = {{"bus.requests_url", state_.requests_url()},
                           {"bus.events_url", state_.events_url()},
                           {"redis.socket", state_.redis_socket()},
                           {"metrics.listen", loopback(metrics_port(name))}}});
    if (name == "bus") configure_bus(child);
    if (name == "image_store") configure_image_store(child.settings);
    if (name == "console") configure_console(child.settings);
    if (name == "gateway") configure_gateway(child.settings);
    if (name == "overhead")
      child.settings["overhead.signing_key_file"] = state_.file("tls/overhead-signing.key");
    if (name == "scheduler" && deployment_.options.has_slurm)
      for (auto& [key, value] : slurm_settings(state_)) child.settings[key] = value;
  }

  void add_redis() {
    children_.push_back(
        {.name = "redis",
         .argv = {path_or_name("redis-server"), "--port", "0", "--unixsocket",
                  state_.redis_socket(), "--unixsocketperm", "700", "--dir", state_.file("redis"),
                  "--appendonly", "yes", "--appendfsync", "always", "--save", ""},
         .is_infrastructure = true});
  }

  void configure_bus(Child& child) const {
    child.is_infrastructure = true;
    child.settings.erase("redis.socket");  // the bus stores nothing
    child.settings["bus.tcp_requests_url"] = bus_url(deployment_, "requests");
    child.settings["bus.tcp_events_url"] = bus_url(deployment_, "events");
    child.settings["bus.curve_secret"] = deployment_.curve.server_secret;
    child.settings["bus.rights_directory"] = state_.file("rights");
  }

  void configure_image_store(Settings& settings) const {
    settings["image_store.driver"] = deployment_.options.is_simulated ? "simulated" : "qcow2";
    settings["image_store.images_directory"] = state_.file("images");
    settings["image_store.uploads_directory"] = state_.file("uploads");
    settings["image_store.volumes_directory"] = state_.file("volumes");
    const auto& address = deployment_.options.listen_address;
    const auto& tls = deployment_.options.tls;
    settings["image_store.uploads_listen"] = address + port_text("uploads");
    settings["image_store.uploads_url"] = uploads_url();
    settings["image_store.uploads_allow_origins"] = gateway_origins();
    if (!tls.certificate.empty()) {
      settings["image_store.uploads_tls_certificate"] = tls.certificate;
      settings["image_store.uploads_tls_key"] = tls.key;
    }
    if (deployment_.options.is_simulated) return;
    const auto head = head_files(state_);
    settings["image_store.hosts_listen"] = head_endpoint(deployment_, "image_store");
    settings["image_store.tls_certificate"] = head.certificate;
    settings["image_store.tls_key"] = head.key;
  }

  std::string uploads_url() const {
    const auto& options = deployment_.options;
    return scheme() + public_host(options.tls, options.listen_address) + port_text("uploads");
  }

  std::string scheme() const {
    return deployment_.options.tls.certificate.empty() ? "http://" : "https://";
  }

  /// The names by which browsers may know the gateway: its public one, and those on this machine.
  std::string gateway_origins() const {
    const auto& options = deployment_.options;
    const auto port = ":" + std::to_string(options.listen_port);
    const std::set<std::string> origins{
        scheme() + public_host(options.tls, options.listen_address) + port, gateway_url(options),
        scheme() + "localhost" + port};
    return fmt::format("{}", fmt::join(origins, ","));
  }

  std::string console_url() const {
    const auto& tls = deployment_.options.tls;
    return (tls.certificate.empty() ? "ws://" : "wss://") +
           public_host(tls, console_address(deployment_.options)) + port_text("console") +
           "/console";
  }

  void configure_console(Settings& settings) const {
    const auto& tls = deployment_.options.tls;
    settings["console.listen"] = console_address(deployment_.options) + port_text("console");
    settings["console.public_url"] = console_url();
    settings["console.recordings_folder"] = state_.file("recordings");
    if (!tls.certificate.empty()) {
      settings["console.tls_certificate"] = tls.certificate;
      settings["console.tls_key"] = tls.key;
    }
    const auto head = head_files(state_);
    settings["console.hosts_listen"] = head_endpoint(deployment_, "console_hosts");
    settings["console.hosts_tls_certificate"] = head.certificate;
    settings["console.hosts_tls_key"] = head.key;
  }

  void configure_gateway(Settings& settings) const {
    const auto& options = deployment_.options;
    settings["gateway.listen"] = options.listen_address + ":" + std::to_string(options.listen_port);
    if (!options.tls.certificate.empty()) {
      settings["gateway.tls_certificate"] = options.tls.certificate;
      settings["gateway.tls_key"] = options.tls.key;
    }
    settings["gateway.spool_directory"] = state_.file("spool");
    settings["gateway.portal_directory"] = programs_ + "/portal";
    settings["gateway.console_url"] = console_url();
    settings["gateway.uploads_url"] = uploads_url();
    settings["gateway.targets_file"] = state_.file("monitoring/targets.json");
  }

  void add_simulated_provisioner() {
    add_service("provisioner");
    auto& child = children_.back();
    child.bus_name = "provisioner/simulated";
    auto& settings = child.settings;
    settings["bus.name"] = child.bus_name;
    settings.erase("redis.socket");  // hosts keep their own state
    settings["state.file"] = state_.file("provisioner/state.db");
    settings["provisioner.driver"] = "simulated";
    settings["provisioner.state_directory"] = state_.file("provisioner");
    settings["provisioner.simulated_hosts"] = std::to_string(deployment_.options.host_count);
  }

  /// The bare name of a missing program, so that missing_programs() reports it.
  static std::string path_or_name(const std::string& name) {
    auto path = find_program(name);
    return path.empty() ? name : path;
  }

  const StateDirectory& state_;
  const Deployment& deployment_;
  const std::string& programs_;
  std::vector<Child> children_ = {};
};

}  // namespace

/// The machine itself reaches the head on the loopback address if that listens on every address.
static std::string own_endpoint(const Deployment& deployment, const std::string& purpose) {
  const auto endpoint = head_endpoint(deployment, purpose);
  const bool is_any = deployment.options.bus_address == "0.0.0.0";
  return is_any ? "127.0.0.1" + endpoint.substr(endpoint.find(':')) : endpoint;
}

HostDeployment own_host(const StateDirectory& state, const Deployment& deployment) {
  const auto port = deployment.ports.find(metrics_port("provisioner"));
  return {
      .host_id = deployment.host_id,
      .short_id = deployment.short_id,
      .network_namespace = "nuc-" + deployment.short_id,
      .metrics_listen =
          "127.0.0.1:" + std::to_string(port == deployment.ports.end() ? 0 : port->second),
      .image_folder = state.file("images"),
      .volume_folder = state.file("volumes"),
      .console_address = own_endpoint(deployment, "console_hosts"),
      .ca_file = authority_files(state).certificate,
      .bus = {{"bus.requests_url", state.requests_url()}, {"bus.events_url", state.events_url()}}};
}

std::vector<Child> plan_children(const StateDirectory& state, const Deployment& deployment,
                                 const std::string& programs) {
  return Planner(state, deployment, programs).plan();
}

}  // namespace nucleus::operator_
