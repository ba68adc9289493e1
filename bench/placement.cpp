// How fast are hosts found for nodes? 1,944 hosts of 32 CPUs; nodes one by one, gangs of 64, and a
// scheduling pass over 1,000 computesets that wait.
// A: the scheduler's plans, records and all. B, the floor: an ordered set of hosts by what is free,
// from which the same nodes are taken, and nothing else.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "services/scheduler/embedded_backend.hpp"
#include "services/scheduler/plan/pass.hpp"

namespace {

using namespace nucleus;
using namespace nucleus::scheduler;
using Clock = std::chrono::steady_clock;

constexpr int hosts = 1'944;
constexpr std::uint32_t host_cpus = 32;
constexpr int racks = 27;
constexpr int gang_size = 64;
constexpr int rounds = 20;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

Config without_overcommit() {
  Config config;
  config.cpu_overcommit = 1;
  return config;
}

StoredNode a_node(const std::string& id, msg::ComputesetId computeset_id, bool is_desired_on) {
  StoredNode node{.definition = {.node_id = {id}, .cluster_id = {"c"}, .name = id},
                  .ports = {{.mac = "52:54:00:00:00:01"}},
                  .is_volume_ready = true,
                  .is_desired_on = is_desired_on,
                  .computeset_id = computeset_id,
                  .size = {.cpus = 1, .memory_mb = 1024}};
  return node;
}

Changes a_site() {
  Changes records;
  for (int i = 0; i < hosts; ++i) {
    const msg::HostId id{fmt::format("h{:04}", i)};
    records.hosts[id] = StoredHost{
        .host_id = id, .cpus = host_cpus, .memory_mb = 131'072, .state = msg::HostState::up};
  }
  return records;
}

/// `count` computesets of `size` nodes each that wait.
void add_computesets(Changes& records, int count, int size) {
  for (int i = 1; i <= count; ++i) {
    StoredComputeset stored{
        .computeset = {.computeset_id = i, .state = msg::ComputesetState::submitted}};
    for (int j = 0; j < size; ++j) {
      const auto id = fmt::format("n{:05}-{:04}", i, j);
      stored.computeset.nodes.push_back({id});
      records.nodes[{id}] = a_node(id, i, false);
    }
    stored.cores = size;
    records.computesets[i] = std::move(stored);
  }
}

double median(std::vector<double> values, double quantile = 0.5) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(quantile * static_cast<double>(values.size() - 1))];
}

/// Seconds that one pass takes over a site with these records.
double pass_s(const Changes& records) {
  View view{without_overcommit()};
  view.load(records);
  EmbeddedBackend backend;
  const auto begin = Clock::now();
  const auto plan = plan_pass(view, backend, 1'000'000);
  return seconds_since(begin);
}

/// Seconds that an ordered set takes to give `count` nodes away.
double floor_s(int count) {
  std::set<std::pair<std::int64_t, int>> free;
  for (int i = 0; i < hosts; ++i) free.emplace(-std::int64_t{host_cpus}, i);
  const auto begin = Clock::now();
  for (int i = 0; i < count; ++i) {
    auto host = free.extract(free.begin());
    ++host.value().first;
    free.insert(std::move(host));
  }
  return seconds_since(begin);
}

void compare(const char* what, int nodes, const Changes& records) {
  std::vector<double> a;
  std::vector<double> b;
  for (int i = 0; i < rounds; ++i) {
    a.push_back(pass_s(records));
    b.push_back(floor_s(nodes));
  }
  fmt::print("{:<44} A {:8.2f} ms, p99 {:8.2f} ms; {:9.0f} nodes/s; B {:6.2f} ms; A / B {:.1f}\n",
             what, median(a) * 1e3, median(a, 0.99) * 1e3, nodes / median(a), median(b) * 1e3,
             median(a) / median(b));
}

}  // namespace

int main() {
  Changes nodes = a_site();
  for (int i = 0; i < 10'000; ++i) {
    const auto id = fmt::format("n{:05}", i);
    nodes.nodes[{id}] = a_node(id, 0, true);
  }
  compare("10,000 nodes that wait, each placed", 10'000, nodes);

  Changes gang = a_site();
  add_computesets(gang, 1, gang_size);
  compare("one gang of 64", gang_size, gang);

  Changes gangs = a_site();
  add_computesets(gangs, 900, gang_size);
  compare("900 gangs of 64, all placed", 900 * gang_size, gangs);

  int next = 0;
  for (auto& [id, host] : gangs.hosts) host->rack = fmt::format("r{:02}", next++ % racks);
  compare("900 gangs of 64 in 27 racks, all placed", 900 * gang_size, gangs);
  for (auto& [id, host] : gang.hosts) host->rack = gangs.hosts.at(id)->rack;
  compare("one gang of 64 in 27 racks", gang_size, gang);

  Changes waiting = a_site();
  for (auto& [id, host] : waiting.hosts) host->memory_mb = 512;
  add_computesets(waiting, 1'000, gang_size);
  compare("1,000 gangs of 64, none of which fits", gang_size, waiting);
}
