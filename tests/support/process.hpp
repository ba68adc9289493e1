// A whole process in a test: a loop on its own thread, a link to a real broker, and a journal in a
// real Redis, or for a provisioner in an SQLite file. Rooms are built as run_service builds them,
// so that service tests run what ships.
#pragma once

#include <prometheus/registry.h>

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "core/bus/bus.hpp"
#include "core/bus/zmq_link.hpp"
#include "core/loop/posix_loop.hpp"
#include "core/runtime/process_room.hpp"
#include "core/runtime/runtime.hpp"
#include "core/state/redis_journal.hpp"
#include "core/state/sqlite_journal.hpp"
#include "services/bus/broker.hpp"
#include "tests/support/redis_fixture.hpp"

namespace nucleus::tests {

/// The deadline of every wait in a test.
constexpr std::chrono::milliseconds wait_timeout{20'000};

/// The broker and the Redis of one test.
class Deployment {
 public:
  Deployment() : broker_{[this] { bus::run_broker(options_, is_stopping_); }} {}
  ~Deployment() { stop_bus(); }

  RedisServer redis = {};
  void stop_bus() {
    is_stopping_ = true;
    if (broker_.joinable()) broker_.join();
  }
  std::string requests_url() const { return options_.requests_url; }
  std::string events_url() const { return options_.events_url; }
  /// A file of one of its hosts.
  std::string host_file(const std::string& name) const { return folder_.file(name); }

 private:
  TemporaryFolder folder_ = {};
  bus::BrokerOptions options_ = {.requests_url = "ipc://" + folder_.file("bus.sock"),
                                 .events_url = "ipc://" + folder_.file("events.sock")};
  std::atomic<bool> is_stopping_ = false;
  std::jthread broker_;
};

class Process {
 public:
  using Build = std::function<core::Result<std::shared_ptr<void>>(core::Runtime&)>;

  /// Starts process `name`; without `build` it is a caller only.
  Process(Deployment& deployment, const std::string& name,
          std::map<std::string, std::string> settings = {}, Build build = {},
          core::BusLimits limits = {})
      : settings_{std::move(settings)},
        link_{loop_,
              {.name = name,
               .requests_url = deployment.requests_url(),
               .events_url = deployment.events_url()}} {
    if (name.starts_with("provisioner/"))
      journal_ = std::make_unique<core::SqliteJournal>(
          loop_, core::SqliteOptions{.path = deployment.host_file(name + "/state.db")});
    else
      journal_ = std::make_unique<core::RedisJournal>(
          loop_, name, core::RedisOptions{.socket_path = deployment.redis.socket_path()});
    store_ = std::make_unique<core::Store>(loop_, *journal_, name);
    bus_ = std::make_unique<core::Bus>(loop_, link_, build ? store_.get() : nullptr, limits);
    process_room_ = std::make_unique<core::ProcessRoom>(
        core::ProcessRoom::Parts{.loop = loop_,
                                 .bus = *bus_,
                                 .store = build ? store_.get() : nullptr,
                                 .settings = settings_,
                                 .metrics = metrics_});
    runtime_ = std::make_unique<core::Runtime>(core::Runtime{.loop = loop_,
                                                             .workers = workers_,
                                                             .bus = *bus_,
                                                             .store = *store_,
                                                             .settings = settings_,
                                                             .metrics = *metrics_});
    if (build) {
      auto room = build(*runtime_);
      if (!room) throw std::runtime_error(room.error().detail);
      room_ = *room;
    }
    process_room_->start();
    bus_->start();
    thread_ = std::jthread([this] { loop_.run(); });
  }
  ~Process() {
    loop_.stop();
    thread_.join();
    workers_.stop();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Calls and waits for the reply.
  template <class Request>
  core::Result<typename Request::Reply> call(const Request& request,
                                             core::CallOptions options = {}) {
    using Reply = core::Result<typename Request::Reply>;
    auto promise = std::make_shared<std::promise<Reply>>();
    auto reply = promise->get_future();
    loop_.post([this, request, options, promise] {
      bus_->call(request, options,
                 [promise](Reply answered) { promise->set_value(std::move(answered)); });
    });
    if (reply.wait_for(wait_timeout) != std::future_status::ready)
      return core::refuse(core::ErrorCode::unknown, "no reply before the test's deadline");
    return reply.get();
  }

  /// Runs `work` on the loop and waits for it.
  template <class Work>
  auto on_loop(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto done = task.get_future();
    loop_.post([&task] { task(); });
    return done.get();
  }

  core::PosixLoop& loop() { return loop_; }
  core::Bus& bus() { return *bus_; }
  core::Store& store() { return *store_; }
  /// The URL of PATH on its HTTP server; `metrics.listen` must be set, for example to port 0.
  std::string http_url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(process_room_->http_port()) + path;
  }
  prometheus::Registry& metrics() { return *metrics_; }

 private:
  core::PosixLoop loop_ = {};
  core::ThreadWorkers workers_{2};
  core::Settings settings_;
  std::shared_ptr<prometheus::Registry> metrics_ = std::make_shared<prometheus::Registry>();
  core::ZmqLink link_;
  std::unique_ptr<core::Journal> journal_;
  std::unique_ptr<core::Store> store_;
  std::unique_ptr<core::Bus> bus_;
  std::unique_ptr<core::ProcessRoom> process_room_;
  std::unique_ptr<core::Runtime> runtime_;
  std::shared_ptr<void> room_;
  std::jthread thread_;
};

}  // namespace nucleus::tests
