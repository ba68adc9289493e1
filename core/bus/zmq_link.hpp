// The link over ZeroMQ: a DEALER connected to the bus's ROUTER and a SUB connected to its XPUB. On
// ipc the DEALER's routing id is the process name. Over tcp the bus trusts only keys, so every
// message carries the name, and a `hello` announces it after each handshake.
#pragma once

#include <memory>

#include "core/bus/link.hpp"
#include "core/loop/posix_loop.hpp"

namespace zmq {
class socket_t;
}

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
  /// Throws zmq::error_t if an address is malformed.
  ZmqLink(PosixLoop& loop, ZmqLinkOptions options);
  ~ZmqLink() override;
  const std::string& name() const override;
  void send(Frames frames) override;
  void on_receive(std::function<void(Frames)> receive) override;
  void subscribe(const std::string& prefix) override;
  bool watch_connection(std::function<void(bool is_connected)> changed) override;
  /// Over tcp: connects again, to these addresses and with these keys. What is under way is lost;
  /// callers repeat it.
  void reconnect(const ZmqLinkOptions& options);

 private:
  struct Connection;
  struct Sockets;
  void open(Connection& connection, const char* monitor_url, int monitored_events);
  void connect(Connection& connection);
  void drain(zmq::socket_t& socket);
  void drain_monitor(Connection& connection);
  void retry_handshake(Connection& connection);
  void set_connected(bool is_connected);
  void announce_name();
  void handle_message(std::vector<std::string> parts);

  PosixLoop& loop_;
  ZmqLinkOptions options_;
  bool is_tcp_;
  std::unique_ptr<Sockets> sockets_;
  std::function<void(Frames)> receive_ = {};
  std::function<void(bool)> connection_changed_ = {};
  bool is_connected_ = false;                              // the connection that delivers events
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // timers may outlive the link
};

}  // namespace nucleus::core
