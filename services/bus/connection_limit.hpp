// Closes the TCP connections of a socket that are over its limits, before they show a key. ZeroMQ
// accepts every connection, and aborts the process when it has no file descriptor left.
#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <zmq.hpp>

namespace nucleus::bus {

class ConnectionLimit {
 public:
  struct Bounds {
    std::size_t all = 0;
    std::size_t per_address = 0;
  };

  ConnectionLimit(Bounds bounds, std::function<void()> observe_refused)
      : bounds_{bounds}, observe_refused_{std::move(observe_refused)} {}
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

  Bounds bounds_;
  std::function<void()> observe_refused_;
  void* watched_ = nullptr;
  zmq::socket_t changes_ = {};
  std::unordered_map<int, in_addr_t> connections_ = {};  // descriptor → address; within the limits
  std::map<in_addr_t, std::size_t> by_address_ = {};     // never 0
};

}  // namespace nucleus::bus
