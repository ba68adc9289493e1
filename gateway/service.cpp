#include "gateway/service.hpp"

#include <prometheus/text_serializer.h>

#include "core/log/log.hpp"
#include "core/runtime/tls_renewal.hpp"
#include "gateway/credentials/credentials.hpp"
#include "gateway/credentials/session_cookie.hpp"
#include "gateway/iri/routes.hpp"
#include "gateway/json/numbers.hpp"
#include "gateway/v1/routes.hpp"
#include "gateway/v2/resource.hpp"
#include "gateway/v2/routes.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

constexpr std::uint64_t sequences_ahead_max = 1'000'000;

/// The URL by which the client reached the gateway: gateway.public_url, or its Host header.
std::string base_url(const Config& config, const core::http::Request& request) {
  if (!config.public_url.empty()) return config.public_url;
  const std::string host = request.header("Host");
  const bool is_host =
      !host.empty() && host.size() <= 255 && std::ranges::all_of(host, [](unsigned char c) {
        return std::isalnum(c) || std::string_view(".:-_[]").contains(static_cast<char>(c));
      });
  return (config.http.listen.certificate ? "https://" : "http://") +
         (is_host ? host : config.http.listen.endpoint.text());
}

/// `Nucleus-After-Sequence: N`, from an earlier answer's `Nucleus-Sequence`.
core::Result<void> read_after_sequence(Exchange& exchange, std::uint64_t newest) {
  const std::string text = exchange.request.header("Nucleus-After-Sequence");
  if (text.empty()) return {};
  const auto number = whole_number<std::uint64_t>(text);
  if (!number)
    return core::refuse(ErrorCode::invalid_argument,
                        "Nucleus-After-Sequence must be the number of an event",
                        "Nucleus-After-Sequence");
  // Another gateway may know more events than this one, but not that many.
  if (*number > newest + sequences_ahead_max)
    return core::refuse(ErrorCode::invalid_argument,
                        "Nucleus-After-Sequence is the number of no event yet",
                        "Nucleus-After-Sequence");
  exchange.after_sequence = std::max(exchange.after_sequence, *number);
  return {};
}

/// The target of a redirect to the path with a slash (docs/rest-v1.md, Common rules); empty if none
/// is needed. The credential is not checked before, so that its nonce can be used again.
std::string target_with_slash(const Route& route, const core::http::Request& request) {
  const auto mark = std::min(request.target.find('?'), request.target.size());
  if (request.method != "GET" || !route.pattern.starts_with("/v1/") ||
      !route.pattern.ends_with('/') || mark == 0 || request.target[mark - 1] == '/')
    return {};
  return request.target.substr(0, mark) + "/" + request.target.substr(mark);
}

/// The body of a removal is empty, or says that it is only to be planned: a misspelled `plan` must
/// not remove anything.
core::Result<void> check_removal(const Route& route, const Exchange& exchange) {
  if (exchange.request.method != "DELETE" || !route.pattern.starts_with("/v2/")) return {};
  const bool has_plan = route.parameters.contains("plan");
  const auto body = has_plan ? read_body(exchange, {"plan"}) : read_body(exchange, {});
  if (!body) return std::unexpected(body.error());
  return {};
}

/// The response to a request that was refused before any route was looked up.
core::http::Response render_error(int status, const std::string& detail, const std::string& path) {
  const auto is_below = [&](const std::string& root) {
    return path.starts_with(root) || path.starts_with("/nucleus" + root);
  };
  if (is_below("/api/"))
    return {.status = status,
            .headers = {{"Content-Type", "application/problem+json"}},
            .body = text_of(Json{{"type", "about:blank"},
                                 {"title", "The request is not valid"},
                                 {"status", status},
                                 {"detail", detail},
                                 {"instance", path}})};
  if (is_below("/v2/"))
    return {.status = status,
            .headers = {{"Content-Type", "application/problem+json"}},
            .body = text_of(Json{{"type", "/problems/invalid_argument"},
                                 {"title", "The request is not valid"},
                                 {"status", status},
                                 {"detail", detail}})};
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = text_of(Json{{"detail", detail}})};
}

/// A cookie is sent whoever causes the request; whether that was a page of this gateway is checked
/// before anything is changed or a WebSocket is opened.
core::Result<Credential> credential_or_session(const Exchange& exchange, BodyState body) {
  const SessionPlace place{.request = exchange.request, .base_url = exchange.base_url};
  auto token = session_token(place);
  if (token.empty()) return credential_of(exchange.request, body);
  if (needs_own_page(exchange.request) && !is_from_own_page(place))
    return core::refuse(ErrorCode::forbidden, "Origin must be this gateway's own");
  return msg::CheckToken{std::move(token)};
}

std::string route_label(const RouteMatch& match) {
  return match.route ? label_of(*match.route) : "none";
}

}  // namespace

Service::Service(core::Runtime& runtime, Config config)
    : runtime_{runtime},
      config_{std::move(config)},
      metrics_{runtime.metrics},
      streams_{runtime, config_, metrics_},
      idempotency_keys_{runtime.loop},
      cached_reads_{runtime, config_, metrics_},
      portal_files_{config_.portal_directory, {config_.console_url, config_.uploads_url}} {
  // The cache first: a client that got an event from a stream then reads nothing older.
  runtime_.bus.subscribe_all([this](const core::StoredEvent& event) {
    cached_reads_.follow(event);
    streams_.follow(event);
  });
  config_.http.request_id_prefix =
      runtime_.loop.new_id().substr(0, core::http::request_id_bytes / 2);
  config_.http.render_error = render_error;
  config_.http.stop_reason = "the gateway is stopping";
  if (config_.cache_bytes_max > 0)
    config_.http.cache_lookup = [this](const core::Sha256& head) {
      if (runtime_.bus.is_draining()) return core::http::PreparedResponsePtr();
      return cached_reads_.cache().find_by_head(head, runtime_.loop.steady_ms());
    };
  add_own_routes();
  const FileWork work{.loop = runtime_.loop, .workers = runtime_.workers};
  add_v1_routes(router_, work);
  add_v2_routes(router_, runtime_, streams_, work,
                {.loop = runtime_.loop, .session_s = config_.session_s}, config_.targets_file);
  add_iri_routes(router_, config_.facility, runtime_.loop);
  server_ = std::make_unique<core::http::Server>(
      config_.http,
      [this](core::http::Request request, std::shared_ptr<void> kept, core::http::Respond respond) {
        runtime_.loop.post([this, request = std::move(request), kept = std::move(kept),
                            respond = std::move(respond)]() mutable {
          handle(std::move(request), std::move(kept), std::move(respond));
        });
      },
      is_upload,
      [this](const core::http::Request& request,
             std::function<void(std::variant<core::http::BodyPlan, core::http::Response>)> done) {
        runtime_.loop.post([this, request, done = std::move(done)] { plan_upload(request, done); });
      });
  server_->start();
  core::log::info("gateway_listens", {{"address", address()}});
  core::renew_at_hangup(runtime_, config_.http.listen.certificate, metrics_.certificate_end());
}

void Service::add_own_routes() {
  router_.add_public("GET", "/healthz", [this](const ExchangePtr& exchange) {
    if (!runtime_.bus.is_ready() || !runtime_.store.is_reachable())
      return exchange->refuse(ErrorCode::unavailable,
                              "redis is away, or its records are not loaded");
    if (runtime_.bus.is_draining())
      return exchange->refuse(ErrorCode::unavailable, "the gateway accepts no new requests");
    exchange->reply(200, Json{{"status", "ok"}});
  });
  router_.add_public("GET", "/metrics", [this](const ExchangePtr& exchange) {
    exchange->reply_text(200, prometheus::TextSerializer().Serialize(runtime_.metrics.Collect()),
                         "text/plain; version=0.0.4; charset=utf-8");
  });
  portal_files_.add_routes(router_);
}

ExchangePtr Service::make_exchange(core::http::Request request, core::http::Respond respond) {
  const std::string base = base_url(config_, request);
  auto exchange =
      std::make_shared<Exchange>(runtime_.bus, config_.call_deadline, std::move(request),
                                 std::move(respond), runtime_.loop.new_id());
  exchange->base_url = base;
  exchange->on_sequence = [this](std::uint64_t sequence) {
    cached_reads_.cache().observe(sequence);
  };
  return exchange;
}

void Service::handle(core::http::Request request, std::shared_ptr<void> kept,
                     core::http::Respond respond) {
  auto match = router_.find(request.method, request.path);
  const auto started_ms = runtime_.loop.steady_ms();
  auto exchange = make_exchange(
      std::move(request), [this, label = route_label(match), started_ms,
                           respond = std::move(respond)](core::http::Response response) {
        metrics_.count(label, response.status,
                       static_cast<double>(runtime_.loop.steady_ms() - started_ms) / 1000);
        respond(std::move(response));
      });
  exchange->path = std::move(match.path);
  if (!match.route) {
    if (match.allowed.empty()) return exchange->refuse(ErrorCode::not_found, "no such route");
    return exchange->refuse_method(match.allowed);
  }
  // A change goes to one service alone, which must know what this gateway answered before.
  if (exchange->request.method != "GET")
    exchange->after_sequence = cached_reads_.cache().newest_observed();
  const auto newest =
      std::max(runtime_.store.last_sequence(), cached_reads_.cache().newest_observed());
  if (auto read = read_after_sequence(*exchange, newest); !read)
    return exchange->refuse(read.error());
  const Route& route = *match.route;
  if (auto checked = check_query(route, exchange->request); !checked)
    return exchange->refuse(checked.error());
  if (auto checked = check_removal(route, *exchange); !checked)
    return exchange->refuse(checked.error());
  if (const auto target = target_with_slash(route, exchange->request); !target.empty())
    return exchange->reply_text(301, "", "text/html; charset=utf-8",
                                {{"Location", exchange->base_url + target}});
  exchange->needs = route.needs;
  if (route.needs == msg::Right::unknown) return route.handler(exchange);
  if (runtime_.bus.is_draining())
    return exchange->refuse(ErrorCode::unavailable, "the gateway accepts no new requests");
  if (auto upload = std::static_pointer_cast<Upload>(kept)) {
    exchange->upload = std::move(upload);
    return finish_upload(exchange, route);
  }
  if (route.is_open && exchange->request.header("Authorization").empty())
    return route.handler(exchange);
  authenticate(exchange, route.needs, [this, exchange, &route](msg::Principal who) {
    exchange->who = std::move(who);
    if (route.is_cached) return cached_reads_.run(exchange, route);
    idempotency_keys_.run(exchange, route.handler);
  });
}

void Service::authenticate(const ExchangePtr& exchange, msg::Right needs,
                           std::function<void(msg::Principal)> next) {
  // Of an upload only the head was read; its digest is compared when the body was read.
  const bool is_head = is_upload(exchange->request) && exchange->request.body_path.empty();
  const auto credential =
      credential_or_session(*exchange, is_head ? BodyState::pending : BodyState::read);
  if (!credential) return exchange->refuse(credential.error());
  const auto admit = [exchange, needs, next = std::move(next)](msg::Principal who) {
    if (msg::may(who, needs)) return next(std::move(who));
    exchange->who = std::move(who);  // whose refused change is logged
    exchange->refuse_right(needs);
  };
  const auto refuse = [exchange](const core::Error& error) { exchange->refuse(error); };
  if (const auto* token = std::get_if<msg::CheckToken>(&*credential))
    return cached_reads_.verify(exchange, *token, admit, refuse);
  const auto* password = std::get_if<msg::CheckPassword>(&*credential);
  if (!password)
    return std::visit([&](const auto& check) { exchange->ask(check, admit); }, *credential);
  const auto check_password = [exchange, admit, check = *password] {
    exchange->try_ask(check, [exchange, admit](const core::Result<msg::Principal>& answered) {
      if (answered) return admit(*answered);
      if (answered.error().code == ErrorCode::no_capacity)
        return exchange->refuse_log_in(answered.error());
      exchange->refuse(answered.error());
    });
  };
  if (!msg::is_token(password->password)) return check_password();
  // As Basic, a token may stand for the password; a password may look like a token.
  cached_reads_.verify(exchange, {password->password}, admit,
                       [refuse, check_password](const core::Error& error) {
                         if (error.code != ErrorCode::unauthenticated) return refuse(error);
                         check_password();
                       });
}

/// Its credential was checked before the body was read, and a signature is accepted only once; but
/// the right may have ended meanwhile.
void Service::finish_upload(const ExchangePtr& exchange, const Route& route) {
  const auto& who = exchange->upload->who;
  exchange->ask(
      msg::RecheckCredential{
          .person_id = who.person_id, .token_id = who.token_id, .person_uid = who.person_uid},
      [exchange, &route, rights = who.rights](msg::Principal now) {
        std::erase_if(now.rights, [&](msg::Right right) {
          return std::ranges::find(rights, right) == rights.end();
        });
        if (!msg::may(now, route.needs)) return exchange->refuse_right(route.needs);
        exchange->who = std::move(now);
        route.handler(exchange);
      });
}

void Service::plan_upload(
    const core::http::Request& request,
    std::function<void(std::variant<core::http::BodyPlan, core::http::Response>)> done) {
  auto exchange = make_exchange(request, done);
  auto match = router_.find(request.method, request.path);
  exchange->path = std::move(match.path);
  if (auto checked = check_query(*match.route, exchange->request); !checked)
    return exchange->refuse(checked.error());
  authenticate(exchange, match.route->needs, [this, exchange, done](msg::Principal who) {
    exchange->who = std::move(who);
    check_upload(exchange, [this, exchange, done] {
      if (config_.spool_directory.empty())
        return exchange->refuse(ErrorCode::unavailable, "this gateway accepts no uploads");
      auto upload = std::make_shared<Upload>();
      upload->path = config_.spool_directory + "/" + exchange->id();
      upload->who = exchange->who;
      done(core::http::BodyPlan{
          .file_path = upload->path, .bytes_max = config_.upload_bytes_max, .context = upload});
    });
  });
}

}  // namespace nucleus::gateway
