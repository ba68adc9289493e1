#include "core/metrics/metrics_server.hpp"

#include <CivetServer.h>
#include <prometheus/text_serializer.h>

#include <stdexcept>

namespace nucleus::core {

namespace {

void reply(mg_connection* connection, int status, const char* type, const std::string& body) {
  mg_response_header_start(connection, status);
  mg_response_header_add(connection, "Content-Type", type, -1);
  mg_response_header_add(connection, "Content-Length", std::to_string(body.size()).c_str(), -1);
  mg_response_header_send(connection);
  mg_write(connection, body.data(), body.size());
}

}  // namespace

struct MetricsServer::Handlers {
  struct Metrics : CivetHandler {
    explicit Metrics(Series all) : series{std::move(all)} {}
    bool handleGet(CivetServer*, mg_connection* connection) override {
      std::vector<prometheus::MetricFamily> families;
      for (const auto& one : series)
        for (auto& family : one->Collect()) families.push_back(std::move(family));
      reply(connection, 200, "text/plain; version=0.0.4; charset=utf-8",
            prometheus::TextSerializer().Serialize(families));
      return true;
    }
    Series series;
  };
  struct Healthz : CivetHandler {
    explicit Healthz(std::function<Health()> ask) : health{std::move(ask)} {}
    bool handleGet(CivetServer*, mg_connection* connection) override {
      const Health now = health();
      reply(connection, now.is_sound ? 200 : 503, "text/plain; charset=utf-8", now.line + "\n");
      return true;
    }
    std::function<Health()> health;
  };

  Metrics metrics;
  Healthz healthz;
  std::unique_ptr<CivetServer> server = {};
};

MetricsServer::MetricsServer(const std::string& listen, Series series,
                             std::function<Health()> health)
    : handlers_{std::make_unique<Handlers>(Handlers::Metrics{std::move(series)},
                                           Handlers::Healthz{std::move(health)})} {
  const std::vector<std::string> options{"listening_ports", listen, "num_threads", "2"};
  try {
    handlers_->server = std::make_unique<CivetServer>(options);
  } catch (const CivetException&) {
    throw std::runtime_error("metrics.listen: " + listen + " cannot be bound");
  }
  handlers_->server->addHandler("/metrics$", handlers_->metrics);
  handlers_->server->addHandler("/healthz$", handlers_->healthz);
}

MetricsServer::~MetricsServer() = default;

int MetricsServer::port() const {
  return handlers_->server->getListeningPorts().at(0);
}

}  // namespace nucleus::core
