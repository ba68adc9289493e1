// The scheduler gives hosts to nodes: to frontends when they are powered on, to computesets all at
// once. It alone writes hosts, placements, computesets and allocations. A handler plans on the view
// and hands the plan to the ledger. Everything here runs on the service's one loop.
#pragma once

#include <memory>

#include "core/runtime/runtime.hpp"
#include "messages/adapters.hpp"
#include "messages/allocations.hpp"
#include "messages/explanations.hpp"
#include "messages/hibernation.hpp"
#include "messages/host_classes.hpp"
#include "messages/image_store.hpp"
#include "messages/network.hpp"
#include "messages/plans.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"
#include "services/scheduler/backend.hpp"
#include "services/scheduler/batch_link.hpp"
#include "services/scheduler/config.hpp"
#include "services/scheduler/grants.hpp"
#include "services/scheduler/heartbeats.hpp"
#include "services/scheduler/host_saves.hpp"
#include "services/scheduler/ledger.hpp"
#include "services/scheduler/metrics.hpp"
#include "services/scheduler/usage.hpp"
#include "services/scheduler/view.hpp"

namespace nucleus::scheduler {

class Service {
 public:
  Service(core::Runtime& runtime, Config config);

  /// For the simulation, which checks it after every step.
  const View& view() const { return view_; }

 private:
  // reports.cpp
  core::Result<msg::HostLease> report_host(const msg::ReportHost& report, core::Context& context);
  core::Result<msg::DomainsReported> report_domains(const msg::ReportDomains& report,
                                                    core::Context& context);
  // service.cpp
  core::Result<msg::NodeStatus> power_node(const msg::PowerNode& request, core::Context& context);
  core::Result<msg::Done> power_nodes(const msg::PowerNodes& request, core::Context& context);
  core::Result<msg::Computeset> start_computeset(const msg::StartComputeset& request,
                                                 core::Context& context);
  void power_computeset(const msg::PowerComputeset& request, core::Context& context,
                        core::Responder<msg::Computeset> respond);
  core::Result<msg::Computeset> change_walltime(const msg::ChangeWalltime& request,
                                                core::Context& context);
  core::Result<msg::Computeset> grow_computeset(const msg::GrowComputeset& request,
                                                core::Context& context);
  core::Result<msg::Computeset> shrink_computeset(const msg::ShrinkComputeset& request,
                                                  core::Context& context);

  // hibernation.cpp
  core::Result<msg::Computeset> hibernate_computeset(const msg::HibernateComputeset& request,
                                                     core::Context& context);
  core::Result<msg::Computeset> resume_computeset(const msg::ResumeComputeset& request,
                                                  core::Context& context);
  void keep_memories(core::Context& context);
  /// The host may have memory that it was not told of.
  void forget_kept_memories(const msg::HostId& host_id);

  // service.cpp
  core::Result<msg::Allocation> define_allocation(const msg::DefineAllocation& request,
                                                  core::Context& context);

  core::Result<msg::Reservation> define_reservation(const msg::DefineReservation& request,
                                                    core::Context& context);
  core::Result<msg::Done> remove_reservation(const msg::RemoveReservation& request,
                                             core::Context& context);

  core::Result<void> handle_cluster_defined(const msg::ClusterDefined& event, core::Context&);
  core::Result<void> handle_node_defined(const msg::NodeDefined& event, core::Context&);
  core::Result<void> handle_cluster_removed(const msg::ClusterRemoved& event, core::Context&);
  core::Result<void> handle_node_removed(const msg::NodeRemoved& event, core::Context&);
  core::Result<void> handle_project_defined(const msg::ProjectDefined& event, core::Context&);
  core::Result<void> handle_project_removed(const msg::ProjectRemoved& event,
                                            core::Context& context);
  core::Result<void> handle_acknowledgement(const msg::AcknowledgementChanged& event,
                                            core::Context&);
  core::Result<void> handle_ports_leased(const msg::PortsLeased& event, core::Context&);
  core::Result<void> handle_volume_placed(const msg::VolumePlaced& event, core::Context&);

  void prove_ownership(core::Context& context);
  void sweep_hosts(core::Context& context);
  void end_walltimes(core::Context& context);
  void step_reservations(core::Context& context);
  void look_ahead(core::Context& context);  // budgets, and notices of ends and of idleness
  void announce(Plan plan, const core::Context& context);

  void load();
  void request_pass();
  void run_requested_pass(const core::Context& context);
  void show_counts();

  // disks.cpp
  core::Result<msg::NodeDisk> get_disk(const msg::GetDisk& request, core::Context& context);
  core::Result<msg::NodeDisk> change_disk(const msg::ChangeDisk& request, core::Context& context);
  void work_on_disks(core::Context& context);
  void begin_due_saves(const core::Context& context);
  void remove_disks(core::Context& context);

  // hosts.cpp
  core::Result<msg::Done> remove_host(const msg::RemoveHost& request, core::Context& context);
  core::Result<msg::Done> drain_host(const msg::DrainHost& request, core::Context& context);
  core::Result<msg::Host> classify_host(const msg::ClassifyHost& request, core::Context& context);
  core::Result<msg::HostClass> define_host_class(const msg::DefineHostClass& request,
                                                 core::Context& context);
  core::Result<msg::Done> remove_host_class(const msg::RemoveHostClass& request,
                                            core::Context& context);
  core::Result<msg::HostClasses> list_host_classes(const msg::ListHostClasses& request,
                                                   core::Context& context);

  core::Result<void> handle_partitions_joined(const msg::PartitionsJoined& event,
                                              core::Context& context);
  core::Result<void> handle_partitions_left(const msg::PartitionsLeft& event,
                                            core::Context& context);

  // lists.cpp
  core::Result<msg::Hosts> list_hosts(const msg::ListHosts& request, core::Context& context);
  core::Result<msg::ClusterIsolations> list_isolations(const msg::ListIsolations& request,
                                                       core::Context& context);
  msg::NodeStatus status_now(const StoredNode& node) const;
  core::Result<msg::NodeStatuses> list_node_statuses(const msg::ListNodeStatuses& request,
                                                     core::Context& context);
  void list_computesets(const msg::ListComputesets& request, core::Context& context,
                        core::Responder<msg::Computesets> respond);
  core::Result<msg::Allocations> list_allocations(const msg::ListAllocations& request,
                                                  core::Context& context);
  core::Result<msg::Reservations> list_reservations(const msg::ListReservations& request,
                                                    core::Context& context);
  void list_usage(const msg::ListUsage& request, core::Context& context,
                  core::Responder<msg::Usage> respond);
  void sum_usage(const msg::SumUsage& request, core::Context& context,
                 core::Responder<msg::UsageTotals> respond);
  void add_archived(const std::shared_ptr<UsageSums>& sums,
                    std::function<void(core::Result<void>)> done);

  // explanations.cpp
  void explain_computeset(const msg::ExplainComputeset& request, core::Context& context,
                          core::Responder<msg::Explanation> respond);
  core::Result<msg::Explanation> explain_node(const msg::ExplainNode& request,
                                              core::Context& context);
  core::Result<msg::Explanation> explain_host(const msg::ExplainHost& request,
                                              core::Context& context);
  void explain_start(const msg::PlanStart& request, core::Context& context,
                     core::Responder<msg::StartPlan> respond);
  core::Result<msg::StartPlan> explain_growth(const msg::PlanGrowth& request,
                                              core::Context& context);
  core::Result<msg::ChangePlan> plan_change(const msg::PlanChange& request, core::Context& context);

  /// The records of computesets, finished ones from the archive, in the order of `ids`.
  void read_computesets(const std::vector<msg::ComputesetId>& ids,
                        std::function<void(core::Result<std::vector<StoredComputeset>>)> done);

  core::Loop& loop_;
  core::Bus& bus_;
  core::Store& store_;
  Metrics metrics_;
  View view_;
  Heartbeats heartbeats_;
  GrantSender grants_;
  Ledger ledger_;
  std::unique_ptr<BatchLink> batch_link_;  // null without a batch system
  std::unique_ptr<Backend> backend_;
  std::set<msg::HostId> removing_disks_ = {};  // hosts with a call under way
  /// What a host was told to keep.
  struct MemoriesKept {
    std::uint64_t changes = 0;  // of what the host has, that were reported
    std::optional<std::vector<msg::SavedMemory>> confirmed = {};
    bool is_called = false;
  };
  std::map<msg::HostId, MemoriesKept> memories_kept_ = {};
  HostSaves host_saves_;
  std::set<std::string> asked_disk_works_ = {};  // that the image store accepted, or is asked for
  bool is_pass_requested_ = false;
  std::int64_t proved_ms_ = 0;  // steady; when a write last proved that this is the scheduler
};

}  // namespace nucleus::scheduler
