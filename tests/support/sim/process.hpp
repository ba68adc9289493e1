// A process of the simulation: the same rooms as in production, on a virtual loop. Destroying it is
// `kill -9`: what is not durable is lost. stop() is SIGSTOP.
#pragma once

#include <prometheus/registry.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/runtime/runtime.hpp"
#include "tests/support/sim/world.hpp"

namespace nucleus::tests {

class SimProcess {
 public:
  using Build = std::function<core::Result<std::shared_ptr<void>>(core::Runtime&)>;

  /// Starts process `name`; without `build` it is a caller only.
  SimProcess(SimWorld& world, const std::string& name,
             std::map<std::string, std::string> settings = {}, const Build& build = {},
             std::int64_t clock_skew_ms = 0)
      : loop_{world, clock_skew_ms},
        settings_{std::move(settings)},
        link_{loop_, name},
        journal_{
            loop_, name,
            name.starts_with("provisioner/") ? SimJournal::Place::host : SimJournal::Place::redis},
        store_{loop_, journal_, name},
        bus_{loop_, link_, build ? &store_ : nullptr} {
    // Another process took over: this one does nothing more until its owner destroys it.
    store_.on_fenced([this](const core::Error&) {
      is_fenced_ = true;
      stop();
    });
    if (build) {
      auto room = build(runtime_);
      if (!room) throw std::runtime_error(room.error().detail);
      room_ = *room;
    }
    bus_.start();
  }
  SimProcess(const SimProcess&) = delete;
  SimProcess& operator=(const SimProcess&) = delete;

  /// Calls, and lets time pass until the reply.
  template <class Request>
  core::Result<typename Request::Reply> call(const Request& request,
                                             core::CallOptions options = {
                                                 .deadline = core::Milliseconds{60'000}}) {
    using Reply = core::Result<typename Request::Reply>;
    auto answer = std::make_shared<std::optional<Reply>>();
    const core::Milliseconds wait_timeout = options.deadline + core::Milliseconds{1000};
    bus_.call(request, std::move(options),
              [answer](Reply answered) { *answer = std::move(answered); });
    loop_.world().run_until([answer] { return answer->has_value(); }, wait_timeout);
    if (!*answer) return core::refuse(core::ErrorCode::internal, "a call ended without an answer");
    return std::move(**answer);
  }

  void stop() { loop_.world().stop(loop_.life()); }
  void resume() { loop_.world().resume(loop_.life()); }
  bool is_fenced() const { return is_fenced_; }
  core::Bus& bus() { return bus_; }
  core::Store& store() { return store_; }

 private:
  SimLoop loop_;
  SimWorkers workers_{loop_};
  core::Settings settings_;
  prometheus::Registry metrics_;
  SimLink link_;
  SimJournal journal_;
  core::Store store_;
  core::Bus bus_;
  core::Runtime runtime_{.loop = loop_,
                         .workers = workers_,
                         .bus = bus_,
                         .store = store_,
                         .settings = settings_,
                         .metrics = metrics_};
  std::shared_ptr<void> room_ = {};
  bool is_fenced_ = false;
};

}  // namespace nucleus::tests
