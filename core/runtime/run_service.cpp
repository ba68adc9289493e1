#include "core/runtime/run_service.hpp"

#include "core/log/log.hpp"
#include "core/runtime/process.hpp"
#include "core/runtime/process_room.hpp"
#include "core/state/redis_journal.hpp"

namespace nucleus::core {

namespace {

constexpr int exit_settings = 2;
constexpr int exit_fenced = 3;

struct CommonConfig {
  ZmqLinkOptions link;
  RedisOptions redis;
  std::size_t worker_threads;
};

CommonConfig read_common(const std::string& name, Settings& settings) {
  CommonConfig config;
  config.link = read_link_options(name, settings);
  config.redis = {
      .socket_path = settings.text("redis.socket", "/run/nucleus/redis.sock"),
      .timeout = Milliseconds{settings.number("redis.timeout_ms", 2000, 10, 60'000)},
      .reply_retention_s = settings.number("redis.reply_retention_s", 600, 1, 86'400),
      .events_retained = settings.number("redis.events_retained", 1'000'000, 1000, 1'000'000'000)};
  config.worker_threads = static_cast<std::size_t>(settings.number("workers.threads", 4, 1, 256));
  return config;
}

int run(const std::string& name, Settings& settings, StopSignals& signals, const BuildRoom& build) {
  const CommonConfig config = read_common(name, settings);
  PosixLoop loop;
  auto metrics = std::make_shared<prometheus::Registry>();
  ZmqLink link(loop, config.link);
  // The journal's keys contain the process's name on the bus: each host's provisioner has its own.
  std::string journal_name = config.link.name;
  for (char& c : journal_name)
    if (c == '/') c = ':';
  RedisJournal journal(loop, journal_name, config.redis);
  Store store(loop, journal, config.link.name);
  Bus bus(loop, link, &store);
  ProcessRoom process_room(
      {.loop = loop, .bus = bus, .store = &store, .settings = settings, .metrics = metrics});
  ThreadWorkers workers(config.worker_threads);
  Runtime runtime{.loop = loop,
                  .workers = workers,
                  .bus = bus,
                  .store = store,
                  .settings = settings,
                  .metrics = *metrics};

  auto room = build(runtime);
  if (room) {
    if (auto finished = settings.finish(); !finished) room = std::unexpected(finished.error());
  }
  if (!room) {
    log::error("settings_refused", {{"reason", room.error().detail}});
    return exit_settings;
  }
  int exit_code = 0;
  store.on_fenced([&](const Error& error) {
    log::error("service_fenced", {{"reason", error.detail}});
    exit_code = exit_fenced;
    loop.stop();
  });
  signals.watch(
      loop, [&] { loop.stop(); },
      [&] {
        for (const auto& reload : runtime.on_hangup) reload();
        return !runtime.on_hangup.empty();
      });
  process_room.start();  // first: it may throw
  bus.start();
  log::info("service_started", {{"name", config.link.name}});
  loop.run();
  workers.stop();  // before the room, which their work uses
  log::info("service_stopped", {{"name", config.link.name}});
  return exit_code;
}

}  // namespace

int run_service(const std::string& name, int argc, char** argv, const BuildRoom& build) {
  auto settings = open_process(name, argc, argv);
  if (!settings) return exit_settings;
  try {
    StopSignals signals;
    return run(name, *settings, signals, build);
  } catch (const std::exception& error) {
    log::error("service_not_started", {{"reason", error.what()}});
    return 1;
  }
}

}  // namespace nucleus::core
