#include "services/provisioner/driver/measuring.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <span>
#include <sstream>
#include <thread>

#include "core/runtime/child_process.hpp"
#include "services/provisioner/driver/tool_output.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;

namespace {

constexpr std::chrono::seconds end_margin{5};  // the tool ends before its caller gives up
constexpr std::size_t peers_of_a_pair = 2;
constexpr std::size_t peer_bytes_max = 255;
constexpr const char* guest_path =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* kernel_file = "/proc/sys/kernel/osrelease";
constexpr const char* boot_id_file = "/proc/sys/kernel/random/boot_id";

/// A name that neither mpirun nor a launcher takes for something else.
bool is_peer(const std::string& name) {
  return !name.empty() && name.size() <= peer_bytes_max && name.front() != '-' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '.' || c == '_';
         });
}

/// MPI hosts: the names, or both ranks on this host.
std::string mpi_hosts(const std::vector<std::string>& peers) {
  return peers.empty() ? "localhost:2" : fmt::format("{}", fmt::join(peers, ","));
}

/// The kernel's release and the boot id, a line each.
template <class Run>
void set_kernel(Run& run, const std::string& lines) {
  std::istringstream text(lines);
  std::string kernel;
  std::string boot_id;
  text >> kernel >> boot_id;
  if (msg::is_condition(kernel)) run.conditions.kernel = kernel;
  if (msg::is_condition(boot_id)) run.boot_id = boot_id;
}

std::string text_of_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

core::Result<msg::MeasurementRun> run_of(const msg::RunMeasurement& request,
                                         const std::string& printed) {
  const auto& tool = *msg::find_tool(request.tool);
  auto output = parse_output(tool.format, printed);
  if (!output) return std::unexpected(output.error());
  auto samples = samples_of(tool, *output);
  if (!samples) return std::unexpected(samples.error());
  return msg::MeasurementRun{.samples = std::move(*samples),
                             .ranks = std::move(output->ranks),
                             .conditions = {.program = std::move(output->program)}};
}

/// `words` with the places filled in; the command ends after `deadline`.
std::vector<std::string> command_of(std::span<const std::string_view> words,
                                    const std::vector<std::string>& peers, const ToolPlaces& places,
                                    std::chrono::milliseconds deadline) {
  const auto left = std::chrono::floor<std::chrono::seconds>(deadline) - end_margin;
  std::vector<std::string> argv = {"timeout", "--kill-after=2",
                                   std::to_string(std::max<std::int64_t>(left.count(), 1)), "flock",
                                   places.lock_file};
  for (const auto word : words) {
    if (word == "{program}")
      argv.push_back(places.program);
    else if (word == "{ranks}")
      argv.push_back(std::to_string(std::max(peers.size(), peers_of_a_pair)));
    else if (word == "{hosts}")
      argv.push_back(mpi_hosts(peers));
    else if (word == "{launcher}")
      argv.push_back(places.launcher);
    else if (word == "{directory}")
      argv.push_back(places.directory);
    else
      argv.emplace_back(word);
  }
  return argv;
}

ToolPlaces places_in_node() {
  return {.program = "/usr/local/bin/nucleus-pingpong",
          .launcher = "ssh -o StrictHostKeyChecking=no -o BatchMode=yes",
          .directory = "/var/tmp",
          .lock_file = "/run/nucleus-measure.lock"};
}

/// What the command printed; `internal` with its errors if it failed.
core::Result<std::string> print_in_guest(Hypervisor& hypervisor, const std::string& domain,
                                         std::string_view tool, std::vector<std::string> argv,
                                         std::chrono::milliseconds deadline) {
  argv.insert(argv.begin(), {"/usr/bin/env", guest_path});
  auto ran = hypervisor.run_in_guest(domain, {.argv = std::move(argv), .deadline = deadline});
  if (!ran) return std::unexpected(ran.error());
  if (core::is_success(ran->end)) return std::move(ran->output);
  return core::refuse(ErrorCode::internal, std::string(tool) + " failed in the guest (" +
                                               core::shown(ran->end) +
                                               "): " + msg::shown(ran->errors));
}

/// How a run in a node was made.
template <class Run>
core::Result<Run> with_conditions(Hypervisor& hypervisor, const MeasuredNode& node, Run run,
                                  std::chrono::milliseconds deadline) {
  const auto kernel = hypervisor.run_in_guest(
      node.domain, {.argv = {"/bin/cat", kernel_file, boot_id_file}, .deadline = deadline});
  if (!kernel) return std::unexpected(kernel.error());
  set_kernel(run, kernel->output);
  run.conditions.accelerator = msg::name_of(node.accelerator);
  run.conditions.network = "virtio";
  run.conditions.cpus = node.cpus;
  return run;
}

}  // namespace

core::Result<std::vector<std::string>> plan_tool(const msg::RunMeasurement& request,
                                                 const ToolPlaces& places,
                                                 std::chrono::milliseconds deadline) {
  const auto* tool = msg::find_tool(request.tool);
  if (!tool)
    return std::unexpected(msg::invalid("tool", "no such tool: " + msg::shown(request.tool)));
  const bool is_pair = tool->place == msg::Place::node_pair && !request.peers.empty();
  if ((is_pair && request.peers.size() != peers_of_a_pair) ||
      !std::ranges::all_of(request.peers, is_peer))
    return std::unexpected(msg::invalid("peers", "peers must be two names"));
  return command_of(tool->argv, request.peers, places, deadline);
}

core::Result<std::vector<std::string>> plan_links(const std::vector<std::string>& peers,
                                                  const ToolPlaces& places,
                                                  std::chrono::milliseconds deadline) {
  if (peers.size() < peers_of_a_pair || peers.size() > msg::ranks_max ||
      !std::ranges::all_of(peers, is_peer))
    return std::unexpected(msg::invalid("peers", "peers must be 2 to 64 names"));
  return command_of(msg::links_argv, peers, places, deadline);
}

core::Result<msg::MeasurementRun> measure_in_node(Hypervisor& hypervisor, const MeasuredNode& node,
                                                  const msg::RunMeasurement& request,
                                                  std::chrono::milliseconds deadline) {
  auto argv = plan_tool(request, places_in_node(), deadline);
  if (!argv) return std::unexpected(argv.error());
  const auto printed =
      print_in_guest(hypervisor, node.domain, request.tool, std::move(*argv), deadline);
  if (!printed) return std::unexpected(printed.error());
  auto run = run_of(request, *printed);
  if (!run) return run;
  return with_conditions(hypervisor, node, std::move(*run), deadline);
}

core::Result<msg::LinksRun> measure_links(Hypervisor& hypervisor, const MeasuredNode& node,
                                          const std::vector<std::string>& peers,
                                          std::chrono::milliseconds deadline) {
  auto argv = plan_links(peers, places_in_node(), deadline);
  if (!argv) return std::unexpected(argv.error());
  const auto printed = print_in_guest(hypervisor, node.domain, "links", std::move(*argv), deadline);
  if (!printed) return std::unexpected(printed.error());
  auto run = parse_links(*printed, peers.size());
  if (!run) return run;
  return with_conditions(hypervisor, node, std::move(*run), deadline);
}

core::Result<msg::MeasurementRun> measure_on_host(const HostTools& tools,
                                                  const msg::RunMeasurement& request,
                                                  std::chrono::milliseconds deadline) {
  const auto* tool = msg::find_tool(request.tool);
  if (tools.program.empty() && tool &&
      std::ranges::find(tool->argv, "{program}") != tool->argv.end())
    return core::refuse(ErrorCode::wrong_state, "provisioner.pingpong_program is not set");
  auto argv = plan_tool(request,
                        {.program = tools.program,
                         .launcher = tools.launcher,
                         .directory = tools.directory,
                         .lock_file = tools.directory + "/measure.lock"},
                        deadline);
  if (!argv) return std::unexpected(argv.error());
  const auto printed = core::must_run_child({.argv = std::move(*argv), .deadline = deadline});
  if (!printed) return std::unexpected(printed.error());
  auto run = run_of(request, *printed);
  if (!run) return run;
  set_kernel(*run, text_of_file(kernel_file) + text_of_file(boot_id_file));
  run->conditions.accelerator = "native";
  run->conditions.network = "native";
  run->conditions.cpus = std::thread::hardware_concurrency();
  return run;
}

}  // namespace nucleus::provisioner
