#include "services/provisioner/service.hpp"

#include <algorithm>

#include "services/provisioner/driver/guest_notice.hpp"
#include "services/provisioner/driver/probes.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;

namespace {

constexpr std::size_t guest_probes_max = 64;  // under way or waiting for a thread, in all guests
constexpr core::Milliseconds console_log_interval{5'000};
constexpr core::Milliseconds list_interval{30'000};
constexpr core::Milliseconds isolation_interval{2'000};
constexpr core::Milliseconds adapters_interval{5'000};
constexpr core::Milliseconds serve_interval{1'000};

core::Workers& pool_or(const std::shared_ptr<core::Workers>& pool, core::Workers& otherwise) {
  return pool ? *pool : otherwise;
}

/// After a start, or after events may have been missed, until the hypervisor's next list.
std::unexpected<core::Error> domains_unknown() {
  return core::refuse(ErrorCode::unavailable, "the host's domains are not known yet");
}

core::Milliseconds time_left(const core::Context& context) {
  return core::Milliseconds{context.deadline_unix_ms() - context.now_unix_ms()};
}

}  // namespace

Service::Service(core::Runtime& runtime, Config config, std::shared_ptr<Hypervisor> hypervisor,
                 WorkerPools pools, std::shared_ptr<LeaseStore> leases,
                 std::shared_ptr<SwitchGuard> guard, std::shared_ptr<LocalVolumes> volumes,
                 std::shared_ptr<AddressServers> addresses)
    : loop_{runtime.loop},
      bus_{runtime.bus},
      store_{runtime.store},
      workers_{runtime.workers},
      config_{std::move(config)},
      pools_{std::move(pools)},
      metrics_{runtime.metrics},
      hypervisor_{std::move(hypervisor)},
      volumes_{std::move(volumes)},
      grants_{store_, config_},
      leases_{loop_, workers_, std::move(leases), config_.hosts},
      watch_{loop_,
             {.pings = pool_or(pools_.pings, workers_), .startup = workers_},
             config_,
             hypervisor_,
             metrics_,
             {.on_change = [this] { handle_watch_change(); },
              .on_answer =
                  [this] {
                    if (!domains_.is_listed()) reconciler_.list_domains();
                  }}},
      reporter_{loop_, bus_, store_, grants_},
      isolation_{{.loop = loop_,
                  .workers = workers_,
                  .config = config_,
                  .grants = grants_,
                  .leases = leases_,
                  .watch = watch_,
                  .metrics = metrics_,
                  .guard = std::move(guard),
                  .is_loaded = [this] { return store_.is_loaded(); },
                  .on_change = [this] { heartbeat_.beat(); }}},
      reconciler_{{.loop = loop_,
                   .bus = bus_,
                   .store = store_,
                   .config = config_,
                   .metrics = metrics_,
                   .hypervisor = hypervisor_,
                   .grants = grants_,
                   .domains = domains_,
                   .leases = leases_,
                   .watch = watch_,
                   .reporter = reporter_,
                   .volumes = volumes_,
                   .addresses = addresses,
                   .on_created = [this] { isolation_.check(); }},
                  {.steps = workers_,
                   .stops = pool_or(pools_.stops, workers_),
                   .guests = pool_or(pools_.guests, workers_),
                   .saves = pool_or(pools_.saves, workers_)}},
      volume_requests_{
          {loop_, workers_, config_, grants_, domains_, leases_, volumes_, hypervisor_}},
      memory_requests_{
          {loop_, workers_, config_, grants_, domains_, leases_, reporter_, hypervisor_}},
      consoles_{{.loop = loop_,
                 .workers = workers_,
                 .config = config_,
                 .store = store_,
                 .grants = grants_,
                 .domains = domains_,
                 .watch = watch_,
                 .hypervisor = hypervisor_}},
      usage_{config_.driver.has_guests ? std::make_unique<UsageWatch>(UsageWatch::Sources{
                                             .loop = loop_,
                                             .workers = pool_or(pools_.guests, workers_),
                                             .config = config_,
                                             .grants = grants_,
                                             .hypervisor = hypervisor_,
                                             .registry = runtime.metrics})
                                       : nullptr},
      heartbeat_{loop_,
                 bus_,
                 {.config = config_,
                  .grants = grants_,
                  .watch = watch_,
                  .leases = leases_,
                  .reporter = reporter_,
                  .isolation = isolation_,
                  .adapters = adapters_,
                  .usage = usage_.get(),
                  .volumes = volumes_}} {
  register_driver_handlers();
  store_.on_loaded([this] { handle_loaded(); });
  serve_messages();
  begin_rounds();
  watch_.start();
}

Service::~Service() {
  hypervisor_->on_event({});
  hypervisor_->on_link({});
  *self_ = nullptr;
  pools_ = {};  // their last work ends before the objects it uses
}

void Service::check() const {
  domains_.check();
  leases_.check();
  if (store_.is_loaded()) grants_.check();
}

void Service::serve_messages() {
  bus_.serve<msg::ApplyGrants>(*this, &Service::apply_grants);
  bus_.serve_later<msg::RemoveVolumes>(*this, &Service::remove_volumes);
  bus_.serve_later<msg::KeepMemories>(*this, &Service::keep_memories);
  bus_.serve_later<msg::SealDisk>(*this, &Service::seal_disk);
  bus_.serve_later<msg::SendLayer>(*this, &Service::send_layer);
  bus_.serve_later<msg::CheckConsole>(*this, &Service::check_console);
  bus_.serve_later<msg::StreamConsole>(*this, &Service::stream_console);
  bus_.serve_later<msg::ProbeNode>(*this, &Service::probe_node);
  bus_.serve_later<msg::ProbeHost>(*this, &Service::probe_host);
  bus_.serve_later<msg::NotifyNode>(*this, &Service::notify_node);
  bus_.serve_later<msg::RunMeasurement>(*this, &Service::run_measurement);
  bus_.serve_later<msg::RunLinks>(*this, &Service::run_links);
  bus_.serve_later<msg::CheckIsolation>(*this, &Service::check_isolation);
}

void Service::begin_rounds() {
  bus_.every(core::Milliseconds{config_.heartbeat_ms}, *this, &Service::beat);
  bus_.every(core::Milliseconds{config_.ping_ms}, *this, &Service::sweep);
  bus_.every(list_interval, *this, &Service::relist);
  bus_.every(adapters_interval, adapters_, &AdapterWatch::look);
  if (volumes_) bus_.every(serve_interval, *this, &Service::serve_volumes);
  bus_.every(serve_interval, *this, &Service::serve_addresses);
  bus_.every(isolation_interval, *this, &Service::check_isolation_again);
  if (usage_) bus_.every(core::Milliseconds{config_.usage_ms}, *this, &Service::look_at_usage);
  if (config_.driver.has_guests) limit_console_logs();
  // A lease ends, and domains are stopped, whether or not the store is loaded.
  watch_leases();
}

void Service::register_driver_handlers() {
  hypervisor_->on_event([self = self_, &loop = loop_](const DomainSeen& seen) {
    loop.post([self, seen] {
      if (*self) (*self)->reconciler_.observe(seen);
    });
  });
  hypervisor_->on_link([self = self_, &loop = loop_](const core::Result<void>& link) {
    loop.post([self, link] {
      if (*self) (*self)->handle_link(link);
    });
  });
}

core::Result<msg::Done> Service::apply_grants(const msg::ApplyGrants& request,
                                              core::Context& context) {
  const auto& host_id = request.host_id;
  if (!leases_.contains(host_id))
    return core::refuse(ErrorCode::not_found, "no such host: " + msg::shown(host_id.value),
                        "host_id");
  if (!request.machine_id.empty() && request.machine_id != leases_.machine_id())
    return core::refuse(ErrorCode::wrong_state,
                        "host " + host_id.value + " is bound to another machine", "machine_id");
  GrantsView view = grants_.view(request);
  view.boot_id = leases_.boot_id(host_id);
  view.lease_revision = leases_.revision(host_id);
  view.is_scheduler_trusted = leases_.is_scheduler_trusted(host_id);
  for (auto& [node_id, known] : view.known)
    known.is_domain_present = domains_.find(known.stored->domain_uuid) != nullptr;
  const GrantsPlan plan = plan_grants(view, request, config_);

  auto tx = store_.begin(context);
  grants_.apply(tx, host_id, plan);
  if (plan.is_complete) leases_.set_complete(host_id);
  auto reply = tx.commit(msg::Done{});
  for (const auto& node_id : plan.new_epochs) domains_.work({host_id, node_id}).begin_epoch();
  // The scheduler's record is durable already: the first step need not wait for this one.
  for (const auto& stored : plan.writes) {
    domains_.work({host_id, stored.grant.node_id}).retry_now();
    reconciler_.reconcile({host_id, stored.grant.node_id});
  }
  // Other lists take no grant away.
  if (plan.is_complete) reconciler_.destroy_ungranted();
  return reply;
}

void Service::remove_volumes(const msg::RemoveVolumes& request, core::Context&,
                             core::Responder<msg::VolumesRemoved> respond) {
  volume_requests_.remove(request, std::move(respond));
}

void Service::keep_memories(const msg::KeepMemories& request, core::Context&,
                            core::Responder<msg::Done> respond) {
  memory_requests_.keep(request, std::move(respond));
}

void Service::seal_disk(const msg::SealDisk& request, core::Context&,
                        core::Responder<msg::SealedDisk> respond) {
  volume_requests_.seal(request, std::move(respond));
}

void Service::send_layer(const msg::SendLayer& request, core::Context&,
                         core::Responder<msg::LayerSent> respond) {
  volume_requests_.send_layer(request, std::move(respond));
}

/// The domain of a node that runs on one of this process's hosts.
core::Result<std::string> Service::running_domain(const msg::NodeId& node_id) const {
  for (const auto& host_id : config_.hosts) {
    const auto* stored = grants_.find({host_id, node_id});
    if (stored && stored->phase != GrantPhase::ended && domains_.find(stored->domain_uuid))
      return stored->domain_name;
  }
  if (!store_.is_loaded() || !domains_.is_listed()) return domains_unknown();
  return core::refuse(ErrorCode::wrong_state, "The VM is not running");
}

void Service::check_console(const msg::CheckConsole& request, core::Context&,
                            core::Responder<msg::ConsoleFound> respond) {
  consoles_.check(request, std::move(respond));
}

void Service::stream_console(const msg::StreamConsole& request, core::Context&,
                             core::Responder<msg::Done> respond) {
  consoles_.stream(request, std::move(respond));
}

/// Runs `work` on a thread that guests may delay, one at a time for each node. The host itself has
/// the empty name.
template <class Reply, class Work>
void Service::run_alone(const msg::NodeId& node_id, const core::Context& context, Work work,
                        core::Responder<Reply> respond) {
  if (probed_.size() >= guest_probes_max || !probed_.insert(node_id).second)
    return respond(core::refuse(ErrorCode::unavailable, "another probe has not ended yet"));
  const auto timeout = time_left(context);
  // The work itself clears the mark: a guest that hangs keeps it for longer than the caller waits.
  pool_or(pools_.guests, workers_)
      .run<Reply>(
          loop_, timeout,
          [node_id, timeout, work = std::move(work), self = self_, &loop = loop_] {
            auto result = work(timeout);
            loop.post([self, node_id] {
              if (*self) (*self)->probed_.erase(node_id);
            });
            return result;
          },
          std::move(respond));
}

/// As above, with the node's domain.
template <class Reply, class Work>
void Service::run_in_guest(const msg::NodeId& node_id, const core::Context& context, Work work,
                           core::Responder<Reply> respond) {
  const auto domain = running_domain(node_id);
  if (!domain) return respond(std::unexpected(domain.error()));
  run_alone<Reply>(
      node_id, context,
      [hypervisor = hypervisor_, name = *domain, work = std::move(work)](
          core::Milliseconds timeout) { return work(*hypervisor, name, timeout); },
      std::move(respond));
}

void Service::probe_node(const msg::ProbeNode& request, core::Context& context,
                         core::Responder<msg::ProbeResult> respond) {
  run_in_guest<msg::ProbeResult>(
      request.node_id, context,
      [request](Hypervisor& hypervisor, const std::string& domain, core::Milliseconds timeout) {
        return run_node_probe(hypervisor, domain, request.probe, request.peers, timeout);
      },
      std::move(respond));
}

void Service::notify_node(const msg::NotifyNode& request, core::Context& context,
                          core::Responder<msg::Done> respond) {
  auto broken = msg::check_line("text", request.text, msg::notice_bytes_max);
  if (request.text.empty()) broken = msg::invalid("text", "text must be set");
  if (broken) return respond(std::unexpected(*broken));
  run_in_guest<msg::Done>(
      request.node_id, context,
      [text = request.text](Hypervisor& hypervisor, const std::string& domain, core::Milliseconds) {
        return notify_guest(hypervisor, domain, text);
      },
      std::move(respond));
}

void Service::probe_host(const msg::ProbeHost& request, core::Context& context,
                         core::Responder<msg::ProbeResult> respond) {
  if (!leases_.contains(request.host_id))
    return respond(core::refuse(ErrorCode::not_found,
                                "no such host: " + msg::shown(request.host_id.value), "host_id"));
  if (!config_.driver.has_guests)
    return respond(core::refuse(ErrorCode::wrong_state, "a simulated host cannot be measured"));
  const auto timeout = time_left(context);
  pool_or(pools_.guests, workers_)
      .run<msg::ProbeResult>(
          loop_, timeout,
          [request, timeout, program = config_.pingpong_program,
           directory = config_.state_directory] {
            return run_host_probe(request.probe, program, directory, timeout);
          },
          std::move(respond));
}

void Service::run_measurement(const msg::RunMeasurement& request, core::Context& context,
                              core::Responder<msg::MeasurementRun> respond) {
  const auto node = measured_node(request.host_id, request.node_id);
  if (!node) return respond(std::unexpected(node.error()));
  const HostTools tools{.program = config_.pingpong_program,
                        .launcher = config_.mpi_launcher,
                        .directory = config_.state_directory};
  run_alone<msg::MeasurementRun>(
      request.node_id, context,
      [hypervisor = hypervisor_, node = *node, tools, request](core::Milliseconds timeout) {
        return node.domain.empty() ? measure_on_host(tools, request, timeout)
                                   : measure_in_node(*hypervisor, node, request, timeout);
      },
      std::move(respond));
}

void Service::run_links(const msg::RunLinks& request, core::Context& context,
                        core::Responder<msg::LinksRun> respond) {
  if (auto broken = msg::check_name("node_id", request.node_id.value))
    return respond(std::unexpected(*broken));
  const auto node = measured_node(request.host_id, request.node_id);
  if (!node) return respond(std::unexpected(node.error()));
  run_alone<msg::LinksRun>(
      request.node_id, context,
      [hypervisor = hypervisor_, node = *node, peers = request.peers](core::Milliseconds timeout) {
        return measure_links(*hypervisor, node, peers, timeout);
      },
      std::move(respond));
}

/// A node whose domain runs on this host; of the host itself, with the empty id, all is empty.
core::Result<MeasuredNode> Service::measured_node(const msg::HostId& host_id,
                                                  const msg::NodeId& node_id) const {
  if (!leases_.contains(host_id))
    return core::refuse(ErrorCode::not_found, "no such host: " + msg::shown(host_id.value),
                        "host_id");
  if (!config_.driver.has_guests)
    return core::refuse(ErrorCode::wrong_state, "a simulated host cannot be measured");
  if (node_id.empty()) return MeasuredNode{};
  const auto domain = running_domain(node_id);
  if (!domain) return std::unexpected(domain.error());
  const auto* stored = grants_.find({host_id, node_id});
  return MeasuredNode{.domain = *domain,
                      .accelerator = watch_.accelerator(),
                      .cpus = stored ? stored->grant.cpus : 0};
}

/// The records are new; the leases and what is observed are not.
void Service::handle_loaded() {
  grants_.rebuild();
  reporter_.rebuild();
  domains_.forget_all_work();
  leases_.begin_boot();
  domains_.set_unlisted();
  watch_.ping();
  // If the hypervisor answered before this, the next ping changes nothing and sends no heartbeat.
  if (watch_.is_ready()) heartbeat_.beat();
}

/// Changes between loss and return of the link caused no event: all domains are listed again.
void Service::handle_link(const core::Result<void>& link) {
  domains_.set_unlisted();
  if (!link) return watch_.set_lost(link.error().detail);
  watch_.ping();  // only its answer makes the host reachable
}

void Service::handle_watch_change() {
  if (!store_.is_loaded()) return;
  heartbeat_.beat();
  if (watch_.is_ready()) reconciler_.reconcile_all();
}

void Service::watch_leases() {
  for (const auto& host_id : leases_.expire()) reconciler_.fence(host_id);
  loop_.after(core::Milliseconds{config_.heartbeat_ms}, [this] { watch_leases(); });
}

void Service::beat(core::Context&) {
  if (watch_.is_reachable() && domains_.is_listed()) leases_.keep_last_seen();
  heartbeat_.beat();
  reporter_.send();
}

void Service::sweep(core::Context&) {
  reconciler_.reconcile_all();
}

/// Some ends cause no event: libvirtd emits none for a domain that dies while it reconnects to it.
void Service::relist(core::Context&) {
  if (watch_.is_reachable()) reconciler_.list_domains();
}

void Service::serve_volumes(core::Context&) {
  reconciler_.serve_volumes();
  reconciler_.look_for_ready_guests();
}

void Service::serve_addresses(core::Context&) {
  reconciler_.serve_addresses();
}

/// Of all grants, and of domains that still run without one.
std::set<std::string> Service::domain_names() const {
  std::set<std::string> names;
  grants_.for_each([&](const StoredGrant& stored) { names.insert(stored.domain_name); });
  for (const auto& [uuid, seen] : domains_.all()) names.insert(seen.name);
  return names;
}

void Service::look_at_usage(core::Context&) {
  if (watch_.is_reachable() && store_.is_loaded()) usage_->look();
}

/// The switch has lost its flows if it restarted.
void Service::check_isolation_again(core::Context&) {
  isolation_.check_if_due();
}

void Service::check_isolation(const msg::CheckIsolation& request, core::Context&,
                              core::Responder<msg::HostIsolation> respond) {
  if (!leases_.contains(request.host_id))
    return respond(core::refuse(ErrorCode::not_found,
                                "no such host: " + msg::shown(request.host_id.value), "host_id"));
  isolation_.check_all(std::move(respond));
}

/// A guest that floods its serial console must not fill the host's disk.
void Service::limit_console_logs() {
  loop_.after(console_log_interval, [this] { limit_console_logs(); });
  std::optional<std::set<std::string>> kept;
  if (store_.is_loaded() && domains_.is_listed() && leases_.may_destroy_ungranted())
    kept = domain_names();
  consoles_.limit_logs(std::move(kept));
}

}  // namespace nucleus::provisioner
