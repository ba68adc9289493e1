// nucleus join: makes this machine a host of a deployment whose head is elsewhere.
#include <fmt/format.h>
#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iostream>

#include "core/config/endpoint.hpp"
#include "operator/commands/commands.hpp"
#include "operator/deployment.hpp"
#include "operator/join_file.hpp"
#include "operator/supervisor.hpp"

namespace nucleus::operator_ {

namespace {

struct JoinArguments {
  std::string state = {};
  std::string file = {};
  std::string uplink = {};
  std::string metrics_listen = "127.0.0.1:9400";
};

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
  } else {
    host.host_id = text_of(file, "host_id");
    host.short_id = new_short_id();
    host.network_namespace = "nuc-" + host.short_id;
    host.image_folder = state.file("images");
    host.volume_folder = state.file("volumes");
  }
  if (!arguments.uplink.empty()) host.uplink = arguments.uplink;
  host.metrics_listen = arguments.metrics_listen;
  return host;
}

core::Result<int> join(const JoinArguments& arguments) {
  umask(077);
  if (geteuid() != 0)
    return core::refuse(core::ErrorCode::invalid_argument, "a host needs root: use sudo");
  if (!core::parse_endpoint(arguments.metrics_listen))
    return core::refuse(core::ErrorCode::invalid_argument,
                        "--metrics-listen must be ADDRESS:PORT, for example 127.0.0.1:9400",
                        "metrics-listen");
  const StateDirectory state(arguments.state);
  if (!arguments.uplink.empty() && !msg::is_name(arguments.uplink))
    return core::refuse(core::ErrorCode::invalid_argument,
                        "--uplink must be the name of an interface", "uplink");
  // Of a host that has joined, it may be in the host's network namespace.
  if (!arguments.uplink.empty() && !is_host(state) && if_nametoindex(arguments.uplink.c_str()) == 0)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "--uplink: this machine has no interface " + arguments.uplink, "uplink");
  const auto file = read_join_file(arguments.file);
  if (!file) return std::unexpected(file.error());
  if (state.exists())
    return core::refuse(core::ErrorCode::wrong_state,
                        state.root() + " has a head (nucleus up): use another --state", "state");
  auto host = desired_host(arguments, state, *file);
  if (!host) return std::unexpected(host.error());
  if (auto created = state.create(); !created) return std::unexpected(created.error());
  const auto lock = FileLock::take(state.file("run/command.lock"), true);
  if (auto applied = apply_join_file(*file, state, *host); !applied)
    return std::unexpected(applied.error());
  const auto missing = missing_programs(plan_host_children(state, *host, programs_folder()));
  if (!missing.empty())
    return core::refuse(core::ErrorCode::unavailable,
                        fmt::format("missing programs: {}\n  nucleus doctor shows how to get them",
                                    fmt::join(missing, ", ")));
  if (running_supervisor(state).pid != 0) {
    const auto before = load_host(state);
    if (!before || before->bus != host->bus || before->uplink != host->uplink)
      return core::refuse(core::ErrorCode::wrong_state,
                          "already joined with another key or uplink: nucleus down --state " +
                              state.root() + ", then join again");
  } else if (auto made = make_host_network(*host); !made) {
    return std::unexpected(made.error());
  }
  if (auto started = start_host(state, *host); !started) return std::unexpected(started.error());
  std::cout << fmt::format("host {} has joined\n", host->host_id);
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
        options.add("--uplink", arguments.uplink,
                    "interface that carries the nodes' VLANs to other hosts; it is used for "
                    "nothing else");
        options
            .add("--metrics-listen", arguments.metrics_listen,
                 "ADDRESS:PORT of the provisioner's /metrics")
            .show_default();
      });
}

}  // namespace nucleus::operator_
