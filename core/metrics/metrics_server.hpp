// The small HTTP server of every process: GET /metrics for Prometheus, and GET /healthz for
// supervisors: 200 while the process serves, else 503, with one line that says why. It has a thread
// of its own, so that both are answered while the process's loop is blocked.
#pragma once

#include <prometheus/collectable.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/http/server.hpp"

namespace nucleus::core {

struct Health {
  bool is_serving = false;
  std::string line = {};  // the state, and the reason if it is not `serving`
};

class MetricsServer {
 public:
  using Series = std::vector<std::shared_ptr<const prometheus::Collectable>>;
  /// Reports the health from any thread. If that takes over a second, the loop is blocked.
  using CheckHealth = std::function<void(std::function<void(Health)> report)>;

  /// Throws std::runtime_error if the endpoint cannot be bound.
  MetricsServer(const Endpoint& listen, Series series, CheckHealth check_health);

  /// The port that was bound.
  int port() const { return server_->endpoint().port; }

 private:
  void handle(const http::Request& request, const http::Respond& respond);

  Series series_;
  CheckHealth check_health_;
  std::unique_ptr<http::Server> server_;  // last: its thread uses the others
};

}  // namespace nucleus::core
