// The scheduler's settings, read once when it starts.
#pragma once

#include <cstdint>
#include <string>

#include "core/config/settings.hpp"

namespace nucleus::scheduler {

struct SlurmConfig {
  std::string partition = {};    // that provides hosts; empty = no batch system
  std::string name = "nucleus";  // of this deployment, in its jobs' comments: a name
  std::string conf = {};         // slurm.conf; empty = Slurm's default
  bool has_accounts = false;     // a job is charged to the Slurm account named like the allocation
  std::int64_t poll_ms = 1'000;  // interval of the looks at its queue
  std::int64_t grace_mins = 5;   // a job's limit is longer than the walltime by this, for the stop
  std::int64_t jobs_max = 3;     // of a computeset; one more is not submitted if this many failed
};

struct Config {
  std::int64_t host_lease_ms = 120'000;  // a host's domains may run this long without an answer
  std::int64_t host_lease_margin_ms = 5'000;  // and are placed elsewhere only this much later
  std::int64_t host_silence_ms = 1'700;       // without a heartbeat for this long: unreachable
  std::int64_t ownership_ms =
      1'000;                    // interval of the writes that prove that this is the scheduler
  std::int64_t sweep_ms = 100;  // interval of the checks for silence, leases and walltimes
  std::int64_t shutdown_ms = 60'000;           // a graceful stop becomes one by force after this
  std::int64_t save_memory_ms = 600'000;       // until a node that is hibernated must be off
  std::int64_t grant_call_ms = 3'000;          // timeout of a call that brings grants to a host
  std::int64_t start_attempts_max = 3;         // hosts that a node is tried on until it starts
  std::int64_t reservation_horizon_s = 3'600;  // a node without an end, such as a frontend, is not
                                               // placed where a reservation begins within this
  std::int64_t reservation_keep_s = 604'800;   // reservations that have ended are listed this long
  std::int64_t walltime_notice_s = 900;        // a computeset's end is announced this long before
  std::int64_t idle_notice_s = 3'600;  // a computeset that has done nothing for so long is said to
                                       // be idle; 0 = never
  // The order of computesets that wait (priority.hpp).
  std::int64_t priority_age_weight = 1'000;
  std::int64_t priority_fair_share_weight = 1'000;
  std::int64_t priority_age_max_s = 604'800;  // who has waited this long has the whole weight
  std::int64_t usage_half_life_s = 604'800;   // usage this old counts half
  SlurmConfig slurm = {};
  std::uint32_t cpu_overcommit = 4;  // vCPUs for each CPU of a host; memory is never overcommitted

  bool has_batch_system() const { return !slurm.partition.empty(); }

  /// Reads `scheduler.*`; `settings.finish` reports a value out of range.
  static core::Result<Config> from(core::Settings& settings);
};

}  // namespace nucleus::scheduler
