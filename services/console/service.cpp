#include "services/console/service.hpp"

#include "core/log/log.hpp"
#include "core/runtime/tls_renewal.hpp"

namespace nucleus::console {

using core::ErrorCode;

namespace {

constexpr core::Milliseconds host_timeout{2'000};
constexpr core::Milliseconds sweep_every{1'000};
constexpr core::Milliseconds recheck_timeout{5'000};
constexpr core::Milliseconds recheck_again{1'000};

bool has_right(const msg::Principal& who, const StoredTicket& ticket) {
  return msg::may(who, msg::Right::console) && msg::sees(who, ticket.project_id);
}

}  // namespace

Service::Service(core::Runtime& runtime, Config config)
    : runtime_{runtime},
      config_{std::move(config)},
      metrics_{runtime.metrics},
      tickets_{runtime.store, config_.tickets} {
  runtime_.bus.serve_later<msg::IssueTicket>(*this, &Service::issue_ticket);
  runtime_.bus.subscribe<msg::CredentialsChanged>(*this, &Service::end_rights);
  runtime_.bus.every(sweep_every, *this, &Service::drop_expired);
  // Earlier events concern no session, but those that were open while the store was away.
  runtime_.store.on_loaded([this] {
    runtime_.store.set_cursor(runtime_.store.last_sequence());
    recheck_all();
  });
  proxy_ = std::make_unique<ConsoleProxy>(
      config_.proxy, metrics_,
      ConsoleProxyCalls{
          .take_ticket =
              [this](const std::string& ticket, std::function<void(core::Result<Console>)> done) {
                runtime_.loop.post(
                    [this, ticket, done = std::move(done)] { take_ticket(ticket, done); });
              },
          .ask_host =
              [this](const Console& console, const std::string& token,
                     std::function<void(core::Result<void>)> done) {
                runtime_.loop.post([this, console, token, done = std::move(done)] {
                  ask_host(console, token, done);
                });
              }});
  core::log::info("console_listens",
                  {{"address", address()}, {"hosts_address", address_for_hosts()}});
  core::renew_at_hangup(runtime_, config_.proxy.http.listen.certificate, metrics_.certificate_end);
  core::renew_at_hangup(runtime_, config_.proxy.for_hosts().certificate,
                        metrics_.hosts_certificate_end);
}

std::string Service::url() const {
  if (!config_.public_url.empty()) return config_.public_url;
  return (config_.proxy.http.listen.certificate ? "wss://" : "ws://") + address() + "/console";
}

void Service::issue_ticket(const msg::IssueTicket& request, core::Context& context,
                           core::Responder<msg::ConsoleTicket> respond) {
  if (request.kind == msg::ConsoleKind::unknown)
    return respond(std::unexpected(msg::invalid("kind", "kind must be serial or vnc")));
  if (request.node_id.empty())
    return respond(std::unexpected(msg::invalid("node_id", "node_id is missing")));
  if (request.host_id.empty())
    return respond(core::refuse(ErrorCode::wrong_state, "The VM is not running"));
  if (auto broken = msg::check_name("host_id", request.host_id.value))
    return respond(std::unexpected(*broken));
  runtime_.bus.call(
      msg::CheckConsole{.node_id = request.node_id, .kind = request.kind},
      {.to = "provisioner/" + request.host_id.value,
       .trace_id = context.trace_id(),
       .deadline = host_timeout},
      [this, request, respond = std::move(respond)](const core::Result<msg::Done>& checked) {
        if (!checked) return respond(std::unexpected(checked.error()));
        write_ticket(request, respond);
      });
}

void Service::write_ticket(const msg::IssueTicket& request,
                           const core::Responder<msg::ConsoleTicket>& respond) {
  auto written = tickets_.write(request, runtime_.bus.context());
  if (!written) return respond(std::unexpected(written.error()));
  const msg::ConsoleTicket ticket{
      .ticket = written->ticket, .url = url(), .expires_unix_ms = written->expires_unix_ms};
  runtime_.store.when_durable([this, respond, ticket](const core::Result<void>& durable) {
    if (!durable) return respond(std::unexpected(durable.error()));
    metrics_.tickets_issued.Increment();
    respond(ticket);
  });
}

/// The right may have ended since the ticket was issued.
void Service::take_ticket(const std::string& ticket,
                          std::function<void(core::Result<Console>)> done) {
  const auto found = tickets_.find(ticket, runtime_.bus.context());
  if (!found) {
    if (found.error().code == ErrorCode::forbidden) metrics_.tickets_refused.Increment();
    return done(std::unexpected(found.error()));
  }
  ask_registry(*found, [this, ticket, stored = *found,
                        done = std::move(done)](const core::Result<msg::Principal>& who) {
    if (who && has_right(*who, stored)) return use_up(ticket, who->expires_unix_s, done);
    if (!who && who.error().code != ErrorCode::unauthenticated)
      return done(std::unexpected(who.error()));
    metrics_.tickets_refused.Increment();
    done(core::refuse(ErrorCode::forbidden, "the right to this console has ended"));
  });
}

void Service::ask_registry(const StoredTicket& ticket,
                           std::function<void(core::Result<msg::Principal>)> done) {
  runtime_.bus.call(msg::RecheckCredential{.person_id = ticket.person_id,
                                           .token_id = ticket.token_id,
                                           .person_uid = ticket.person_uid},
                    {.deadline = recheck_timeout}, std::move(done));
}

void Service::use_up(const std::string& ticket, std::int64_t right_end_unix_s,
                     std::function<void(core::Result<Console>)> done) {
  tickets_.take(
      ticket, runtime_.bus.context(),
      [this, right_end_unix_s, done = std::move(done)](const core::Result<StoredTicket>& taken) {
        if (!taken) {
          if (taken.error().code == ErrorCode::forbidden) metrics_.tickets_refused.Increment();
          return done(std::unexpected(taken.error()));
        }
        core::log::info("console_opened", {{"node", taken->node_id.value},
                                           {"kind", msg::name_of(taken->kind)},
                                           {"person", taken->person_id.value}});
        Console console{.node_id = taken->node_id, .host_id = taken->host_id, .kind = taken->kind};
        open_.push_back({*taken, right_end_unix_s, console.right});
        // The right may have ended after it was checked.
        recheck(open_.back());
        done(std::move(console));
      });
}

void Service::ask_host(const Console& console, const std::string& token,
                       std::function<void(core::Result<void>)> done) {
  runtime_.bus.call(
      msg::StreamConsole{.node_id = console.node_id, .kind = console.kind, .token = token},
      {.to = "provisioner/" + console.host_id.value, .deadline = host_timeout},
      [done = std::move(done)](const core::Result<msg::Done>& asked) {
        done(asked ? core::Result<void>{} : std::unexpected(asked.error()));
      });
}

core::Result<void> Service::end_rights(const msg::CredentialsChanged& change, core::Context&) {
  for (const auto& open : open_) {
    if (open.ticket.person_id != change.person_id) continue;
    // Which password or API key opened it is not known: the viewer asks for another ticket.
    if (const auto right = open.right.lock(); right && open.ticket.token_id.empty()) right->end();
    recheck(open);
  }
  return {};
}

void Service::recheck_all() {
  for (const auto& open : open_) recheck(open);
}

void Service::recheck(const Open& open) {
  if (open.right.expired()) return;
  ask_registry(open.ticket, [this, open](const core::Result<msg::Principal>& who) {
    const auto right = open.right.lock();
    if (!right || (who && has_right(*who, open.ticket))) return;
    if (who || who.error().code == ErrorCode::unauthenticated) return right->end();
    runtime_.loop.after(recheck_again, [this, open] { recheck(open); });
  });
}

void Service::end_expired() {
  std::erase_if(open_, [](const Open& open) { return open.right.expired(); });
  for (const auto& open : open_)
    if (open.right_end_unix_s != 0 && open.right_end_unix_s * 1000 <= runtime_.loop.unix_ms())
      if (const auto right = open.right.lock()) right->end();
}

void Service::drop_expired(core::Context& context) {
  tickets_.drop_expired(context);
  end_expired();
}

}  // namespace nucleus::console
