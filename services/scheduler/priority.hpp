// The order in which computesets that wait are placed: pure functions. The larger a computeset's
// priority, the earlier; of equal ones, the one accepted first.
//
// priority = age weight * age + fair-share weight * fair share, both factors 0 to 1:
// - age: how long it has waited, of `scheduler.priority_age_max_s` at most;
// - fair share: 2^-(U/S) of its allocation (the classic formula of Slurm's multifactor plugin,
//   slurm.schedmd.com/classic_fair_share.html). S is its part of the shares, U its part of the
//   recent usage, both of the allocations with unfinished computesets: 1 for one that used nothing,
//   0.5 for one that used its share.
#pragma once

#include <map>
#include <vector>

#include "services/scheduler/plan/draft.hpp"

namespace nucleus::scheduler {

struct Priority {
  double age = 0;
  double fair_share = 1;
  double value = 0;
};

class Priorities {
 public:
  explicit Priorities(const Draft& draft);

  Priority of(const StoredComputeset& stored) const;
  /// The computesets that wait, as the draft leaves them, in their order.
  std::vector<msg::ComputesetId> order() const;

 private:
  double fair_share(const msg::AllocationId& id) const;

  const Draft& draft_;
  std::map<msg::AllocationId, double> fair_shares_ = {};  // of those with unfinished computesets
};

/// Core-seconds that count now: of what an allocation was charged for computesets that have ended,
/// and for those that run. What was used `scheduler.usage_half_life_s` ago counts half.
double recent_core_s(const View& view, const StoredAllocation& stored, std::int64_t now_unix_s);

}  // namespace nucleus::scheduler
