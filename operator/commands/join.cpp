// nucleus join: makes this machine a host of a deployment whose head is elsewhere.
#include <fmt/format.h>
#include <sys/stat.h>

#include <iostream>

#include "core/config/endpoint.hpp"
#include "operator/commands/commands.hpp"
#include "operator/deployment.hpp"
#include "operator/join_file.hpp"
#include "operator/prerequisites.hpp"
#include "operator/processes.hpp"
#include "operator/supervisor.hpp"
#include "operator/termination.hpp"

namespace nucleus::operator_ {

namespace {

struct JoinArguments {
  std::string state = {};
  std::string file = {};
  HostDeployment host = {};  // what options set of it
  bool is_staying = false;
};

constexpr const char* metrics_listen_default = "127.0.0.1:9400";

core::Result<TextMap> read_join_file(const std::string& path) {
  auto file = read_text_map(path);
  if (!file) return file;
  for (const char* key : {"host_id", "ca", "console_address", "bus.requests_url", "bus.events_url",
                          "bus.server_key", "bus.public_key", "bus.secret_key"})
    if (text_of(*file, key).empty())
      return core::refuse(core::ErrorCode::invalid_argument,
                          path + " is not a file of `nucleus host add`: it has no " + key, "file");
  if (auto broken = msg::check_name("host_id", text_of(*file, "host_id")))
    return std::unexpected(*broken);
  return file;
}

/// As joined before, or new; with this file's name and keys.
core::Result<HostDeployment> desired_host(const JoinArguments& arguments,
                                          const StateDirectory& state, const TextMap& file) {
  HostDeployment host;
  if (is_host(state)) {
    auto before = load_host(state);
    if (!before) return before;
    host = std::move(*before);
    if (host.host_id != text_of(file, "host_id"))
      return core::refuse(core::ErrorCode::conflict,
                          state.root() + " is host " + host.host_id + ", not " +
                              text_of(file, "host_id") + ": use another --state",
                          "file");
    if (arguments.host.is_simulated && !host.is_simulated)
      return core::refuse(core::ErrorCode::conflict,
                          state.root() + " is a host with a hypervisor: use another --state",
                          "simulated");
  } else {
    host.host_id = text_of(file, "host_id");
    host.is_simulated = arguments.host.is_simulated;
    host.short_id = new_short_id();
    host.network_namespace = "nuc-" + host.short_id;
    host.metrics_listen = metrics_listen_default;
    host.image_folder = state.file("images");
    host.volume_folder = state.file("volumes");
  }
  for (const auto option :
       {&HostDeployment::uplink, &HostDeployment::public_uplink, &HostDeployment::metrics_listen,
        &HostDeployment::libvirt_uri, &HostDeployment::ovs_directory})
    if (!(arguments.host.*option).empty()) host.*option = arguments.host.*option;
  apply_join_file(file, state, host);
  return host;
}

/// QEMU runs as a user that may not list the state directory, but opens files of these folders.
void open_to_emulators(const StateDirectory& state, const HostDeployment& host) {
  for (const auto& folder :
       {state.root(), state.file("provisioner"), host.image_folder, host.volume_folder})
    chmod(folder.c_str(), 0711);
}

/// In the words of `nucleus doctor --host`.
core::Result<void> check_machine(const StateDirectory& state, const HostDeployment& host) {
  if (host.is_simulated) return {};
  std::string problems;
  for (const auto& finding : find_problems(state, Role::host, host))
    if (finding.is_error) problems += "\n" + shown(finding);
  if (problems.empty()) return {};
  problems.pop_back();
  return core::refuse(core::ErrorCode::unavailable, "this machine cannot be a host yet" + problems);
}

/// Its keys and the head's addresses may change while it runs.
core::Result<void> change_running_host(const StateDirectory& state, const HostDeployment& host) {
  const auto before = load_host(state);
  if (!before) return std::unexpected(before.error());
  if (uplinks_of(*before) != uplinks_of(host) || before->metrics_listen != host.metrics_listen ||
      before->console_address != host.console_address || before->libvirt_uri != host.libvirt_uri ||
      before->ovs_directory != host.ovs_directory)
    return core::refuse(core::ErrorCode::wrong_state,
                        "already joined with another uplink, --metrics-listen, --libvirt, --ovs or "
                        "console address: nucleus down --state " +
                            state.root() + ", then join again");
  return before->bus == host.bus ? core::Result<void>{} : renew_host(state, *before, host);
}

core::Result<int> join(const JoinArguments& arguments) {
  umask(077);
  if (arguments.is_staying) hold_termination();
  if (!arguments.host.metrics_listen.empty() &&
      !core::parse_endpoint(arguments.host.metrics_listen))
    return core::refuse(core::ErrorCode::invalid_argument,
                        "--metrics-listen must be ADDRESS:PORT, for example 127.0.0.1:9400",
                        "metrics-listen");
  const StateDirectory state(arguments.state);
  for (const auto& [option, uplink] : uplinks_of(arguments.host))
    if (!msg::is_name(uplink))
      return core::refuse(core::ErrorCode::invalid_argument,
                          "--" + option + " must be the name of an interface", option);
  if (auto valid = check_own_services(arguments.host); !valid)
    return std::unexpected(valid.error());
  const auto file = read_join_file(arguments.file);
  if (!file) return std::unexpected(file.error());
  if (state.exists())
    return core::refuse(core::ErrorCode::wrong_state,
                        state.root() + " has a head (nucleus up): use another --state", "state");
  auto host = desired_host(arguments, state, *file);
  if (!host) return std::unexpected(host.error());
  if (!is_any_running(load_processes(state)))
    if (auto met = check_machine(state, *host); !met) return std::unexpected(met.error());
  if (auto created = state.create(); !created) return std::unexpected(created.error());
  if (!host->libvirt_uri.empty()) open_to_emulators(state, *host);
  const auto lock = FileLock::take(state.file("run/command.lock"), true);
  if (auto written = write_ca(*file, *host); !written) return std::unexpected(written.error());
  if (running_supervisor(state).pid != 0) {
    if (auto renewed = change_running_host(state, *host); !renewed)
      return std::unexpected(renewed.error());
  } else if (!is_any_running(load_processes(state))) {
    if (auto made = make_host_network(state, *host); !made) return std::unexpected(made.error());
  }
  if (auto started = start_host(state, *host); !started) return std::unexpected(started.error());
  std::cout << fmt::format("host {} has joined", host->host_id) << std::endl;
  if (!arguments.is_staying) return 0;
  await_termination();
  if (auto stopped = stop_supervised(state); !stopped) return std::unexpected(stopped.error());
  return 0;
}

}  // namespace

void add_join(Commands& commands) {
  commands.add<JoinArguments>(
      "join", "make this machine a host of a deployment, and return when it is connected", join,
      [](CommandOptions& options, JoinArguments& arguments) {
        options.state(arguments.state);
        options.add("FILE", arguments.file, "file that `nucleus host add` wrote on the head")
            .required();
        const auto uplink =
            options.add("--uplink", arguments.host.uplink,
                        "interface that carries the nodes' VLANs to other hosts; it is used for "
                        "nothing else");
        const auto public_uplink =
            options.add("--public-uplink", arguments.host.public_uplink,
                        "interface that carries the frontends' public network, untagged, and "
                        "nothing else; default: a VLAN of --uplink");
        const auto ovs = options.add("--ovs", arguments.host.ovs_directory,
                                     "socket directory of the machine's Open vSwitch, for example "
                                     "/run/openvswitch; default: a private one");
        options.add("--metrics-listen", arguments.host.metrics_listen,
                    "ADDRESS:PORT of the provisioner's /metrics; default: 127.0.0.1:9400");
        options
            .flag("--simulated", arguments.host.is_simulated,
                  "simulate the hypervisor; needs no root")
            .excludes(uplink)
            .excludes(public_uplink)
            .excludes(ovs);
        options
            .add("--libvirt", arguments.host.libvirt_uri,
                 "use the machine's libvirtd, qemu:///system, with the switch of --ovs; default: a "
                 "private one")
            .needs(ovs);
        options.flag("--stay", arguments.is_staying,
                     "then wait for SIGTERM, and stop this host: for containers");
      });
}

}  // namespace nucleus::operator_
