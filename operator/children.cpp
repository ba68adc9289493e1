// Plans a deployment's processes: programs, sockets, ports and folders.
#include <algorithm>

#include "operator/deployment.hpp"
#include "operator/services.hpp"
#include "operator/tls.hpp"

namespace nucleus::operator_ {

namespace {

class Planner {
 public:
  Planner(const StateDirectory& state, const Deployment& deployment, const std::string& programs)
      : state_{state}, deployment_{deployment}, programs_{programs} {}

  std::vector<Child> plan() {
    add_redis();
    if (!deployment_.options.is_simulated) add_hypervisor();
    for (const auto& entry : services) add_service(std::string(entry.name));
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
    if (name == "provisioner") configure_provisioner(child);
  }

  void add_redis() {
    children_.push_back(
        {.name = "redis",
         .argv = {path_or_name("redis-server"), "--port", "0", "--unixsocket",
                  state_.redis_socket(), "--unixsocketperm", "700", "--dir", state_.file("redis"),
                  "--appendonly", "yes", "--appendfsync", "always", "--save", ""},
         .is_infrastructure = true});
  }

  void add_hypervisor() {
    children_.push_back({.name = "ovsdb",
                         .argv = {programs_ + "/private_ovs", "db", state_.file("ovs")},
                         .is_infrastructure = true});
    children_.push_back({.name = "vswitchd",
                         .argv = {programs_ + "/private_ovs", "switch", state_.file("ovs"),
                                  bridge(), network_namespace(deployment_)},
                         .is_infrastructure = true});
    children_.push_back(
        {.name = "libvirtd",
         .argv = {programs_ + "/private_libvirtd", state_.file("libvirt"), state_.file("ovs"),
                  network_namespace(deployment_), state_.file("images"), state_.file("volumes"),
                  state_.file("provisioner")},
         .is_infrastructure = true});
  }

  /// Interface names are global on a machine, so each deployment has its own.
  std::string bridge() const { return "nuc" + deployment_.short_id; }

  void configure_bus(Child& child) const {
    child.is_infrastructure = true;
    child.settings.erase("redis.socket");  // the bus stores nothing
    child.settings["bus.tcp_events_url"] = "tcp://" + loopback("events");
    child.settings["bus.curve_secret"] = deployment_.curve.server_secret;
    child.settings["bus.rights_directory"] = state_.file("rights");
  }

  void configure_image_store(Settings& settings) const {
    settings["image_store.driver"] = deployment_.options.is_simulated ? "simulated" : "qcow2";
    settings["image_store.images_directory"] = state_.file("images");
    settings["image_store.uploads_directory"] = state_.file("uploads");
    settings["image_store.volumes_directory"] = state_.file("volumes");
  }

  void configure_console(Settings& settings) const {
    settings["console.listen"] = loopback("console");
    const auto& tls = deployment_.options.tls;
    if (tls.certificate.empty()) return;
    settings["console.tls_certificate"] = tls.certificate;
    settings["console.tls_key"] = tls.key;
    settings["console.public_url"] =
        "wss://" + host_of(tls, "127.0.0.1") + port_text("console") + "/console";
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
  }

  void configure_provisioner(Child& child) const {
    const auto& options = deployment_.options;
    auto& settings = child.settings;
    child.bus_name = "provisioner/" + (options.is_simulated ? "simulated" : deployment_.host_id);
    settings["bus.name"] = child.bus_name;
    settings.erase("redis.socket");  // a host keeps its own state
    settings["state.file"] = state_.file("provisioner/state.db");
    if (options.is_simulated) {
      settings["provisioner.driver"] = "simulated";
      settings["provisioner.simulated_hosts"] = std::to_string(options.host_count);
      return;
    }
    child.environment = {"OVS_RUNDIR=" + state_.file("ovs")};
    settings["provisioner.host_id"] = deployment_.host_id;
    settings["provisioner.libvirt_uri"] = libvirt_uri(state_);
    settings["provisioner.qemu_user"] = "libvirt-qemu";
    settings["provisioner.state_directory"] = state_.file("provisioner");
    settings["provisioner.bridge"] = bridge();
    settings["provisioner.port_prefix"] = "n" + deployment_.short_id;
    settings["provisioner.probe_kernel"] = state_.file("provisioner/probe-kernel");
    settings["provisioner.pingpong_program"] = programs_ + "/nucleus-pingpong";
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

std::string network_namespace(const Deployment& deployment) {
  return "nuc-" + deployment.short_id;
}

std::vector<Child> plan_children(const StateDirectory& state, const Deployment& deployment,
                                 const std::string& programs) {
  return Planner(state, deployment, programs).plan();
}

}  // namespace nucleus::operator_
