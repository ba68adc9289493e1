// The scheduler's messages about who pays: allocations, their budgets, and what was charged.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "messages/scheduler.hpp"

namespace nucleus::msg {

constexpr std::int64_t allocation_shares_max = 1'000'000;

constexpr std::size_t budget_steps_max = 8;

/// refuse: nothing new is started; hibernate: and running computesets are hibernated; terminate: or
/// ended, with those that wait.
NUCLEUS_ENUM(BudgetAction, warn, refuse, terminate, hibernate)

/// What is done when this much of an allocation's limit is used.
struct BudgetStep {
  std::int64_t percent = 0;  // 1..100
  BudgetAction action = BudgetAction::unknown;
  NUCLEUS_FIELDS(percent, action);
};

struct Allocation {
  AllocationId allocation_id = {};
  ProjectId project_id = {};
  std::int64_t limit_core_s = 0;  // 0 = no limit
  std::int64_t used_core_s = 0;   // in lists and replies, with what runs now up to this second
  bool is_closed = false;         // nothing more can be charged
  std::int64_t shares = 1;        // of the hosts, compared with other allocations: 1..1,000,000
  std::int64_t start_unix_s = 0;  // nothing is started before; 0 = always
  std::int64_t end_unix_s = 0;    // then its computesets are ended; 0 = never
  std::vector<BudgetStep> budget = {};   // by percent
  std::int64_t percent_reached = 0;      // of the newest step that was reached; 0 = none
  std::int64_t forecast_end_unix_s = 0;  // in lists and replies: when its limit is used if what
                                         // runs now goes on; 0 = never
  NUCLEUS_FIELDS(allocation_id, project_id, limit_core_s, used_core_s, is_closed, shares,
                 start_unix_s, end_unix_s, budget, percent_reached, forecast_end_unix_s);
};

/// Event: an allocation was created or changed, or a computeset was charged to it.
struct AllocationChanged {
  static constexpr std::string_view topic = "scheduler.allocation-changed";
  Allocation allocation = {};
  NUCLEUS_FIELDS(allocation);
};

/// Creates or changes an allocation and keeps its usage. `not_found` if the project does not exist;
/// `wrong_state` if it was charged already and another project is given.
struct DefineAllocation {
  static constexpr std::string_view topic = "scheduler.define-allocation";
  using Reply = Allocation;
  AllocationId allocation_id = {};
  ProjectId project_id = {};
  std::int64_t limit_core_s = 0;       // 0 = keep, or no limit if `is_closed` is false; a limit
                                       // opens a closed allocation
  std::optional<bool> is_closed = {};  // not set = keep
  std::int64_t shares = 0;             // 1..1,000,000; 0 = keep, or 1 of a new one
  std::optional<std::int64_t> start_unix_s = {};       // not set = keep; 0 = always
  std::optional<std::int64_t> end_unix_s = {};         // not set = keep; 0 = never
  std::optional<std::vector<BudgetStep>> budget = {};  // not set = keep; 0..8, by percent
  NUCLEUS_FIELDS(allocation_id, project_id, limit_core_s, is_closed, shares, start_unix_s,
                 end_unix_s, budget);
};

/// Event: an allocation belongs to this project no longer.
struct AllocationRemoved {
  static constexpr std::string_view topic = "scheduler.allocation-removed";
  Allocation allocation = {};  // as it was
  NUCLEUS_FIELDS(allocation);
};

/// Event: a step of an allocation's budget was reached.
struct BudgetReached {
  static constexpr std::string_view topic = "scheduler.budget-reached";
  Allocation allocation = {};
  BudgetStep step = {};
  NUCLEUS_FIELDS(allocation, step);
};

struct Allocations {
  std::vector<Allocation> allocations = {};  // by id
  std::string next = {};                     // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(allocations, next);
};

/// The allocations that the viewer sees. What is used includes what runs now, up to this second.
struct ListAllocations {
  static constexpr std::string_view topic = "scheduler.list-allocations";
  using Reply = Allocations;
  Viewer viewer = {};
  std::vector<AllocationId> allocations = {};  // only these; empty = all
  Page page = {};
  NUCLEUS_FIELDS(viewer, allocations, page);
};

/// What one computeset was charged within a period.
struct UsageEntry {
  ComputesetId computeset_id = 0;
  ProjectId project_id = {};
  ClusterId cluster_id = {};
  AllocationId allocation_id = {};
  std::uint32_t node_count = 0;
  std::uint64_t cores = 0;        // of all its nodes, at its end or now
  std::int64_t start_unix_s = 0;  // its own, even if it is before the period
  std::int64_t end_unix_s = 0;    // its own; 0 = it still runs
  std::int64_t used_core_s = 0;   // by its price, within the period; up to now if it runs
  PersonId person_id = {};        // who asked for it
  std::string on_behalf_of = {};  // user of a science gateway that it is attributed to
  ComputesetState state = ComputesetState::unknown;
  std::int64_t created_unix_s = 0;  // when it was accepted
  std::int64_t elapsed_s = 0;       // from its start to its end or now, not only in the period
  std::int64_t walltime_mins = 0;
  std::uint64_t memory_mb = 0;  // of all its nodes, as `cores`
  std::string node_list = {};   // names of its nodes, at its end or now, as a hostlist
  std::string host_class = std::string(host_class_default);
  std::int64_t core_milli_su = 1000;  // its price: see Price
  std::int64_t gib_milli_su = 0;
  NUCLEUS_FIELDS(computeset_id, project_id, cluster_id, allocation_id, node_count, cores,
                 start_unix_s, end_unix_s, used_core_s, person_id, on_behalf_of, state,
                 created_unix_s, elapsed_s, walltime_mins, memory_mb, node_list, host_class,
                 core_milli_su, gib_milli_su);
};

struct Usage {
  std::vector<UsageEntry> entries = {};  // by computeset
  std::string next = {};                 // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(entries, next);
};

/// What the computesets that the viewer sees were charged within a period.
struct ListUsage {
  static constexpr std::string_view topic = "scheduler.list-usage";
  using Reply = Usage;
  Viewer viewer = {};
  AllocationId allocation_id = {};  // empty = of every allocation
  std::int64_t from_unix_s = 0;     // the period's beginning; 0 = no bound
  std::int64_t to_unix_s = 0;       // its end, not included; 0 = no bound
  Page page = {};
  ProjectId project_id = {};  // empty = of every one; so with the next three
  ClusterId cluster_id = {};
  PersonId person_id = {};  // who asked
  std::string on_behalf_of = {};
  NUCLEUS_FIELDS(viewer, allocation_id, from_unix_s, to_unix_s, page, project_id, cluster_id,
                 person_id, on_behalf_of);
};

NUCLEUS_ENUM(UsageGroup, project, person, cluster, allocation, on_behalf_of)

/// What the computesets of one project, person, … were charged within a period.
struct UsageTotal {
  std::string name = {};  // of the project, person, …; empty = of none
  std::uint64_t computeset_count = 0;
  std::int64_t used_core_s = 0;
  NUCLEUS_FIELDS(name, computeset_count, used_core_s);
};

struct UsageTotals {
  std::vector<UsageTotal> totals = {};  // by name
  std::string next = {};                // cursor of the next page; empty = this is the last
  NUCLEUS_FIELDS(totals, next);
};

/// The sums of the entries that ListUsage lists on all its pages.
struct SumUsage {
  static constexpr std::string_view topic = "scheduler.sum-usage";
  using Reply = UsageTotals;
  ListUsage usage = {};  // its page is that of the totals
  UsageGroup by = UsageGroup::unknown;
  NUCLEUS_FIELDS(usage, by);
};

inline std::optional<Error> check(const SumUsage& request) {
  if (request.by != UsageGroup::unknown) return check(request.usage.page);
  return invalid("by", "by must be project, person, cluster, allocation or on_behalf_of");
}

}  // namespace nucleus::msg
