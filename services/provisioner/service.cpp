#include "services/provisioner/service.hpp"

#include <filesystem>

#include "core/log/log.hpp"
#include "services/provisioner/domain_plan.hpp"
#include "services/provisioner/driver/probes.hpp"
#include "services/provisioner/keys.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;

Service::Service(core::Runtime& runtime, Config config, std::shared_ptr<Hypervisor> hypervisor,
                 std::shared_ptr<core::Workers> watchers, std::shared_ptr<LeaseMemory> leases)
    : loop_{runtime.loop},
      workers_{runtime.workers},
      watchers_{watchers ? std::move(watchers)
                         : std::shared_ptr<core::Workers>(std::shared_ptr<void>{}, &workers_)},
      bus_{runtime.bus},
      store_{runtime.store},
      config_{std::move(config)},
      process_{runtime.bus.link().name()},
      metrics_{runtime.metrics},
      hypervisor_{std::move(hypervisor)},
      leases_{std::move(leases)} {
  std::error_code ignored;  // where they cannot be made, creating a domain says so
  std::filesystem::create_directories(config_.state_directory, ignored);
  if (!config_.is_simulated) {
    std::filesystem::create_directories(config_.state_directory + "/domains", ignored);
    std::filesystem::create_directories(config_.state_directory + "/seeds", ignored);
  }
  for (const auto& host_id : config_.hosts)
    if (leases_) live_[host_id].lease = leases_->kept(host_id);
  if (leases_) watched_unix_ms_ = leases_->watched_unix_ms();
  hypervisor_->on_event([self = self_, &loop = loop_](const DomainSeen& seen) {
    loop.post([self, seen] {
      if (*self) (*self)->see(seen);
    });
  });
  hypervisor_->on_link([self = self_, &loop = loop_](const core::Result<void>& link) {
    loop.post([self, link] {
      if (*self) (*self)->take_link(link);
    });
  });
  store_.on_loaded([this] { rebuild(); });
  bus_.serve<msg::ApplyGrants>(*this, &Service::apply_grants);
  bus_.serve_later<msg::OpenConsole>(*this, &Service::open_console);
  bus_.serve_later<msg::ProbeNode>(*this, &Service::probe_node);
  bus_.serve_later<msg::ProbeHost>(*this, &Service::probe_host);
  bus_.every(core::Milliseconds{config_.heartbeat_ms}, *this, &Service::beat);
  bus_.every(core::Milliseconds{config_.ping_ms}, *this, &Service::look_at_all);
  // A lease ends, and domains are stopped, whether or not there is a store.
  watch_leases();
  watch_hypervisor();
}

Service::~Service() {
  hypervisor_->on_event({});
  hypervisor_->on_link({});
  *self_ = nullptr;
  watchers_.reset();  // its last ping ends before what it tells goes
}

/// The records are new; a lease and what it did are not.
void Service::rebuild() {
  named_.clear();
  work_.clear();
  for (const auto& host_id : config_.hosts) {
    Live& live = live_[host_id];
    live.boot_id = loop_.new_id();
    live.is_complete = false;
    store_.for_each<StoredGrant>(keys::grants(host_id), [&](const StoredGrant& stored) {
      named_[stored.domain_name] = {host_id, stored.grant.node_id};
    });
  }
  is_listed_ = false;
  ping();
}

/// Takes what is newer than what is here. The revision moves only where none was missed.
core::Result<msg::Done> Service::apply_grants(const msg::ApplyGrants& request,
                                              core::Context& context) {
  const auto live = live_.find(request.host_id);
  if (live == live_.end())
    return core::refuse(ErrorCode::not_found,
                        process_ + " has no host " + msg::shown(request.host_id.value), "host_id");
  auto tx = store_.begin(context);
  const auto* host = tx.read(keys::host(request.host_id));
  const std::uint64_t applied = host ? host->revision : 0;
  // It was overtaken: what it grants was granted already, and may have ended and be forgotten.
  if (request.revision < applied || (request.revision == applied && !request.is_complete))
    return tx.commit(msg::Done{});
  std::set<msg::NodeId> named;
  for (const auto& grant : request.grants) {
    named.insert(grant.node_id);
    take_grant(tx, request.host_id, grant);
  }
  std::vector<msg::NodeId> changed(named.begin(), named.end());
  // A scheduler that has forgotten what it knew names too little: nothing is void by its word.
  const KeptLease& lease = live->second.lease;
  if (request.is_complete && !lease.is_doubted && request.revision >= lease.revision) {
    store_.for_each<StoredGrant>(keys::grants(request.host_id), [&](const StoredGrant& stored) {
      if (named.contains(stored.grant.node_id) || stored.grant.revision > request.revision) return;
      StoredGrant voided = stored;
      voided.is_void = true;
      changed.push_back(stored.grant.node_id);
      tx.write(keys::grant(request.host_id, stored.grant.node_id), std::move(voided));
    });
    // One that another process asked for, or this one before its lease ended, is too old to go by.
    if (request.boot_id == live->second.boot_id) live->second.is_complete = true;
    end_fence(request.host_id);
  }
  if (request.revision > applied && (request.is_complete || request.revision == applied + 1))
    tx.write(keys::host(request.host_id), StoredHost{request.host_id, request.revision});
  auto reply = tx.commit(msg::Done{});
  // The scheduler's own record is durable already: the world need not wait for ours.
  for (const auto& node_id : changed) look_at(request.host_id, node_id);
  if (live->second.is_complete) end_orphans();
  show_counts();
  return reply;
}

void Service::take_grant(core::Transaction& tx, const msg::HostId& host_id,
                         const msg::Grant& grant) {
  const auto key = keys::grant(host_id, grant.node_id);
  const auto* known = tx.read(key);
  const bool is_same_epoch = known && known->grant.epoch == grant.epoch;
  if (known && known->grant.epoch > grant.epoch) return;
  if (is_same_epoch && known->grant.revision > grant.revision) return;
  StoredGrant stored = is_same_epoch ? *known : StoredGrant{.host_id = host_id};
  stored.is_void = false;
  stored.grant = grant;
  if (!is_same_epoch) {
    if (known) named_.erase(known->domain_name);
    stored.domain_name = known && seen_.contains(known->domain_name)
                             ? known->domain_name  // the leftover that goes first bears this name
                             : domain_name(host_id, grant, config_);
    named_[stored.domain_name] = {host_id, grant.node_id};
    work_[{host_id, grant.node_id}].is_asked = false;
  }
  work_[{host_id, grant.node_id}].not_before_ms = 0;
  tx.write(key, std::move(stored));
}

const StoredGrant* Service::find_running(const msg::NodeId& node_id) const {
  for (const auto& [host_id, live] : live_) {
    const auto* stored = store_.read(keys::grant(host_id, node_id));
    if (stored && !stored->is_ended && seen_.contains(stored->domain_name)) return stored;
  }
  return nullptr;
}

void Service::open_console(const msg::OpenConsole& request, core::Context&,
                           core::Responder<msg::ConsoleEndpoint> respond) {
  const auto* stored = find_running(request.node_id);
  if (!stored) return respond(core::refuse(ErrorCode::wrong_state, "The VM is not running"));
  workers_.run<ConsolePaths>(
      loop_, core::Milliseconds{config_.step_deadline_ms},
      [hypervisor = hypervisor_, name = stored->domain_name] { return hypervisor->console(name); },
      [respond, kind = request.kind](core::Result<ConsolePaths> paths) {
        if (!paths) return respond(std::unexpected(paths.error()));
        const bool is_serial = kind == msg::ConsoleKind::serial;
        respond(msg::ConsoleEndpoint{
            .socket_path = is_serial ? paths->serial_socket : paths->vnc_socket,
            .log_path = is_serial ? paths->serial_log : ""});
      });
}

void Service::probe_node(const msg::ProbeNode& request, core::Context& context,
                         core::Responder<msg::ProbeResult> respond) {
  const auto* stored = find_running(request.node_id);
  if (!stored) return respond(core::refuse(ErrorCode::wrong_state, "The VM is not running"));
  const core::Milliseconds deadline{context.deadline_unix_ms() - context.now_unix_ms()};
  workers_.run<msg::ProbeResult>(
      loop_, deadline,
      [hypervisor = hypervisor_, name = stored->domain_name, request, deadline] {
        return run_node_probe(*hypervisor, name, request.probe, request.peers, deadline);
      },
      std::move(respond));
}

void Service::probe_host(const msg::ProbeHost& request, core::Context& context,
                         core::Responder<msg::ProbeResult> respond) {
  if (!live_.contains(request.host_id))
    return respond(core::refuse(ErrorCode::not_found, "no such host here", "host_id"));
  if (config_.is_simulated)
    return respond(core::refuse(ErrorCode::wrong_state, "a simulated host cannot be measured"));
  const core::Milliseconds deadline{context.deadline_unix_ms() - context.now_unix_ms()};
  workers_.run<msg::ProbeResult>(
      loop_, deadline,
      [request, deadline, program = config_.pingpong_program, directory = config_.state_directory] {
        return run_host_probe(request.probe, program, directory, deadline);
      },
      std::move(respond));
}

}  // namespace nucleus::provisioner
