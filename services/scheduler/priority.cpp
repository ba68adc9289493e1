#include "services/scheduler/priority.hpp"

#include <algorithm>
#include <cmath>

namespace nucleus::scheduler {

namespace {

struct Competitor {
  double shares = 0;
  double recent_core_s = 0;
};

Competitor competitor(const View& view, const msg::AllocationId& id, std::int64_t now_unix_s) {
  const auto* stored = view.allocation(id);
  const StoredAllocation unknown{{.allocation_id = id}};
  const auto& known = stored ? *stored : unknown;
  return {.shares = static_cast<double>(known.allocation.shares),
          .recent_core_s = recent_core_s(view, known, now_unix_s)};
}

}  // namespace

double recent_core_s(const View& view, const StoredAllocation& stored, std::int64_t now_unix_s) {
  const auto half_life_s = view.config().usage_half_life_s;
  double recent = decayed(stored.recent_core_s, now_unix_s - stored.recent_unix_s, half_life_s);
  for (const auto id : view.unfinished_of(stored.allocation.allocation_id))
    recent += charged_recent_core_s(*view.computeset(id), now_unix_s, half_life_s);
  return recent;
}

Priorities::Priorities(const Draft& draft) : draft_{draft} {
  std::map<msg::AllocationId, Competitor> competitors;
  const auto add = [&](const StoredComputeset& stored) {
    const auto& id = stored.computeset.allocation_id;
    const auto [found, is_new] = competitors.try_emplace(id);
    if (is_new) found->second = competitor(draft.view(), id, draft.now_unix_s());
  };
  for (const auto& [id, stored] : draft.view().computesets()) add(stored);
  for (const auto& [id, stored] : draft.changes().computesets)
    if (stored) add(*stored);
  Competitor all;
  for (const auto& [id, one] : competitors) {
    all.shares += one.shares;
    all.recent_core_s += one.recent_core_s;
  }
  for (const auto& [id, one] : competitors) {
    const bool is_unused = all.recent_core_s <= 0;
    fair_shares_[id] =
        is_unused ? 1
                  : std::exp2(-(one.recent_core_s / all.recent_core_s) / (one.shares / all.shares));
  }
}

double Priorities::fair_share(const msg::AllocationId& id) const {
  const auto found = fair_shares_.find(id);
  return found == fair_shares_.end() ? 1 : found->second;
}

Priority Priorities::of(const StoredComputeset& stored) const {
  const auto& config = draft_.view().config();
  const auto since_unix_s = std::max(stored.computeset.created_unix_s, stored.resumed_unix_s);
  const auto waited_s =
      std::clamp<std::int64_t>(draft_.now_unix_s() - since_unix_s, 0, config.priority_age_max_s);
  Priority priority{
      .age = static_cast<double>(waited_s) / static_cast<double>(config.priority_age_max_s),
      .fair_share = fair_share(stored.computeset.allocation_id)};
  priority.value = static_cast<double>(config.priority_age_weight) * priority.age +
                   static_cast<double>(config.priority_fair_share_weight) * priority.fair_share;
  return priority;
}

std::vector<msg::ComputesetId> Priorities::order() const {
  std::vector<std::pair<double, msg::ComputesetId>> ranked;
  const auto add = [&](msg::ComputesetId id) {
    const auto* stored = draft_.computeset(id);
    if (stored && stored->computeset.state == msg::ComputesetState::submitted)
      ranked.emplace_back(-of(*stored).value, id);
  };
  for (const auto id : draft_.view().submitted()) add(id);
  for (const auto& [id, stored] : draft_.changes().computesets)
    if (!draft_.view().submitted().contains(id)) add(id);
  std::ranges::sort(ranked);
  std::vector<msg::ComputesetId> ids;
  ids.reserve(ranked.size());
  for (const auto& [value, id] : ranked) ids.push_back(id);
  return ids;
}

}  // namespace nucleus::scheduler
