// nucleus cluster wait and measure.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <set>

#include "messages/overhead.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "operator/caller.hpp"
#include "operator/commands/commands.hpp"

namespace nucleus::op {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int look_every_ms = 200;
constexpr core::Milliseconds probe_deadline{2'000};

struct WatchArguments {
  std::shared_ptr<std::string> state = {};
  std::string name = {};
  std::uint32_t timeout_s = 300;
};

/// The names of its nodes, which also says that it is there.
core::Result<std::map<msg::NodeId, std::string>> names_of(Caller& caller, const std::string& name) {
  msg::ListNodes request{.viewer = {.is_operator = true},
                         .cluster_id = {name},
                         .page = {.limit = msg::page_entries_max}};
  std::map<msg::NodeId, std::string> names;
  do {
    const auto page = caller.call(request);
    if (!page) return std::unexpected(page.error());
    for (const auto& node : page->nodes) names[node.node_id] = node.name;
    request.page.after = page->next;
  } while (!request.page.after.empty());
  return names;
}

/// Waits until every node that is wanted on answers through its guest agent.
core::Result<int> wait_for_nodes(const WatchArguments& arguments) {
  const auto opened = open_caller(*arguments.state);
  if (!opened) return std::unexpected(opened.error());
  Caller& caller = **opened;
  const auto names = names_of(caller, arguments.name);
  if (!names) return std::unexpected(names.error());
  const auto started = Clock::now();
  const auto until = started + std::chrono::seconds(arguments.timeout_s);
  std::set<msg::NodeId> answered;
  while (true) {
    const auto listed = call_all_pages(
        caller,
        msg::ListNodeStatuses{.viewer = {.is_operator = true}, .cluster_id = {arguments.name}},
        &msg::NodeStatuses::nodes);
    if (!listed) return std::unexpected(listed.error());
    std::string missing;
    std::size_t wanted = 0;
    for (const auto& node : *listed) {
      if (!node.is_desired_on) continue;
      ++wanted;
      if (answered.contains(node.node_id)) continue;
      const auto name = names->find(node.node_id);
      const std::string shown = name == names->end() ? node.node_id.value : name->second;
      if (!node.host_id.empty() &&
          caller.call(msg::ProbeNode{.node_id = node.node_id, .probe = msg::Probe::answer},
                      {.to = "provisioner/" + node.host_id.value, .deadline = probe_deadline})) {
        answered.insert(node.node_id);
        const std::chrono::duration<double> took = Clock::now() - started;
        std::cout << fmt::format("  {} answers ({:.1f} s)\n", shown, took.count()) << std::flush;
        continue;
      }
      missing += " " + shown + (node.reason.empty() ? "" : " (" + node.reason + ")");
    }
    if (wanted == 0)
      return core::refuse(core::ErrorCode::wrong_state,
                          "no node of " + arguments.name + " is wanted on");
    if (missing.empty()) return 0;
    if (Clock::now() > until)
      return core::refuse(core::ErrorCode::deadline_exceeded, "do not answer:" + missing);
    poll(nullptr, 0, look_every_ms);
  }
}

void print_report(const msg::OverheadReport& report) {
  for (std::size_t rank = 0; rank < report.mpi_cluster.hosts.size(); ++rank)
    std::cout << fmt::format("  rank {} ran on {}\n", rank, report.mpi_cluster.hosts[rank]);
  std::cout << fmt::format("\n  {:<28}{:>12}{:>12}{:>12}\n", "", "in cluster", "on host", "ratio");
  const auto row = [](const char* what, double cluster, double host, double ratio) {
    std::cout << fmt::format("  {:<28}{:>12.1f}{:>12.1f}{:>12.3f}\n", what, cluster, host, ratio);
  };
  row("MPI latency, 1 B (us)", report.mpi_cluster.latency_us, report.mpi_host.latency_us,
      report.mpi_latency_ratio);
  row("MPI bandwidth, 1 MiB (MB/s)", report.mpi_cluster.bandwidth_mb_s,
      report.mpi_host.bandwidth_mb_s, report.mpi_bandwidth_ratio);
  row("random reads, 4 KiB (1/s)", report.io_cluster.operations_per_s,
      report.io_host.operations_per_s, report.io_ratio);
}

/// Asks for a measurement and waits for its report.
core::Result<int> measure(const WatchArguments& arguments) {
  const auto opened = open_caller(*arguments.state);
  if (!opened) return std::unexpected(opened.error());
  Caller& caller = **opened;
  if (const auto names = names_of(caller, arguments.name); !names)
    return std::unexpected(names.error());
  const auto before = caller.call(msg::GetReport{.cluster_id = {arguments.name}});
  const std::int64_t known_unix_s = before ? before->measured_unix_s : 0;
  if (auto asked = caller.call(msg::MeasureCluster{.cluster_id = {arguments.name}}); !asked)
    return std::unexpected(asked.error());
  const auto until = Clock::now() + std::chrono::seconds(arguments.timeout_s);
  while (true) {
    const auto report = caller.call(msg::GetReport{.cluster_id = {arguments.name}});
    if (report && report->measured_unix_s > known_unix_s) {
      if (!report->failure.empty())
        return core::refuse(core::ErrorCode::internal, "not measured: " + report->failure);
      print_report(*report);
      return 0;
    }
    if (Clock::now() > until)
      return core::refuse(core::ErrorCode::deadline_exceeded, "no report yet; it is still wanted");
    poll(nullptr, 0, look_every_ms);
  }
}

}  // namespace

void add_cluster_watch(CLI::App& group, Action& chosen) {
  const auto add = [&](const char* name, const char* what,
                       core::Result<int> (*run)(const WatchArguments&)) {
    auto* command = group.add_subcommand(name, what);
    auto arguments = std::make_shared<WatchArguments>();
    arguments->state = add_state_option(*command);
    command->add_option("NAME", arguments->name, "of the cluster")->required();
    command->add_option("--timeout-s", arguments->timeout_s, "give up after this")
        ->check(CLI::Range(1, 86'400))
        ->capture_default_str();
    command->callback(
        [&chosen, arguments, run] { chosen = [arguments, run] { return run(*arguments); }; });
  };
  add("wait", "wait until every node that is wanted on answers", wait_for_nodes);
  add("measure", "what MPI and I/O cost in its machines, against the host", measure);
}

}  // namespace nucleus::op
