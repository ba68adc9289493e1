#include "services/console/service.hpp"

#include "core/log/log.hpp"
#include "services/console/keys.hpp"
#include "services/console/secrets.hpp"

namespace nucleus::console {

using core::ErrorCode;

namespace {

constexpr core::Milliseconds open_deadline{2'000};
constexpr core::Milliseconds sweep_every{1'000};

}  // namespace

Service::Service(core::Runtime& runtime, Config config)
    : runtime_{runtime}, config_{std::move(config)}, metrics_{runtime.metrics} {
  runtime_.store.on_loaded([this] {
    tickets_ = 0;
    runtime_.store.for_each<StoredTicket>(keys::tickets(),
                                          [this](const StoredTicket&) { ++tickets_; });
  });
  runtime_.bus.serve_later<msg::IssueTicket>(*this, &Service::issue_ticket);
  runtime_.bus.every(sweep_every, *this, &Service::drop_expired);
  server_ = std::make_unique<ConsoleServer>(
      config_.server, metrics_,
      [this](const std::string& ticket, std::function<void(core::Result<Console>)> done) {
        runtime_.loop.post([this, ticket, done = std::move(done)] { take_ticket(ticket, done); });
      });
  core::log::info("console_listens", {{"address", server_->address()}});
}

void Service::issue_ticket(const msg::IssueTicket& request, core::Context& context,
                           core::Responder<msg::ConsoleTicket> respond) {
  if (request.kind == msg::ConsoleKind::unknown)
    return respond(std::unexpected(msg::invalid("kind", "kind must be serial or vnc")));
  if (!msg::is_name(request.host_id.value))
    return respond(core::refuse(ErrorCode::wrong_state, "The VM is not running"));
  runtime_.bus.call(msg::OpenConsole{.node_id = request.node_id, .kind = request.kind},
                    {.to = "provisioner/" + request.host_id.value,
                     .trace_id = context.trace_id(),
                     .deadline = open_deadline},
                    [this, request, respond = std::move(respond)](
                        const core::Result<msg::ConsoleEndpoint>& endpoint) {
                      if (!endpoint) return respond(std::unexpected(endpoint.error()));
                      auto ticket = write_ticket(request, *endpoint);
                      if (!ticket) return respond(std::unexpected(ticket.error()));
                      runtime_.store.when_durable([respond, ticket = std::move(*ticket)](
                                                      const core::Result<void>& durable) {
                        if (!durable) return respond(std::unexpected(durable.error()));
                        respond(ticket);
                      });
                    });
}

core::Result<msg::ConsoleTicket> Service::write_ticket(const msg::IssueTicket& request,
                                                       const msg::ConsoleEndpoint& endpoint) {
  if (!runtime_.store.is_loaded())
    return core::refuse(ErrorCode::unavailable, "the console service is loading its state");
  if (tickets_ >= config_.tickets_max)
    return core::refuse(ErrorCode::no_capacity, "too many console tickets wait to be used");
  auto context = runtime_.bus.context();
  const auto expires_unix_ms = context.now_unix_ms() + config_.ticket_s * 1000;
  const std::string ticket = new_ticket();
  const std::string hash = hash_ticket(ticket);
  auto tx = runtime_.store.begin(context);
  tx.write(keys::ticket(hash), StoredTicket{.hash = hash,
                                            .node_id = request.node_id,
                                            .kind = request.kind,
                                            .endpoint = endpoint,
                                            .person_id = request.person_id,
                                            .expires_unix_ms = expires_unix_ms});
  if (auto landed = tx.commit(); !landed) return std::unexpected(landed.error());
  ++tickets_;
  metrics_.tickets_issued.Increment();
  return msg::ConsoleTicket{
      .ticket = ticket,
      .url = config_.public_url.empty() ? "ws://" + address() + "/console" : config_.public_url,
      .expires_unix_ms = expires_unix_ms};
}

void Service::take_ticket(const std::string& ticket,
                          std::function<void(core::Result<Console>)> done) {
  const auto refuse = [&](const char* why) {
    metrics_.tickets_refused.Increment();
    done(core::refuse(ErrorCode::forbidden, why));
  };
  if (!runtime_.store.is_loaded())
    return done(core::refuse(ErrorCode::unavailable, "the console service is loading its state"));
  auto context = runtime_.bus.context();
  const auto key = keys::ticket(hash_ticket(ticket));
  const StoredTicket* found = runtime_.store.read(key);
  if (!found || found->expires_unix_ms <= context.now_unix_ms())
    return refuse("the ticket is unknown, used or too old");
  const Console console{.node_id = found->node_id,
                        .kind = found->kind,
                        .socket_path = found->endpoint.socket_path,
                        .log_path = found->endpoint.log_path};
  core::log::info("console_opened", {{"node", found->node_id.value},
                                     {"kind", msg::name_of(found->kind)},
                                     {"person", found->person_id.value}});
  auto tx = runtime_.store.begin(context);
  tx.remove(key);
  if (auto landed = tx.commit(); !landed) return done(std::unexpected(landed.error()));
  --tickets_;
  // Gone for ever before anything is opened: a second use must find nothing, whatever dies now.
  runtime_.store.when_durable([console, done = std::move(done)](const core::Result<void>& durable) {
    if (!durable) return done(std::unexpected(durable.error()));
    done(console);
  });
}

void Service::drop_expired(core::Context& context) {
  std::vector<std::string> expired;
  runtime_.store.for_each<StoredTicket>(keys::tickets(), [&](const StoredTicket& ticket) {
    if (ticket.expires_unix_ms <= context.now_unix_ms()) expired.push_back(ticket.hash);
  });
  if (expired.empty()) return;
  auto tx = runtime_.store.begin(context);
  for (const auto& hash : expired) tx.remove(keys::ticket(hash));
  if (tx.commit()) tickets_ -= expired.size();
}

}  // namespace nucleus::console
