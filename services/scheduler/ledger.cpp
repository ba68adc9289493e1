#include "services/scheduler/ledger.hpp"

#include "core/assert.hpp"
#include "core/log/log.hpp"
#include "messages/adapters.hpp"
#include "services/scheduler/keys.hpp"
#include "services/scheduler/plan/budgets.hpp"
#include "services/scheduler/plan/host_classes.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/statuses.hpp"

namespace nucleus::scheduler {

namespace {

template <class Id, class Record, class KeyOf>
void write_all(core::Transaction& transaction, const Writes<Id, Record>& writes, KeyOf key_of) {
  for (const auto& [id, record] : writes)
    if (record)
      transaction.write(key_of(id), *record);
    else
      transaction.remove(key_of(id));
}

/// A finished one leaves memory.
void write_computesets(core::Transaction& transaction,
                       const Writes<msg::ComputesetId, StoredComputeset>& computesets) {
  for (const auto& [id, stored] : computesets)
    if (is_finished(stored->computeset.state))
      transaction.archive(keys::computeset(id), summary_of(*stored), *stored);
    else
      transaction.write(keys::computeset(id), *stored);
}

/// Gives each host whose grants change its next revision, and the changed grants with it.
void count_revisions(Plan& plan, const View& view) {
  auto& changes = plan.changes;
  for (const auto& [host_id, nodes] : plan.grants) {
    auto& host = changes.hosts.try_emplace(host_id, *view.host(host_id)).first->second;
    ++host->revision;
    for (const auto& id : nodes) changes.nodes.at(id)->revision = host->revision;
  }
}

/// A step counts once, until its allocation falls below it.
void emit_allocation(core::Transaction& transaction, const StoredAllocation* before,
                     const msg::Allocation& allocation) {
  const bool is_taken = before && !before->allocation.project_id.empty() &&
                        before->allocation.project_id != allocation.project_id;
  if (is_taken) transaction.emit(msg::AllocationRemoved{before->allocation});
  transaction.emit(msg::AllocationChanged{allocation});
  const auto percent_before = before ? before->allocation.percent_reached : 0;
  const auto* step = step_reached(allocation);
  if (!step || step->percent <= percent_before) return;
  transaction.emit(msg::BudgetReached{.allocation = allocation, .step = *step});
  core::log::warning("budget_reached", {{"allocation", allocation.allocation_id.value},
                                        {"percent", step->percent},
                                        {"action", msg::name_of(step->action)}});
}

/// Everybody sees maintenance windows.
msg::ProjectId seen_by(const msg::Reservation& reservation) {
  return reservation.project_id.empty() ? msg::ProjectId{"public"} : reservation.project_id;
}

/// One that is another project's now is removed for the former one.
void emit_reservations(core::Transaction& transaction, const View& view, const Changes& changes) {
  for (const auto& [id, stored] : changes.reservations) {
    const auto* before = view.reservation(id);
    if (before && (!stored || stored->reservation.project_id != before->reservation.project_id))
      transaction.emit(msg::ReservationRemoved{.project_id = seen_by(before->reservation),
                                               .reservation = before->reservation});
    if (stored)
      transaction.emit(msg::ReservationChanged{.project_id = seen_by(stored->reservation),
                                               .reservation = stored->reservation});
  }
}

/// Everybody sees them.
void emit_host_classes(core::Transaction& transaction, const View& view, const Changes& changes) {
  for (const auto& [name, stored] : changes.host_classes)
    if (stored)
      transaction.emit(msg::HostClassChanged{.project_id = {"public"},
                                             .host_class = class_shown(view, name, stored->price)});
    else
      transaction.emit(msg::HostClassRemoved{.project_id = {"public"}, .name = name});
}

/// A placement's adapters are leased with its epoch, and released when it ends.
void emit_adapters(core::Transaction& transaction, const View& view, const Changes& changes) {
  for (const auto& [id, node] : changes.nodes) {
    const auto* before = view.node(id);
    const bool has_ended = before && !before->adapters.empty() &&
                           (!node || node->adapters.empty() || node->epoch != before->epoch);
    if (has_ended)
      transaction.emit(msg::AdaptersReleased{.node_id = id,
                                             .cluster_id = before->definition.cluster_id,
                                             .project_id = before->definition.project_id,
                                             .epoch = before->epoch});
    const bool has_begun = node && !node->adapters.empty() &&
                           (!before || before->adapters.empty() || node->epoch != before->epoch);
    if (has_begun)
      transaction.emit(msg::AdaptersLeased{.node_id = id,
                                           .cluster_id = node->definition.cluster_id,
                                           .project_id = node->definition.project_id,
                                           .epoch = node->epoch,
                                           .adapters = node->adapters});
  }
}

void log(const Shown& shown) {
  for (const auto& computeset : shown.computesets)
    core::log::info("computeset_changed", {{"computeset", computeset.computeset_id},
                                           {"state", msg::name_of(computeset.state)},
                                           {"reason", computeset.reason}});
  for (const auto& host : shown.hosts)
    core::log::info("host_changed", {{"host", host.host_id.value},
                                     {"state", msg::name_of(host.state)},
                                     {"reason", host.reason}});
  for (const auto& isolation : shown.isolations)
    core::log::warning("cluster_isolation_changed", {{"cluster", isolation.cluster_id.value},
                                                     {"state", msg::name_of(isolation.state)},
                                                     {"reason", isolation.reason}});
}

}  // namespace

core::Transaction Ledger::write(Plan& plan, const core::Context& context) {
  count_revisions(plan, view_);
  auto transaction = store_.begin(context);
  const auto& changes = plan.changes;
  write_all(transaction, changes.clusters, keys::cluster);
  write_all(transaction, changes.projects, keys::project);
  write_all(transaction, changes.unacknowledged, keys::unacknowledged);
  write_all(transaction, changes.hosts, keys::host);
  write_all(transaction, changes.nodes, keys::node);
  write_all(transaction, changes.removed_disks, keys::removed_disk);
  write_computesets(transaction, changes.computesets);
  write_all(transaction, changes.allocations, keys::allocation);
  write_all(transaction, changes.reporters, keys::reporter);
  write_all(transaction, changes.reservations, keys::reservation);
  write_all(transaction, changes.host_classes, keys::host_class);
  if (changes.computeset_count)
    transaction.write(keys::computeset_count(), StoredCount{*changes.computeset_count});
  if (changes.reservation_count)
    transaction.write(keys::reservation_count(), StoredCount{*changes.reservation_count});
  if (changes.waits) transaction.write(keys::waits(), *changes.waits);
  for (const auto& change : plan.observed) transaction.emit(msg::DomainChanged{change});
  const auto shown = shown_by(view_, changes);
  for (const auto& computeset : shown.computesets)
    transaction.emit(msg::ComputesetChanged{computeset});
  for (const auto& host : shown.hosts) transaction.emit(msg::HostChanged{host});
  for (const auto& [id, stored] : changes.hosts)
    if (!stored) transaction.emit(msg::HostRemoved{id});
  for (const auto& node : shown.nodes) transaction.emit(msg::NodeChanged{node});
  for (const auto& id : plan.shown_again)
    if (const auto* node = view_.node(id); node && !changes.nodes.contains(id))
      transaction.emit(msg::NodeChanged{status_of(*node, view_.computeset(node->computeset_id))});
  for (const auto& isolation : shown.isolations) transaction.emit(msg::IsolationChanged{isolation});
  for (const auto& [id, stored] : changes.allocations)
    if (stored) emit_allocation(transaction, view_.allocation(id), stored->allocation);
  for (const auto& [id, stored] : changes.computesets) {
    const auto* before = view_.computeset(id);
    if (before && stored && stored->is_noticed && !before->is_noticed)
      transaction.emit(msg::WalltimeNotice{.computeset = stored->computeset,
                                           .end_unix_s = end_unix_s(view_, *stored)});
    if (before && stored && stored->computeset.idle_since_unix_s != 0 &&
        before->computeset.idle_since_unix_s == 0)
      transaction.emit(msg::ComputesetIdle{stored->computeset});
  }
  emit_adapters(transaction, view_, changes);
  emit_reservations(transaction, view_, changes);
  emit_host_classes(transaction, view_, changes);
  if (store_.is_loaded()) log(shown);
  return transaction;
}

void Ledger::follow(Plan plan) {
  view_.apply(std::move(plan.changes));
#ifndef NDEBUG
  NUCLEUS_ASSERT(view_.check().empty());
#endif
  for (const auto& [host_id, nodes] : plan.grants) grants_.send(host_id, nodes);
  if (plan.wants_pass) want_pass_();
}

core::Result<void> Ledger::apply(Plan plan, const core::Context& context) {
  if (plan.empty()) return {};
  auto transaction = write(plan, context);
  auto committed = transaction.commit();
  if (committed) follow(std::move(plan));
  return committed;
}

}  // namespace nucleus::scheduler
