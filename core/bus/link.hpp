// A link carries messages between this process and the bus: ZeroMQ in production, a queue in the
// simulation. It may lose, delay or repeat messages; Bus compensates with request ids and event
// numbers.
#pragma once

#include <functional>
#include <string>

#include "messages/common.hpp"

namespace nucleus::core {

/// One message on the wire: [topic][envelope][body].
struct Frames {
  std::string topic = {};
  msg::Envelope envelope = {};
  std::string body = {};
  std::int64_t deadline_unix_ms = 0;  // of a received request, on our clock; not sent
};

class Link {
 public:
  virtual ~Link() = default;
  /// This process's name on the bus: `scheduler`, `provisioner/host-01`.
  virtual const std::string& name() const = 0;
  /// Sends a request, reply or event. Never blocks: a message that cannot be queued is dropped.
  virtual void send(Frames frames) = 0;
  /// Calls `receive` on the loop with requests and replies to this process, and with the events of
  /// its subscriptions.
  virtual void on_receive(std::function<void(Frames)> receive) = 0;
  /// Subscribes to events whose topic begins with `prefix`; empty = all.
  virtual void subscribe(const std::string& prefix) = 0;
  /// Calls `changed` on the loop when the connection that delivers events is lost or established.
  /// Returns the current state. The default is for links that are always connected.
  virtual bool watch_connection(std::function<void(bool is_connected)> changed) {
    (void)changed;
    return true;
  }
};

}  // namespace nucleus::core
