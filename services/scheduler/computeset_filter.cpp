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

template <class Value>
bool is_any_or(const Value& wanted, const Value& value) {
  return wanted.empty() || wanted == value;
}

bool fits(const msg::Computeset& computeset, const ComputesetFilter& filter) {
  return msg::sees(filter.viewer, computeset.project_id) && has_state(filter, computeset.state) &&
         is_any_or(filter.cluster_id, computeset.cluster_id) &&
         is_any_or(filter.allocation_id, computeset.allocation_id) &&
         is_any_or(filter.project_id, computeset.project_id) &&
         is_any_or(filter.person_id, computeset.person_id) &&
         is_any_or(filter.on_behalf_of, computeset.on_behalf_of) && is_within(computeset, filter);
}

/// The filter for summaries, which have numbers for names.
class SummaryFilter {
 public:
  SummaryFilter(const FinishedComputesets& finished, const ComputesetFilter& filter)
      : filter_{filter} {
    const auto add = [&](const std::string& name, std::uint32_t FinishedComputesets::Summary::*of) {
      if (!name.empty()) names_.push_back({of, finished.find_number(name)});
    };
    add(filter.cluster_id.value, &FinishedComputesets::Summary::cluster);
    add(filter.allocation_id.value, &FinishedComputesets::Summary::allocation);
    add(filter.project_id.value, &FinishedComputesets::Summary::project);
    add(filter.person_id.value, &FinishedComputesets::Summary::person);
    add(filter.on_behalf_of, &FinishedComputesets::Summary::on_behalf_of);
    for (const auto& project : filter.viewer.projects)
      if (const auto number = finished.find_number(project.value)) projects_.push_back(*number);
  }

  bool fits(const FinishedComputesets::Summary& summary) const {
    const bool is_seen = filter_.viewer.is_operator ||
                         std::ranges::find(projects_, summary.project) != projects_.end();
    return is_seen && has_state(filter_, summary.state) &&
           std::ranges::all_of(names_,
                               [&](const Name& name) { return name.number == summary.*name.of; }) &&
           is_within(summary, filter_);
  }

 private:
  struct Name {
    std::uint32_t FinishedComputesets::Summary::*of;
    std::optional<std::uint32_t> number;  // none: no finished computeset has the name
  };

  const ComputesetFilter& filter_;
  std::vector<Name> names_ = {};
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

void visit_computesets(const View& view, const ComputesetFilter& filter,
                       const std::function<void(const FinishedComputesets::Summary&)>& finished,
                       const std::function<void(const StoredComputeset&)>& unfinished) {
  const SummaryFilter of_finished{view.finished(), filter};
  for (const auto& summary : view.finished().all())
    if (of_finished.fits(summary)) finished(summary);
  for (const auto& [id, stored] : view.computesets())
    if (fits(stored.computeset, filter)) unfinished(stored);
}

}  // namespace nucleus::scheduler
