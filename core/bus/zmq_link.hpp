// The link over ZeroMQ: a DEALER to the bus's ROUTER, a SUB to its XPUB. Both connect outward. On
// ipc the DEALER is named like the process; over tcp, where the bus believes keys alone, it tells
// its name with each message, and in a `hello` after each handshake.
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
  /// Throws zmq::error_t where an address is malformed: the process cannot start.
  ZmqLink(PosixLoop& loop, ZmqLinkOptions options);
  ~ZmqLink() override;
  const std::string& name() const override;
  void send(Frames frames) override;
  void on_receive(std::function<void(Frames)> receive) override;
  void subscribe(const std::string& prefix) override;
  bool watch_line(std::function<void(bool is_up)> told) override;

 private:
  struct Line;
  struct Sockets;
  void open(Line& line, const char* monitor_url, int wanted);
  void drain(zmq::socket_t& socket);
  void drain_handshakes(Line& line);
  void knock_again(Line& line);
  void show_line(bool is_up);
  void greet();
  void take(std::vector<std::string> parts);

  PosixLoop& loop_;
  ZmqLinkOptions options_;
  bool is_tcp_;
  std::unique_ptr<Sockets> sockets_;
  std::function<void(Frames)> receive_ = {};
  std::function<void(bool)> line_told_ = {};
  bool is_line_up_ = false;                                // of events
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // timers outlive the link
};

}  // namespace nucleus::core
