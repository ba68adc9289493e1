#include "services/console/service.hpp"

#include <algorithm>
#include <set>

#include "core/log/log.hpp"
#include "core/runtime/tls_renewal.hpp"
#include "services/console/keys.hpp"

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
      tickets_{runtime.store, config_.tickets},
      recordings_{runtime, config_.recordings, metrics_} {
  runtime_.bus.serve_later<msg::IssueTicket>(*this, &Service::issue_ticket);
  runtime_.bus.subscribe<msg::CredentialsChanged>(*this, &Service::end_rights);
  runtime_.bus.subscribe<msg::ProjectDefined>(*this, &Service::follow_policy);
  runtime_.bus.every(sweep_every, *this, &Service::drop_expired);
  // Earlier events concern no session, but those that were open while the store was away.
  runtime_.store.on_loaded([this] {
    runtime_.store.set_cursor(runtime_.store.last_sequence());
    recheck_all();
  });
  proxy_ = std::make_unique<ConsoleProxy>(
      config_.proxy, metrics_, recordings_.recorder(),
      ConsoleProxyCalls{.take_ticket =
                            [this](const std::string& ticket, const std::string& origin,
                                   std::function<void(core::Result<Console>)> done) {
                              runtime_.loop.post([this, ticket, origin, done = std::move(done)] {
                                take_ticket(ticket, origin, done);
                              });
                            },
                        .ask_host =
                            [this](const msg::HostId& host_id, const msg::StreamConsole& request,
                                   std::function<void(core::Result<void>)> done) {
                              runtime_.loop.post([this, host_id, request, done = std::move(done)] {
                                ask_host(host_id, request, done);
                              });
                            },
                        .report =
                            [this](const std::string& session_id, bool is_writer, bool has_typed) {
                              runtime_.loop.post([this, session_id, is_writer, has_typed] {
                                change_session(session_id, is_writer, has_typed);
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
  runtime_.bus.call(msg::CheckConsole{.node_id = request.node_id, .kind = request.kind},
                    {.to = "provisioner/" + request.host_id.value,
                     .trace_id = context.trace_id(),
                     .deadline = host_timeout},
                    [this, request,
                     respond = std::move(respond)](const core::Result<msg::ConsoleFound>& checked) {
                      if (!checked) return respond(std::unexpected(checked.error()));
                      write_ticket(request, checked->epoch, respond);
                    });
}

void Service::write_ticket(const msg::IssueTicket& request, std::uint64_t epoch,
                           const core::Responder<msg::ConsoleTicket>& respond) {
  auto written = tickets_.write(request, epoch, runtime_.bus.context());
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
void Service::take_ticket(const std::string& ticket, const std::string& origin,
                          std::function<void(core::Result<Console>)> done) {
  const auto found = tickets_.find(ticket, runtime_.bus.context());
  if (!found) {
    if (found.error().code == ErrorCode::forbidden) metrics_.tickets_refused.Increment();
    return done(std::unexpected(found.error()));
  }
  // A browser sends the origin of the page; other clients send none.
  if (!origin.empty() && !found->origin.empty() && origin != found->origin) {
    metrics_.tickets_refused.Increment();
    return done(core::refuse(ErrorCode::forbidden, "the ticket is not for pages of this origin"));
  }
  ask_registry(*found, [this, ticket, stored = *found,
                        done = std::move(done)](const core::Result<msg::Principal>& who) {
    if (who && has_right(*who, stored))
      return ask_policy(stored.project_id,
                        [this, ticket, stored, who = *who, done](const core::Result<void>& known) {
                          if (!known) return done(std::unexpected(known.error()));
                          recordings_.when_known([=, this] { use_up(ticket, stored, who, done); });
                        });
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

void Service::ask_policy(const msg::ProjectId& project_id,
                         std::function<void(core::Result<void>)> done) {
  runtime_.bus.call(
      msg::ListProjects{.viewer = {.is_operator = true}, .project_id = project_id},
      {.deadline = recheck_timeout},
      [this, project_id, done = std::move(done)](const core::Result<msg::Projects>& found) {
        if (!found && found.error().code != ErrorCode::not_found)
          return done(std::unexpected(found.error()));
        const bool is_recorded = found && std::ranges::any_of(found->projects, [](const auto& one) {
                                   return one.record_consoles;
                                 });
        if (is_recorded && !recordings_.recorder())
          core::log::error("recordings_have_no_folder", {{"project", project_id.value}});
        proxy_->set_recorded(project_id, is_recorded);
        done({});
      });
}

/// Of a project with an open console: the others are asked for when one is opened.
core::Result<void> Service::follow_policy(const msg::ProjectDefined& change, core::Context&) {
  const auto is_open = [&](const Open& open) {
    return open.ticket.project_id == change.project_id && !open.right.expired();
  };
  if (std::ranges::any_of(open_, is_open)) ask_policy(change.project_id, [](const auto&) {});
  return {};
}

void Service::use_up(const std::string& ticket, const StoredTicket& stored,
                     const msg::Principal& who, std::function<void(core::Result<Console>)> done) {
  const msg::ConsoleSession session{.session_id = runtime_.bus.context().new_id(),
                                    .node_id = stored.node_id,
                                    .node_name = stored.node_name,
                                    .cluster_id = stored.cluster_id,
                                    .project_id = stored.project_id,
                                    .kind = stored.kind,
                                    .person_id = stored.person_id,
                                    .opened_unix_ms = runtime_.loop.unix_ms()};
  tickets_.take(
      ticket, session, runtime_.bus.context(),
      [this, session, who, done = std::move(done)](const core::Result<StoredTicket>& taken) {
        if (!taken) {
          if (taken.error().code == ErrorCode::forbidden) metrics_.tickets_refused.Increment();
          return done(std::unexpected(taken.error()));
        }
        core::log::info("console_opened", {{"node", taken->node_id.value},
                                           {"kind", msg::name_of(taken->kind)},
                                           {"person", taken->person_id.value}});
        Console console{.node_id = taken->node_id,
                        .host_id = taken->host_id,
                        .kind = taken->kind,
                        .epoch = taken->epoch,
                        .person_id = taken->person_id,
                        .session_id = session.session_id,
                        .project_id = taken->project_id,
                        .cluster_id = taken->cluster_id,
                        .node_name = taken->node_name,
                        .recorded = recordings_.recorded_up_to(taken->node_id)};
        console.right->let_take_over(msg::may(who, msg::Right::define));
        open_.push_back({*taken, session.session_id, who.expires_unix_s, console.right});
        // The right may have ended after it was checked.
        recheck(open_.back());
        done(std::move(console));
      });
}

void Service::ask_host(const msg::HostId& host_id, const msg::StreamConsole& request,
                       std::function<void(core::Result<void>)> done) {
  runtime_.bus.call<msg::StreamConsole>(
      request, {.to = "provisioner/" + host_id.value, .deadline = host_timeout},
      [done = std::move(done)](const core::Result<msg::Done>& asked) {
        done(asked ? core::Result<void>{} : std::unexpected(asked.error()));
      });
}

void Service::change_session(const std::string& session_id, bool is_writer, bool has_typed) {
  const auto* known = runtime_.store.read(keys::session(session_id));
  if (!known) return;
  auto session = known->session;
  if (session.is_writer == is_writer && session.has_typed == has_typed) return;
  session.is_writer = is_writer;
  session.has_typed = has_typed;
  const auto context = runtime_.bus.context();
  auto tx = runtime_.store.begin(context);
  tx.write(keys::session(session_id), StoredSession{session});
  tx.emit(msg::ConsoleSessionChanged{session});
  if (!tx.commit()) core::log::warning("session_not_recorded", {{"session", session_id}});
}

void Service::close_sessions() {
  if (!runtime_.store.is_loaded()) return;
  std::set<std::string> open;
  for (const auto& one : open_) open.insert(one.session_id);
  std::vector<msg::ConsoleSession> closed;
  runtime_.store.for_each<StoredSession>(keys::sessions(), [&](const StoredSession& stored) {
    if (!open.contains(stored.session.session_id)) closed.push_back(stored.session);
  });
  if (closed.empty()) return;
  const auto context = runtime_.bus.context();
  auto tx = runtime_.store.begin(context);
  for (auto& session : closed) {
    session.closed_unix_ms = runtime_.loop.unix_ms();
    session.is_writer = false;
    tx.remove(keys::session(session.session_id));
    tx.emit(msg::ConsoleSessionChanged{session});
  }
  if (!tx.commit())
    core::log::warning("session_not_recorded", {{"session", closed.front().session_id}});
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
  for (const auto& open : open_) {
    recheck(open);
    ask_policy(open.ticket.project_id, [](const auto&) {});
  }
}

void Service::recheck(const Open& open) {
  if (open.right.expired()) return;
  ask_registry(open.ticket, [this, open](const core::Result<msg::Principal>& who) {
    const auto right = open.right.lock();
    if (!right) return;
    if (who && has_right(*who, open.ticket))
      return right->let_take_over(msg::may(*who, msg::Right::define));
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
  close_sessions();
}

}  // namespace nucleus::console
