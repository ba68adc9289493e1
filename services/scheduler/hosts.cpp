// Hosts: heartbeats, silence, leases, and the grants that are sent to them.
#include "core/log/log.hpp"
#include "services/scheduler/keys.hpp"
#include "services/scheduler/service.hpp"

namespace nucleus::scheduler {

using core::ErrorCode;

namespace {

std::optional<core::Error> broken(const msg::ReportHost& report) {
  if (auto fault = msg::check_name("host_id", report.host_id.value)) return fault;
  if (report.process.empty() || report.process.size() > 128)
    return msg::invalid("process", "process must be 1 to 128 bytes");
  if (report.cpus < 1 || report.cpus > 4096) return msg::invalid("cpus", "cpus must be 1 to 4096");
  return std::nullopt;
}

/// A host is its own provisioner's, whose key on the bus is bound to its name; simulated ones may
/// share one.
bool is_its_own(const msg::ReportHost& report, const std::string& sender, const StoredHost* known) {
  const bool is_one_of_many = report.is_simulated && report.process == "provisioner/simulated";
  return report.process == sender &&
         (report.process == "provisioner/" + report.host_id.value || is_one_of_many) &&
         (!known || known->is_simulated == report.is_simulated);
}

bool is_same(const StoredHost& host, const msg::ReportHost& report) {
  return host.process == report.process && host.cpus == report.cpus &&
         host.memory_mb == report.memory_mb && host.is_simulated == report.is_simulated &&
         host.accelerator == report.accelerator;
}

}  // namespace

/// Renews the host's lease. Only what differs from the record is written: most heartbeats write
/// nothing.
core::Result<msg::HostLease> Service::report_host(const msg::ReportHost& report,
                                                  core::Context& context) {
  if (auto fault = broken(report)) return std::unexpected(*fault);
  if (!is_its_own(report, context.sender(), store_.read(keys::host(report.host_id)))) {
    core::log::error("host_impersonated",
                     {{"host", report.host_id.value}, {"sender", msg::shown(context.sender())}});
    return core::refuse(
        ErrorCode::forbidden,
        msg::shown(context.sender()) + " may not speak for host " + report.host_id.value,
        "host_id");
  }
  Live& live = live_[report.host_id];
  const bool is_restarted = live.boot_id != report.boot_id;
  live.boot_id = report.boot_id;
  live.heard_ms = live.answered_ms = loop_.steady_ms();
  live.is_reachable = report.is_reachable;
  live.fault = report.reason.empty() ? "its hypervisor does not answer" : report.reason;

  const auto state = report.is_reachable ? msg::HostState::up : msg::HostState::unreachable;
  const StoredHost* known = store_.read(keys::host(report.host_id));
  if (!known || !is_same(*known, report) || known->state != state) {
    auto change = begin(context);
    StoredHost host = known ? *known : StoredHost{.host_id = report.host_id};
    const auto was = known ? known->state : msg::HostState::lost;
    host.process = report.process;
    host.cpus = report.cpus;
    host.memory_mb = report.memory_mb;
    host.is_simulated = report.is_simulated;
    host.accelerator = report.accelerator;
    if (was != state)
      set_host_state(change, host, state, report.is_reachable ? "" : live.fault);
    else
      write_host(change, host);
    place_waiting(change, context.now_unix_s());
    (void)commit(change);  // a failed commit loads memory again; the next heartbeat tells the same
  }
  const StoredHost& host = *store_.read(keys::host(report.host_id));
  const bool is_behind = report.revision < host.revision && live.grant_calls == 0;
  if (is_restarted || is_behind) send_complete(host);
  return msg::HostLease{.lease_ms = config_.host_lease_ms, .revision = host.revision};
}

core::Result<msg::Hosts> Service::list_hosts(const msg::ListHosts&, core::Context&) {
  msg::Hosts reply;
  store_.for_each<StoredHost>(keys::hosts(),
                              [&](const StoredHost& host) { reply.hosts.push_back(told(host)); });
  return reply;
}

core::Result<msg::Done> Service::drain_host(const msg::DrainHost& request, core::Context& context) {
  auto change = begin(context);
  const auto* found = change.tx.read(keys::host(request.host_id));
  if (!found)
    return core::refuse(core::ErrorCode::not_found, "no host " + msg::shown(request.host_id.value),
                        "host_id");
  if (request.reason.size() > 256) return std::unexpected(msg::invalid("reason", "over 256 bytes"));
  StoredHost host = *found;
  host.is_drained = request.is_drained;
  host.drain_reason = request.is_drained ? request.reason : "";
  write_host(change, host);
  if (!request.is_drained) place_waiting(change, context.now_unix_s());
  return commit(change, msg::Done{});
}

/// One that was stopped while another took its name over would answer heartbeats, and so lengthen
/// leases that the other one believes to be over. A write, be it of nothing, tells it so in time.
void Service::show_ownership(core::Context& context) {
  if (loop_.steady_ms() - shown_ms_ < config_.ownership_ms) return;
  shown_ms_ = loop_.steady_ms();
  (void)store_.begin(context).commit();
}

/// Silence makes a host unreachable; silence for longer than its lease, lost.
void Service::look_at_hosts(core::Context& context) {
  const std::int64_t now_ms = loop_.steady_ms();
  std::vector<msg::HostId> silent;
  std::vector<msg::HostId> lost;
  double up = 0;
  for (const auto& [host_id, live] : live_) {
    const auto* host = store_.read(keys::host(host_id));
    if (!host) continue;
    up += host->state == msg::HostState::up ? 1 : 0;
    const std::int64_t lease_end_ms =
        live.answered_ms + config_.host_lease_ms + config_.host_lease_margin_ms;
    if (now_ms > lease_end_ms && host->state != msg::HostState::lost)
      lost.push_back(host_id);
    else if (now_ms - live.heard_ms > config_.host_silence_ms && host->state == msg::HostState::up)
      silent.push_back(host_id);
  }
  metrics_.hosts_up.Set(up);
  metrics_.hosts_unreachable.Set(static_cast<double>(live_.size()) - up);
  if (silent.empty() && lost.empty()) return;
  auto change = begin(context);
  for (const auto& host_id : silent)
    set_host_state(change, *change.tx.read(keys::host(host_id)), msg::HostState::unreachable,
                   "no heartbeat for over " + std::to_string(config_.host_silence_ms) + " ms");
  for (const auto& host_id : lost) lose_host(change, host_id, context.now_unix_s());
  if (!lost.empty()) place_waiting(change, context.now_unix_s());
  (void)commit(change);
}

void Service::set_host_state(Change& change, const StoredHost& before, msg::HostState state,
                             const std::string& reason) {
  StoredHost host = before;
  host.state = state;
  host.reason = reason;
  core::log::info(
      "host_changed",
      {{"host", host.host_id.value}, {"state", msg::name_of(state)}, {"reason", reason}});
  write_host(change, host);
  // Its nodes are told anew: their state depends on their host's.
  const auto placed = placed_[host.host_id];
  for (const auto& node_id : placed) write_node(change, *change.tx.read(keys::node(node_id)));
}

/// The host's lease is over, so nothing of ours runs there: its nodes are free to be placed
/// elsewhere.
void Service::lose_host(Change& change, const msg::HostId& host_id, std::int64_t now_unix_s) {
  set_host_state(change, *change.tx.read(keys::host(host_id)), msg::HostState::lost,
                 "no answer for longer than its lease");
  const auto placed = placed_[host_id];
  change.granted[host_id];  // its grants are void: where it comes back, it hears so
  for (const auto& node_id : placed) {
    StoredNode node = *change.tx.read(keys::node(node_id));
    node.observed = msg::DomainState::absent;
    node.observed_reason = "host " + host_id.value + " was lost";
    end_placement(change, std::move(node), now_unix_s);
  }
}

void Service::write_host(Change& change, StoredHost host) {
  change.tx.emit(msg::HostChanged{told(host)});
  const auto key = keys::host(host.host_id);
  change.tx.write(key, std::move(host));
}

msg::Host Service::told(const StoredHost& host) const {
  const auto used = used_.find(host.host_id);
  const auto live = live_.find(host.host_id);
  const bool is_drained = host.is_drained && host.state == msg::HostState::up;
  const Used none;
  const Used& taken = used == used_.end() ? none : used->second;
  std::int64_t last_heartbeat_unix_ms = 0;
  if (live != live_.end())
    last_heartbeat_unix_ms = loop_.unix_ms() - (loop_.steady_ms() - live->second.heard_ms);
  return {.host_id = host.host_id,
          .state = is_drained ? msg::HostState::drained : host.state,
          .reason = is_drained ? host.drain_reason : host.reason,
          .cpus = host.cpus,
          .memory_mb = host.memory_mb,
          .cpus_used = static_cast<std::uint32_t>(taken.cpus),
          .memory_used_mb = static_cast<std::uint64_t>(taken.memory_mb),
          .is_simulated = host.is_simulated,
          .accelerator = host.accelerator,
          .last_heartbeat_unix_ms = last_heartbeat_unix_ms};
}

void Service::send_complete(const StoredHost& host) {
  metrics_.grants_repeated.Increment();
  const auto placed = placed_.find(host.host_id);
  std::vector<msg::NodeId> nodes;
  if (placed != placed_.end()) nodes.assign(placed->second.begin(), placed->second.end());
  send_grants(host, nodes, true);
}

/// Says what memory holds now, once that is durable: a host never hears what might not have been.
void Service::send_grants(const StoredHost& host, const std::vector<msg::NodeId>& nodes,
                          bool is_complete) {
  msg::ApplyGrants request{
      .host_id = host.host_id, .revision = host.revision, .is_complete = is_complete};
  for (const auto& node_id : nodes)
    if (const auto* node = store_.read(keys::node(node_id)); node && node->host_id == host.host_id)
      request.grants.push_back(grant_of(*node));
  Live& live = live_[host.host_id];
  request.boot_id = live.boot_id;
  ++live.grant_calls;
  const core::CallOptions options{.to = host.process,
                                  .deadline = core::Milliseconds{config_.grant_call_ms}};
  const auto host_id = host.host_id;
  const auto ended = [this, host_id](const core::Result<msg::Done>& applied) {
    Live& answered = live_[host_id];
    if (answered.grant_calls > 0) --answered.grant_calls;
    if (!applied)
      core::log::warning("grants_not_applied",
                         {{"host", host_id.value}, {"reason", applied.error().detail}});
  };
  store_.when_durable([this, request, options, ended](const core::Result<void>& durable) {
    if (durable) bus_.call<msg::ApplyGrants>(request, options, ended);
  });
}

}  // namespace nucleus::scheduler
