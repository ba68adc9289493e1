// Replays a trace of jobs through the scheduler's plans, in virtual time, and tells how well their
// starts were estimated. Each node of a job fills a host.
#pragma once

#include <cstdint>
#include <istream>
#include <vector>

namespace nucleus::tests::replay {

struct Job {
  std::int64_t arrival_s = 0;  // from the trace's beginning
  std::int64_t run_s = 0;      // until it ends by itself; longer than its walltime: that ends it
  std::int64_t walltime_mins = 0;
  std::uint32_t nodes = 0;
  std::uint32_t user = 0;  // 0..users - 1; each has an allocation
};

constexpr std::uint32_t users = 8;

/// A busy site: arrivals that follow the hours of the day, sizes uniform in their logarithm, run
/// times log-normal, and walltimes that are round numbers far above most run times. By arrival.
std::vector<Job> a_workload(std::uint64_t seed, std::size_t count, std::uint32_t hosts);

/// Reads a trace in the Standard Workload Format, version 2 (Parallel Workloads Archive): lines of
/// 18 numbers. Jobs without a run time or a requested time are left out; larger ones than the site
/// are made as large as it is.
std::vector<Job> read_swf(std::istream& trace, std::uint32_t hosts, std::uint32_t cores_of_host);

/// How many of the starts that were estimated fell within their intervals.
struct Score {
  std::size_t count = 0;  // with an interval
  std::size_t within = 0;
  std::size_t early = 0;
  std::size_t late = 0;
  double width = 0;  // sum of the widths of the intervals, each divided by the expected wait

  double share() const { return static_cast<double>(within) / static_cast<double>(count); }
};

struct Outcome {
  Score at_acceptance = {};
  Score while_waiting = {};  // asked at a time between acceptance and start
  std::size_t jobs = 0;      // that were accepted
  std::size_t waited = 0;    // of those, the ones that did not start at once
  std::size_t unknown = 0;   // of those, the ones whose start could not be estimated
  double utilization = 0;    // of the hosts, from the first arrival to the last start
};

Outcome replay(const std::vector<Job>& jobs, std::uint32_t hosts);

}  // namespace nucleus::tests::replay
