// Closes the TCP connections of a socket that are over its limits, before they show a key. ZeroMQ
// accepts every connection, and aborts the process when it has no file descriptor left.
#pragma once

#include <netinet/in.h>

#include <functional>
#include <string>
#include <unordered_map>
#include <zmq.hpp>

#include "core/http/client_counter.hpp"

namespace nucleus::bus {

class ConnectionLimit {
 public:
  ConnectionLimit(core::http::ClientLimits limits, std::function<void()> observe_refused)
      : limits_{limits}, observe_refused_{std::move(observe_refused)} {}
  ~ConnectionLimit() { stop(); }
  ConnectionLimit(const ConnectionLimit&) = delete;
  ConnectionLimit& operator=(const ConnectionLimit&) = delete;

  /// Watches the connections of this socket alone; call before it binds. `stop` or the end of this
  /// object must come before the socket's: ZeroMQ would wait for a reader.
  void watch(zmq::context_t& context, zmq::socket_t& socket);
  void stop();
  /// Is readable when connections were opened or closed; null before `watch`.
  void* handle() { return changes_.handle(); }
  /// Counts what was opened and closed meanwhile, and closes what is over a limit.
  void take_changes();

 private:
  void add(int connection);
  void remove(int connection);

  core::http::ClientLimits limits_;
  std::function<void()> observe_refused_;
  void* watched_ = nullptr;
  zmq::socket_t changes_ = {};
  std::unordered_map<int, in_addr_t> connections_ = {};  // descriptor → address; within the limits
  core::http::ClientCounter<in_addr_t> by_address_{limits_};
};

}  // namespace nucleus::bus
