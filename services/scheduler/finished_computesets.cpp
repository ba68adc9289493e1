#include "services/scheduler/finished_computesets.hpp"

#include <algorithm>

namespace nucleus::scheduler {

void FinishedComputesets::put(const ComputesetSummary& computeset) {
  const Summary summary{
      .id = computeset.computeset_id,
      .created_unix_s = computeset.created_unix_s,
      .start_unix_s = computeset.start_unix_s,
      .end_unix_s = computeset.end_unix_s,
      .milli_su = computeset.milli_su == 0 ? computeset.cores * 1000 : computeset.milli_su,
      .charge_end_unix_s = computeset.charge_end_unix_s,
      .cluster = number_of(computeset.cluster_id.value),
      .project = number_of(computeset.project_id.value),
      .allocation = number_of(computeset.allocation_id.value),
      .person = number_of(computeset.person_id.value),
      .on_behalf_of = number_of(computeset.on_behalf_of),
      .node_count = computeset.node_count,
      .state = computeset.state};
  // Computesets end nearly in the order of their ids.
  const auto at = std::ranges::lower_bound(all_, summary.id, {}, &Summary::id);
  if (at != all_.end() && at->id == summary.id)
    *at = summary;
  else
    all_.insert(at, summary);
}

const FinishedComputesets::Summary* FinishedComputesets::find(msg::ComputesetId id) const {
  const auto at = std::ranges::lower_bound(all_, id, {}, &Summary::id);
  return at == all_.end() || at->id != id ? nullptr : &*at;
}

std::optional<std::uint32_t> FinishedComputesets::find_number(const std::string& name) const {
  const auto found = numbers_.find(name);
  return found == numbers_.end() ? std::nullopt : std::optional{found->second};
}

std::uint32_t FinishedComputesets::number_of(const std::string& name) {
  const auto [found, is_new] =
      numbers_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
  if (is_new) names_.push_back(name);
  return found->second;
}

}  // namespace nucleus::scheduler
