// The part of every process that answers ping, status, config and drain on the bus, and serves
// /metrics and /healthz. It pings itself over the bus once a second to detect a lost connection;
// over tcp the ping also announces its name. Runs on the process's loop.
#pragma once

#include <prometheus/registry.h>

#include <memory>

#include "core/bus/bus.hpp"
#include "core/config/settings.hpp"
#include "core/loop/posix_loop.hpp"
#include "core/metrics/core_metrics.hpp"
#include "core/metrics/metrics_server.hpp"
#include "messages/process.hpp"

namespace nucleus::core {

class ProcessRoom {
 public:
  struct Parts {
    PosixLoop& loop;
    Bus& bus;
    Store* store = nullptr;  // null if the process has none
    Settings& settings;
    std::shared_ptr<prometheus::Registry> metrics;
  };

  /// Reads `metrics.listen` (empty = no HTTP). Construct before the bus is started.
  explicit ProcessRoom(Parts parts);
  ~ProcessRoom();
  ProcessRoom(const ProcessRoom&) = delete;
  ProcessRoom& operator=(const ProcessRoom&) = delete;

  /// Opens the HTTP server and starts the self-pings. Throws std::runtime_error if
  /// `metrics.listen` cannot be bound.
  void start();
  /// The port of the HTTP server; 0 = none.
  int http_port() const { return server_ ? server_->port() : 0; }

 private:
  Result<msg::Done> ping(const msg::Ping&, Context&);
  Result<msg::ProcessStatus> get_status(const msg::GetProcessStatus&, Context&);
  Result<msg::ProcessConfig> get_config(const msg::GetProcessConfig&, Context&);
  Result<msg::ProcessStatus> drain(const msg::DrainProcess&, Context&);
  msg::ProcessStatus status() const;
  void check_health(std::function<void(Health)> report);
  void ping_itself();
  void update_serving();

  Parts parts_;
  CoreMetrics metrics_;
  std::optional<Endpoint> listen_;
  std::int64_t started_unix_ms_;
  std::int64_t answered_steady_ms_ = 0;         // of the last ping
  std::unique_ptr<MetricsServer> server_ = {};  // destroyed first: its threads use the others
};

}  // namespace nucleus::core
