#include "services/scheduler/plan/domains.hpp"

#include <algorithm>

#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/hibernation.hpp"
#include "services/scheduler/plan/placements.hpp"

namespace nucleus::scheduler {

using msg::DomainState;

namespace {

/// The change is of a grant in force on a host of this process.
bool is_effective(const Draft& draft, const msg::DomainChanged& change,
                  const std::string& process) {
  const auto* node = draft.node(change.node_id);
  const auto* host = draft.host(change.host_id);
  return node && host && host->process == process && node->host_id == change.host_id &&
         node->epoch == change.epoch;
}

/// A domain runs there: starts that failed before are not the host's fault any more.
void trust(Draft& draft, const msg::HostId& id) {
  if (draft.host(id)->start_failures > 0) draft.edit(id).start_failures = 0;
}

/// Once for a placement, whatever else its host reports of it; a pass may move the node.
void record_start_failure(Draft& draft, StoredNode& node) {
  auto& failures = node.start_failures;
  if (!failures.empty() && failures.back().epoch == node.epoch) {
    failures.back().reason = node.observed_reason;
    return;
  }
  const auto kept_max = static_cast<std::size_t>(draft.view().config().start_attempts_max);
  if (failures.size() >= kept_max) failures.erase(failures.begin());
  failures.push_back({.unix_s = draft.now_unix_s(),
                      .epoch = node.epoch,
                      .host_id = node.host_id,
                      .reason = node.observed_reason});
  StoredHost& host = draft.edit(node.host_id);
  ++host.start_failures;
  host.start_failure = node.observed_reason;
  draft.want_pass();
}

void take(Draft& draft, msg::DomainChanged change) {
  StoredNode& node = draft.edit(change.node_id);
  change.cluster_id = node.definition.cluster_id;
  change.project_id = node.definition.project_id;
  // After lost reports, a host repeats states that are known already: they emit no event.
  if (node.observed != change.state || node.observed_reason != change.reason)
    draft.add_observed(change);
  node.observed = change.state;
  node.observed_reason = change.reason;
  node.is_preparing = change.is_preparing;
  if (change.state == DomainState::running && node.running_unix_s == 0) {
    node.running_unix_s = draft.now_unix_s();
    trust(draft, node.host_id);
  }
  if (change.state != DomainState::absent && change.state != DomainState::shutoff)
    node.is_disk_fresh = false;
  take_hibernation(draft, node, change);
  if (is_start_failing(node)) record_start_failure(draft, node);
  // `absent` is no end: a host that is to stop it may not know that yet, and try again.
  const bool is_ended =
      change.state == DomainState::shutoff || change.state == DomainState::crashed;
  if (!is_ended) return;
  if (node.is_grant_on) node.is_desired_on = false;  // it ended by itself
  const bool is_unwatched = change.last_seen_unix_ms > 0;
  const auto off_unix_s = is_unwatched
                              ? std::min(change.last_seen_unix_ms / 1000, draft.now_unix_s())
                              : draft.now_unix_s();
  const auto computeset_id = node.computeset_id;
  end_placement(draft, change.node_id, off_unix_s);
  // A provisioner that was only restarted leaves time to power them on again.
  const auto lease_ms = draft.view().config().host_lease_ms;
  if (is_unwatched && draft.now_unix_ms() - change.last_seen_unix_ms > lease_ms)
    end_deserted(draft, computeset_id);
}

}  // namespace

std::uint64_t number_taken(const View& view, const msg::ReportDomains& report) {
  const auto* known = view.reporter(report.process);
  return known && known->log_id == report.log_id ? known->number : 0;
}

Plan plan_domain_report(const View& view, const msg::ReportDomains& report,
                        std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  const auto taken = number_taken(view, report);
  auto number = std::max(taken + 1, report.first_number);
  std::set<msg::NodeId> nodes;
  for (; number - report.first_number < report.changes.size(); ++number) {
    const auto& change = report.changes[number - report.first_number];
    if (!nodes.insert(change.node_id).second) break;
    if (is_effective(draft, change, report.process)) take(draft, change);
  }
  draft.changes().reporters[report.process] =
      StoredReporter{.process = report.process, .log_id = report.log_id, .number = number - 1};
  return finish(draft);
}

}  // namespace nucleus::scheduler
