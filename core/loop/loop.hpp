// The loop of a process, its clock and its worker pool, as interfaces: real in run_service, virtual
// in the simulation. A service runs on its loop; only `post`, `steady_ms` and `steady_us` may be
// called from other threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/log/log.hpp"
#include "core/result.hpp"

namespace nucleus::core {

using Milliseconds = std::chrono::milliseconds;

class Loop {
 public:
  virtual ~Loop() = default;
  /// Runs `task` on the loop, in the order posted. From any thread.
  virtual void post(std::function<void()> task) = 0;
  /// Runs `task` once, after at least `delay`. From the loop's thread.
  virtual void after(Milliseconds delay, std::function<void()> task) = 0;
  /// Monotonic clock, for differences. From any thread.
  virtual std::int64_t steady_ms() const = 0;
  /// The same clock in microseconds, for measurements. From any thread.
  virtual std::int64_t steady_us() const { return steady_ms() * 1000; }
  /// Wall clock, for records and display.
  virtual std::int64_t unix_ms() const = 0;
  /// A unique id of 32 hex digits.
  virtual std::string new_id() = 0;
};

/// Threads for blocking work: drivers, files, child processes.
class Workers {
 public:
  virtual ~Workers() = default;
  /// Runs `work` on a worker thread, in the order submitted.
  virtual void submit(std::function<void()> work) = 0;

  /// Runs `work` on a worker and passes its result to `done` on the loop. After `timeout`, `done`
  /// receives `deadline_exceeded` and a later result is dropped. What `work` captured is released
  /// before `done` is called with its result. T may be void.
  template <class T>
  void run(Loop& loop, Milliseconds timeout, std::function<Result<T>()> work,
           std::function<void(Result<T>)> done) {
    struct Race {
      std::function<void(Result<T>)> done;
    };
    auto race = std::make_shared<Race>(std::move(done));
    const auto finish = [race](Result<T> result) {
      if (auto first = std::exchange(race->done, nullptr)) first(std::move(result));
    };
    submit([&loop, finish, work = std::move(work), id = log::Trace::current()]() mutable {
      const log::Trace trace{id};
      auto result = std::make_shared<Result<T>>(work());
      work = nullptr;
      loop.post([finish, id, result = std::move(result)] {
        const log::Trace trace_of_result{id};
        finish(std::move(*result));
      });
    });
    loop.after(timeout, [finish] {
      finish(refuse(ErrorCode::deadline_exceeded, "the driver did not answer in time"));
    });
  }
};

}  // namespace nucleus::core
