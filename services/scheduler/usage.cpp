#include "services/scheduler/usage.hpp"

#include <algorithm>

#include "core/hostlist/hostlist.hpp"

namespace nucleus::scheduler {

namespace {

using Summary = FinishedComputesets::Summary;

const std::string& name_of(msg::UsageGroup by, const msg::Computeset& computeset) {
  switch (by) {
    case msg::UsageGroup::project:
      return computeset.project_id.value;
    case msg::UsageGroup::person:
      return computeset.person_id.value;
    case msg::UsageGroup::cluster:
      return computeset.cluster_id.value;
    case msg::UsageGroup::allocation:
      return computeset.allocation_id.value;
    case msg::UsageGroup::on_behalf_of:
    case msg::UsageGroup::unknown:
      break;
  }
  return computeset.on_behalf_of;
}

/// The number of that name.
std::uint32_t number_of(msg::UsageGroup by, const Summary& summary) {
  switch (by) {
    case msg::UsageGroup::project:
      return summary.project;
    case msg::UsageGroup::person:
      return summary.person;
    case msg::UsageGroup::cluster:
      return summary.cluster;
    case msg::UsageGroup::allocation:
      return summary.allocation;
    case msg::UsageGroup::on_behalf_of:
    case msg::UsageGroup::unknown:
      break;
  }
  return summary.on_behalf_of;
}

std::int64_t end_or_now(const StoredComputeset& stored, std::int64_t now_unix_s) {
  return stored.computeset.end_unix_s == 0 ? now_unix_s : stored.computeset.end_unix_s;
}

std::string node_list_of(const View& view, const StoredComputeset& stored) {
  if (!stored.node_list.empty()) return stored.node_list;
  std::vector<std::string> names;
  for (const auto& id : stored.computeset.nodes)
    if (const auto* node = view.node(id)) names.push_back(node->definition.name);
  return core::hostlist::collect(names);
}

}  // namespace

msg::UsageEntry usage_of(const View& view, const StoredComputeset& stored, const Period& period,
                         std::int64_t now_unix_s) {
  const auto& computeset = stored.computeset;
  const auto until_unix_s = end_or_now(stored, now_unix_s);
  return {.computeset_id = computeset.computeset_id,
          .project_id = computeset.project_id,
          .cluster_id = computeset.cluster_id,
          .allocation_id = computeset.allocation_id,
          .node_count = static_cast<std::uint32_t>(computeset.nodes.size()),
          .cores = static_cast<std::uint64_t>(stored.cores),
          .start_unix_s = computeset.start_unix_s,
          .end_unix_s = computeset.end_unix_s,
          .used_core_s = charged_core_s(stored, until_unix_s, period),
          .person_id = computeset.person_id,
          .on_behalf_of = computeset.on_behalf_of,
          .state = computeset.state,
          .created_unix_s = computeset.created_unix_s,
          .elapsed_s = ran_s(computeset, now_unix_s),
          .walltime_mins = computeset.walltime_mins,
          .memory_mb = static_cast<std::uint64_t>(stored.memory_mb),
          .node_list = node_list_of(view, stored),
          .host_class = computeset.host_class,
          .core_milli_su = stored.price.core_milli_su,
          .gib_milli_su = stored.price.gib_milli_su};
}

void UsageSums::add(const std::string& name, const msg::UsageTotal& more) {
  auto& total = totals_.try_emplace(name, msg::UsageTotal{.name = name}).first->second;
  total.computeset_count += more.computeset_count;
  total.used_core_s += more.used_core_s;
}

void UsageSums::add(const StoredComputeset& stored) {
  add(name_of(by_, stored.computeset),
      {.computeset_count = 1,
       .used_core_s = charged_core_s(stored, end_or_now(stored, now_unix_s_), period_)});
}

void UsageSums::add_all(const View& view, const ComputesetFilter& filter) {
  const auto& finished = view.finished();
  std::vector<msg::UsageTotal> by_number(finished.name_count());
  visit_computesets(
      view, filter,
      [&](const Summary& summary) {
        if (summary.milli_su == 0) return unread_.push_back(summary.id);
        auto& total = by_number[number_of(by_, summary)];
        ++total.computeset_count;
        const auto until = [&](std::int64_t unix_s) {
          const auto end_unix_s = std::min(summary.charge_end_unix_s, unix_s);
          return charge_core_s(summary.milli_su,
                               end_unix_s - std::min(summary.start_unix_s, end_unix_s));
        };
        if (period_.from_unix_s < period_.to_unix_s)
          total.used_core_s += until(period_.to_unix_s) - until(period_.from_unix_s);
      },
      [&](const StoredComputeset& stored) { add(stored); });
  for (std::uint32_t i = 0; i < by_number.size(); ++i)
    if (by_number[i].computeset_count > 0) add(finished.name(i), by_number[i]);
}

std::vector<msg::ComputesetId> UsageSums::take_unread(std::size_t limit) {
  const auto count = static_cast<std::ptrdiff_t>(std::min(limit, unread_.size()));
  std::vector<msg::ComputesetId> taken(unread_.end() - count, unread_.end());
  unread_.resize(unread_.size() - taken.size());
  return taken;
}

}  // namespace nucleus::scheduler
