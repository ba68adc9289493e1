// A real broker on tcp with CURVE, for tests of the rights of keys. Keys can be granted at any
// time; links run on the test's loop.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "core/bus/curve.hpp"
#include "core/bus/zmq_link.hpp"
#include "core/loop/posix_loop.hpp"
#include "services/bus/broker.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/redis_fixture.hpp"

namespace nucleus::tests {

class CurveBus {
 public:
  static constexpr core::Milliseconds check_interval{5};

  CurveBus() { start(); }
  ~CurveBus() { stop(); }
  CurveBus(const CurveBus&) = delete;
  CurveBus& operator=(const CurveBus&) = delete;

  /// A new key with these rights.
  core::CurvePair new_key(core::PeerRights rights) {
    auto pair = core::new_curve_pair();
    grant(pair, std::move(rights));
    return pair;
  }
  core::ZmqLinkOptions link_options(const std::string& name, const core::CurvePair& pair) const {
    return {.name = name,
            .requests_url = options_.tcp_requests_url,
            .events_url = options_.tcp_events_url,
            .keys = {.server_public = server_.public_key,
                     .own_public = pair.public_key,
                     .own_secret = pair.secret_key}};
  }
  /// The options of a process on this machine.
  core::ZmqLinkOptions local_options(const std::string& name) const {
    return {.name = name, .requests_url = options_.requests_url, .events_url = options_.events_url};
  }
  /// Runs the loop until `condition` or the deadline; returns the last `condition`.
  bool wait(const std::function<bool()>& condition,
            core::Milliseconds deadline = core::Milliseconds{20'000}) {
    const auto end_ms = loop.steady_ms() + deadline.count();
    while (!condition() && loop.steady_ms() < end_ms) {
      loop.after(check_interval, [this] { loop.stop(); });
      loop.run();
    }
    return condition();
  }
  /// How many events of this kind the broker reported.
  int count(bus::BrokerEvent event) const { return events_[static_cast<std::size_t>(event)]; }
  void grant(const core::CurvePair& pair, core::PeerRights rights) {
    const std::lock_guard lock(mutex_);
    rights_[pair.public_key] = std::move(rights);
  }
  void stop() {
    is_stopping_ = true;
    if (broker_.joinable()) broker_.join();
  }
  void start() {
    is_stopping_ = false;
    broker_ = std::jthread([this] { bus::run_broker(options_, is_stopping_); });
  }

  core::PosixLoop loop = {};

 private:
  core::PeerRights find_rights(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto known = rights_.find(key);
    return known == rights_.end() ? core::PeerRights{} : known->second;
  }

  TemporaryFolder folder_ = {};
  std::array<std::atomic<int>, 16> events_ = {};  // by BrokerEvent
  core::CurvePair server_ = core::new_curve_pair();
  std::mutex mutex_ = {};
  std::map<std::string, core::PeerRights> rights_ = {};
  bus::BrokerOptions options_ = {
      .requests_url = "ipc://" + folder_.file("bus.sock"),
      .events_url = "ipc://" + folder_.file("events.sock"),
      .tcp_requests_url = "tcp://127.0.0.1:" + std::to_string(free_port()),
      .tcp_events_url = "tcp://127.0.0.1:" + std::to_string(free_port()),
      .curve_secret = server_.secret_key,
      .find_rights = [this](const std::string& key) { return find_rights(key); },
      .observe = [this](bus::BrokerEvent event,
                        std::size_t) { ++events_[static_cast<std::size_t>(event)]; }};
  std::atomic<bool> is_stopping_ = false;
  std::jthread broker_ = {};
};

}  // namespace nucleus::tests
