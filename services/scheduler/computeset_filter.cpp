#include "services/scheduler/computeset_filter.hpp"

#include <algorithm>

namespace nucleus::scheduler {

namespace {

/// Works on a computeset and on the summary of a finished one.
template <class Times>
bool is_within(const Times& times, const ComputesetFilter& filter) {
  const auto& [from, to] = filter.period;
  if (filter.is_charged)
    return times.start_unix_s != 0 && times.start_unix_s < to &&
           (times.end_unix_s == 0 || times.end_unix_s > from);
  return times.created_unix_s < to && (times.end_unix_s == 0 || times.end_unix_s >= from);
}

bool has_state(const ComputesetFilter& filter, msg::ComputesetState state) {
  return filter.states.empty() || std::ranges::find(filter.states, state) != filter.states.end();
}

bool fits(const msg::Computeset& computeset, const ComputesetFilter& filter) {
  return msg::sees(filter.viewer, computeset.project_id) && has_state(filter, computeset.state) &&
         (filter.cluster_id.empty() || filter.cluster_id == computeset.cluster_id) &&
         (filter.allocation_id.empty() || filter.allocation_id == computeset.allocation_id) &&
         is_within(computeset, filter);
}

/// The filter for summaries, which have numbers for names.
class SummaryFilter {
 public:
  SummaryFilter(const FinishedComputesets& finished, const ComputesetFilter& filter)
      : filter_{filter},
        cluster_{finished.find_number(filter.cluster_id.value)},
        allocation_{finished.find_number(filter.allocation_id.value)} {
    for (const auto& project : filter.viewer.projects)
      if (const auto number = finished.find_number(project.value)) projects_.push_back(*number);
  }

  bool fits(const FinishedComputesets::Summary& summary) const {
    const bool is_seen = filter_.viewer.is_operator ||
                         std::ranges::find(projects_, summary.project) != projects_.end();
    return is_seen && has_state(filter_, summary.state) &&
           (filter_.cluster_id.empty() || cluster_ == summary.cluster) &&
           (filter_.allocation_id.empty() || allocation_ == summary.allocation) &&
           is_within(summary, filter_);
  }

 private:
  const ComputesetFilter& filter_;
  std::optional<std::uint32_t> cluster_;
  std::optional<std::uint32_t> allocation_;
  std::vector<std::uint32_t> projects_ = {};
};

}  // namespace

std::vector<msg::ComputesetId> find_computesets(const View& view, const ComputesetFilter& filter,
                                                msg::ComputesetId after, std::size_t limit) {
  std::vector<msg::ComputesetId> found;
  const SummaryFilter of_finished{view.finished(), filter};
  const auto& finished = view.finished().all();
  const auto& unfinished = view.computesets();
  auto old = std::ranges::upper_bound(finished, after, {}, &FinishedComputesets::Summary::id);
  auto current = unfinished.upper_bound(after);
  while (found.size() < limit && (old != finished.end() || current != unfinished.end())) {
    if (current == unfinished.end() || (old != finished.end() && old->id < current->first)) {
      if (of_finished.fits(*old)) found.push_back(old->id);
      ++old;
    } else {
      if (fits(current->second.computeset, filter)) found.push_back(current->first);
      ++current;
    }
  }
  return found;
}

}  // namespace nucleus::scheduler
