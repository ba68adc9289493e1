#include "core/metrics/metrics_server.hpp"

#include <CivetServer.h>
#include <arpa/inet.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace nucleus::core {

namespace {

void reply(mg_connection* connection, int status, const char* type, const std::string& body) {
  mg_response_header_start(connection, status);
  mg_response_header_add(connection, "Content-Type", type, -1);
  mg_response_header_add(connection, "Content-Length", std::to_string(body.size()).c_str(), -1);
  mg_response_header_send(connection);
  mg_write(connection, body.data(), body.size());
}

constexpr std::chrono::milliseconds wake_every{2};

/// Connects to the port and hangs up. An address that is not IPv4 is left to its own time.
void touch(const std::string& address, int port) {
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<std::uint16_t>(port));
  if (inet_pton(AF_INET, address.c_str(), &peer.sin_addr) != 1) return;
  const int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_fd < 0) return;
  (void)connect(socket_fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer));
  close(socket_fd);
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
  std::string address = {};
  std::unique_ptr<CivetServer> server = {};
};

MetricsServer::MetricsServer(const std::string& listen, Series series,
                             std::function<Health()> health)
    : handlers_{std::make_unique<Handlers>(Handlers::Metrics{std::move(series)},
                                           Handlers::Healthz{std::move(health)},
                                           listen.substr(0, listen.rfind(':')))} {
  const std::vector<std::string> options{"listening_ports", listen, "num_threads", "2"};
  try {
    handlers_->server = std::make_unique<CivetServer>(options);
  } catch (const CivetException&) {
    throw std::runtime_error("metrics.listen: " + listen + " cannot be bound");
  }
  handlers_->server->addHandler("/metrics$", handlers_->metrics);
  handlers_->server->addHandler("/healthz$", handlers_->healthz);
}

// CivetWeb looks whether it is to end only when its wait for connections ends, after up to 2 s
// (SOCKET_TIMEOUT_QUANTUM in its civetweb.c): connections end that wait.
MetricsServer::~MetricsServer() {
  const int bound_port = port();
  std::mutex mutex;
  std::condition_variable_any closed;
  std::jthread waker([&](const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      touch(handlers_->address, bound_port);
      closed.wait_for(lock, stop, wake_every, [] { return false; });
    }
  });
  handlers_->server->close();
}

int MetricsServer::port() const {
  return handlers_->server->getListeningPorts().at(0);
}

}  // namespace nucleus::core
