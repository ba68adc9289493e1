#include "services/provisioner/consoles.hpp"

#include "services/provisioner/domain_plan.hpp"
#include "services/provisioner/driver/console_log.hpp"
#include "services/provisioner/driver/domain_xml.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;

Consoles::Consoles(Sources sources)
    : sources_{std::move(sources)},
      streams_{sources_.config.console_service
                   ? std::make_unique<ConsoleStreams>(*sources_.config.console_service,
                                                      sources_.config.console_log_bytes_max)
                   : nullptr} {}

Consoles::~Consoles() {
  *self_ = nullptr;
}

void Consoles::check(const msg::CheckConsole& request, core::Responder<msg::ConsoleFound> respond) {
  find(request.node_id, request.kind, [respond](const core::Result<Found>& found) {
    if (!found) return respond(std::unexpected(found.error()));
    respond(msg::ConsoleFound{.epoch = found->epoch});
  });
}

void Consoles::stream(const msg::StreamConsole& request, core::Responder<msg::Done> respond) {
  find(request.node_id, request.kind,
       [self = self_, request, respond](const core::Result<Found>& found) {
         if (!found && *self) return (*self)->stream_rest(request, found.error(), respond);
         if (!found) return respond(std::unexpected(found.error()));
         if (request.epoch != 0 && request.epoch != found->epoch)
           return respond(
               core::refuse(ErrorCode::wrong_state, "the node was started again meanwhile"));
         if (*self) (*self)->streams_->begin(found->paths, request);
         respond(msg::Done{});
       });
}

/// The log that a serial stream goes on with, if its domain has ended meanwhile. Empty: there may
/// be another domain of the node, or the stream is a new one.
std::string Consoles::log_of_ended(const msg::StreamConsole& request) const {
  if (request.kind != msg::ConsoleKind::serial || request.log_id.empty() || !streams_ ||
      !msg::is_name(request.node_id.value))
    return {};
  const auto& config = sources_.config;
  const auto& host_id = config.hosts.front();
  const auto* stored = sources_.grants.find({host_id, request.node_id});
  if (stored && stored->grant.epoch != request.epoch) return {};
  const auto name = domain_name(host_id, {.node_id = request.node_id}, config);
  return console_paths({.name = name, .runtime_dir = console_directory(config)}).serial_log;
}

/// Whoever watched a domain gets what it printed last, also if the stream was broken when it ended.
/// Only who was sent this log before knows its id.
void Consoles::stream_rest(const msg::StreamConsole& request, const core::Error& refused,
                           const core::Responder<msg::Done>& respond) {
  const auto path = refused.code == ErrorCode::wrong_state ? log_of_ended(request) : "";
  if (path.empty()) return respond(std::unexpected(refused));
  sources_.workers.run<bool>(
      sources_.loop, core::Milliseconds{sources_.config.step_timeout_ms},
      [path, request, bytes_max = sources_.config.console_log_bytes_max]() -> core::Result<bool> {
        return ConsoleLog(path, bytes_max).id() == request.log_id;
      },
      [self = self_, path, request, refused, respond](core::Result<bool> is_same) {
        if (!*self || !is_same.value_or(false)) return respond(std::unexpected(refused));
        (*self)->streams_->begin({.serial_log = path}, request);
        respond(msg::Done{});
      });
}

void Consoles::find(const msg::NodeId& node_id, msg::ConsoleKind kind, Respond respond) {
  if (auto found = planned(node_id)) return respond(usable(std::move(*found), kind));
  const auto* stored = running_grant(node_id);
  if (!stored && (!sources_.store.is_loaded() || !sources_.domains.is_listed()))
    return respond(core::refuse(ErrorCode::unavailable, "the host's domains are not known yet"));
  if (!stored) return respond(core::refuse(ErrorCode::wrong_state, "The VM is not running"));
  sources_.workers.run<ConsolePaths>(
      sources_.loop, core::Milliseconds{sources_.config.step_timeout_ms},
      [hypervisor = sources_.hypervisor, name = stored->domain_name] {
        return hypervisor->console(name);
      },
      [self = self_, kind, respond, epoch = stored->grant.epoch](core::Result<ConsolePaths> paths) {
        if (!*self) return;
        if (!paths) return respond(std::unexpected(paths.error()));
        respond((*self)->usable(Found{.paths = std::move(*paths), .epoch = epoch}, kind));
      });
}

core::Result<Consoles::Found> Consoles::usable(core::Result<Found> found,
                                               msg::ConsoleKind kind) const {
  const auto& socket =
      kind == msg::ConsoleKind::serial ? found->paths.serial_socket : found->paths.vnc_socket;
  if (socket.empty())
    return core::refuse(ErrorCode::wrong_state,
                        "the node has no " + std::string(msg::name_of(kind)) + " console");
  if (!streams_)
    return core::refuse(ErrorCode::wrong_state, "the host has no address of the console service");
  return found;
}

/// While the hypervisor does not answer, the domains that ran before are taken to run: whether
/// their consoles are there is seen when they are opened.
std::optional<Consoles::Found> Consoles::planned(const msg::NodeId& node_id) const {
  const auto& config = sources_.config;
  if (!config.driver.has_guests || !sources_.store.is_loaded()) return std::nullopt;
  if (sources_.domains.is_listed() && sources_.watch.is_reachable()) return std::nullopt;
  for (const auto& host_id : config.hosts)
    if (const auto* stored = sources_.grants.find({host_id, node_id});
        stored && stored->phase == GrantPhase::running)
      return Found{
          .paths = console_paths(plan_domain(*stored, config, sources_.watch.accelerator())),
          .epoch = stored->grant.epoch};
  return std::nullopt;
}

const StoredGrant* Consoles::running_grant(const msg::NodeId& node_id) const {
  for (const auto& host_id : sources_.config.hosts) {
    const auto* stored = sources_.grants.find({host_id, node_id});
    if (stored && stored->phase != GrantPhase::ended && sources_.domains.find(stored->domain_uuid))
      return stored;
  }
  return nullptr;
}

void Consoles::limit_logs(std::optional<std::set<std::string>> kept) {
  if (is_limiting_logs_) return;
  is_limiting_logs_ = true;
  sources_.workers.submit(
      [self = self_, &loop = sources_.loop, directory = console_directory(sources_.config),
       bytes_max = sources_.config.console_log_bytes_max, kept = std::move(kept)] {
        shorten_console_logs(directory, bytes_max);
        if (kept) remove_console_logs(directory, *kept);
        loop.post([self] {
          if (*self) (*self)->is_limiting_logs_ = false;
        });
      });
}

}  // namespace nucleus::provisioner
