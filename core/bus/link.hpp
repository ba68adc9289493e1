// A link carries frames between this process and the bus: ZeroMQ in production, a queue in
// simulation. It may lose, delay or repeat what it carries; Bus mends that with request ids and
// event numbers.
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
};

class Link {
 public:
  virtual ~Link() = default;
  /// This process's name on the bus: `scheduler`, `provisioner/host-01`.
  virtual const std::string& name() const = 0;
  /// Sends a request, reply or event to the bus; never blocks: what cannot be sent is dropped.
  virtual void send(Frames frames) = 0;
  /// Receives requests and replies to this process, and events once `subscribe` was called. On the
  /// loop.
  virtual void on_receive(std::function<void(Frames)> receive) = 0;
  /// Wants events whose topic begins with `prefix`; empty = all.
  virtual void subscribe(const std::string& prefix) = 0;
  /// Tells, on the loop, whenever the line that brings events was lost (false) or is there again;
  /// true where it is there now. A link that cannot tell says that it always is.
  virtual bool watch_line(std::function<void(bool is_up)> told) {
    (void)told;
    return true;
  }
};

}  // namespace nucleus::core
