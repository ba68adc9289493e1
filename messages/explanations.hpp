// Questions to the scheduler that change nothing: why something is in its state, and what a start
// would do.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "messages/scheduler.hpp"

namespace nucleus::msg {

/// The state of one thing, and what changes it.
struct Cause {
  std::string subject = {};       // kind and name: "computeset 9", "node vm-c-1", "host h1"
  std::string state = {};         // as lists show it
  std::string reason = {};        // why it is in this state; empty if that says all, or is not the
                                  // viewer's to see
  std::string remedy = {};        // what changes it; empty = nothing is wrong
  std::int64_t until_unix_s = 0;  // when this state ends by itself, at the latest; 0 = not known
  NUCLEUS_FIELDS(subject, state, reason, remedy, until_unix_s);
};

struct TimelineStep {
  std::int64_t unix_s = 0;
  std::string text = {};
  NUCLEUS_FIELDS(unix_s, text);
};

/// The place of a computeset among those that wait. The priority is the weighted sum of both
/// factors; the larger, the earlier.
struct QueuePlace {
  std::uint32_t ahead = 0;  // computesets before it, of the same reservation or of none
  double priority = 0;
  double age = 0;         // 0..1
  double fair_share = 0;  // 0..1, of its allocation
  NUCLEUS_FIELDS(ahead, priority, age, fair_share);
};

struct Explanation {
  std::vector<Cause> causes = {};           // what was asked for, then what it waits for, and so on
  std::vector<TimelineStep> timeline = {};  // oldest first
  std::int64_t expected_start_unix_s = 0;   // of a computeset that waits, if those before it start
                                            // first and all walltimes run out; 0 = not known
  std::optional<QueuePlace> queue = {};     // of a computeset that waits
  std::int64_t earliest_start_unix_s = 0;   // 8 of 10 start from here
  std::int64_t latest_start_unix_s = 0;     // to here, as earlier ones did; both 0 = not known
  NUCLEUS_FIELDS(causes, timeline, expected_start_unix_s, queue, earliest_start_unix_s,
                 latest_start_unix_s);
};

struct ExplainComputeset {
  static constexpr std::string_view topic = "scheduler.explain-computeset";
  using Reply = Explanation;
  ComputesetId computeset_id = 0;
  Viewer viewer = {};
  NUCLEUS_FIELDS(computeset_id, viewer);
};

struct ExplainNode {
  static constexpr std::string_view topic = "scheduler.explain-node";
  using Reply = Explanation;
  NodeRef node = {};
  Viewer viewer = {};
  NUCLEUS_FIELDS(node, viewer);
};

/// For operators only.
struct ExplainHost {
  static constexpr std::string_view topic = "scheduler.explain-host";
  using Reply = Explanation;
  HostId host_id = {};
  NUCLEUS_FIELDS(host_id);
};

/// What a StartComputeset or a GrowComputeset would do if it were sent now.
struct StartPlan {
  Computeset computeset = {};           // as it would become; a new one has no id
  std::vector<std::string> names = {};  // of the nodes that would start, in their order
  std::vector<HostId> hosts = {};       // of each of them if they would start now; otherwise empty
  std::int64_t cores = 0;               // of all of them
  std::int64_t core_s_max = 0;          // their price, if they run until the end of the walltime
  std::optional<std::int64_t> left_core_s = {};  // of its allocation, before; not set = no limit
  std::int64_t expected_start_unix_s = 0;        // as in Explanation; now, if it would start now
  std::vector<Cause> causes = {};                // why it would wait; empty if it would not
  std::int64_t earliest_start_unix_s = 0;        // as in Explanation
  std::int64_t latest_start_unix_s = 0;
  Price price = {};  // by which they would be charged
  NUCLEUS_FIELDS(computeset, names, hosts, cores, core_s_max, left_core_s, expected_start_unix_s,
                 causes, earliest_start_unix_s, latest_start_unix_s, price);
};

/// Refused as the start itself would be: for example, if its allocation cannot pay for it.
struct PlanStart {
  static constexpr std::string_view topic = "scheduler.plan-start";
  using Reply = StartPlan;
  StartComputeset start = {};
  NUCLEUS_FIELDS(start);
};

/// Refused as the growth itself would be: for example, if its nodes have no room now.
struct PlanGrowth {
  static constexpr std::string_view topic = "scheduler.plan-growth";
  using Reply = StartPlan;
  GrowComputeset grow = {};
  NUCLEUS_FIELDS(grow);
};

}  // namespace nucleus::msg
