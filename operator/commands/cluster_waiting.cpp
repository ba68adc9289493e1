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
  std::uint32_t seconds = 60;
  std::vector<std::string> tools = {};  // empty = the setting
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

/// A computeset of the cluster that has not started, and why; empty if there is none.
core::Result<std::string> waiting_computeset(Caller& caller, const std::string& name) {
  const auto waiting = caller.call(msg::ListComputesets{
      .viewer = {.is_operator = true},
      .states = {msg::ComputesetState::created, msg::ComputesetState::submitted},
      .cluster_id = {name},
      .page = {.limit = 1}});
  if (!waiting) return std::unexpected(waiting.error());
  if (waiting->computesets.empty()) return std::string();
  const auto& first = waiting->computesets.front();
  return fmt::format(" computeset {} ({})", first.computeset_id, first.reason);
}

/// Waits until every node that is desired on responds through its guest agent. If there is none
/// yet, waits for the computesets that have not started.
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
    // Before the nodes: one that starts in between is seen in both lists, or in the second.
    const auto waiting = waiting_computeset(caller, arguments.name);
    if (!waiting) return std::unexpected(waiting.error());
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
    if (desired_on == 0 && waiting->empty())
      return core::refuse(core::ErrorCode::wrong_state,
                          "no node of " + arguments.name + " is powered on");
    if (desired_on == 0) missing = *waiting;
    if (missing.empty()) return 0;
    if (Clock::now() > deadline)
      return core::refuse(core::ErrorCode::deadline_exceeded, "not responding:" + missing);
    poll(nullptr, 0, poll_interval_ms);
  }
}

std::string number_text(double value) {
  return value > 0 ? fmt::format("{:.4g}", value) : "-";
}

/// Every line of a figure says what made it.
void print_certificate(const msg::Certificate& certificate) {
  const bool is_emulated = certificate.accelerator == "tcg";
  if (!certificate.figures.empty())
    for (const auto& rank : certificate.figures.front().virtual_ranks)
      std::cout << fmt::format("  a rank ran on {}\n", msg::shown(rank.host));
  std::cout << fmt::format("\n  {:<24}{:>12}{:>12}{:>10}  {:<12}{}\n", "", "in cluster", "on host",
                           "ratio", "verdict", "made by");
  for (const auto& figure : certificate.figures)
    std::cout << fmt::format(
        "  {:<24}{:>12}{:>12}{:>10}  {:<12}{}{}\n", figure.measurement + " (" + figure.unit + ")",
        number_text(figure.virtual_median), number_text(figure.native_median),
        number_text(figure.ratio.median), msg::name_of(figure.verdict),
        is_emulated ? "software emulation" : certificate.accelerator,
        figure.verdict == msg::Verdict::refused ? ": " + msg::shown(figure.reason) : "");
  if (is_emulated)
    std::cout << "\n  These are figures of software emulation (tcg), not of virtualization.\n";
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
  if (auto accepted = caller.call(msg::MeasureCluster{.cluster_id = {arguments.name},
                                                      .seconds_max = arguments.seconds,
                                                      .tools = arguments.tools});
      !accepted)
    return std::unexpected(accepted.error());
  const auto deadline = Clock::now() + std::chrono::seconds(arguments.timeout_s);
  while (true) {
    const auto report = caller.call(msg::GetReport{.cluster_id = {arguments.name}});
    if (report && report->measured_unix_s > before_unix_s) {
      if (!report->failure.empty())
        return core::refuse(core::ErrorCode::internal,
                            "the measurement failed: " + report->failure);
      const auto certificate = caller.call(msg::GetCertificate{.cluster_id = {arguments.name}});
      if (!certificate) return std::unexpected(certificate.error());
      print_certificate(*certificate);
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
  group.add<WaitArguments>(
      "measure", "measure MPI, memory and storage in the cluster and on its hosts", measure,
      [describe](CommandOptions& options, WaitArguments& arguments) {
        describe(options, arguments);
        options.add("--seconds", arguments.seconds, "begin no new runs after this long")
            .between(1, 86'400)
            .show_default();
        options.add("--tool", arguments.tools,
                    "mpi, memory, storage, silicon or silicon_small; default: the setting; may be "
                    "repeated");
      });
}

}  // namespace nucleus::operator_
