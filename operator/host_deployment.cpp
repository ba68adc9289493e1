#include "operator/host_deployment.hpp"

#include <poll.h>

#include <chrono>
#include <csignal>
#include <functional>

#include "core/bus/key_check.hpp"
#include "core/runtime/child_process.hpp"
#include "operator/health.hpp"
#include "operator/join_file.hpp"
#include "operator/processes.hpp"
#include "operator/run_ip.hpp"
#include "operator/supervisor.hpp"

namespace nucleus::operator_ {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds connect_timeout{60};
constexpr milliseconds key_timeout{2'000};  // a head that accepts a key does within this time

/// `ip netns exec NAMESPACE PROGRAM`, or the program itself.
std::vector<std::string> within(const std::string& network_namespace,
                                std::vector<std::string> argv) {
  if (network_namespace.empty()) return argv;
  std::vector<std::string> words{find_program("ip"), "netns", "exec", network_namespace};
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

Child provisioner_of(const StateDirectory& state, const HostDeployment& host,
                     const std::string& programs) {
  Child child{.name = "provisioner", .bus_name = "provisioner/" + host.host_id};
  child.argv = within(host.provisioner_namespace, {programs + "/nucleus-provisioner", "--config",
                                                   state.settings_file("provisioner")});
  child.environment = {"OVS_RUNDIR=" + state.file("ovs")};
  child.settings = host.bus;
  auto& settings = child.settings;
  settings["bus.name"] = child.bus_name;
  settings["metrics.listen"] = host.metrics_listen;
  settings["state.file"] = state.file("provisioner/state.db");
  settings["provisioner.host_id"] = host.host_id;
  if (host.is_simulated) {  // it has no consoles and no disks
    settings["provisioner.driver"] = "simulated";
    return child;
  }
  settings["provisioner.libvirt_uri"] = libvirt_uri(state);
  settings["provisioner.qemu_user"] = "libvirt-qemu";
  settings["provisioner.state_directory"] = state.file("provisioner");
  settings["provisioner.bridge"] = bridge_of(host);
  settings["provisioner.port_prefix"] = "n" + host.short_id;
  settings["provisioner.probe_kernel"] = state.file("provisioner/probe-kernel");
  settings["provisioner.pingpong_program"] = programs + "/nucleus-pingpong";
  settings["provisioner.console_address"] = host.console_address;
  settings["provisioner.image_store_url"] = host.image_store_url;
  settings["provisioner.ca_file"] = host.ca_file;
  return child;
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

std::string bridge_of(const HostDeployment& host) {
  return "nuc" + host.short_id;
}

std::string libvirt_uri(const StateDirectory& state) {
  return "qemu+unix:///system?socket=" + state.file("libvirt/run/libvirt-sock");
}

std::vector<Child> plan_host_children(const StateDirectory& state, const HostDeployment& host,
                                      const std::string& programs) {
  if (host.is_simulated) return {provisioner_of(state, host, programs)};
  std::vector<std::string> vswitchd{programs + "/private_ovs", "switch", state.file("ovs"),
                                    bridge_of(host), host.network_namespace};
  if (!host.uplink.empty()) vswitchd.push_back(host.uplink);
  const Child database{.name = "ovsdb",
                       .argv = {programs + "/private_ovs", "db", state.file("ovs")},
                       .is_infrastructure = true};
  const Child libvirtd{.name = "libvirtd",
                       .argv = {programs + "/private_libvirtd", state.file("libvirt"),
                                state.file("ovs"), host.network_namespace, host.image_folder,
                                host.volume_folder, state.file("provisioner")},
                       .is_infrastructure = true};
  const Child switch_{.name = "vswitchd", .argv = std::move(vswitchd), .is_infrastructure = true};
  return {database, switch_, libvirtd, provisioner_of(state, host, programs)};
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
                      .provisioner_namespace = text_of(*file, "provisioner_namespace"),
                      .metrics_listen = text_of(*file, "metrics_listen"),
                      .image_folder = text_of(*file, "image_folder"),
                      .volume_folder = text_of(*file, "volume_folder"),
                      .console_address = text_of(*file, "console_address"),
                      .image_store_url = text_of(*file, "image_store_url"),
                      .ca_file = text_of(*file, "ca_file"),
                      .is_simulated = text_of(*file, "is_simulated") == "true"};
  host.bus = bus_settings(*file);
  return host;
}

core::Result<void> save_host(const StateDirectory& state, const HostDeployment& host) {
  TextMap file = host.bus;
  file["host_id"] = host.host_id;
  file["short_id"] = host.short_id;
  file["network_namespace"] = host.network_namespace;
  file["uplink"] = host.uplink;
  file["provisioner_namespace"] = host.provisioner_namespace;
  file["metrics_listen"] = host.metrics_listen;
  file["image_folder"] = host.image_folder;
  file["volume_folder"] = host.volume_folder;
  file["console_address"] = host.console_address;
  file["image_store_url"] = host.image_store_url;
  file["ca_file"] = host.ca_file;
  if (host.is_simulated) file["is_simulated"] = "true";
  return write_text_map(state.file("host.yaml"), file);
}

core::Result<void> make_host_network(const HostDeployment& host) {
  if (host.is_simulated) return {};
  const auto& name = host.network_namespace;
  remove_host_network(name);  // a power failure may have left one with stale devices
  if (auto made = run_ip("netns add " + name); !made) return made;
  if (host.uplink.empty()) return {};
  // Without IPv6, since the kernel would send frames of its own.
  const auto moved = run_ip("link set " + host.uplink + " netns " + name + "\n-n " + name +
                            " link set " + host.uplink + " addrgenmode none up");
  if (moved) return {};
  return core::refuse(core::ErrorCode::invalid_argument, moved.error().detail, "uplink");
}

void remove_host_network(const std::string& network_namespace) {
  (void)core::run_child(
      {.argv = {"ip", "netns", "del", network_namespace}, .deadline = milliseconds{5'000}});
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
