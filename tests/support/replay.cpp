#include "tests/support/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <queue>
#include <random>
#include <sstream>
#include <string>

#include "services/scheduler/embedded_backend.hpp"
#include "services/scheduler/plan/allocations.hpp"
#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/definitions.hpp"
#include "services/scheduler/plan/disks.hpp"
#include "services/scheduler/plan/domains.hpp"
#include "services/scheduler/plan/estimates.hpp"
#include "services/scheduler/plan/hosts.hpp"
#include "services/scheduler/plan/pass.hpp"
#include "services/scheduler/plan/power.hpp"
#include "services/scheduler/plan/start.hpp"

namespace nucleus::tests::replay {

using namespace nucleus::scheduler;

namespace {

constexpr std::int64_t epoch_s = 1'000'000'000;
constexpr std::int64_t day_s = 86'400;

Config config_of_replay() {
  Config config;
  config.cpu_overcommit = 1;
  return config;
}

/// A site whose nodes start and stop at once.
class Site {
 public:
  explicit Site(std::uint32_t hosts) {
    for (std::uint32_t i = 0; i < hosts; ++i)
      view_.apply(plan_host_report(view_,
                                   {.host_id = {fmt::format("h{:04}", i)},
                                    .process = fmt::format("provisioner/h{:04}", i),
                                    .cpus = 1,
                                    .memory_mb = 1'024},
                                   now_ms())
                      .changes);
    view_.apply(plan_project_defined(view_, {{"p"}}, now_ms()).changes);
    for (std::uint32_t user = 0; user < users; ++user) add_cluster(user, 4 * hosts);
  }

  const View& view() const { return view_; }
  std::int64_t now_s() const { return now_s_; }
  void set_time(std::int64_t now_s) { now_s_ = now_s; }

  /// Its id; 0 if it was refused.
  msg::ComputesetId start(const Job& job) {
    auto plan = plan_start(view_, backend_,
                           {.cluster_id = {cluster_of(job.user)},
                            .viewer = {.is_operator = true},
                            .count = job.nodes,
                            .walltime_mins = job.walltime_mins},
                           now_ms());
    if (!plan) return 0;
    view_.apply(std::move(plan->changes));
    return view_.computeset_count();
  }

  void end(msg::ComputesetId id) {
    auto plan = plan_power_computeset(view_,
                                      {.computeset_id = id,
                                       .viewer = {.is_operator = true},
                                       .action = msg::PowerAction::poweroff},
                                      now_ms());
    const auto nodes = view_.computeset(id)->computeset.nodes;
    view_.apply(std::move(plan->changes));
    for (const auto& node_id : nodes) stop(*view_.node(node_id));
  }

  void pass() { view_.apply(plan_pass(view_, backend_, now_ms()).changes); }

 private:
  std::int64_t now_ms() const { return now_s_ * 1000; }
  static std::string cluster_of(std::uint32_t user) { return fmt::format("c{}", user); }

  void add_cluster(std::uint32_t user, std::uint32_t computes) {
    const auto name = cluster_of(user);
    view_.apply(plan_cluster_defined(view_,
                                     {.cluster = {.cluster_id = {name},
                                                  .project_id = {"p"},
                                                  .allocations = {{"a-" + name}}}},
                                     now_ms())
                    .changes);
    for (std::uint32_t i = 1; i <= computes; ++i) {
      const msg::NodeId id{fmt::format("{}-{}", name, i)};
      view_.apply(plan_node_defined(view_,
                                    {{.node_id = id,
                                      .cluster_id = {name},
                                      .project_id = {"p"},
                                      .name = id.value,
                                      .kind = msg::NodeKind::compute,
                                      .index = i,
                                      .cpus = 1,
                                      .memory_mb = 512}},
                                    now_ms())
                      .changes);
      view_.apply(
          plan_ports(view_,
                     {.node_id = id, .ports = {{.mac = "52:54:00:00:00:01", .ip = "10.0.0.1"}}},
                     now_ms())
              .changes);
      view_.apply(
          plan_volume(view_, {.volume = {.node_id = id}, .is_ready = true}, now_ms()).changes);
    }
  }

  void stop(const StoredNode& node) {
    const auto& process = view_.host(node.host_id)->process;
    const auto* known = view_.reporter(process);
    view_.apply(plan_domain_report(view_,
                                   {.process = process,
                                    .log_id = "log",
                                    .first_number = known ? known->number + 1 : 1,
                                    .changes = {{.host_id = node.host_id,
                                                 .node_id = node.definition.node_id,
                                                 .epoch = node.epoch,
                                                 .state = msg::DomainState::shutoff}}},
                                   now_ms())
                    .changes);
  }

  View view_{config_of_replay()};
  EmbeddedBackend backend_ = {};
  std::int64_t now_s_ = epoch_s;
};

struct Asked {
  StoredEstimate estimate = {};
  std::int64_t at_s = 0;
};

void count(Score& score, const Asked& asked, std::int64_t start_s) {
  const auto& estimate = asked.estimate;
  if (estimate.latest_unix_s == 0) return;
  ++score.count;
  if (start_s < estimate.earliest_unix_s)
    ++score.early;
  else if (start_s > estimate.latest_unix_s)
    ++score.late;
  else
    ++score.within;
  const auto expected_s = std::max<std::int64_t>(estimate.expected_unix_s - asked.at_s, 60);
  score.width += static_cast<double>(estimate.latest_unix_s - estimate.earliest_unix_s) /
                 static_cast<double>(expected_s);
}

class Replay {
 public:
  Replay(const std::vector<Job>& jobs, std::uint32_t hosts)
      : jobs_{jobs}, host_count_{hosts}, site_{hosts} {}

  Outcome run() {
    for (const auto& job : jobs_) {
      end_until(epoch_s + job.arrival_s);
      site_.set_time(epoch_s + job.arrival_s);
      accept(job);
      if (chance_(random_) < 0.25) ask_one_that_waits();
    }
    const auto last_s = site_.now_s();
    end_until(std::numeric_limits<std::int64_t>::max());
    outcome_.utilization = busy_s_ / static_cast<double>(last_s - epoch_s) / host_count_;
    return outcome_;
  }

 private:
  void accept(const Job& job) {
    const auto id = site_.start(job);
    if (id == 0) return;
    ++outcome_.jobs;
    waiting_[id] = {.job = &job};
    const auto& stored = *site_.view().computeset(id);
    if (stored.computeset.state == msg::ComputesetState::submitted) {
      ++outcome_.waited;
      if (stored.estimate.expected_unix_s == 0) ++outcome_.unknown;
      waiting_[id].accepted = {.estimate = stored.estimate, .at_s = site_.now_s()};
    }
    take_started();
  }

  void ask_one_that_waits() {
    const auto& submitted = site_.view().submitted();
    if (submitted.empty()) return;
    const auto nth =
        static_cast<std::ptrdiff_t>(chance_(random_) * static_cast<double>(submitted.size()));
    const auto id = *std::next(submitted.begin(), nth);
    Draft draft{site_.view(), site_.now_s() * 1000};
    waiting_.at(id).later.push_back({.estimate = estimate_start(draft, id), .at_s = site_.now_s()});
  }

  /// Ends what ends until then, and starts what has room for it.
  void end_until(std::int64_t until_s) {
    while (!ends_.empty() && ends_.top().first <= until_s) {
      const auto at_s = ends_.top().first;
      site_.set_time(at_s);
      for (; !ends_.empty() && ends_.top().first == at_s; ends_.pop())
        site_.end(ends_.top().second);
      site_.pass();
      take_started();
    }
  }

  void take_started() {
    for (auto each = waiting_.begin(); each != waiting_.end();) {
      const auto& [id, waiting] = *each;
      const auto& computeset = site_.view().computeset(id)->computeset;
      if (computeset.state == msg::ComputesetState::submitted) {
        ++each;
        continue;
      }
      count(outcome_.at_acceptance, waiting.accepted, site_.now_s());
      for (const auto& asked : waiting.later) count(outcome_.while_waiting, asked, site_.now_s());
      const auto run_s = std::min(waiting.job->run_s, waiting.job->walltime_mins * 60);
      busy_s_ += static_cast<double>(run_s) * waiting.job->nodes;
      ends_.emplace(site_.now_s() + run_s, id);
      each = waiting_.erase(each);
    }
  }

  struct Waiting {
    const Job* job = nullptr;
    Asked accepted = {};
    std::vector<Asked> later = {};
  };

  const std::vector<Job>& jobs_;
  const std::uint32_t host_count_;
  Site site_;
  std::map<msg::ComputesetId, Waiting> waiting_ = {};
  using End = std::pair<std::int64_t, msg::ComputesetId>;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_ = {};
  std::mt19937_64 random_{1};
  std::uniform_real_distribution<double> chance_{0, 1};
  double busy_s_ = 0;
  Outcome outcome_ = {};
};

/// The next round number of minutes.
std::int64_t round_walltime_mins(double mins) {
  for (const std::int64_t each : {15, 30, 60, 120, 240, 480, 720, 1'440, 2'160})
    if (static_cast<double>(each) >= mins) return each;
  return 2'880;
}

}  // namespace

std::vector<Job> a_workload(std::uint64_t seed, std::size_t count, std::uint32_t hosts) {
  constexpr double load = 0.9;
  std::mt19937_64 random{seed};
  std::lognormal_distribution<double> run_s{std::log(2'400.0), 1.3};
  std::uniform_real_distribution<double> unit{0, 1};
  std::vector<Job> jobs(count);
  double work_s = 0;
  for (auto& job : jobs) {
    job.nodes = static_cast<std::uint32_t>(std::exp2(unit(random) * std::log2(hosts / 2.0)));
    job.run_s = std::clamp<std::int64_t>(std::llround(run_s(random)), 60, day_s);
    const bool runs_out = unit(random) < 0.1;
    job.walltime_mins = round_walltime_mins(static_cast<double>(job.run_s) / 60 *
                                            (runs_out ? 0.5 : 1 + 4 * unit(random)));
    job.user = static_cast<std::uint32_t>(users * unit(random) * unit(random));
    work_s += static_cast<double>(std::min(job.run_s, job.walltime_mins * 60)) * job.nodes;
  }
  std::exponential_distribution<double> gap_s{static_cast<double>(count) * hosts * load / work_s};
  double at_s = 0;
  for (auto& job : jobs) {
    const double hour = std::fmod(at_s, static_cast<double>(day_s)) / day_s;
    at_s += gap_s(random) / (1 + 0.7 * std::sin(2 * std::numbers::pi * hour));
    job.arrival_s = std::llround(at_s);
  }
  return jobs;
}

std::vector<Job> read_swf(std::istream& trace, std::uint32_t hosts, std::uint32_t cores_of_host) {
  std::vector<Job> jobs;
  for (std::string line; std::getline(trace, line);) {
    if (line.empty() || line.front() == ';') continue;
    std::istringstream words{line};
    std::vector<double> fields(18);
    for (auto& field : fields) words >> field;
    const double run_s = fields[3];
    const double cores = fields[7] > 0 ? fields[7] : fields[4];
    const double requested_s = fields[8];
    if (!words || run_s <= 0 || cores <= 0 || requested_s <= 0) continue;
    jobs.push_back({.arrival_s = std::llround(fields[1]),
                    .run_s = std::llround(run_s),
                    .walltime_mins = std::clamp<std::int64_t>(std::llround(requested_s / 60), 1,
                                                              msg::walltime_mins_max),
                    .nodes = std::clamp<std::uint32_t>(
                        static_cast<std::uint32_t>(std::ceil(cores / cores_of_host)), 1, hosts),
                    .user = static_cast<std::uint32_t>(std::max(fields[11], 0.0)) % users});
  }
  std::ranges::stable_sort(jobs, {}, &Job::arrival_s);
  return jobs;
}

Outcome replay(const std::vector<Job>& jobs, std::uint32_t hosts) {
  return Replay{jobs, hosts}.run();
}

}  // namespace nucleus::tests::replay
