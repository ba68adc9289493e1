#include "operator/host_deployment.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <iterator>

#include "core/bus/key_check.hpp"
#include "core/runtime/child_process.hpp"
#include "operator/health.hpp"
#include "operator/join_file.hpp"
#include "operator/processes.hpp"
#include "operator/run_ip.hpp"
#include "operator/run_ovs.hpp"
#include "operator/security_driver.hpp"
#include "operator/supervisor.hpp"

namespace nucleus::operator_ {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view uri_with_socket = "qemu+unix:///system?socket=";
constexpr const char* libvirt_socket = "libvirt/run/libvirt-sock";
constexpr std::chrono::seconds connect_timeout{60};
constexpr milliseconds key_timeout{2'000};  // a head that accepts a key does within this time

// A host with an uplink for the public network keeps that network in a VLAN of its own switch, so
// the deployment's number does not matter to it. Leased VLANs are 2..4094.
constexpr const char* own_public_vlan = "1";
constexpr const char* leased_vlans = "2-4094";

/// `ip netns exec NAMESPACE PROGRAM`, or the program itself.
std::vector<std::string> within(const std::string& network_namespace,
                                std::vector<std::string> argv) {
  if (network_namespace.empty()) return argv;
  std::vector<std::string> words{find_program("ip"), "netns", "exec", network_namespace};
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

std::string uplink_names(const HostDeployment& host) {
  std::string names;
  for (const auto& [option, uplink] : uplinks_of(host))
    names += (names.empty() ? "" : " ") + uplink;
  return names.empty() ? "none" : names;
}

Child provisioner_of(const StateDirectory& state, const HostDeployment& host,
                     const std::string& programs) {
  Child child{.name = "provisioner", .bus_name = "provisioner/" + host.host_id};
  child.argv = within(host.provisioner_namespace, {programs + "/nucleus-provisioner", "--config",
                                                   state.settings_file("provisioner")});
  child.environment = {"OVS_RUNDIR=" + switch_folder(state, host)};
  child.settings = host.bus;
  auto& settings = child.settings;
  settings["bus.name"] = child.bus_name;
  settings["metrics.listen"] = host.metrics_listen;
  settings["state.file"] = state.file("provisioner/state.db");
  settings["provisioner.host_id"] = host.host_id;
  settings["provisioner.state_directory"] = state.file("provisioner");
  if (host.is_simulated) {  // it has no consoles and no disks
    settings["provisioner.driver"] = "simulated";
    return child;
  }
  settings["provisioner.libvirt_uri"] = libvirt_uri(state, host);
  settings["provisioner.qemu_user"] = "libvirt-qemu";
  settings["provisioner.bridge"] = bridge_of(host);
  settings["provisioner.switch_directory"] = switch_folder(state, host);
  settings["provisioner.uplinks"] = uplink_names(host);
  if (host.ovs_directory.empty())
    settings["provisioner.network_namespace"] = host.network_namespace;
  if (!host.public_uplink.empty()) settings["provisioner.public_vlan"] = own_public_vlan;
  settings["provisioner.port_prefix"] = "n" + host.short_id;
  settings["provisioner.probe_kernel"] = state.file("provisioner/probe-kernel");
  settings["provisioner.pingpong_program"] = programs + "/nucleus-pingpong";
  if (!host.mpi_launcher.empty()) settings["provisioner.mpi_launcher"] = host.mpi_launcher;
  settings["provisioner.console_address"] = host.console_address;
  settings["provisioner.image_store_url"] = host.image_store_url;
  settings["provisioner.ca_file"] = host.ca_file;
  if (!host.chunk_endpoint.empty()) settings["provisioner.chunk_endpoint"] = host.chunk_endpoint;
  return child;
}

/// Of ovs-vsctl: they set the bridge, and add the uplinks. May be repeated.
std::vector<std::string> bridge_commands(const HostDeployment& host) {
  const auto bridge = bridge_of(host);
  std::vector<std::string> words{"set", "bridge", bridge, "datapath_type=netdev",
                                 "fail_mode=secure"};
  const auto add_port = [&](const std::string& port, const std::string& tag,
                            const std::string& trunks) {
    if (port.empty()) return;
    for (const auto& word : {std::string("--"), std::string("--may-exist"), std::string("add-port"),
                             bridge, port, std::string("--"), std::string("set"),
                             std::string("port"), port, "tag=" + tag, "trunks=" + trunks})
      words.push_back(word);
  };
  add_port(host.uplink, "[]", host.public_uplink.empty() ? "[]" : leased_vlans);
  add_port(host.public_uplink, own_public_vlan, "[]");
  return words;
}

void add_switch(std::vector<Child>& children, const StateDirectory& state,
                const HostDeployment& host, const std::string& programs) {
  children.push_back({.name = "ovsdb",
                      .argv = {programs + "/private_ovs", "db", state.file("ovs")},
                      .is_infrastructure = true});
  Child vswitchd{.name = "vswitchd",
                 .argv = {programs + "/private_ovs", "switch", state.file("ovs"), bridge_of(host),
                          host.network_namespace},
                 .is_infrastructure = true};
  std::ranges::move(bridge_commands(host), std::back_inserter(vswitchd.argv));
  children.push_back(std::move(vswitchd));
}

/// In the machine's own network, if its switch is there. The variable is set for AppArmor alone, so
/// that nothing differs where there is none.
void add_libvirtd(std::vector<Child>& children, const StateDirectory& state,
                  const HostDeployment& host, const std::string& programs) {
  Child libvirtd{
      .name = "libvirtd",
      .argv = {programs + "/private_libvirtd", state.file("libvirt"), switch_folder(state, host),
               host.ovs_directory.empty() ? host.network_namespace : "", host.image_folder,
               host.volume_folder, state.file("provisioner")},
      .is_infrastructure = true};
  if (const auto driver = find_security_driver("/", state.root()); driver.name != "none")
    libvirtd.environment = {"LIBVIRT_SECURITY_DRIVER=" + driver.name};
  children.push_back(std::move(libvirtd));
}

/// Adds the host's bridge to the machine's own switch, with the settings of a private one's.
/// Commands of `ip`, each after `prefix`, that set an uplink up without IPv6: the kernel would send
/// frames of its own into the networks of tenants. In this order, since a link that is up already
/// has an address.
std::string raise_silently(const std::string& prefix, const std::string& uplink) {
  std::string commands;
  for (const auto* command :
       {"link set {} addrgenmode none", "address flush dev {} scope link", "link set {} up"})
    commands += prefix + fmt::format(fmt::runtime(command), uplink) + '\n';
  return commands;
}

core::Result<void> add_bridge(const StateDirectory& state, const HostDeployment& host) {
  const auto bridge = bridge_of(host);
  std::vector<std::string> words{
      "--may-exist", "add-br", bridge, "--",
      "set",         "bridge", bridge, "external_ids:nucleus=\"" + state.root() + '"',
      "--"};
  std::ranges::move(bridge_commands(host), std::back_inserter(words));
  if (auto added = run_ovs_vsctl(host.ovs_directory, words); !added)
    return core::refuse(core::ErrorCode::unavailable, "--ovs: " + added.error().detail, "ovs");
  for (const auto& [option, uplink] : uplinks_of(host))
    if (auto set = run_ip(raise_silently("", uplink)); !set) return set;
  return {};
}

core::KeyAnswer check_key(const TextMap& bus) {
  return core::check_key({.server_public = text_of(bus, "bus.server_key"),
                          .own_public = text_of(bus, "bus.public_key"),
                          .own_secret = text_of(bus, "bus.secret_key")},
                         text_of(bus, "bus.events_url"), key_timeout);
}

/// Waits for the end of what `problem_now` describes.
core::Result<void> wait_for(const StateDirectory& state, const HostDeployment& host,
                            const std::function<std::string()>& problem_now) {
  const auto deadline = Clock::now() + connect_timeout;
  while (true) {
    const auto problem = problem_now();
    if (problem.empty()) return {};
    if (Clock::now() > deadline)
      return core::refuse(
          core::ErrorCode::deadline_exceeded,
          "host " + host.host_id + " is not ready: " + problem + "\n  logs: " + state.file("logs"));
    poll(nullptr, 0, 20);
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> uplinks_of(const HostDeployment& host) {
  std::vector<std::pair<std::string, std::string>> uplinks{{"uplink", host.uplink},
                                                           {"public-uplink", host.public_uplink}};
  std::erase_if(uplinks, [](const auto& one) { return one.second.empty(); });
  return uplinks;
}

std::string bridge_of(const HostDeployment& host) {
  return "nuc" + host.short_id;
}

core::Result<void> check_own_services(const HostDeployment& host) {
  const auto& uri = host.libvirt_uri;
  const auto folder = [](const std::string& path) { return path.starts_with('/'); };
  if (!uri.empty() && uri != "qemu:///system" &&
      !(uri.starts_with(uri_with_socket) && folder(uri.substr(uri_with_socket.size()))))
    return core::refuse(core::ErrorCode::invalid_argument,
                        "--libvirt must be qemu:///system, or " + std::string(uri_with_socket) +
                            "PATH, of this machine",
                        "libvirt");
  if (!host.ovs_directory.empty() && !folder(host.ovs_directory))
    return core::refuse(core::ErrorCode::invalid_argument,
                        "--ovs must be an absolute path, for example /run/openvswitch", "ovs");
  return {};
}

std::string libvirt_uri(const StateDirectory& state, const HostDeployment& host) {
  return host.libvirt_uri.empty() ? std::string(uri_with_socket) + state.file(libvirt_socket)
                                  : host.libvirt_uri;
}

std::string emulator_folder(const StateDirectory& state, const HostDeployment& host) {
  const auto uri = libvirt_uri(state, host);
  if (!uri.starts_with(uri_with_socket)) return "/run/libvirt/qemu";
  return uri.substr(uri_with_socket.size(), uri.rfind('/') - uri_with_socket.size()) + "/qemu";
}

std::string switch_folder(const StateDirectory& state, const HostDeployment& host) {
  return host.ovs_directory.empty() ? state.file("ovs") : host.ovs_directory;
}

std::vector<Child> plan_host_children(const StateDirectory& state, const HostDeployment& host,
                                      const std::string& programs) {
  if (host.is_simulated) return {provisioner_of(state, host, programs)};
  std::vector<Child> children;
  if (host.ovs_directory.empty()) add_switch(children, state, host, programs);
  if (host.libvirt_uri.empty()) add_libvirtd(children, state, host, programs);
  children.push_back(provisioner_of(state, host, programs));
  return children;
}

bool is_host(const StateDirectory& state) {
  std::error_code error;
  return std::filesystem::exists(state.file("host.yaml"), error);
}

core::Result<HostDeployment> load_host(const StateDirectory& state) {
  const auto file = read_text_map(state.file("host.yaml"));
  if (!file) return std::unexpected(file.error());
  HostDeployment host{.host_id = text_of(*file, "host_id"),
                      .short_id = text_of(*file, "short_id"),
                      .network_namespace = text_of(*file, "network_namespace"),
                      .uplink = text_of(*file, "uplink"),
                      .public_uplink = text_of(*file, "public_uplink"),
                      .provisioner_namespace = text_of(*file, "provisioner_namespace"),
                      .metrics_listen = text_of(*file, "metrics_listen"),
                      .image_folder = text_of(*file, "image_folder"),
                      .volume_folder = text_of(*file, "volume_folder"),
                      .console_address = text_of(*file, "console_address"),
                      .image_store_url = text_of(*file, "image_store_url"),
                      .ca_file = text_of(*file, "ca_file"),
                      .is_simulated = text_of(*file, "is_simulated") == "true",
                      .libvirt_uri = text_of(*file, "libvirt_uri"),
                      .ovs_directory = text_of(*file, "ovs_directory"),
                      .chunk_endpoint = text_of(*file, "chunk_endpoint"),
                      .mpi_launcher = text_of(*file, "mpi_launcher")};
  host.bus = bus_settings(*file);
  return host;
}

core::Result<void> save_host(const StateDirectory& state, const HostDeployment& host) {
  TextMap file = host.bus;
  file["host_id"] = host.host_id;
  file["short_id"] = host.short_id;
  file["network_namespace"] = host.network_namespace;
  file["uplink"] = host.uplink;
  if (!host.public_uplink.empty()) file["public_uplink"] = host.public_uplink;
  file["provisioner_namespace"] = host.provisioner_namespace;
  file["metrics_listen"] = host.metrics_listen;
  file["image_folder"] = host.image_folder;
  file["volume_folder"] = host.volume_folder;
  file["console_address"] = host.console_address;
  file["image_store_url"] = host.image_store_url;
  file["ca_file"] = host.ca_file;
  if (host.is_simulated) file["is_simulated"] = "true";
  if (!host.libvirt_uri.empty()) file["libvirt_uri"] = host.libvirt_uri;
  if (!host.ovs_directory.empty()) file["ovs_directory"] = host.ovs_directory;
  if (!host.chunk_endpoint.empty()) file["chunk_endpoint"] = host.chunk_endpoint;
  if (!host.mpi_launcher.empty()) file["mpi_launcher"] = host.mpi_launcher;
  return write_text_map(state.file("host.yaml"), file);
}

core::Result<void> make_host_network(const StateDirectory& state, const HostDeployment& host) {
  if (host.is_simulated) return {};
  if (!host.ovs_directory.empty()) return add_bridge(state, host);
  const auto& name = host.network_namespace;
  remove_network_namespace(name);  // a power failure may have left one with stale devices
  if (auto made = run_ip("netns add " + name); !made) return made;
  for (const auto& [option, uplink] : uplinks_of(host))
    if (const auto moved = run_ip("link set " + uplink + " netns " + name + '\n' +
                                  raise_silently("-n " + name + ' ', uplink));
        !moved)
      return core::refuse(core::ErrorCode::invalid_argument, moved.error().detail, option);
  return {};
}

void remove_host_network(const HostDeployment& host) {
  if (host.is_simulated) return;
  if (host.ovs_directory.empty()) return remove_network_namespace(host.network_namespace);
  (void)run_ovs_vsctl(host.ovs_directory, {"--if-exists", "del-br", bridge_of(host)});
}

void remove_network_namespace(const std::string& name) {
  (void)core::run_child({.argv = {"ip", "netns", "del", name}, .deadline = milliseconds{5'000}});
}

core::Result<void> start_host(const StateDirectory& state, const HostDeployment& host) {
  const auto children = plan_host_children(state, host, programs_folder());
  if (auto saved = save_host(state, host); !saved) return saved;
  if (running_supervisor(state).pid == 0) {
    if (auto written = write_settings(state, children); !written) return written;
    if (auto running = start_supervisor(state); !running) return running;
  }
  return wait_for(state, host,
                  [&] { return problem_of(check_host(state, host, milliseconds{500})); });
}

core::Result<void> renew_host(const StateDirectory& state, const HostDeployment& before,
                              const HostDeployment& host) {
  if (const auto answer = check_key(host.bus); answer != core::KeyAnswer::accepted)
    return core::refuse(
        core::ErrorCode::unavailable,
        "the head at " + text_of(host.bus, "bus.events_url") +
            (answer == core::KeyAnswer::refused ? " refuses the file's key" : " does not answer"),
        "file");
  if (auto saved = save_host(state, host); !saved) return saved;
  const auto children = plan_host_children(state, host, programs_folder());
  if (auto written = write_settings(state, children); !written) return written;
  send_signal(load_processes(state)["provisioner"].process, SIGHUP);
  return wait_for(state, host, [&]() -> std::string {
    if (auto problem = problem_of(check_host(state, host, milliseconds{500})); !problem.empty())
      return problem;
    return check_key(before.bus) == core::KeyAnswer::refused ? "" : "the old key has not ended";
  });
}

}  // namespace nucleus::operator_
