// burst: the ResumeProgram and SuspendProgram of a Slurm outside, whose cloud nodes are computes of
// a cluster. Each look at the cluster decides what is left to do, so every call may be repeated.
#include "client/commands/burst.hpp"

#include <syslog.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <optional>

#include "client/commands/commands.hpp"
#include "client/commands/walltime.hpp"
#include "client/http/url.hpp"
#include "client/terminal/interrupt.hpp"
#include "core/hostlist/hostlist.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

constexpr std::chrono::seconds look_delay{1};

/// Calls `visit` for each name that is a compute of the cluster; returns the others.
Names visit_computes(const Json& cluster, const Names& names,
                     const std::function<void(const Json&)>& visit) {
  std::map<std::string, const Json*> computes;
  for (const auto& node : cluster["nodes"].items())
    if (node["kind"].text() == "compute") computes[node["name"].text()] = &node;
  Names others;
  for (const auto& name : names)
    if (const auto found = computes.find(name); found != computes.end())
      visit(*found->second);
    else
      others.push_back(name);
  return others;
}

bool is_in_computeset(const Json& node) {
  return node["computeset_id"].number().value_or(0) != 0;
}

bool is_off(const Json& node) {
  const auto& state = node["state"].text();
  return state == "shutoff" || state == "crashed" ||
         (state == "nostate" && node["is_desired_on"].text() == "false");
}

}  // namespace

ResumePlan plan_resume(const Json& cluster, const Names& names) {
  ResumePlan plan;
  plan.unknown = visit_computes(cluster, names, [&](const Json& node) {
    const auto& name = node["name"].text();
    const auto& set_state = node["computeset_state"].text();
    if (!is_in_computeset(node))
      plan.start.push_back(name);
    else if (set_state == "ending" || node["state"].text() == "shutdown")
      plan.stopping.push_back(name);
    else if (set_state == "running" && is_off(node))
      plan.power_on.push_back(name);
  });
  return plan;
}

SuspendPlan plan_suspend(const Json& cluster, const Names& names) {
  SuspendPlan plan;
  std::map<std::string, Names> chosen;  // by computeset
  plan.unknown = visit_computes(cluster, names, [&](const Json& node) {
    if (is_in_computeset(node) && node["computeset_state"].text() != "ending")
      chosen[node["computeset_id"].text()].push_back(node["name"].text());
  });
  std::map<std::string, std::size_t> sizes;
  for (const auto& node : cluster["nodes"].items()) ++sizes[node["computeset_id"].text()];
  for (auto& [id, nodes] : chosen)
    (nodes.size() == sizes[id] ? plan.end : plan.remove)[id] = std::move(nodes);
  return plan;
}

namespace {

/// Nodes for which nothing was done, and why.
struct Failure {
  Names names = {};
  core::Error error = {};
};
using Failures = std::vector<Failure>;

/// One call of a batch system.
struct Call {
  const Words& words;
  std::string cluster = words["--cluster"];
  Names names = {};
  std::chrono::minutes limit = {};
  Json start = {};  // the body of a start, without the names
};

/// To syslog too: slurmctld 22.05 closes the standard streams of the programs that it runs.
void report(int priority, const std::string& line) {
  (priority == LOG_ERR ? std::cerr << "cm: " : std::cout) << line << std::endl;
  syslog(LOG_DAEMON | priority, "%s", line.c_str());
}

void report_done(const Names& names, const std::string& what) {
  report(LOG_INFO, core::hostlist::collect(names) + ": " + what);
}

/// Compares the nodes with the cluster as it is now, and sends the requests that are still needed.
/// `is_last`: it is not called again.
using Look = Failures (*)(const Api& api, const Call& call, const Json& cluster, bool is_last);

Failure unknown_of(const Call& call, const Names& names) {
  return {names, {ErrorCode::not_found, "not a compute node of cluster " + call.cluster}};
}

Failures resume(const Api& api, const Call& call, const Json& cluster, bool is_last) {
  const auto plan = plan_resume(cluster, call.names);
  Failures failures;
  if (!plan.unknown.empty()) failures.push_back(unknown_of(call, plan.unknown));
  if (!plan.stopping.empty())
    failures.push_back({plan.stopping, {ErrorCode::unavailable, "still stopping"}});
  // They are one computeset: those that are ready wait for the others.
  if (!plan.stopping.empty() && !is_last) return failures;
  if (!plan.start.empty()) {
    auto body = call.start;
    body.set("names", list_of(plan.start));
    const auto started = api.post("/v2/computesets", body);
    if (started)
      report_done(plan.start, "started as computeset " + (*started)["computeset_id"].text());
    else
      failures.push_back({plan.start, started.error()});
  }
  if (!plan.power_on.empty()) {
    const auto done = api.post("/v2/clusters/" + encoded(call.cluster) + "/power",
                               Json::object({{"nodes", list_of(plan.power_on)}, {"action", "on"}}));
    if (done)
      report_done(plan.power_on, "powered on");
    else
      failures.push_back({plan.power_on, done.error()});
  }
  return failures;
}

Failures suspend(const Api& api, const Call& call, const Json& cluster, bool) {
  const auto plan = plan_suspend(cluster, call.names);
  Failures failures;
  if (!plan.unknown.empty()) failures.push_back(unknown_of(call, plan.unknown));
  const auto change = [&](const std::string& id, const Names& names, const std::string& path,
                          const Json& body, const std::string& what) {
    const auto done = api.post("/v2/computesets/" + id + path, body);
    if (done)
      report_done(names, what + " computeset " + id);
    else
      failures.push_back({names, done.error()});
  };
  for (const auto& [id, names] : plan.end)
    change(id, names, "/power", Json::object({{"action", "shutdown"}}), "ended");
  for (const auto& [id, names] : plan.remove)
    change(id, names, "/nodes/remove",
           Json::object({{"names", list_of(names)}, {"action", "shutdown"}}), "removed from");
  return failures;
}

/// True if a later look may succeed: the server is not available, or nodes still stop. After the
/// first look also if another call may have changed the cluster between that look and the request.
bool is_transient(const Failure& failure, int looks) {
  const auto code = failure.error.code;
  return code == ErrorCode::unavailable || code == ErrorCode::internal ||
         (looks == 1 && code == ErrorCode::wrong_state);
}

Failures look_once(const Api& api, const Call& call, Look look, bool is_last) {
  const auto cluster = api.get("/v2/clusters/" + encoded(call.cluster));
  if (cluster) return look(api, call, *cluster, is_last);
  if (cluster.error().code == ErrorCode::not_found)
    return {{call.names, {ErrorCode::not_found, "no such cluster: " + msg::shown(call.cluster)}}};
  return {{call.names, cluster.error()}};
}

Failures look_until_done(const Api& api, const Call& call, Look look) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + call.limit;
  for (int looks = 1;; ++looks) {
    const bool is_last = Clock::now() >= until || is_interrupted();
    auto failures = look_once(api, call, look, is_last);
    const auto is_worth = [&](const Failure& failure) { return is_transient(failure, looks); };
    if (is_last || std::ranges::none_of(failures, is_worth)) return failures;
    sleep_until_interrupt(look_delay);
  }
}

core::Result<Call> read_call(const Words& words) {
  Call call{.words = words};
  auto names = names_in(words["NODES"]);
  if (!names) return std::unexpected(names.error());
  call.names = std::move(*names);
  const auto limit = parse_walltime(words["--retry-limit"], "--retry-limit");
  if (!limit) return std::unexpected(limit.error());
  call.limit = std::chrono::minutes(limit->minutes);
  call.start = Json::object({{"cluster_id", call.cluster}});
  if (words.has("--walltime")) {
    const auto walltime = parse_walltime(words["--walltime"], "--walltime");
    if (!walltime) return std::unexpected(walltime.error());
    call.start.set("walltime_mins", walltime->minutes);
  }
  if (words.has("--allocation")) call.start.set("allocation_id", words["--allocation"]);
  if (words.has("--reservation")) call.start.set("reservation", words["--reservation"]);
  return call;
}

/// `goal`: what the nodes are after a success, as a participle.
core::Result<int> run_call(Session& session, const Words& words, Look look, const char* goal) {
  const auto call = read_call(words);
  if (!call) return std::unexpected(call.error());
  const auto api = session.api(words["--endpoint"]);
  const auto failures = api ? look_until_done(**api, *call, look)
                            : Failures{{.names = call->names, .error = api.error()}};
  for (const auto& failure : failures)
    report(LOG_ERR,
           core::hostlist::collect(failure.names) + ": not " + goal + ": " + failure.error.detail);
  return failures.empty() ? 0 : 1;
}

}  // namespace

core::Result<int> burst_resume(Session& session, const Words& words) {
  return run_call(session, words, resume, "resumed");
}

core::Result<int> burst_suspend(Session& session, const Words& words) {
  return run_call(session, words, suspend, "suspended");
}

}  // namespace nucleus::client
