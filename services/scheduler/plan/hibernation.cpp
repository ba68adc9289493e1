#include "services/scheduler/plan/hibernation.hpp"

#include <algorithm>

#include "core/hostlist/hostlist.hpp"
#include "services/scheduler/plan/allocations.hpp"
#include "services/scheduler/plan/completion.hpp"
#include "services/scheduler/plan/finish.hpp"
#include "services/scheduler/plan/lookups.hpp"
#include "services/scheduler/plan/placements.hpp"
#include "services/scheduler/plan/start.hpp"
#include "services/scheduler/states/wait.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;
using msg::ComputesetState;
using msg::HibernationOutcome;

namespace {

std::string why_not_saved(const StoredNode& node) {
  const auto& name = node.definition.name;
  if (node.host_id.empty() || !node.is_grant_on) return {};  // it boots
  if (node.size.adapters > 0)
    return "node " + name + " has an adapter, whose state cannot be saved";
  if (msg::is_under_way(node.disk_work)) return "node " + name + ": " + text_of(node.disk_work);
  if (has_memory(node)) return "node " + name + " is still being resumed";
  return {};
}

std::unexpected<core::Error> wrong_state(msg::ComputesetId id, const std::string& why) {
  return core::refuse(ErrorCode::wrong_state, "computeset " + std::to_string(id) + " " + why,
                      "computeset_id");
}

/// Whether its project may run it again, and pay for it.
core::Result<void> check_resumable(const Draft& draft, const StoredComputeset& stored) {
  const auto& computeset = stored.computeset;
  if (auto signed_ = check_acknowledged(draft.view(), computeset.project_id); !signed_)
    return signed_;
  if (ran_s(computeset, draft.now_unix_s()) >= computeset.walltime_mins * 60)
    return core::refuse(ErrorCode::wrong_state, "its walltime is over: give it more first",
                        "computeset_id");
  return check_allocation(draft, computeset.allocation_id, 0);
}

void forget_memories(Draft& draft, const StoredComputeset& stored) {
  for (const auto& id : stored.computeset.nodes)
    if (const auto* node = draft.node(id); node && has_memory(*node)) draft.edit(id).memory = {};
}

}  // namespace

std::string why_not_hibernated(const View& view, const StoredComputeset& stored) {
  if (view.config().has_batch_system())
    return "cannot be hibernated: its hosts are its batch job's";
  if (stored.computeset.state != ComputesetState::running) return "is not running";
  for (const auto& id : stored.computeset.nodes)
    if (const auto* node = view.node(id))
      if (const auto why = why_not_saved(*node); !why.empty())
        return "cannot be hibernated: " + why;
  return {};
}

void hibernate_computeset(Draft& draft, msg::ComputesetId id, const std::string& reason) {
  StoredComputeset& stored = draft.edit(id);
  auto& computeset = stored.computeset;
  computeset.state = next_state(computeset.state, ComputesetEvent::suspended);
  computeset.reason = reason;
  computeset.idle_since_unix_s = 0;
  if (draft.occupancy(id).placed == 0) stored.off_unix_s = draft.now_unix_s();
  for (const auto& node_id : computeset.nodes)
    if (const auto* node = draft.node(node_id))
      save_memory(draft, node_id, std::to_string(id) + "-" + std::to_string(node->epoch));
}

void begin_hibernation(Draft& draft, msg::ComputesetId id) {
  StoredComputeset& stored = draft.edit(id);
  auto& computeset = stored.computeset;
  auto off_unix_s = std::max(stored.off_unix_s, stored.rates.back().from_unix_s);
  std::vector<std::string> booting;
  for (const auto& node_id : computeset.nodes) {
    const auto* node = draft.node(node_id);
    if (!node) continue;
    off_unix_s = std::max(off_unix_s, node->off_unix_s);
    if (!has_memory(*node)) booting.push_back(node->definition.name);
  }
  computeset.state = next_state(computeset.state, ComputesetEvent::vacated);
  computeset.hibernated_unix_s = off_unix_s;
  stored.rates.push_back({.from_unix_s = off_unix_s});
  if (booting.empty()) return;
  if (!computeset.reason.empty()) computeset.reason += "; ";
  computeset.reason +=
      "without the memory of " + core::hostlist::collect(booting) + ", which will boot from disk";
}

void end_hibernation(StoredComputeset& stored, std::int64_t now_unix_s) {
  auto& computeset = stored.computeset;
  computeset.hibernated_s += std::max<std::int64_t>(now_unix_s - computeset.hibernated_unix_s, 0);
  computeset.hibernated_unix_s = 0;
  stored.is_noticed = false;
}

void discard_hibernated(Draft& draft, msg::ComputesetId id, const std::string& reason) {
  StoredComputeset& stored = draft.edit(id);
  forget_memories(draft, stored);
  end_hibernation(stored, draft.now_unix_s());
  stored.off_unix_s = std::max(draft.now_unix_s(), stored.rates.back().from_unix_s);
  stored.wait = {};
  stored.computeset.predicted_start_unix_s = 0;
  stored.computeset.reason = reason;
  complete(draft, id, ComputesetEvent::discarded);
  draft.want_pass();
}

void take_hibernation(Draft& draft, StoredNode& node, const msg::DomainChanged& change) {
  if (change.hibernation == HibernationOutcome::unknown) return;
  if (!node.is_grant_on) {
    if (change.hibernation == HibernationOutcome::saved && !node.hibernation_id.empty())
      node.memory = {.hibernation_id = node.hibernation_id,
                     .host_id = node.host_id,
                     .bytes = change.memory_bytes};
    return;
  }
  // A host that cannot start it yet may still do so with its memory.
  if (!has_memory(node) || change.state != msg::DomainState::running) return;
  node.memory = {};
  if (change.hibernation == HibernationOutcome::failed && draft.computeset(node.computeset_id))
    draft.edit(node.computeset_id).computeset.reason =
        node.definition.name + " has booted from its disk: " + change.reason;
}

core::Result<Plan> plan_hibernate(const View& view, const msg::HibernateComputeset& request,
                                  std::int64_t now_unix_ms) {
  const auto id = request.computeset_id;
  if (!is_computeset_visible(view, request.viewer, id))
    return std::unexpected(no_such_computeset(id));
  const auto* stored = view.computeset(id);
  const auto why = stored ? why_not_hibernated(view, *stored) : "has ended";
  if (!why.empty()) return wrong_state(id, why);
  Draft draft{view, now_unix_ms};
  hibernate_computeset(draft, id, "");
  return finish(draft);
}

core::Result<Plan> plan_resume(const View& view, Backend& backend,
                               const msg::ResumeComputeset& request, std::int64_t now_unix_ms) {
  const auto id = request.computeset_id;
  if (!is_computeset_visible(view, request.viewer, id))
    return std::unexpected(no_such_computeset(id));
  const auto* before = view.computeset(id);
  if (before && before->computeset.state == ComputesetState::hibernating)
    return wrong_state(id, "is still being hibernated");
  if (!before || !is_hibernated(before->computeset)) return wrong_state(id, "is not hibernated");
  const bool is_waiting = before->computeset.state == ComputesetState::submitted;
  if (is_waiting && !request.discards_memory) return wrong_state(id, "waits to go on already");
  Draft draft{view, now_unix_ms};
  if (auto allowed = check_resumable(draft, *before); !allowed)
    return std::unexpected(allowed.error());
  StoredComputeset& stored = draft.edit(id);
  if (request.discards_memory) forget_memories(draft, stored);
  if (!is_waiting) {
    stored.computeset.state = next_state(stored.computeset.state, ComputesetEvent::resumed);
    stored.resumed_unix_s = draft.now_unix_s();
    stored.estimate = {};
  }
  backend.submit(draft, id);
  return finish(draft);
}

msg::KeepMemories memories_kept(const View& view, const StoredHost& host) {
  msg::KeepMemories request{.host_id = host.host_id};
  if (const auto* reporter = view.reporter(host.process)) {
    request.log_id = reporter->log_id;
    request.reported = reporter->number;
  }
  for (const auto& id : view.memories_on(host.host_id))
    request.memories.push_back(
        {.node_id = id, .hibernation_id = view.node(id)->memory.hibernation_id});
  return request;
}

}  // namespace nucleus::scheduler
