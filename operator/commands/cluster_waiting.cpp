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

namespace nucleus::operator_ {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int poll_interval_ms = 200;
constexpr core::Milliseconds probe_timeout{2'000};

struct WaitArguments {
  std::string state = {};
  std::string name = {};
  std::uint32_t timeout_s = 300;
};

/// The names of the cluster's nodes; `not_found` if there is no such cluster.
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

/// Waits until every node that is desired on responds through its guest agent.
core::Result<int> wait_for_nodes(const WaitArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  Caller& caller = **opened;
  const auto names = names_of(caller, arguments.name);
  if (!names) return std::unexpected(names.error());
  const auto started = Clock::now();
  const auto deadline = started + std::chrono::seconds(arguments.timeout_s);
  std::set<msg::NodeId> responding;
  while (true) {
    const auto listed = call_all_pages(
        caller,
        msg::ListNodeStatuses{.viewer = {.is_operator = true}, .cluster_id = {arguments.name}},
        &msg::NodeStatuses::nodes);
    if (!listed) return std::unexpected(listed.error());
    std::string missing;
    std::size_t desired_on = 0;
    for (const auto& node : *listed) {
      if (!node.is_desired_on) continue;
      ++desired_on;
      if (responding.contains(node.node_id)) continue;
      const auto name = names->find(node.node_id);
      const std::string shown = name == names->end() ? node.node_id.value : name->second;
      if (!node.host_id.empty() &&
          caller.call(msg::ProbeNode{.node_id = node.node_id, .probe = msg::Probe::ping},
                      {.to = "provisioner/" + node.host_id.value, .deadline = probe_timeout})) {
        responding.insert(node.node_id);
        const std::chrono::duration<double> took = Clock::now() - started;
        std::cout << fmt::format("  {} responds ({:.1f} s)\n", shown, took.count()) << std::flush;
        continue;
      }
      missing += " " + shown + (node.reason.empty() ? "" : " (" + node.reason + ")");
    }
    if (desired_on == 0)
      return core::refuse(core::ErrorCode::wrong_state,
                          "no node of " + arguments.name + " is powered on");
    if (missing.empty()) return 0;
    if (Clock::now() > deadline)
      return core::refuse(core::ErrorCode::deadline_exceeded, "not responding:" + missing);
    poll(nullptr, 0, poll_interval_ms);
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

/// Requests a measurement and waits for its report.
core::Result<int> measure(const WaitArguments& arguments) {
  const auto opened = open_caller(arguments.state);
  if (!opened) return std::unexpected(opened.error());
  Caller& caller = **opened;
  if (const auto names = names_of(caller, arguments.name); !names)
    return std::unexpected(names.error());
  const auto before = caller.call(msg::GetReport{.cluster_id = {arguments.name}});
  const std::int64_t before_unix_s = before ? before->measured_unix_s : 0;
  if (auto accepted = caller.call(msg::MeasureCluster{.cluster_id = {arguments.name}}); !accepted)
    return std::unexpected(accepted.error());
  const auto deadline = Clock::now() + std::chrono::seconds(arguments.timeout_s);
  while (true) {
    const auto report = caller.call(msg::GetReport{.cluster_id = {arguments.name}});
    if (report && report->measured_unix_s > before_unix_s) {
      if (!report->failure.empty())
        return core::refuse(core::ErrorCode::internal,
                            "the measurement failed: " + report->failure);
      print_report(*report);
      return 0;
    }
    if (Clock::now() > deadline)
      return core::refuse(core::ErrorCode::deadline_exceeded,
                          "no report yet; the measurement continues");
    poll(nullptr, 0, poll_interval_ms);
  }
}

}  // namespace

void add_cluster_waiting(Commands& group) {
  const auto describe = [](CommandOptions& options, WaitArguments& arguments) {
    options.state(arguments.state);
    options.add("NAME", arguments.name, "name of the cluster").name().required();
    options.add("--timeout-s", arguments.timeout_s, "maximum time to wait, in seconds")
        .between(1, 86'400)
        .show_default();
  };
  group.add<WaitArguments>("wait", "wait until every powered-on node responds", wait_for_nodes,
                           describe);
  group.add<WaitArguments>("measure", "measure MPI and I/O in the cluster and on its hosts",
                           measure, describe);
}

}  // namespace nucleus::operator_
