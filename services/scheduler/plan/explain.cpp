#include "services/scheduler/plan/explain.hpp"

#include <algorithm>
#include <cstdlib>

#include "services/scheduler/plan/allocations.hpp"
#include "services/scheduler/plan/estimates.hpp"
#include "services/scheduler/plan/lookups.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/plan/start.hpp"
#include "services/scheduler/priority.hpp"
#include "services/scheduler/states/remedy.hpp"
#include "services/scheduler/states/wait.hpp"
#include "services/scheduler/statuses.hpp"

namespace nucleus::scheduler {

namespace {

using msg::ComputesetState;

constexpr std::size_t causes_max = 16;

/// That a wait names.
msg::ComputesetId computeset_in(const Wait& wait) {
  return std::strtoll(wait.subject.c_str(), nullptr, 10);
}

/// Follows what things wait for, from one to the next; each is named once.
class Causes {
 public:
  Causes(Draft& draft, const msg::Viewer& viewer) : draft_{draft}, viewer_{viewer} {}

  void add_computeset(const StoredComputeset& stored);
  void add_node(const StoredNode& node);
  void add_host(const msg::HostId& id);

  std::vector<msg::Cause> take() { return std::move(causes_); }

 private:
  bool add(msg::Cause cause);
  void add_reservation(const std::string& name);
  void add_closed_hosts();
  void add_next_to_end(const StoredComputeset& waiting);
  void follow(const Wait& wait, const msg::ClusterId& cluster_id);
  std::string remedy_of(const StoredComputeset& stored) const;

  Draft& draft_;
  const msg::Viewer& viewer_;
  std::vector<msg::Cause> causes_ = {};
};

/// False if it is named already, or there are enough.
bool Causes::add(msg::Cause cause) {
  const bool is_known = std::ranges::any_of(
      causes_, [&](const msg::Cause& known) { return known.subject == cause.subject; });
  if (is_known || causes_.size() == causes_max) return false;
  causes_.push_back(std::move(cause));
  return true;
}

/// If it is only behind another one, the walltime with which it would pass that.
std::string Causes::remedy_of(const StoredComputeset& stored) const {
  auto remedy = remedy_for(stored.wait);
  if (stored.wait.reason != WaitReason::behind) return remedy;
  const auto* ahead = draft_.computeset(computeset_in(stored.wait));
  const auto promised_unix_s = ahead ? ahead->computeset.predicted_start_unix_s : 0;
  const auto mins = (promised_unix_s - draft_.now_unix_s()) / 60;
  if (promised_unix_s == 0 || mins <= 0) return remedy;
  return remedy + "; with a walltime of at most " + std::to_string(mins) +
         " minutes it would start now";
}

void Causes::add_computeset(const StoredComputeset& stored) {
  const auto& computeset = stored.computeset;
  const bool is_seen = msg::sees(viewer_, computeset.project_id);
  msg::Cause cause{.subject = "computeset " + std::to_string(computeset.computeset_id),
                   .state = std::string(msg::name_of(computeset.state)),
                   .reason = is_seen ? computeset.reason : std::string()};
  switch (computeset.state) {
    case ComputesetState::submitted:
      cause.remedy = remedy_of(stored);
      cause.until_unix_s = computeset.predicted_start_unix_s;
      break;
    case ComputesetState::running:
      cause.until_unix_s = end_unix_s(draft_.view(), stored);
      if (!causes_.empty()) cause.remedy = "it ends with its walltime, or before";
      break;
    case ComputesetState::hibernated:
      cause.remedy = "comet resume " + std::to_string(computeset.computeset_id);
      break;
    case ComputesetState::hibernating:
      if (cause.reason.empty()) cause.reason = "the memory of its nodes is being saved";
      cause.remedy = "it can be resumed when all its nodes are off";
      break;
    case ComputesetState::ending:
      cause.remedy =
          "it is over when its nodes are off; what does not stop by itself is stopped by "
          "force within a minute";
      break;
    default:
      break;
  }
  if (!add(std::move(cause)) || computeset.state != ComputesetState::submitted) return;
  const bool lacks_room = stored.wait.reason == WaitReason::no_room_for_all ||
                          stored.wait.reason == WaitReason::reservation_full ||
                          stored.wait.reason == WaitReason::named_host_full;
  if (lacks_room) add_next_to_end(stored);
  if (is_seen) follow(stored.wait, computeset.cluster_id);
}

/// The computesets whose end, at the latest, gives it the room that it waits for.
void Causes::add_next_to_end(const StoredComputeset& waiting) {
  const auto start_unix_s = waiting.computeset.predicted_start_unix_s;
  for (const auto id : draft_.view().active()) {
    const auto& stored = *draft_.computeset(id);
    const bool is_over = stored.computeset.state == ComputesetState::ending;
    if (is_over || end_unix_s(draft_.view(), stored) == start_unix_s) add_computeset(stored);
  }
}

void Causes::add_node(const StoredNode& node) {
  const auto& definition = node.definition;
  msg::Cause cause{.subject = "node " + definition.name,
                   .state = std::string(msg::name_of(node.state)),
                   .reason = node.reason};
  const auto* stored = draft_.computeset(node.computeset_id);
  const bool waits = stored && stored->computeset.state == ComputesetState::submitted;
  if (node.host_id.empty() && !node.is_desired_on && !waits) {
    if (cause.reason.empty()) cause.reason = "it was not powered on";
    const auto& cluster = definition.cluster_id.value;
    cause.remedy = definition.kind == msg::NodeKind::frontend ? "comet power on " + cluster
                   : stored && is_hibernated(stored->computeset)
                       ? "comet resume " + std::to_string(node.computeset_id)
                   : stored ? "comet power on " + cluster + " " + definition.name
                            : "comet start " + cluster + " " + definition.name;
  } else if (!node.host_id.empty() && cause.reason.empty() &&
             node.state != msg::NodeState::active) {
    cause.reason = node.is_grant_on ? "its host starts it" : "its host stops it";
  } else if (is_joining(node)) {
    cause.remedy =
        "it starts when its ports are in their partitions; if this lasts, the operator "
        "looks at nucleus fabric list";
  } else if (!stored) {
    cause.remedy = remedy_for(node.wait);
  }
  if (node.is_leaving)
    cause.remedy = "it leaves computeset " + std::to_string(node.computeset_id) + " when it is off";
  if (!add(std::move(cause))) return;
  if (stored && node.host_id.empty()) add_computeset(*stored);
  if (!node.host_id.empty() && node.state == msg::NodeState::nostate_error) add_host(node.host_id);
  follow(node.wait, definition.cluster_id);
}

/// The reason why an operator drained a host is not for its tenants.
void Causes::add_host(const msg::HostId& id) {
  const auto* stored = draft_.host(id);
  if (!stored) return;
  const auto host = status_of(*stored, {});
  msg::Cause cause{.subject = "host " + id.value,
                   .state = std::string(msg::name_of(host.state)),
                   .reason = viewer_.is_operator ? host.reason : std::string()};
  if (viewer_.is_operator)
    cause.remedy = remedy_for(host.state, id);
  else if (host.state != msg::HostState::up)
    cause.remedy = "the operator brings it back";
  (void)add(std::move(cause));
}

/// For operators: the hosts of a centre are not for its tenants to see.
void Causes::add_closed_hosts() {
  constexpr int shown_max = 3;
  if (!viewer_.is_operator) return;
  int shown = 0;
  for (const auto& [id, stored] : draft_.view().hosts()) {
    if (!is_open(stored) && shown++ < shown_max) add_host(id);
  }
}

void Causes::add_reservation(const std::string& name) {
  const auto* stored = draft_.view().reservation_named(name);
  if (!stored) return;
  const auto& reservation = stored->reservation;
  const bool is_planned = reservation.state == msg::ReservationState::planned;
  (void)add({.subject = "reservation " + name,
             .state = std::string(msg::name_of(reservation.state)),
             .reason = reservation.reason,
             .remedy = is_planned ? "it begins by itself" : "it ends by itself",
             .until_unix_s = is_planned ? reservation.start_unix_s : reservation.end_unix_s});
}

void Causes::follow(const Wait& wait, const msg::ClusterId& cluster_id) {
  switch (wait.reason) {
    case WaitReason::behind:
      if (const auto* ahead = draft_.computeset(computeset_in(wait))) add_computeset(*ahead);
      return;
    case WaitReason::reserved:
    case WaitReason::reservation_planned:
    case WaitReason::reservation_full:
    case WaitReason::reservation_begins:
      return add_reservation(wait.subject);
    case WaitReason::named_host_closed:
    case WaitReason::named_host_full:
      return add_host({wait.subject});
    case WaitReason::start_failed:
      if (viewer_.is_operator) add_host({wait.subject});
      return;
    case WaitReason::no_host_up:
    case WaitReason::all_hosts_drained:
    case WaitReason::hosts_in_doubt:
      return add_closed_hosts();
    case WaitReason::ports:
    case WaitReason::volume:
    case WaitReason::still_running:
    case WaitReason::disk:
      if (const auto* node = draft_.view().node_named(cluster_id, wait.subject)) add_node(*node);
      return;
    default:
      return;
  }
}

std::vector<msg::TimelineStep> timeline_of(const StoredComputeset& stored) {
  std::vector<msg::TimelineStep> timeline{
      {.unix_s = stored.computeset.created_unix_s, .text = "accepted"}};
  for (const auto& step : stored.steps)
    timeline.push_back({.unix_s = step.unix_s,
                        .text = std::string(msg::name_of(step.state)) +
                                (step.reason.empty() ? std::string() : ": " + step.reason)});
  return timeline;
}

/// From its placement to its guest's boot, or to its end.
void add_steps(const StoredNode& node, std::vector<msg::TimelineStep>& timeline) {
  const auto add = [&](std::int64_t unix_s, const std::string& text) {
    if (unix_s > 0) timeline.push_back({.unix_s = unix_s, .text = text});
  };
  const auto& name = node.definition.name;
  for (const auto& failure : node.start_failures)
    add(failure.unix_s,
        name + " failed to start on host " + failure.host_id.value + ": " + failure.reason);
  if (node.host_id.empty()) return add(node.off_unix_s, name + " was off");
  add(node.placed_unix_s, name + " was placed on host " + node.host_id.value);
  add(node.running_unix_s, name + " ran: its guest boots");
}

msg::QueuePlace place_in_queue(const Draft& draft, const StoredComputeset& stored) {
  const Priorities priorities{draft};
  const auto priority = priorities.of(stored);
  msg::QueuePlace place{
      .priority = priority.value, .age = priority.age, .fair_share = priority.fair_share};
  for (const auto other : priorities.order()) {
    if (other == stored.computeset.computeset_id) break;
    if (choice_of(*draft.computeset(other)) == choice_of(stored)) ++place.ahead;
  }
  return place;
}

void explain_wait(Draft& draft, const StoredComputeset& stored, msg::Explanation& explanation) {
  if (stored.computeset.state != ComputesetState::submitted) return;
  explanation.expected_start_unix_s = stored.computeset.predicted_start_unix_s;
  if (draft.view().config().has_batch_system()) return;  // the order is its own
  explanation.queue = place_in_queue(draft, stored);
  const auto estimate = estimate_start(draft, stored.computeset.computeset_id);
  explanation.expected_start_unix_s = estimate.expected_unix_s;
  explanation.earliest_start_unix_s = estimate.earliest_unix_s;
  explanation.latest_start_unix_s = estimate.latest_unix_s;
}

}  // namespace

msg::Explanation explain_computeset(const View& view, const msg::Viewer& viewer,
                                    const StoredComputeset& stored, std::int64_t now_unix_ms) {
  Draft draft{view, now_unix_ms};
  Causes causes{draft, viewer};
  causes.add_computeset(stored);
  msg::Explanation explanation{.causes = causes.take(), .timeline = timeline_of(stored)};
  explain_wait(draft, stored, explanation);
  return explanation;
}

core::Result<msg::Explanation> explain_node(const View& view, const msg::ExplainNode& request,
                                            std::int64_t now_unix_ms) {
  const auto node = find_node(view, request.viewer, request.node);
  if (!node) return std::unexpected(node.error());
  Draft draft{view, now_unix_ms};
  Causes causes{draft, request.viewer};
  causes.add_node(**node);
  msg::Explanation explanation{.causes = causes.take()};
  if (const auto* stored = view.computeset((*node)->computeset_id)) {
    explanation.timeline = timeline_of(*stored);
    explain_wait(draft, *stored, explanation);
  }
  add_steps(**node, explanation.timeline);
  std::ranges::stable_sort(explanation.timeline, {}, &msg::TimelineStep::unix_s);
  return explanation;
}

core::Result<msg::Explanation> explain_host(const View& view, const msg::ExplainHost& request,
                                            std::int64_t now_unix_ms) {
  if (!view.host(request.host_id))
    return core::refuse(core::ErrorCode::not_found,
                        "no such host: " + msg::shown(request.host_id.value), "host_id");
  Draft draft{view, now_unix_ms};
  const msg::Viewer viewer{.is_operator = true};
  Causes causes{draft, viewer};
  causes.add_host(request.host_id);
  return msg::Explanation{.causes = causes.take()};
}

core::Result<msg::StartPlan> explain_start(const View& view, Backend& backend,
                                           const msg::StartComputeset& request,
                                           std::int64_t now_unix_ms) {
  auto plan = plan_start(view, backend, request, now_unix_ms);
  if (!plan) return std::unexpected(plan.error());
  const auto id = *plan->changes.computeset_count;
  Draft draft{view, now_unix_ms};
  draft.changes() = std::move(plan->changes);
  const auto stored = *draft.computeset(id);
  msg::StartPlan shown{
      .computeset = stored.computeset,
      .cores = stored.cores,
      .core_s_max = charge_core_s_max(stored),
      .left_core_s = left_core_s(Draft{view, now_unix_ms}, stored.computeset.allocation_id),
      .price = stored.price};
  for (const auto& node_id : stored.computeset.nodes)
    shown.names.push_back(draft.node(node_id)->definition.name);
  if (stored.computeset.state == ComputesetState::running) {
    for (const auto& node_id : stored.computeset.nodes)
      shown.hosts.push_back(draft.node(node_id)->host_id);
    shown.expected_start_unix_s = draft.now_unix_s();
  } else {
    Causes causes{draft, request.viewer};
    causes.add_computeset(stored);
    shown.causes = causes.take();
    shown.causes.front().subject = "this computeset";
    const auto estimate = estimate_start(draft, id);
    shown.expected_start_unix_s = estimate.expected_unix_s;
    shown.earliest_start_unix_s = estimate.earliest_unix_s;
    shown.latest_start_unix_s = estimate.latest_unix_s;
  }
  shown.computeset.computeset_id = 0;
  return shown;
}

}  // namespace nucleus::scheduler
