// Requests to hibernate and resume computesets, and what hosts keep for them.
#include "services/scheduler/plan/hibernation.hpp"

#include "services/scheduler/service.hpp"

namespace nucleus::scheduler {

namespace {

constexpr core::Milliseconds keep_timeout{10'000};
constexpr std::size_t keep_calls_max = 100;  // under way

}  // namespace

core::Result<msg::Computeset> Service::hibernate_computeset(const msg::HibernateComputeset& request,
                                                            core::Context& context) {
  auto plan = plan_hibernate(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  const auto computeset = plan->changes.computesets.at(request.computeset_id)->computeset;
  return ledger_.apply(std::move(*plan), computeset, context);
}

/// Those that wait are served first.
core::Result<msg::Computeset> Service::resume_computeset(const msg::ResumeComputeset& request,
                                                         core::Context& context) {
  run_requested_pass(context);
  auto plan = plan_resume(view_, *backend_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  const auto computeset = plan->changes.computesets.at(request.computeset_id)->computeset;
  return ledger_.apply(std::move(*plan), computeset, context);
}

/// Brings each host that is up what it is to keep, after each change of that and after each of its
/// own restarts, until it has deleted the rest.
void Service::keep_memories(core::Context&) {
  for (const auto& [host_id, host] : view_.hosts()) {
    if (keeping_memories_.size() >= keep_calls_max) return;
    if (host.state != msg::HostState::up || keeping_memories_.contains(host_id)) continue;
    auto request = memories_kept(view_, host);
    const auto kept = memories_kept_.find(host_id);
    if (kept != memories_kept_.end() && kept->second == request.memories) continue;
    keeping_memories_.insert(host_id);
    // The commit that dropped some may still fail: until it is durable, they stay.
    store_.when_durable(
        [this, request = std::move(request), to = host.process](const core::Result<void>& durable) {
          if (!durable) return void(keeping_memories_.erase(request.host_id));
          bus_.call<msg::KeepMemories>(request, {.to = to, .deadline = keep_timeout},
                                       [this, request](const core::Result<msg::Done>& done) {
                                         keeping_memories_.erase(request.host_id);
                                         if (done)
                                           memories_kept_[request.host_id] = request.memories;
                                       });
        });
  }
}

}  // namespace nucleus::scheduler
