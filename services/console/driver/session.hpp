// One viewer of one console, from the upgrade to the end. Nothing is queued beyond one buffer in
// each direction: the slower side sets the pace. Runs on the HTTP server's thread.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>

#include "core/http/websocket.hpp"
#include "services/console/driver/console_proxy.hpp"

namespace nucleus::console {

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(ConsoleProxy& proxy, Console console, std::shared_ptr<core::http::WebSocket> viewer);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  /// Shows the viewer `reason` and ends.
  void end(const std::string& reason, core::http::CloseCode code = core::http::CloseCode::normal);

 private:
  void take_serial_console();
  void connect();
  void join();
  void check_accepted();
  void read_viewer();
  void read_console();
  void write_viewer(std::string bytes);
  void disconnect();

  ConsoleProxy& proxy_;
  Console console_;
  std::shared_ptr<core::http::WebSocket> viewer_;
  boost::asio::local::stream_protocol::socket socket_;
  boost::asio::steady_timer accept_timer_;
  std::array<char, 16 * 1024> from_console_ = {};
  bool is_joined_ = false;
  bool is_ended_ = false;
};

}  // namespace nucleus::console
