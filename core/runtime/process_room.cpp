#include "core/runtime/process_room.hpp"

#include <unistd.h>

#include "core/log/log.hpp"
#include "core/metrics/process_metrics.hpp"

namespace nucleus::core {

namespace {

constexpr Milliseconds ping_interval{1000};
constexpr Milliseconds ping_timeout{2000};
constexpr std::int64_t silence_ms_max = 3000;  // without a ping: the bus is not connected

}  // namespace

ProcessRoom::ProcessRoom(Parts parts)
    : parts_{std::move(parts)},
      metrics_{*parts_.metrics},
      listen_{parts_.settings.optional_endpoint("metrics.listen")},
      started_unix_ms_{parts_.loop.unix_ms()},
      answered_steady_ms_{parts_.loop.steady_ms() - silence_ms_max - 1} {
  parts_.bus.serve_always<msg::Ping>(*this, &ProcessRoom::ping);
  parts_.bus.serve_always<msg::GetProcessStatus>(*this, &ProcessRoom::get_status);
  parts_.bus.serve_always<msg::GetProcessConfig>(*this, &ProcessRoom::get_config);
  parts_.bus.serve_always<msg::DrainProcess>(*this, &ProcessRoom::drain);
  parts_.bus.measure(metrics_);
  if (!parts_.store) return;
  metrics_.open_store();
  parts_.store->measure(metrics_);
}

ProcessRoom::~ProcessRoom() = default;

void ProcessRoom::start() {
  ping_itself();
  if (!listen_) return;
  auto process =
      std::make_shared<ProcessMetrics>([&loop = parts_.loop] { return loop.busy_seconds(); });
  server_ = std::make_unique<MetricsServer>(
      *listen_, MetricsServer::Series{parts_.metrics, std::move(process)},
      [this](std::function<void(Health)> report) { check_health(std::move(report)); });
}

Result<msg::Done> ProcessRoom::ping(const msg::Ping&, Context&) {
  return msg::Done{};
}

Result<msg::ProcessStatus> ProcessRoom::get_status(const msg::GetProcessStatus&, Context&) {
  return status();
}

Result<msg::ProcessConfig> ProcessRoom::get_config(const msg::GetProcessConfig&, Context&) {
  return msg::ProcessConfig{.settings = parts_.settings.in_force()};
}

Result<msg::ProcessStatus> ProcessRoom::drain(const msg::DrainProcess&, Context& context) {
  if (!parts_.bus.is_draining())
    log::info("process_draining", {{"requested_by", context.sender()}});
  parts_.bus.drain();
  update_serving();
  return status();
}

msg::ProcessStatus ProcessRoom::status() const {
  const Bus& bus = parts_.bus;
  msg::ProcessStatus report{.name = parts_.bus.link().name(),
                            .state = msg::ProcessState::serving,
                            .pid = getpid(),
                            .started_unix_ms = started_unix_ms_,
                            .requests_in_flight = bus.requests_in_flight(),
                            .event_handled = parts_.store ? parts_.store->cursor() : 0,
                            .event_newest = bus.newest_event()};
  const auto is = [&](msg::ProcessState state, std::string reason) {
    report.state = state;
    report.reason = std::move(reason);
  };
  if (parts_.store && !parts_.store->is_loaded()) {
    const std::string& fault = parts_.store->fault();
    is(msg::ProcessState::starting, fault.empty() ? "loading its records" : fault);
  } else if (!bus.is_ready()) {
    is(msg::ProcessState::starting, "handling events from before its start");
  } else if (parts_.loop.steady_ms() - answered_steady_ms_ > silence_ms_max) {
    is(msg::ProcessState::cut_off, "no connection to the bus");
  } else if (parts_.store && !parts_.store->is_reachable()) {
    is(msg::ProcessState::cut_off, "no connection to redis");
  } else if (bus.is_draining()) {
    is(msg::ProcessState::draining, "takes no new requests");
  }
  return report;
}

void ProcessRoom::check_health(std::function<void(Health)> report) {
  parts_.loop.post([this, report = std::move(report)] {
    const auto now = status();
    const std::string state(msg::name_of(now.state));
    report({.is_serving = now.state == msg::ProcessState::serving,
            .line = now.reason.empty() ? state : state + ": " + now.reason});
  });
}

void ProcessRoom::ping_itself() {
  if (parts_.store) parts_.store->check_connection();
  parts_.bus.call(msg::Ping{}, {.to = parts_.bus.link().name(), .deadline = ping_timeout},
                  [this](const Result<msg::Done>& answer) {
                    if (answer) answered_steady_ms_ = parts_.loop.steady_ms();
                    update_serving();
                  });
  parts_.loop.after(ping_interval, [this] { ping_itself(); });
}

void ProcessRoom::update_serving() {
  metrics_.show_serving(status().state == msg::ProcessState::serving);
}

}  // namespace nucleus::core
