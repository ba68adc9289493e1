#include "operator/slurm.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "operator/rack.hpp"

namespace nucleus::operator_ {

namespace {

namespace fs = std::filesystem;

// A node's name ends with its index in the rack, which is its host's state directory.
constexpr const char* hook = R"(#!/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec {programs}/nucleus slurm {command} --drain "$SLURMD_NODENAME" \
  --state "{state}/rack/${{SLURMD_NODENAME#rack-}}"
)";

core::Result<void> write_hook(const StateDirectory& state, const std::string& programs,
                              const std::string& command) {
  const auto path = state.file("slurm/" + command);
  const auto written =
      write_file(path, fmt::format(hook, fmt::arg("programs", programs),
                                   fmt::arg("command", command), fmt::arg("state", state.root())));
  if (written) fs::permissions(path, fs::perms::owner_all);
  return written;
}

}  // namespace

std::vector<std::string> slurm_nodes(const Options& options) {
  std::vector<std::string> nodes;
  for (std::uint32_t i = 2; i <= options.rack_hosts; ++i) nodes.push_back(rack_host_id(i));
  return nodes;
}

std::string slurm_port(const std::string& daemon) {
  return "slurm." + daemon;
}

core::Result<void> check_slurm(const Options& options) {
  if (options.rack_hosts < 2)
    return core::refuse(core::ErrorCode::invalid_argument,
                        "--with-slurm needs --rack with 2 hosts or more: the first is not Slurm's",
                        "with-slurm");
  std::vector<std::string> missing;
  for (const char* program : {"slurmctld", "slurmd", "sbatch", "munged"})
    if (find_program(program).empty()) missing.emplace_back(program);
  if (missing.empty()) return {};
  return core::refuse(
      core::ErrorCode::unavailable,
      fmt::format("missing programs: {}\n  apt install slurmctld slurmd slurm-client munge",
                  fmt::join(missing, ", ")));
}

core::Result<void> write_slurm_hooks(const StateDirectory& state, const std::string& programs) {
  std::error_code error;
  fs::create_directories(state.file("slurm"), error);
  if (error)
    return core::refuse(core::ErrorCode::unavailable, state.file("slurm") + ": " + error.message());
  for (const char* command : {"prolog", "epilog"})
    if (auto written = write_hook(state, programs, command); !written) return written;
  return write_file(
      state.file("slurm/extra.conf"),
      fmt::format("Prolog={0}/slurm/prolog\nEpilog={0}/slurm/epilog\n", state.root()));
}

Child slurm_child(const StateDirectory& state, const Deployment& deployment,
                  const std::string& programs) {
  const auto port = [&](const std::string& daemon) {
    const auto chosen = deployment.ports.find(slurm_port(daemon));
    return std::to_string(chosen == deployment.ports.end() ? 0 : chosen->second);
  };
  Child child{.name = "slurm",
              .argv = {programs + "/private_slurm", state.file("slurm"), port("slurmctld")},
              .is_infrastructure = true};
  for (const auto& node : slurm_nodes(deployment.options))
    child.argv.push_back(node + ":" + port(node));
  return child;
}

std::map<std::string, std::string> slurm_settings(const StateDirectory& state) {
  return {{"scheduler.slurm_partition", "compute"},
          {"scheduler.slurm_conf", state.file("slurm/slurm.conf")}};
}

std::string slurm_problem(const StateDirectory& state) {
  return fs::exists(state.file("slurm/ready")) ? "" : "slurmctld or a node does not answer yet";
}

}  // namespace nucleus::operator_
