// Questions that change nothing: why something is in its state, and what a request would do.
#include "services/scheduler/plan/explain.hpp"
#include "services/scheduler/plan/lookups.hpp"
#include "services/scheduler/plan/preview.hpp"
#include "services/scheduler/plan/resize.hpp"
#include "services/scheduler/plan/start.hpp"
#include "services/scheduler/service.hpp"

namespace nucleus::scheduler {

void Service::explain_computeset(const msg::ExplainComputeset& request, core::Context& context,
                                 core::Responder<msg::Explanation> respond) {
  const auto id = request.computeset_id;
  if (!is_computeset_visible(view_, request.viewer, id))
    return respond(std::unexpected(no_such_computeset(id)));
  read_computesets(
      {id}, [this, respond, viewer = request.viewer, now_unix_ms = context.now_unix_ms()](
                const core::Result<std::vector<StoredComputeset>>& found) {
        if (!found) return respond(std::unexpected(found.error()));
        respond(scheduler::explain_computeset(view_, viewer, found->front(), now_unix_ms));
      });
}

core::Result<msg::Explanation> Service::explain_node(const msg::ExplainNode& request,
                                                     core::Context& context) {
  return scheduler::explain_node(view_, request, context.now_unix_ms());
}

core::Result<msg::Explanation> Service::explain_host(const msg::ExplainHost& request,
                                                     core::Context& context) {
  return scheduler::explain_host(view_, request, context.now_unix_ms());
}

/// With a batch system, only that knows when the computeset's job would start.
void Service::explain_start(const msg::PlanStart& request, core::Context& context,
                            core::Responder<msg::StartPlan> respond) {
  const auto now_unix_ms = context.now_unix_ms();
  auto shown = scheduler::explain_start(view_, *backend_, request.start, now_unix_ms);
  if (!shown || !batch_link_) return respond(std::move(shown));
  auto start = plan_start(view_, *backend_, request.start, now_unix_ms);
  if (!start) return respond(std::unexpected(start.error()));
  auto job = job_of_start(view_, batch_link_->snapshot(), std::move(*start), now_unix_ms);
  if (!job) return respond(std::move(shown));
  batch_link_->expect_start(
      std::move(*job), [shown = std::move(*shown), respond](const core::Result<std::int64_t>& at) {
        auto plan = shown;
        plan.expected_start_unix_s = at.value_or(0);
        if (!at && !plan.causes.empty())
          plan.causes.front().reason =
              at.error().code == core::ErrorCode::invalid_argument
                  ? "the batch system would refuse its job: " + at.error().detail
                  : at.error().detail;
        respond(std::move(plan));
      });
}

core::Result<msg::StartPlan> Service::explain_growth(const msg::PlanGrowth& request,
                                                     core::Context& context) {
  return scheduler::explain_growth(view_, *backend_, request.grow, context.now_unix_ms());
}

core::Result<msg::ChangePlan> Service::plan_change(const msg::PlanChange& request,
                                                   core::Context& context) {
  return preview(view_, *backend_, request, context.now_unix_ms());
}

}  // namespace nucleus::scheduler
