// How often does a computeset start within the interval that was estimated for it? The trace's jobs
// pass through the scheduler's plans in virtual time.
//   nucleus-bench-start_estimates                        five modelled workloads
//   nucleus-bench-start_estimates TRACE HOSTS CORES      a trace in the Standard Workload Format,
//   on
//                                                        so many hosts of so many cores
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

#include "tests/support/replay.hpp"

namespace {

using namespace nucleus::tests::replay;

void print(const std::string& name, const Score& score) {
  fmt::print(
      "  {}: {} intervals, {:.1f} % held (goal 75 to 85), {:.1f} % early, {:.1f} % late, "
      "mean width {:.2f} x the expected wait\n",
      name, score.count, 100 * score.share(),
      100.0 * static_cast<double>(score.early) / static_cast<double>(score.count),
      100.0 * static_cast<double>(score.late) / static_cast<double>(score.count),
      score.width / static_cast<double>(score.count));
}

void print(const std::string& name, const Outcome& outcome) {
  fmt::print("{}: {} computesets, {} waited, {} without an estimate, utilization {:.2f}\n", name,
             outcome.jobs, outcome.waited, outcome.unknown, outcome.utilization);
  print("at acceptance", outcome.at_acceptance);
  print("while it waits", outcome.while_waiting);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4) {
    std::ifstream trace{argv[1]};
    const auto hosts = static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10));
    const auto cores = static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10));
    const auto jobs = hosts > 0 && cores > 0 ? read_swf(trace, hosts, cores) : std::vector<Job>{};
    if (jobs.empty()) {
      fmt::print(stderr, "no jobs: give a trace, a number of hosts and of cores\n");
      return 1;
    }
    print(argv[1], replay(jobs, hosts));
    return 0;
  }
  for (std::uint64_t seed = 1; seed <= 5; ++seed)
    print(fmt::format("seed {}", seed), replay(a_workload(seed, 4'000, 64), 64));
  return 0;
}
