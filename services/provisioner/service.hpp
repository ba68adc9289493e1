// The provisioner reconciles the domains of its host with the grants the scheduler gave it, and
// reports their states. It is the only writer of these grants, and nothing else changes that host's
// domains. One process can simulate many hosts. Everything here runs on the service's one loop; the
// hypervisor is called on workers.
#pragma once

#include <memory>
#include <set>

#include "core/runtime/runtime.hpp"
#include "services/provisioner/consoles.hpp"
#include "services/provisioner/driver/measuring.hpp"
#include "services/provisioner/heartbeat.hpp"
#include "services/provisioner/isolation.hpp"
#include "services/provisioner/memory_requests.hpp"
#include "services/provisioner/reconciler.hpp"
#include "services/provisioner/volume_requests.hpp"

namespace nucleus::provisioner {

/// Pools of threads in addition to the process's own, which takes the place of a null one.
struct WorkerPools {
  std::shared_ptr<core::Workers> pings = {};   // pings the hypervisor, whatever else is under way
  std::shared_ptr<core::Workers> stops = {};   // destroys: never behind a create
  std::shared_ptr<core::Workers> guests = {};  // what a guest can delay: its agent, probes
  std::shared_ptr<core::Workers> saves = {};   // write and read the memory of domains
};

class Service {
 public:
  /// `hypervisor` and `leases` outlive the process's workers. Without `leases`, a new process has
  /// no lease until its first answer; without `guard`, the host has no switch to guard; without
  /// `volumes`, it uses the image store's files in place.
  Service(core::Runtime& runtime, Config config, std::shared_ptr<Hypervisor> hypervisor,
          WorkerPools pools = {}, std::shared_ptr<LeaseStore> leases = {},
          std::shared_ptr<SwitchGuard> guard = {}, std::shared_ptr<LocalVolumes> volumes = {},
          std::shared_ptr<AddressServers> addresses = {});
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// Asserts the invariants of all parts.
  void check() const;

 private:
  void serve_messages();
  core::Result<msg::Done> apply_grants(const msg::ApplyGrants& request, core::Context& context);
  void remove_volumes(const msg::RemoveVolumes& request, core::Context& context,
                      core::Responder<msg::VolumesRemoved> respond);
  void seal_disk(const msg::SealDisk& request, core::Context& context,
                 core::Responder<msg::SealedDisk> respond);
  void send_layer(const msg::SendLayer& request, core::Context& context,
                  core::Responder<msg::LayerSent> respond);
  void keep_memories(const msg::KeepMemories& request, core::Context& context,
                     core::Responder<msg::Done> respond);
  void check_console(const msg::CheckConsole& request, core::Context& context,
                     core::Responder<msg::ConsoleFound> respond);
  void stream_console(const msg::StreamConsole& request, core::Context& context,
                      core::Responder<msg::Done> respond);
  template <class Reply, class Work>
  void run_alone(const msg::NodeId& node_id, const core::Context& context, Work work,
                 core::Responder<Reply> respond);
  template <class Reply, class Work>
  void run_in_guest(const msg::NodeId& node_id, const core::Context& context, Work work,
                    core::Responder<Reply> respond);
  void probe_node(const msg::ProbeNode& request, core::Context& context,
                  core::Responder<msg::ProbeResult> respond);
  void notify_node(const msg::NotifyNode& request, core::Context& context,
                   core::Responder<msg::Done> respond);
  void run_measurement(const msg::RunMeasurement& request, core::Context& context,
                       core::Responder<msg::MeasurementRun> respond);
  void run_links(const msg::RunLinks& request, core::Context& context,
                 core::Responder<msg::LinksRun> respond);
  core::Result<MeasuredNode> measured_node(const msg::HostId& host_id,
                                           const msg::NodeId& node_id) const;
  void probe_host(const msg::ProbeHost& request, core::Context& context,
                  core::Responder<msg::ProbeResult> respond);

  void handle_loaded();
  void handle_link(const core::Result<void>& link);
  void handle_watch_change();
  void watch_leases();
  void beat(core::Context& context);
  void sweep(core::Context& context);
  void relist(core::Context& context);
  void look_at_usage(core::Context& context);
  void serve_volumes(core::Context& context);
  void serve_addresses(core::Context& context);
  void limit_console_logs();
  std::set<std::string> domain_names() const;
  void check_isolation_again(core::Context& context);
  void check_isolation(const msg::CheckIsolation& request, core::Context& context,
                       core::Responder<msg::HostIsolation> respond);
  core::Result<std::string> running_domain(const msg::NodeId& node_id) const;
  void begin_rounds();
  void register_driver_handlers();

  core::Loop& loop_;
  core::Bus& bus_;
  core::Store& store_;
  core::Workers& workers_;
  const Config config_;
  WorkerPools pools_;
  Metrics metrics_;
  std::shared_ptr<Hypervisor> hypervisor_;
  std::shared_ptr<LocalVolumes> volumes_;
  Grants grants_;
  Domains domains_;
  Leases leases_;
  HypervisorWatch watch_;
  Reporter reporter_;
  Isolation isolation_;
  Reconciler reconciler_;
  VolumeRequests volume_requests_;
  MemoryRequests memory_requests_;
  Consoles consoles_;
  std::unique_ptr<UsageWatch> usage_;  // null = the driver's domains are no guests
  AdapterWatch adapters_{loop_, workers_, config_, metrics_};
  Heartbeat heartbeat_;
  std::set<msg::NodeId> probed_ = {};  // one probe at a time in each guest
  // Carries reports of the driver's threads to the loop; ends first, so that none arrives later.
  std::shared_ptr<Service*> self_ = std::make_shared<Service*>(this);
};

}  // namespace nucleus::provisioner
