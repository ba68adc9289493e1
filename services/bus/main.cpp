// nucleus-bus: runs the broker on its own thread. The main thread runs an ordinary process,
// connected to the broker like any other, that serves `process.*` requests and metrics.
#include <atomic>
#include <thread>

#include "core/bus/zmq_link.hpp"
#include "core/log/log.hpp"
#include "core/runtime/process.hpp"
#include "core/runtime/process_room.hpp"
#include "services/bus/broker.hpp"
#include "services/bus/metrics.hpp"
#include "services/bus/rights.hpp"

namespace {

using namespace nucleus;

int run(core::Settings& settings) {
  const auto series = std::make_shared<prometheus::Registry>();
  bus::Metrics metrics(*series);
  const std::string rights_directory = settings.text("bus.rights_directory", "");
  bus::RightsWatch rights_watch(rights_directory);
  core::StopSignals signals;
  core::PosixLoop loop;
  const bus::BrokerOptions options{
      .requests_url = settings.text("bus.requests_url", "ipc:///run/nucleus/bus.sock"),
      .events_url = settings.text("bus.events_url", "ipc:///run/nucleus/events.sock"),
      .tcp_requests_url = settings.text("bus.tcp_requests_url", ""),
      .tcp_events_url = settings.text("bus.tcp_events_url", ""),
      .curve_secret = settings.secret("bus.curve_secret"),
      .connections_per_address_max = static_cast<std::size_t>(
          settings.number("bus.connections_per_address_max", 1'000, 1, 5'000)),
      .find_rights =
          [&](const std::string& key) { return bus::find_rights(rights_directory, key); },
      .have_rights_changed = [&] { return rights_watch.has_changed(); },
      .end_key = [&](const std::string& key) { bus::remove_rights(rights_directory, key); },
      .unix_s = [&] { return loop.unix_ms() / 1000; },
      .observe = [&](bus::BrokerEvent event, std::size_t bytes) { metrics.count(event, bytes); }};
  core::ZmqLink link(
      loop,
      {.name = "bus", .requests_url = options.requests_url, .events_url = options.events_url});
  core::Bus self(loop, link, nullptr);
  core::ProcessRoom room({.loop = loop, .bus = self, .settings = settings, .metrics = series});
  if (auto finished = settings.finish(); !finished) {
    core::log::error("settings_refused", {{"reason", finished.error().detail}});
    return 2;
  }
  std::atomic<bool> is_stopping = false;
  std::atomic<int> exit_code = 0;
  signals.watch(loop, [&] { loop.stop(); });
  room.start();
  core::log::info("service_started", {{"name", "bus"}});
  std::jthread broker([&] {
    try {
      bus::run_broker(options, is_stopping);
    } catch (const std::exception& error) {
      core::log::error("service_not_started", {{"reason", error.what()}});
      exit_code = 1;
      loop.stop();
    }
  });
  loop.run();
  is_stopping = true;
  broker.join();
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  auto settings = core::open_process("bus", argc, argv);
  if (!settings) return 2;
  try {
    return run(*settings);
  } catch (const std::exception& error) {
    core::log::error("service_not_started", {{"reason", error.what()}});
    return 1;
  }
}
