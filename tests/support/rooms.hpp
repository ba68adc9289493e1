// Helpers for service tests: stand-ins for other services, which emit events, and a subscriber that
// records every event of the deployment in order.
#pragma once

#include <prometheus/metric_family.h>

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "tests/support/process.hpp"

namespace nucleus::tests {

/// Records every durable event. `next` continues after the event that the last `next` returned.
class Events {
 public:
  explicit Events(Deployment& deployment)
      : process_{
            deployment, "events", {}, [this](core::Runtime& runtime) {
              runtime.bus.subscribe_all([this](const core::StoredEvent& event) { take(event); });
              return core::Result<std::shared_ptr<void>>(std::make_shared<int>(0));
            }} {}

  /// The next event of this type for which `matches`; nothing if the deadline passes first.
  template <class Event>
  std::optional<Event> next(const std::function<bool(const Event&)>& matches = [](const Event&) {
    return true;
  }) {
    std::unique_lock lock(mutex_);
    std::optional<Event> found;
    std::size_t looked_at = at_;
    changed_.wait_for(lock, wait_timeout, [&] {
      for (; looked_at < events_.size() && !found; ++looked_at) {
        if (type_of(events_[looked_at]) != Event::topic) continue;
        auto event = msg::decode<Event>(events_[looked_at].body);
        if (matches(event)) found = std::move(event);
      }
      return found.has_value();
    });
    if (found) at_ = looked_at;
    return found;
  }

  /// All events of this type received so far.
  template <class Event>
  std::vector<Event> all() {
    const std::scoped_lock lock(mutex_);
    std::vector<Event> found;
    for (const auto& event : events_)
      if (type_of(event) == Event::topic) found.push_back(msg::decode<Event>(event.body));
    return found;
  }

  /// The topics of all events received so far.
  std::set<std::string> topics() {
    const std::scoped_lock lock(mutex_);
    std::set<std::string> all;
    for (const auto& event : events_) all.insert(event.topic);
    return all;
  }
  /// The bodies of the events that a subscriber of the project receives.
  std::vector<std::string> bodies_of_project(const std::string& project) {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> bodies;
    for (const auto& event : events_)
      if (event.topic.starts_with(project + "/")) bodies.push_back(event.body);
    return bodies;
  }

 private:
  static std::string_view type_of(const core::StoredEvent& event) {
    return std::string_view(event.topic).substr(event.topic.rfind('/') + 1);
  }
  void take(const core::StoredEvent& event) {
    {
      const std::scoped_lock lock(mutex_);
      events_.push_back(event);
    }
    changed_.notify_all();
  }

  std::mutex mutex_ = {};
  std::condition_variable changed_ = {};
  std::vector<core::StoredEvent> events_ = {};
  std::size_t at_ = 0;
  Process process_;
};

/// A process that stands in for the service of its name and emits its events.
class StandIn {
 public:
  StandIn(Deployment& deployment, const std::string& name, Process::Build build = {})
      : process_{deployment, name, {}, build ? std::move(build) : nothing()} {}

  /// Emits the events in one commit and waits until they are durable; false if that fails.
  template <class... Event>
  bool emit(const Event&... events) {
    return commit([&](core::Transaction& tx) { (tx.emit(events), ...); });
  }
  /// Writes a record of its service, as an earlier release left it.
  template <class R>
  bool write(const core::Key<R>& key, const R& record) {
    return commit([&](core::Transaction& tx) { tx.write(key, record); });
  }

  /// A record of its service, as that left it.
  template <class R>
  std::optional<R> read(const core::Key<R>& key) {
    if (!is_loaded()) return std::nullopt;
    return process_.on_loop([&]() -> std::optional<R> {
      const auto* record = process_.store().read(key);
      return record ? std::optional<R>{*record} : std::nullopt;
    });
  }

  Process& process() { return process_; }

 private:
  bool is_loaded() {
    const auto end = std::chrono::steady_clock::now() + wait_timeout;
    while (!process_.on_loop([&] { return process_.store().is_loaded(); }))
      if (std::chrono::steady_clock::now() > end) return false;
    return true;
  }
  bool commit(const std::function<void(core::Transaction&)>& change) {
    auto durable = std::make_shared<std::promise<bool>>();
    auto is_durable = durable->get_future();
    if (!is_loaded()) return false;
    process_.on_loop([&] {
      core::Context context = process_.bus().context();
      auto tx = process_.store().begin(context);
      change(tx);
      (void)tx.commit();
      process_.store().when_durable(
          [durable](core::Result<void> done) { durable->set_value(done.has_value()); });
      return true;
    });
    return is_durable.wait_for(wait_timeout) == std::future_status::ready && is_durable.get();
  }
  static Process::Build nothing() {
    return [](core::Runtime&) -> core::Result<std::shared_ptr<void>> {
      return std::make_shared<int>(0);
    };
  }
  Process process_;
};

/// Waits until `condition`; false if the deadline passes first.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds timeout = wait_timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return true;
}

/// The value of a series without labels; -1 if it does not exist.
inline double metric(Process& process, const std::string& name) {
  for (const auto& family : process.metrics().Collect())
    if (family.name == name && !family.metric.empty()) {
      const auto& series = family.metric.front();
      return family.type == prometheus::MetricType::Counter ? series.counter.value
                                                            : series.gauge.value;
    }
  return -1;
}

}  // namespace nucleus::tests
