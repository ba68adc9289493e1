// The plan of a deployment's processes: which programs, on which sockets, ports and folders.
#include <algorithm>
#include <functional>

#include "operator/deployment.hpp"
#include "operator/tls.hpp"

namespace nucleus::op {

namespace {

class Planner {
 public:
  Planner(const StateDirectory& state, const Deployment& deployment, const std::string& programs)
      : state_{state}, deployment_{deployment}, programs_{programs} {}

  std::vector<Child> plan() {
    add_ground();
    if (!deployment_.options.is_simulated) add_hypervisor();
    add_central();
    add_provisioner();
    return std::move(children_);
  }

 private:
  /// Port 0 where none was chosen yet: the plan then only tells which programs it needs.
  std::string port_text(const std::string& port) const {
    const auto chosen = deployment_.ports.find(port);
    return ":" + std::to_string(chosen == deployment_.ports.end() ? 0 : chosen->second);
  }
  std::string loopback(const std::string& port) const { return "127.0.0.1" + port_text(port); }

  Child& service(const std::string& name) {
    std::string program = "nucleus-" + name;
    std::ranges::replace(program, '_', '-');
    return children_.emplace_back(
        Child{.name = name,
              .bus_name = name,
              .argv = {programs_ + "/" + program, "--config", state_.settings_file(name)},
              .settings = {{"bus.requests_url", state_.requests_url()},
                           {"bus.events_url", state_.events_url()},
                           {"redis.socket", state_.redis_socket()},
                           {"metrics.listen", loopback("metrics." + name)}}});
  }

  void add_ground() {
    children_.push_back({.name = "redis",
                         .argv = {or_name(find_program("redis-server"), "redis-server"), "--port",
                                  "0", "--unixsocket", state_.redis_socket(), "--unixsocketperm",
                                  "700", "--dir", state_.file("redis"), "--appendonly", "yes",
                                  "--appendfsync", "always", "--save", ""},
                         .is_ground = true});
    children_.push_back(
        {.name = "bus",
         .bus_name = "bus",
         .argv = {programs_ + "/nucleus-bus", "--config", state_.settings_file("bus")},
         .settings = {{"bus.requests_url", state_.requests_url()},
                      {"bus.events_url", state_.events_url()},
                      {"bus.tcp_events_url", "tcp://" + loopback("events")},
                      {"bus.curve_secret", deployment_.curve.server_secret},
                      {"bus.rights_directory", state_.file("rights")},
                      {"metrics.listen", loopback("metrics.bus")}},
         .is_ground = true});
  }

  void add_hypervisor() {
    children_.push_back({.name = "ovsdb",
                         .argv = {programs_ + "/private_ovs", "db", state_.file("ovs")},
                         .is_ground = true});
    children_.push_back({.name = "vswitchd",
                         .argv = {programs_ + "/private_ovs", "switch", state_.file("ovs"),
                                  bridge(), network_namespace(deployment_)},
                         .is_ground = true});
    children_.push_back({.name = "libvirtd",
                         .argv = {programs_ + "/private_libvirtd", state_.file("libvirt"),
                                  state_.file("ovs"), network_namespace(deployment_)},
                         .is_ground = true});
  }

  /// Interfaces are the whole machine's: each deployment has names of its own.
  std::string bridge() const { return "nuc" + deployment_.short_id; }

  void add_central() {
    service("registry");
    service("scheduler");
    service("network");
    auto& image_store = service("image_store").settings;
    image_store["image_store.driver"] = deployment_.options.is_simulated ? "simulated" : "qcow2";
    image_store["image_store.images_directory"] = state_.file("images");
    image_store["image_store.uploads_directory"] = state_.file("uploads");
    image_store["image_store.volumes_directory"] = state_.file("volumes");
    auto& console = service("console").settings;
    console["console.listen"] = loopback("console");
    const auto& tls = deployment_.options.tls;
    if (!tls.certificate.empty()) {
      console["console.tls_certificate"] = tls.certificate;
      console["console.tls_key"] = tls.key;
      console["console.public_url"] =
          "wss://" + host_of(tls, "127.0.0.1") + port_text("console") + "/console";
    }
    service("overhead");
    auto& gateway = service("gateway").settings;
    gateway["gateway.listen"] =
        deployment_.options.listen_address + ":" + std::to_string(deployment_.options.listen_port);
    if (!tls.certificate.empty()) {
      gateway["gateway.tls_certificate"] = tls.certificate;
      gateway["gateway.tls_key"] = tls.key;
    }
    gateway["gateway.spool_directory"] = state_.file("spool");
    gateway["gateway.portal_directory"] = programs_ + "/portal";
  }

  void add_provisioner() {
    auto& child = service("provisioner");
    const auto& options = deployment_.options;
    child.bus_name = "provisioner/" + (options.is_simulated ? "simulated" : deployment_.host_id);
    child.settings["bus.name"] = child.bus_name;
    if (options.is_simulated) {
      child.settings["provisioner.simulated_hosts"] = std::to_string(options.host_count);
      return;
    }
    child.environment = {"OVS_RUNDIR=" + state_.file("ovs")};
    child.settings["provisioner.host_id"] = deployment_.host_id;
    child.settings["provisioner.libvirt_uri"] = libvirt_uri(state_);
    child.settings["provisioner.state_directory"] = state_.file("provisioner");
    child.settings["provisioner.bridge"] = bridge();
    child.settings["provisioner.port_prefix"] = "n" + deployment_.short_id;
    child.settings["provisioner.probe_kernel"] = state_.file("provisioner/probe-kernel");
    child.settings["provisioner.pingpong_program"] = programs_ + "/nucleus-pingpong";
  }

  static std::string or_name(std::string path, const char* name) {
    return path.empty() ? std::string(name) : std::move(path);
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

}  // namespace nucleus::op
