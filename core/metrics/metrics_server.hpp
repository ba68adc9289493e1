// The small HTTP server of every process: GET /metrics for Prometheus, GET /healthz for whoever
// watches over it (200 while it serves, else 503; one line that says why). Threads of its own.
#pragma once

#include <prometheus/collectable.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nucleus::core {

struct Health {
  bool is_sound = false;
  std::string line = {};  // `serving`, or what is missing
};

class MetricsServer {
 public:
  using Series = std::vector<std::shared_ptr<const prometheus::Collectable>>;

  /// `listen` is ADDRESS:PORT. `health` is called on a thread of the server. Throws
  /// std::runtime_error where the address cannot be bound.
  MetricsServer(const std::string& listen, Series series, std::function<Health()> health);
  ~MetricsServer();

  /// The port that was bound: `listen` may have said 0.
  int port() const;

 private:
  struct Handlers;
  std::unique_ptr<Handlers> handlers_;
};

}  // namespace nucleus::core
