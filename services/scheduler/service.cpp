#include "services/scheduler/service.hpp"

#include <utility>

#include "core/log/log.hpp"
#include "messages/reservations.hpp"
#include "messages/text.hpp"
#include "services/scheduler/batch_backend.hpp"
#include "services/scheduler/driver/slurm.hpp"
#include "services/scheduler/embedded_backend.hpp"
#include "services/scheduler/guest_notices.hpp"
#include "services/scheduler/keys.hpp"
#include "services/scheduler/plan/allocations.hpp"
#include "services/scheduler/plan/budgets.hpp"
#include "services/scheduler/plan/computesets.hpp"
#include "services/scheduler/plan/definitions.hpp"
#include "services/scheduler/plan/domains.hpp"
#include "services/scheduler/plan/estimates.hpp"
#include "services/scheduler/plan/hosts.hpp"
#include "services/scheduler/plan/idle.hpp"
#include "services/scheduler/plan/lookups.hpp"
#include "services/scheduler/plan/pass.hpp"
#include "services/scheduler/plan/power.hpp"
#include "services/scheduler/plan/reservations.hpp"
#include "services/scheduler/plan/resize.hpp"
#include "services/scheduler/plan/start.hpp"
#include "services/scheduler/plan/walltime.hpp"
#include "services/scheduler/statuses.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;

namespace {

constexpr core::Milliseconds look_ahead_interval{1'000};
constexpr core::Milliseconds remove_disks_interval{2'000};
constexpr core::Milliseconds disk_work_interval{1'000};

template <class Id, class Record>
void read_all(const core::Store& store, const core::Key<Record>& prefix, Writes<Id, Record>& into,
              const std::function<Id(const Record&)>& id_of) {
  store.for_each<Record>(prefix, [&](const Record& record) { into[id_of(record)] = record; });
}

}  // namespace

Service::Service(core::Runtime& runtime, Config config)
    : loop_{runtime.loop},
      bus_{runtime.bus},
      store_{runtime.store},
      metrics_{runtime.metrics},
      view_{config},
      heartbeats_{config},
      grants_{bus_, store_, view_, heartbeats_, metrics_},
      ledger_{store_, view_, grants_, [this] { request_pass(); }},
      backend_{std::make_unique<EmbeddedBackend>()},
      host_saves_{bus_, store_, view_, ledger_} {
  if (config.has_batch_system()) {
    batch_link_ = std::make_unique<BatchLink>(runtime, view_, ledger_, metrics_,
                                              std::make_shared<Slurm>(config.slurm),
                                              [this] { request_pass(); });
    backend_ = std::make_unique<BatchBackend>(batch_link_->snapshot());
    bus_.every(core::Milliseconds{config.slurm.poll_ms}, *batch_link_, &BatchLink::look);
  }
  store_.on_loaded([this] { load(); });
  bus_.serve<msg::ReportHost>(*this, &Service::report_host);
  bus_.serve<msg::ReportDomains>(*this, &Service::report_domains);
  bus_.serve<msg::ListHosts>(*this, &Service::list_hosts);
  bus_.serve<msg::ListIsolations>(*this, &Service::list_isolations);
  bus_.serve<msg::DrainHost>(*this, &Service::drain_host);
  bus_.serve<msg::RemoveHost>(*this, &Service::remove_host);
  bus_.serve<msg::ClassifyHost>(*this, &Service::classify_host);
  bus_.serve<msg::DefineHostClass>(*this, &Service::define_host_class);
  bus_.serve<msg::RemoveHostClass>(*this, &Service::remove_host_class);
  bus_.serve<msg::ListHostClasses>(*this, &Service::list_host_classes);
  bus_.serve<msg::PowerNode>(*this, &Service::power_node);
  bus_.serve<msg::PowerNodes>(*this, &Service::power_nodes);
  bus_.serve<msg::GetDisk>(*this, &Service::get_disk);
  bus_.serve<msg::ChangeDisk>(*this, &Service::change_disk);
  bus_.serve<msg::ListNodeStatuses>(*this, &Service::list_node_statuses);
  bus_.serve<msg::StartComputeset>(*this, &Service::start_computeset);
  bus_.serve_later<msg::PowerComputeset>(*this, &Service::power_computeset);
  bus_.serve<msg::ChangeWalltime>(*this, &Service::change_walltime);
  bus_.serve<msg::GrowComputeset>(*this, &Service::grow_computeset);
  bus_.serve<msg::ShrinkComputeset>(*this, &Service::shrink_computeset);
  bus_.serve<msg::HibernateComputeset>(*this, &Service::hibernate_computeset);
  bus_.serve<msg::ResumeComputeset>(*this, &Service::resume_computeset);
  bus_.serve_later<msg::ListComputesets>(*this, &Service::list_computesets);
  bus_.serve_later<msg::ExplainComputeset>(*this, &Service::explain_computeset);
  bus_.serve<msg::ExplainNode>(*this, &Service::explain_node);
  bus_.serve<msg::ExplainHost>(*this, &Service::explain_host);
  bus_.serve_later<msg::PlanStart>(*this, &Service::explain_start);
  bus_.serve<msg::PlanGrowth>(*this, &Service::explain_growth);
  bus_.serve<msg::PlanChange>(*this, &Service::plan_change);
  bus_.serve<msg::DefineAllocation>(*this, &Service::define_allocation);
  bus_.serve<msg::ListAllocations>(*this, &Service::list_allocations);
  bus_.serve_later<msg::ListUsage>(*this, &Service::list_usage);
  bus_.serve_later<msg::SumUsage>(*this, &Service::sum_usage);
  bus_.serve<msg::DefineReservation>(*this, &Service::define_reservation);
  bus_.serve<msg::RemoveReservation>(*this, &Service::remove_reservation);
  bus_.serve<msg::ListReservations>(*this, &Service::list_reservations);
  bus_.subscribe<msg::ClusterDefined>(*this, &Service::handle_cluster_defined);
  bus_.subscribe<msg::NodeDefined>(*this, &Service::handle_node_defined);
  bus_.subscribe<msg::ClusterRemoved>(*this, &Service::handle_cluster_removed);
  bus_.subscribe<msg::NodeRemoved>(*this, &Service::handle_node_removed);
  bus_.subscribe<msg::ProjectDefined>(*this, &Service::handle_project_defined);
  bus_.subscribe<msg::ProjectRemoved>(*this, &Service::handle_project_removed);
  bus_.subscribe<msg::AcknowledgementChanged>(*this, &Service::handle_acknowledgement);
  bus_.subscribe<msg::PortsLeased>(*this, &Service::handle_ports_leased);
  bus_.subscribe<msg::PartitionsJoined>(*this, &Service::handle_partitions_joined);
  bus_.subscribe<msg::PartitionsLeft>(*this, &Service::handle_partitions_left);
  bus_.subscribe<msg::VolumePlaced>(*this, &Service::handle_volume_placed);
  const core::Milliseconds sweep{config.sweep_ms};
  bus_.every(sweep, *this, &Service::prove_ownership);
  bus_.every(sweep, *this, &Service::sweep_hosts);
  bus_.every(sweep, *this, &Service::step_reservations);
  bus_.every(sweep, *this, &Service::end_walltimes);
  bus_.every(look_ahead_interval, *this, &Service::look_ahead);
  bus_.every(remove_disks_interval, *this, &Service::remove_disks);
  bus_.every(remove_disks_interval, *this, &Service::keep_memories);
  bus_.every(disk_work_interval, *this, &Service::work_on_disks);
}

void Service::load() {
  Changes all;
  read_all<msg::ClusterId, StoredCluster>(
      store_, keys::clusters(), all.clusters,
      [](const StoredCluster& stored) { return stored.cluster.cluster_id; });
  read_all<msg::ProjectId, StoredProject>(
      store_, keys::projects(), all.projects,
      [](const StoredProject& stored) { return stored.project_id; });
  read_all<msg::ProjectId, StoredUnacknowledged>(
      store_, keys::all_unacknowledged(), all.unacknowledged,
      [](const StoredUnacknowledged& stored) { return stored.project_id; });
  read_all<msg::HostId, StoredHost>(store_, keys::hosts(), all.hosts,
                                    [](const StoredHost& stored) { return stored.host_id; });
  read_all<msg::NodeId, StoredNode>(store_, keys::nodes(), all.nodes, [](const StoredNode& stored) {
    return stored.definition.node_id;
  });
  read_all<msg::NodeId, StoredRemovedDisk>(
      store_, keys::removed_disks(), all.removed_disks,
      [](const StoredRemovedDisk& stored) { return stored.node_id; });
  read_all<msg::ComputesetId, StoredComputeset>(
      store_, keys::computesets(), all.computesets,
      [](const StoredComputeset& stored) { return stored.computeset.computeset_id; });
  read_all<msg::AllocationId, StoredAllocation>(
      store_, keys::allocations(), all.allocations,
      [](const StoredAllocation& stored) { return stored.allocation.allocation_id; });
  read_all<std::string, StoredReporter>(
      store_, keys::reporters(), all.reporters,
      [](const StoredReporter& stored) { return stored.process; });
  read_all<std::int64_t, StoredReservation>(
      store_, keys::reservations(), all.reservations,
      [](const StoredReservation& stored) { return stored.reservation.reservation_id; });
  read_all<std::string, StoredHostClass>(store_, keys::host_classes(), all.host_classes,
                                         [](const StoredHostClass& stored) { return stored.name; });
  if (const auto* count = store_.read(keys::computeset_count()))
    all.computeset_count = count->count;
  if (const auto* count = store_.read(keys::reservation_count()))
    all.reservation_count = count->count;
  if (const auto* waits = store_.read(keys::waits())) all.waits = *waits;
  std::vector<ComputesetSummary> finished;
  store_.for_each_archived<ComputesetSummary>(
      keys::computesets().name,
      [&](const std::string&, const ComputesetSummary& one) { finished.push_back(one); });
  asked_disk_works_.clear();
  for (const auto& [id, host] : all.hosts) forget_kept_memories(id);
  host_saves_.restart();
  heartbeats_.clear();
  for (const auto& [id, host] : all.hosts) heartbeats_.restart_lease(id, loop_.steady_ms());
  view_.load(std::move(all), finished);
  show_counts();
  request_pass();  // one that was due may have been lost with the process
}

/// At most one pass a loop turn, however many changes ask for one.
void Service::request_pass() {
  if (std::exchange(is_pass_requested_, true)) return;
  loop_.post([this] {
    if (store_.is_loaded()) return run_requested_pass(bus_.context());
    is_pass_requested_ = false;  // `load` asks for one
  });
}

void Service::run_requested_pass(const core::Context& context) {
  if (!std::exchange(is_pass_requested_, false)) return;
  (void)ledger_.apply(plan_pass(view_, *backend_, context.now_unix_ms()), context);
  show_counts();
}

void Service::show_counts() {
  metrics_.nodes_placed.Set(static_cast<double>(view_.placed_count()));
  metrics_.nodes_waiting.Set(static_cast<double>(view_.waiting_nodes().size()));
  metrics_.computesets_waiting.Set(static_cast<double>(view_.submitted().size()));
  metrics_.computesets_running.Set(static_cast<double>(view_.active().size()));
  if (const auto share = share_within(view_.waits().waits)) metrics_.starts_within.Set(*share);
}

core::Result<msg::NodeStatus> Service::power_node(const msg::PowerNode& request,
                                                  core::Context& context) {
  run_requested_pass(context);
  auto plan = plan_power_node(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  const auto& changes = plan->changes;
  const auto id = (*find_node(view_, request.viewer, request.node))->definition.node_id;
  const auto& node = *after(changes.nodes, id, view_.node(id));
  const auto set_id = node.computeset_id;
  const auto status = status_of(node, after(changes.computesets, set_id, view_.computeset(set_id)));
  return ledger_.apply(std::move(*plan), status, context);
}

core::Result<msg::Done> Service::power_nodes(const msg::PowerNodes& request,
                                             core::Context& context) {
  run_requested_pass(context);
  auto plan = plan_power_nodes(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  return ledger_.apply(std::move(*plan), msg::Done{}, context);
}

/// Those that wait are served first; then the new computeset may start immediately.
core::Result<msg::Computeset> Service::start_computeset(const msg::StartComputeset& request,
                                                        core::Context& context) {
  run_requested_pass(context);
  auto plan = plan_start(view_, *backend_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  const auto started = plan->changes.computesets.at(*plan->changes.computeset_count)->computeset;
  return ledger_.apply(std::move(*plan), started, context);
}

void Service::power_computeset(const msg::PowerComputeset& request, core::Context& context,
                               core::Responder<msg::Computeset> respond) {
  const auto id = request.computeset_id;
  auto plan = plan_power_computeset(view_, request, context.now_unix_ms());
  if (!plan) return respond(std::unexpected(plan.error()));
  if (const auto* stored = after(plan->changes.computesets, id, view_.computeset(id))) {
    const auto computeset = stored->computeset;
    return respond(ledger_.apply(std::move(*plan), computeset, context));
  }
  read_computesets({id}, [this, respond, later = context](
                             const core::Result<std::vector<StoredComputeset>>& finished) {
    if (!finished) return respond(std::unexpected(finished.error()));
    respond(ledger_.apply({}, finished->front().computeset, later));
  });
}

core::Result<msg::Computeset> Service::change_walltime(const msg::ChangeWalltime& request,
                                                       core::Context& context) {
  auto plan = plan_change_walltime(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  const auto computeset = plan->changes.computesets.at(request.computeset_id)->computeset;
  return ledger_.apply(std::move(*plan), computeset, context);
}

/// Those that wait are served first.
core::Result<msg::Computeset> Service::grow_computeset(const msg::GrowComputeset& request,
                                                       core::Context& context) {
  run_requested_pass(context);
  auto plan = plan_grow(view_, *backend_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  const auto computeset = plan->changes.computesets.at(request.computeset_id)->computeset;
  return ledger_.apply(std::move(*plan), computeset, context);
}

core::Result<msg::Computeset> Service::shrink_computeset(const msg::ShrinkComputeset& request,
                                                         core::Context& context) {
  auto plan = plan_shrink(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  const auto computeset = plan->changes.computesets.at(request.computeset_id)->computeset;
  return ledger_.apply(std::move(*plan), computeset, context);
}

core::Result<msg::Allocation> Service::define_allocation(const msg::DefineAllocation& request,
                                                         core::Context& context) {
  auto plan = plan_allocation(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  const auto allocation = allocation_shown(
      view_, *plan->changes.allocations.at(request.allocation_id), context.now_unix_s());
  return ledger_.apply(std::move(*plan), allocation, context);
}

core::Result<msg::Reservation> Service::define_reservation(const msg::DefineReservation& request,
                                                           core::Context& context) {
  auto plan = plan_reservation(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  // The last one: a new one has the highest id.
  const auto reservation = plan->changes.reservations.rbegin()->second->reservation;
  return ledger_.apply(std::move(*plan), reservation, context);
}

core::Result<msg::Done> Service::remove_reservation(const msg::RemoveReservation& request,
                                                    core::Context& context) {
  auto plan = plan_remove_reservation(view_, request, context.now_unix_ms());
  if (!plan) return std::unexpected(plan.error());
  return ledger_.apply(std::move(*plan), msg::Done{}, context);
}

core::Result<void> Service::handle_cluster_defined(const msg::ClusterDefined& event,
                                                   core::Context& context) {
  return ledger_.apply(plan_cluster_defined(view_, event, context.now_unix_ms()), context);
}

core::Result<void> Service::handle_node_defined(const msg::NodeDefined& event,
                                                core::Context& context) {
  return ledger_.apply(plan_node_defined(view_, event, context.now_unix_ms()), context);
}

core::Result<void> Service::handle_cluster_removed(const msg::ClusterRemoved& event,
                                                   core::Context& context) {
  return ledger_.apply(plan_cluster_removed(view_, event, context.now_unix_ms()), context);
}

core::Result<void> Service::handle_node_removed(const msg::NodeRemoved& event,
                                                core::Context& context) {
  return ledger_.apply(plan_node_removed(view_, event, context.now_unix_ms()), context);
}

core::Result<void> Service::handle_project_defined(const msg::ProjectDefined& event,
                                                   core::Context& context) {
  return ledger_.apply(plan_project_defined(view_, event, context.now_unix_ms()), context);
}

core::Result<void> Service::handle_project_removed(const msg::ProjectRemoved& event,
                                                   core::Context& context) {
  return ledger_.apply(plan_project_removed(view_, event, context.now_unix_ms()), context);
}

core::Result<void> Service::handle_acknowledgement(const msg::AcknowledgementChanged& event,
                                                   core::Context& context) {
  return ledger_.apply(plan_acknowledgement(view_, event, context.now_unix_ms()), context);
}

core::Result<void> Service::handle_ports_leased(const msg::PortsLeased& event,
                                                core::Context& context) {
  return ledger_.apply(plan_ports(view_, event, context.now_unix_ms()), context);
}

core::Result<void> Service::handle_volume_placed(const msg::VolumePlaced& event,
                                                 core::Context& context) {
  return ledger_.apply(plan_volume(view_, event, context.now_unix_ms()), context);
}

/// A scheduler that was stopped while another took over its name would still answer heartbeats, and
/// so extend leases that the other counts as over. Its write, even an empty one, fails in time.
void Service::prove_ownership(core::Context& context) {
  const auto now_ms = loop_.steady_ms();
  if (now_ms - proved_ms_ < view_.config().ownership_ms) return;
  proved_ms_ = now_ms;
  (void)store_.begin(context).commit();
}

void Service::sweep_hosts(core::Context& context) {
  const auto overdue = heartbeats_.overdue(loop_.steady_ms());
  if (!overdue.silent.empty())
    (void)ledger_.apply(plan_overdue_hosts(view_, overdue, context.now_unix_ms()), context);
  double up = 0;
  double broken = 0;
  double unchecked = 0;
  for (const auto& [id, host] : view_.hosts()) {
    if (host.isolation == msg::IsolationState::broken) ++broken;
    if (host.state != msg::HostState::up) continue;
    ++up;
    if (host.isolation == msg::IsolationState::unchecked) ++unchecked;
  }
  metrics_.hosts_isolation_broken.Set(broken);
  metrics_.hosts_isolation_unchecked.Set(unchecked);
  metrics_.hosts_up.Set(up);
  metrics_.hosts_unreachable.Set(static_cast<double>(view_.hosts().size()) - up);
  show_counts();
}

void Service::step_reservations(core::Context& context) {
  (void)ledger_.apply(plan_reservation_steps(view_, context.now_unix_ms()), context);
}

void Service::end_walltimes(core::Context& context) {
  (void)ledger_.apply(plan_walltime_ends(view_, context.now_unix_ms()), context);
}

void Service::announce(Plan plan, const core::Context& context) {
  const auto notices = notices_of(view_, plan);
  if (ledger_.apply(std::move(plan), context)) send_notices(bus_, view_, notices);
}

void Service::look_ahead(core::Context& context) {
  announce(plan_walltime_notices(view_, context.now_unix_ms()), context);
  announce(plan_idle(view_, heartbeats_, context.now_unix_ms()), context);
  (void)ledger_.apply(plan_budgets(view_, context.now_unix_ms()), context);
  (void)ledger_.apply(plan_names(view_, view_.take_renamed(), context.now_unix_ms()), context);
}

}  // namespace nucleus::scheduler
