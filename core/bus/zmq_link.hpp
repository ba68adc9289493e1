// The link over ZeroMQ: a DEALER named like the process to the bus's ROUTER, a SUB to its XPUB.
// Both connect outward.
#pragma once

#include <memory>

#include "core/bus/link.hpp"
#include "core/loop/posix_loop.hpp"

namespace nucleus::core {

/// CURVE keys in Z85; needed on tcp, not on ipc.
struct CurveKeys {
  std::string server_public = {};
  std::string own_public = {};
  std::string own_secret = {};
};

struct ZmqLinkOptions {
  std::string name = {};          // of this process on the bus
  std::string requests_url = {};  // ipc://… or tcp://…
  std::string events_url = {};
  CurveKeys keys = {};
};

class ZmqLink : public Link {
 public:
  /// Throws zmq::error_t where an address is malformed: the process cannot start.
  ZmqLink(PosixLoop& loop, ZmqLinkOptions options);
  ~ZmqLink() override;
  const std::string& name() const override;
  void send(Frames frames) override;
  void on_receive(std::function<void(Frames)> receive) override;
  void subscribe(const std::string& prefix) override;

 private:
  struct Sockets;
  void drain_requests();
  void drain_events();
  void take(std::vector<std::string> parts);

  PosixLoop& loop_;
  ZmqLinkOptions options_;
  std::unique_ptr<Sockets> sockets_;
  std::function<void(Frames)> receive_ = {};
};

}  // namespace nucleus::core
