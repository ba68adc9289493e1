#include "core/metrics/metrics_server.hpp"

#include <prometheus/text_serializer.h>

namespace nucleus::core {

namespace {

constexpr std::chrono::milliseconds health_timeout{1000};
constexpr std::size_t connections_max = 100;
constexpr std::size_t connections_per_address_max = 50;

http::Response text_response(int status, std::string text) {
  return {.status = status,
          .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
          .body = std::move(text)};
}

http::Response health_response(const Health& health) {
  return text_response(health.is_serving ? 200 : 503, health.line + "\n");
}

}  // namespace

MetricsServer::MetricsServer(const Endpoint& listen, Series series, CheckHealth check_health)
    : series_{std::move(series)}, check_health_{std::move(check_health)} {
  server_ = std::make_unique<http::Server>(
      http::ServerOptions{.listen = {.endpoint = listen},
                          .connections_max = connections_max,
                          .connections_per_address_max = connections_per_address_max},
      [this](const http::Request& request, const std::shared_ptr<void>&,
             const http::Respond& respond) { handle(request, respond); });
  server_->start();
}

void MetricsServer::handle(const http::Request& request, const http::Respond& respond) {
  if (request.method != "GET") return respond(text_response(405, "only GET is served\n"));
  if (request.path == "/healthz") {
    check_health_([respond](const Health& health) { respond(health_response(health)); });
    return server_->after(health_timeout, [respond] {
      respond(health_response({.line = "unresponsive: the event loop is blocked"}));
    });
  }
  if (request.path != "/metrics") return respond(text_response(404, "no such page\n"));
  std::vector<prometheus::MetricFamily> families;
  for (const auto& one : series_)
    for (auto& family : one->Collect()) families.push_back(std::move(family));
  auto page = text_response(200, prometheus::TextSerializer().Serialize(families));
  page.headers["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8";
  respond(std::move(page));
}

}  // namespace nucleus::core
