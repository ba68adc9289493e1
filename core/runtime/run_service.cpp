#include "core/runtime/run_service.hpp"

#include <algorithm>

#include "core/log/log.hpp"
#include "core/runtime/process.hpp"
#include "core/runtime/process_room.hpp"
#include "core/state/redis_journal.hpp"
#include "core/state/sqlite_journal.hpp"

namespace nucleus::core {

namespace {

constexpr int exit_settings = 2;
constexpr int exit_fenced = 3;

/// `name` is the process's on the bus.
std::unique_ptr<Journal> open_journal(Loop& loop, std::string name, Settings& settings,
                                      Records records) {
  std::ranges::replace(name, '/', ':');
  if (records == Records::on_this_machine)
    return std::make_unique<SqliteJournal>(
        loop, SqliteOptions{
                  .path = settings.text("state.file", "/var/lib/nucleus/host/state.db"),
                  .reply_retention_s = settings.number("state.reply_retention_s", 600, 1, 86'400)});
  return std::make_unique<RedisJournal>(
      loop, name,
      RedisOptions{.socket_path = settings.text("redis.socket", "/run/nucleus/redis.sock"),
                   .timeout = Milliseconds{settings.number("redis.timeout_ms", 2000, 10, 60'000)},
                   .reply_retention_s = settings.number("redis.reply_retention_s", 600, 1, 86'400),
                   .events_retained =
                       settings.number("redis.events_retained", 1'000'000, 1000, 1'000'000'000)});
}

/// Reads the keys and addresses again and connects with them.
void renew_link(ZmqLink& link, const std::string& name, const std::string& settings_path) {
  auto settings = Settings::load(settings_path);
  if (!settings) return log::error("settings_refused", {{"reason", settings.error().detail}});
  link.reconnect(read_link_options(name, *settings));
  log::info("bus_reconnecting", {{"name", link.name()}});
}

int run(const std::string& name, Settings& settings, StopSignals& signals, const BuildRoom& build,
        Records records) {
  const ZmqLinkOptions link_options = read_link_options(name, settings);
  const auto worker_threads =
      static_cast<std::size_t>(settings.number("workers.threads", 4, 1, 256));
  PosixLoop loop;
  auto metrics = std::make_shared<prometheus::Registry>();
  ZmqLink link(loop, link_options);
  const auto journal = open_journal(loop, link_options.name, settings, records);
  Store store(loop, *journal, link_options.name);
  Bus bus(loop, link, &store);
  ProcessRoom process_room(
      {.loop = loop, .bus = bus, .store = &store, .settings = settings, .metrics = metrics});
  ThreadWorkers workers(worker_threads);
  Runtime runtime{.loop = loop,
                  .workers = workers,
                  .bus = bus,
                  .store = store,
                  .settings = settings,
                  .metrics = *metrics};

  if (!link_options.keys.server_public.empty())
    runtime.on_hangup.push_back([&] { renew_link(link, name, settings.path()); });
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
  log::info("service_started", {{"name", link_options.name}});
  loop.run();
  workers.stop();  // before the room, which their work uses
  log::info("service_stopped", {{"name", link_options.name}});
  return exit_code;
}

}  // namespace

int run_service(const std::string& name, int argc, char** argv, const BuildRoom& build,
                Records records) {
  auto settings = open_process(name, argc, argv);
  if (!settings) return exit_settings;
  try {
    StopSignals signals;
    return run(name, *settings, signals, build, records);
  } catch (const std::exception& error) {
    log::error("service_not_started", {{"reason", error.what()}});
    return 1;
  }
}

}  // namespace nucleus::core
