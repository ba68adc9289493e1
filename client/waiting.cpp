#include "client/waiting.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <iostream>

#include "client/terminal.hpp"
#include "client/views.hpp"
#include "client/walltime.hpp"

namespace nucleus::client {

using core::ErrorCode;
using Clock = std::chrono::steady_clock;

namespace {

// The gateway says something each ten seconds; silence this long is a lost link.
constexpr std::chrono::seconds silence_max{30};
constexpr int again_ms = 1'000;

/// One line that is written over at a terminal.
class ProgressLine {
 public:
  void show(const std::string& line) {
    if (line == shown_) return;
    shown_ = line;
    if (is_shown_at_terminal())
      std::cout << "\r\033[K" << line << std::flush;
    else
      std::cout << line << std::endl;
  }
  ~ProgressLine() {
    if (!shown_.empty() && is_shown_at_terminal()) std::cout << std::endl;
  }

 private:
  std::string shown_ = {};
};

std::size_t count_in_state(std::span<const Json> nodes, std::string_view state) {
  return static_cast<std::size_t>(std::ranges::count_if(
      nodes, [state](const Json& node) { return node["state"].text() == state; }));
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
    if (is_on ? state == "active" : state != "active" && state != "paused") ++done;
  };
  const Json& frontend = cluster["frontend"];
  const auto is_asked = [&](const Json& node) {
    return std::ranges::find(names, node["name"].text()) != names.end();
  };
  if (names.empty() || is_asked(frontend)) count(frontend);
  for (const auto& node : cluster["computes"].items())
    if (is_asked(node)) count(node);
  const std::size_t all = names.empty() ? 1 : names.size();
  return {.line = fmt::format("cluster {}: {} of {} nodes {}", cluster["name"].text(), done, all,
                              is_on ? "active" : "off"),
          .is_done = done == all};
}

core::Result<int> wait_until_done(const Api& api, const WaitOption& option, const LookAt& look) {
  const auto limit = parse_walltime(option.limit);
  if (!limit) return std::unexpected(limit.error());
  const auto until = Clock::now() + std::chrono::minutes(limit->minutes);
  ProgressLine line;
  core::Result<Progress> last = Progress{};
  const auto is_open = [&] { return last && !last->is_done && !last->is_failed; };
  const auto take = [&](std::string_view) {
    last = look();
    if (last) line.show(last->line);
    return is_open() && Clock::now() < until;
  };
  while (is_open() && Clock::now() < until) {
    const auto followed = api.follow("/v2/events", silence_max, take);
    if (!followed && followed.error().code != ErrorCode::unavailable)
      return std::unexpected(followed.error());
    // A gateway that restarts is back in a moment.
    if (is_open()) poll(nullptr, 0, again_ms);
  }
  if (!last) return std::unexpected(last.error());
  if (last->is_done) return 0;
  if (last->is_failed) return 1;
  return core::refuse(ErrorCode::deadline_exceeded, "not done after " + option.limit);
}

}  // namespace nucleus::client
