// Questions that change nothing: why something is in its state, and what a start would do.
#include "services/scheduler/plan/explain.hpp"
#include "services/scheduler/plan/lookups.hpp"
#include "services/scheduler/plan/resize.hpp"
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

core::Result<msg::StartPlan> Service::explain_start(const msg::PlanStart& request,
                                                    core::Context& context) {
  return scheduler::explain_start(view_, *backend_, request.start, context.now_unix_ms());
}

core::Result<msg::StartPlan> Service::explain_growth(const msg::PlanGrowth& request,
                                                     core::Context& context) {
  return scheduler::explain_growth(view_, *backend_, request.grow, context.now_unix_ms());
}

}  // namespace nucleus::scheduler
