// nucleus-bus: routes requests to services by name and fans events out. Owns no state; restart it
// at any moment.
#include <atomic>
#include <thread>

#include "core/bus/broker.hpp"
#include "core/log/log.hpp"
#include "core/runtime/process.hpp"
#include "services/bus/rights.hpp"

int main(int argc, char** argv) {
  using namespace nucleus;
  auto settings = core::open_process("bus", argc, argv);
  if (!settings) return 2;
  const std::string rights_directory = settings->text("bus.rights_directory", "");
  const core::BrokerOptions options{
      .requests_url = settings->text("bus.requests_url", "ipc:///run/nucleus/bus.sock"),
      .events_url = settings->text("bus.events_url", "ipc:///run/nucleus/events.sock"),
      .tcp_requests_url = settings->text("bus.tcp_requests_url", ""),
      .tcp_events_url = settings->text("bus.tcp_events_url", ""),
      .curve_secret = settings->text("bus.curve_secret", ""),
      .rights_of = [&](const std::string& key) { return bus::rights_of(rights_directory, key); }};
  if (auto finished = settings->finish(); !finished) {
    core::log::error("settings_refused", {{"reason", finished.error().detail}});
    return 2;
  }
  try {
    core::StopSignals signals;
    core::PosixLoop loop;
    std::atomic<bool> is_stopping = false;
    signals.watch(loop, [&] { loop.stop(); });
    std::atomic<int> exit_code = 0;
    std::jthread broker([&] {
      try {
        core::run_broker(options, is_stopping);
      } catch (const std::exception& error) {
        core::log::error("service_not_started", {{"reason", error.what()}});
        exit_code = 1;
        loop.stop();
      }
    });
    core::log::info("service_started", {{"name", "bus"}});
    loop.run();
    is_stopping = true;
    broker.join();
    return exit_code;
  } catch (const std::exception& error) {
    core::log::error("service_not_started", {{"reason", error.what()}});
    return 1;
  }
}
