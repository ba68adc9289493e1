// One viewer of a console, from the upgrade to the end. Nothing is queued for it but what the
// stream keeps. Runs on the HTTP server's thread.
#pragma once

#include <memory>
#include <string>

#include "core/http/websocket.hpp"
#include "services/console/driver/host_stream.hpp"
#include "services/console/metrics.hpp"

namespace nucleus::console {

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Metrics& metrics, std::shared_ptr<SessionRight> right, std::shared_ptr<HostStream> stream,
          std::shared_ptr<core::http::WebSocket> viewer);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  /// The offset up to which the viewer has been sent the stream.
  std::uint64_t read_up_to() const { return offset_; }
  /// Sends what the stream has beyond that.
  void send_next();
  /// Shows the viewer `reason` and ends.
  void end(const std::string& reason, core::http::CloseCode code = core::http::CloseCode::normal);
  /// Ends because the viewer takes its bytes too slowly.
  void cut(const std::string& reason);
  /// As `end`, once the viewer has been sent what the stream has.
  void end_after_bytes(const std::string& reason, core::http::CloseCode code);

 private:
  void read_viewer();
  void disconnect();
  void count_cut();

  Metrics& metrics_;
  std::shared_ptr<SessionRight> right_;
  std::shared_ptr<HostStream> stream_;
  std::shared_ptr<core::http::WebSocket> viewer_;
  std::uint64_t offset_ = 0;
  bool is_sending_ = false;
  bool is_ended_ = false;
  std::string last_reason_ = {};
  core::http::CloseCode last_code_ = core::http::CloseCode::normal;
};

}  // namespace nucleus::console
