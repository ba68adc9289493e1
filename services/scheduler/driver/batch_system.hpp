// A batch system that shares its hosts with other jobs: a computeset has one job there, whose hosts
// are the computeset's. Every call blocks, and is made on a worker thread, one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::scheduler {

/// pending: it waits; preparing: it has its hosts, which the batch system still checks; ready: each
/// of them passed; completing: it is over, and its hosts are cleaned; ended: for whatever cause;
/// cancelled: by a person.
NUCLEUS_ENUM(JobState, pending, preparing, ready, completing, ended, cancelled)

struct Job {
  std::string job_id = {};
  msg::ComputesetId computeset_id = 0;
  JobState state = JobState::unknown;   // unknown: one that this release does not know
  std::string reason = {};              // why it waits, or how it ended, as the batch system says
  std::vector<msg::HostId> hosts = {};  // of one that has its hosts
  std::int64_t limit_mins = 0;          // of its time; 0 = not known
  std::int64_t expected_start_unix_s = 0;  // of one that waits; 0 = not known
};

struct JobRequest {
  msg::ComputesetId computeset_id = 0;
  std::uint32_t host_count_min = 0;        // it starts with as many hosts as there are, at least so
  std::uint32_t host_count_max = 0;        // many, and at most so many
  std::int64_t cpus_per_host = 0;          // that each host has at least
  std::vector<msg::HostId> hosts = {};     // that are among them
  std::vector<msg::HostId> excluded = {};  // that are not
  std::int64_t limit_mins = 0;
  std::string reservation = {};  // of the batch system; empty = none
  std::string account = {};      // the allocation that pays
};

/// A host as the batch system shows it.
struct BatchNode {
  msg::HostId host_id = {};
  std::string state = {};
  std::string reason = {};  // why it takes no jobs; empty = it does
  bool is_drained = false;
  friend bool operator==(const BatchNode&, const BatchNode&) = default;
};

/// Each call fails with `unavailable` if the batch system cannot be reached, and may then have
/// taken effect.
class BatchSystem {
 public:
  virtual ~BatchSystem() = default;

  /// The jobs of this deployment, including those that ended within the last minutes.
  virtual core::Result<std::vector<Job>> list_jobs() = 0;
  /// The hosts that it may give to jobs of this deployment.
  virtual core::Result<std::vector<BatchNode>> list_nodes() = 0;
  /// Returns the job's id. `invalid_argument` if it refuses the job, with its reason.
  virtual core::Result<std::string> submit(const JobRequest& request) = 0;
  /// When such a job would start, as things are. It is not submitted; refused as `submit` would be.
  virtual core::Result<std::int64_t> expected_start_unix_s(const JobRequest& request) = 0;
  /// Succeeds also if the job has ended or is unknown.
  virtual core::Result<void> cancel(const std::string& job_id) = 0;
  virtual core::Result<void> change_limit(const std::string& job_id, std::int64_t limit_mins) = 0;
  /// No new jobs on this host; those that run continue.
  virtual core::Result<void> drain(const msg::HostId& host_id, const std::string& reason) = 0;
  virtual core::Result<void> resume(const msg::HostId& host_id) = 0;
};

}  // namespace nucleus::scheduler
