#include "services/scheduler/plan/preview.hpp"

#include <algorithm>
#include <tuple>

#include "services/scheduler/plan/allocations.hpp"
#include "services/scheduler/plan/hibernation.hpp"
#include "services/scheduler/plan/host_classes.hpp"
#include "services/scheduler/plan/hosts.hpp"
#include "services/scheduler/plan/power.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/plan/resize.hpp"
#include "services/scheduler/plan/walltime.hpp"
#include "services/scheduler/statuses.hpp"

namespace nucleus::scheduler {

namespace {

/// The plan of the request that is set.
class PlanOfRequest {
 public:
  PlanOfRequest(const View& view, std::int64_t now_unix_ms)
      : view_{view}, now_unix_ms_{now_unix_ms} {}

  template <class Request, class MakePlan>
  PlanOfRequest& or_else(const std::optional<Request>& request, MakePlan make_plan) {
    if (!request) return *this;
    ++count_;
    plan_ = make_plan(view_, *request, now_unix_ms_);
    return *this;
  }
  core::Result<Plan> take() {
    if (count_ == 1) return std::move(plan_);
    return core::refuse(core::ErrorCode::invalid_argument, "one request must be set");
  }

 private:
  const View& view_;
  std::int64_t now_unix_ms_;
  int count_ = 0;
  core::Result<Plan> plan_ = Plan{};
};

core::Result<Plan> plan_of(const View& view, Backend& backend, const msg::PlanChange& request,
                           std::int64_t now_unix_ms) {
  return PlanOfRequest{view, now_unix_ms}
      .or_else(request.walltime, plan_change_walltime)
      .or_else(request.power_computeset, plan_power_computeset)
      .or_else(request.shrink, plan_shrink)
      .or_else(request.power_node, plan_power_node)
      .or_else(request.power_nodes, plan_power_nodes)
      .or_else(request.drain, plan_drain)
      .or_else(request.allocation, plan_allocation)
      .or_else(request.reservation, plan_reservation)
      .or_else(request.remove_reservation, plan_remove_reservation)
      .or_else(request.remove_host, plan_remove_host)
      .or_else(request.classify_host, plan_classify_host)
      .or_else(request.host_class, plan_host_class)
      .or_else(request.remove_host_class, plan_remove_host_class)
      .or_else(request.hibernate, plan_hibernate)
      .or_else(request.resume,
               [&](const View& of, const msg::ResumeComputeset& resume, std::int64_t at_unix_ms) {
                 return plan_resume(of, backend, resume, at_unix_ms);
               })
      .take();
}

bool goes_on(const StoredComputeset& stored) {
  return !is_finished(stored.computeset.state) &&
         stored.computeset.state != msg::ComputesetState::ending;
}

class Preview {
 public:
  Preview(const View& view, const msg::Viewer& viewer, std::int64_t now_unix_ms)
      : view_{view}, viewer_{viewer}, now_unix_ms_{now_unix_ms} {}

  msg::ChangePlan of(const Changes& changes) {
    add_computesets(changes);
    for (const auto& [id, stored] : changes.allocations)
      if (stored && msg::sees(viewer_, stored->allocation.project_id))
        plan_.allocations.push_back(stored->allocation);
    for (const auto& [id, stored] : changes.reservations)
      if (stored)
        plan_.reservations.push_back(stored->reservation);
      else
        plan_.reservations_removed.push_back(view_.reservation(id)->reservation.name);
    add_hosts(changes);
    auto shown = shown_by(view_, changes);
    for (const auto& status : shown.nodes)
      if (msg::sees(viewer_, status.project_id)) add_node(changes, status);
    std::ranges::sort(plan_.nodes, {}, [](const msg::PlannedNode& node) {
      return std::tie(node.cluster_id, node.name);
    });
    if (viewer_.is_operator) plan_.hosts = std::move(shown.hosts);
    return std::move(plan_);
  }

 private:
  void add_computesets(const Changes& changes) {
    for (const auto& [id, stored] : changes.computesets) {
      if (!stored || !msg::sees(viewer_, stored->computeset.project_id)) continue;
      const auto* before = view_.computeset(id);
      if (before && before->computeset == stored->computeset) continue;
      plan_.computesets.push_back(stored->computeset);
      if (before && goes_on(*stored)) add_price(*before, *stored);
    }
  }
  void add_price(const StoredComputeset& before, const StoredComputeset& after) {
    plan_.more_core_s_max += charge_core_s_max(after) - charge_core_s_max(before);
    plan_.left_core_s = left_core_s(Draft{view_, now_unix_ms_}, before.computeset.allocation_id);
  }
  void add_hosts(const Changes& changes) {
    for (const auto& [id, stored] : changes.hosts)
      if (!stored && viewer_.is_operator) plan_.hosts_removed.push_back(id);
    for (const auto& [name, stored] : changes.host_classes)
      if (stored)
        plan_.host_classes.push_back(class_shown(view_, name, stored->price));
      else
        plan_.host_classes_removed.push_back(name);
  }
  void add_node(const Changes& changes, const msg::NodeStatus& status) {
    plan_.nodes.push_back({.name = changes.nodes.at(status.node_id)->definition.name,
                           .cluster_id = status.cluster_id,
                           .state = status.state,
                           .reason = status.reason,
                           .host_id = status.host_id});
  }

  const View& view_;
  const msg::Viewer& viewer_;
  std::int64_t now_unix_ms_;
  msg::ChangePlan plan_ = {};
};

}  // namespace

core::Result<msg::ChangePlan> preview(const View& view, Backend& backend,
                                      const msg::PlanChange& request, std::int64_t now_unix_ms) {
  const auto plan = plan_of(view, backend, request, now_unix_ms);
  if (!plan) return std::unexpected(plan.error());
  return Preview{view, request.viewer, now_unix_ms}.of(plan->changes);
}

}  // namespace nucleus::scheduler
