// The one loop of a process, its clock and its worker pool, as interfaces: real in run_service,
// virtual in simulation. Everything a service does runs on its loop; only `post` and
// `steady_ms` may be called from another thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/result.hpp"

namespace nucleus::core {

using Milliseconds = std::chrono::milliseconds;

class Loop {
 public:
  virtual ~Loop() = default;
  /// Runs `task` on the loop, soon, in the order posted. From any thread.
  virtual void post(std::function<void()> task) = 0;
  /// Runs `task` once, not before `delay` has passed. From the loop's thread.
  virtual void after(Milliseconds delay, std::function<void()> task) = 0;
  /// Monotonic; only differences mean anything. From any thread.
  virtual std::int64_t steady_ms() const = 0;
  /// The same clock, finer where there is a finer one: for measuring.
  virtual std::int64_t steady_us() const { return steady_ms() * 1000; }
  /// Wall clock, for records and people.
  virtual std::int64_t unix_ms() const = 0;
  /// 32 hex digits nobody else has.
  virtual std::string new_id() = 0;
};

/// Where blocking work goes: drivers, files, child processes.
class Workers {
 public:
  virtual ~Workers() = default;
  /// Runs `work` on a worker thread; work given while all are busy waits in order.
  virtual void submit(std::function<void()> work) = 0;

  /// Runs `work` on a worker and hands what it returns to `done` on the loop.
  /// Where `deadline` passes first, `done` gets `deadline_exceeded` and the late result is dropped.
  template <class T>
  void run(Loop& loop, Milliseconds deadline, std::function<Result<T>()> work,
           std::function<void(Result<T>)> done) {
    struct Race {
      std::function<void(Result<T>)> done;
    };
    auto race = std::make_shared<Race>(std::move(done));
    const auto finish = [race](Result<T> result) {
      if (auto first = std::exchange(race->done, nullptr)) first(std::move(result));
    };
    submit([&loop, finish, work = std::move(work)] {
      loop.post(
          [finish, result = std::make_shared<Result<T>>(work())] { finish(std::move(*result)); });
    });
    loop.after(deadline, [finish] {
      finish(refuse(ErrorCode::deadline_exceeded, "the driver did not answer in time"));
    });
  }
};

}  // namespace nucleus::core
