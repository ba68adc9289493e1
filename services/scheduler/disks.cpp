// The scheduler's part in the disks of nodes: requests that work on them, which it passes on to the
// image store, and disks that hosts are to delete.
#include "services/scheduler/plan/disks.hpp"

#include "services/scheduler/plan/automatic_saves.hpp"
#include "services/scheduler/plan/disk_work.hpp"
#include "services/scheduler/plan/lookups.hpp"
#include "services/scheduler/service.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;

namespace {

constexpr core::Milliseconds remove_disks_timeout{60'000};
constexpr core::Milliseconds disk_work_timeout{10'000};

/// The image store has decided; anything else may be different the next time.
bool is_refusal(ErrorCode code) {
  return code == ErrorCode::wrong_state || code == ErrorCode::not_found ||
         code == ErrorCode::invalid_argument || code == ErrorCode::conflict;
}

}  // namespace

core::Result<msg::NodeDisk> Service::get_disk(const msg::GetDisk& request, core::Context&) {
  const auto node = find_node(view_, request.viewer, request.node);
  if (!node) return std::unexpected(node.error());
  return disk_of(**node);
}

core::Result<msg::NodeDisk> Service::change_disk(const msg::ChangeDisk& request,
                                                 core::Context& context) {
  auto plan = plan_disk_work(view_, request, context.new_id(), context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  const auto id = (*find_node(view_, request.viewer, request.node))->definition.node_id;
  const auto disk = disk_of(*plan->changes.nodes.at(id));
  auto reply = ledger_.apply(std::move(*plan), disk, context);
  work_on_disks(context);
  return reply;
}

void Service::begin_due_saves(const core::Context& context) {
  for (const auto plan_saves : {plan_due_saves, plan_periodic_saves}) {
    auto plan = plan_saves(view_, context.now_unix_ms());
    if (!plan.empty()) (void)ledger_.apply(std::move(plan), context);
  }
}

/// Begins saves that are due, and asks the image store for the work that is under way until it has
/// accepted it.
void Service::work_on_disks(core::Context&) {
  begin_due_saves(bus_.context());
  host_saves_.step();
  for (const auto& work : disk_works(view_)) {
    if (!asked_disk_works_.insert(work.work_id).second) continue;
    // The commit that recorded it may still fail: until it is durable, the disk stays.
    store_.when_durable([this, work](const core::Result<void>& durable) {
      if (!durable) return void(asked_disk_works_.erase(work.work_id));
      bus_.call<msg::WorkOnDisk>(
          work, {.deadline = disk_work_timeout}, [this, work](const core::Result<msg::Done>& done) {
            if (done) return;
            asked_disk_works_.erase(work.work_id);
            if (!is_refusal(done.error().code) || !store_.is_loaded()) return;
            const core::Context context = bus_.context();
            (void)ledger_.apply(
                plan_disk_work_ended(view_, work, done.error().detail, context.now_unix_ms()),
                context);
          });
    });
  }
}

/// Asks the hosts that are up to delete the disks of removed nodes, until they have.
void Service::remove_disks(core::Context&) {
  for (const auto& [host_id, host] : view_.hosts()) {
    auto nodes = disks_to_remove(view_, host_id);
    if (nodes.empty() || host.state != msg::HostState::up ||
        !removing_disks_.insert(host_id).second)
      continue;
    // The commit that removed the nodes may still fail: until it is durable, the disks stay.
    store_.when_durable([this, request = msg::RemoveVolumes{host_id, std::move(nodes)},
                         to = host.process](const core::Result<void>& durable) {
      if (!durable) return void(removing_disks_.erase(request.host_id));
      bus_.call<msg::RemoveVolumes>(
          request, {.to = to, .deadline = remove_disks_timeout},
          [this, host_id = request.host_id](const core::Result<msg::VolumesRemoved>& removed) {
            removing_disks_.erase(host_id);
            if (!removed || !store_.is_loaded()) return;
            const core::Context context = bus_.context();
            (void)ledger_.apply(plan_disks_removed(view_, host_id, *removed, context.now_unix_ms()),
                                context);
          });
    });
  }
}

}  // namespace nucleus::scheduler
