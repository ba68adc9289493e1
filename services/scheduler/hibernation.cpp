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

void Service::forget_kept_memories(const msg::HostId& host_id) {
  auto& kept = memories_kept_[host_id];
  ++kept.changes;
  kept.confirmed.reset();
}

/// Brings each host that is up what it is to keep, after each change of that, and until it has
/// deleted the rest.
void Service::keep_memories(core::Context&) {
  std::size_t calls = 0;
  for (const auto& [host_id, host] : view_.hosts()) {
    auto& kept = memories_kept_[host_id];
    calls += kept.is_called ? 1 : 0;
    if (host.state != msg::HostState::up || kept.is_called || calls >= keep_calls_max) continue;
    auto request = memories_kept(view_, host);
    if (kept.confirmed == request.memories) continue;
    ++calls;
    kept.is_called = true;
    kept.confirmed.reset();
    // The commit that dropped some may still fail: until it is durable, they stay.
    store_.when_durable([this, request = std::move(request), to = host.process,
                         changes = kept.changes](const core::Result<void>& durable) {
      if (!durable) return void(memories_kept_[request.host_id].is_called = false);
      bus_.call<msg::KeepMemories>(request, {.to = to, .deadline = keep_timeout},
                                   [this, request, changes](const core::Result<msg::Done>& done) {
                                     auto& of_host = memories_kept_[request.host_id];
                                     of_host.is_called = false;
                                     if (done && of_host.changes == changes)
                                       of_host.confirmed = request.memories;
                                   });
    });
  }
}

}  // namespace nucleus::scheduler
