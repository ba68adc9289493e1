#include "client/commands/waiting.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "client/commands/walltime.hpp"
#include "client/terminal/interrupt.hpp"
#include "client/terminal/terminal.hpp"

namespace nucleus::client {

using core::ErrorCode;
using Clock = std::chrono::steady_clock;

namespace {

// The gateway sends a comment every ten seconds: after this long the connection is lost.
constexpr std::chrono::seconds silence_max{30};
constexpr std::chrono::seconds retry_delay{1};

std::size_t count_in_state(std::span<const Json> nodes, std::string_view state) {
  return static_cast<std::size_t>(std::ranges::count_if(
      nodes, [state](const Json& node) { return node["state"].text() == state; }));
}

/// A node in `shutdown` still runs; whether one in `nostate-error` runs is unknown.
bool is_off(const std::string& state) {
  return state == "shutoff" || state == "crashed" || state == "nostate";
}

bool has_ended(const std::string& state) {
  return state == "completed" || state == "failed" || state == "cancelled";
}

}  // namespace

Progress start_progress(const Json& computeset) {
  const auto nodes = computeset["computes"].items();
  const auto state = computeset["state"].text();
  const auto active = count_in_state(nodes, "active");
  return {.line = fmt::format("computeset {}: {}, {} of {} nodes active", computeset["id"].text(),
                              state, active, nodes.size()),
          .is_done = state == "running" && active == nodes.size(),
          .is_failed = has_ended(state)};
}

Progress end_progress(const Json& computeset) {
  const auto state = computeset["state"].text();
  return {.line = fmt::format("computeset {}: {}", computeset["id"].text(), state),
          .is_done = has_ended(state)};
}

Progress power_progress(const Json& cluster, const std::vector<std::string>& names, bool is_on) {
  std::size_t done = 0;
  const auto count = [&](const Json& node) {
    const auto state = node["state"].text();
    if (is_on ? state == "active" : is_off(state)) ++done;
  };
  const Json& frontend = cluster["frontend"];
  const auto is_chosen = [&](const Json& node) {
    return std::ranges::find(names, node["name"].text()) != names.end();
  };
  if (names.empty() || is_chosen(frontend)) count(frontend);
  for (const auto& node : cluster["computes"].items())
    if (is_chosen(node)) count(node);
  const std::size_t all = names.empty() ? 1 : names.size();
  return {.line = fmt::format("cluster {}: {} of {} nodes {}", cluster["name"].text(), done, all,
                              is_on ? "active" : "off"),
          .is_done = done == all};
}

core::Result<WaitOption> wait_option(const Words& words) {
  if (!words.has("--wait")) return WaitOption{};
  if (words.has("--plan"))
    return core::refuse(ErrorCode::invalid_argument, "--wait has no effect with --plan");
  const auto limit = parse_walltime(words["--wait-limit"], "--wait-limit");
  if (!limit) return std::unexpected(limit.error());
  return WaitOption{.is_wanted = true, .limit = std::chrono::minutes(limit->minutes)};
}

core::Result<int> wait_until_done(const Api& api, const WaitOption& option, const LookAt& look) {
  const auto until = Clock::now() + option.limit;
  ProgressLine line;
  core::Result<Progress> last = Progress{};
  bool is_open = true;
  const auto look_again = [&](std::string_view) {
    last = look();
    if (last) line.show(last->line);
    is_open =
        last ? !last->is_done && !last->is_failed : last.error().code == ErrorCode::unavailable;
    return is_open && Clock::now() < until;
  };
  while (!is_interrupted() && look_again({})) {
    (void)api.follow("/v2/events", silence_max, look_again);
    // The gateway restarts, or a proxy refuses or ends the stream.
    if (is_open) sleep_until_interrupt(retry_delay);
  }
  if (is_interrupted()) return interrupted_code;
  if (!last) return std::unexpected(last.error());
  if (last->is_done) return 0;
  if (last->is_failed) return 1;
  return core::refuse(ErrorCode::deadline_exceeded,
                      "not done after " + std::to_string(option.limit.count()) + " minutes");
}

}  // namespace nucleus::client
