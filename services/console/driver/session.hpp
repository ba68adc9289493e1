// One viewer of a console, from the upgrade to the end: a cursor in the console's log. Nothing is
// queued for it but text messages and what the stream keeps. Runs on the HTTP server's thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "core/http/websocket.hpp"
#include "services/console/driver/host_stream.hpp"
#include "services/console/driver/rfb_filter.hpp"
#include "services/console/metrics.hpp"

namespace nucleus::console {

/// What a session asks of the proxy.
struct SessionCalls {
  /// Begins a stream of its own, from the console's attachment on.
  std::function<std::shared_ptr<HostStream>(const Console&)> begin_stream = {};
  /// The role has changed, or the person has typed for the first time.
  std::function<void(const std::string& session_id, bool is_writer, bool has_typed)> report = {};
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Metrics& metrics, Console console, std::uint64_t number,
          std::shared_ptr<HostStream> stream, std::shared_ptr<core::http::WebSocket> viewer,
          SessionCalls calls);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  /// Whether its cursor is known.
  bool is_placed() const { return is_placed_; }
  /// The offset up to which the viewer has been sent the log.
  std::uint64_t read_up_to() const { return offset_; }
  /// Sends what the stream has beyond that.
  void send_next();
  /// Shows the viewer `reason` and ends.
  void end(const std::string& reason, core::http::CloseCode code = core::http::CloseCode::normal);
  /// As `end`, once the viewer has been sent what the stream has.
  void end_after_bytes(const std::string& reason, core::http::CloseCode code);

  std::uint64_t number() const { return number_; }
  const std::string& person() const { return console_.person_id.value; }
  bool may_write() const { return !console_.attachment.is_read_only; }
  bool may_take_over() const { return console_.right->may_take_over(); }
  /// Reports the role to the service.
  void report();
  void show_roles(const std::string& reason);
  void show_link(bool is_live);
  void show_recording(bool is_recorded);
  void show_refusal(const std::string& detail);

 private:
  bool is_serial() const { return console_.kind == msg::ConsoleKind::serial; }
  void place();
  void read_viewer();
  void take_request(std::string_view text);
  void take_typed(std::string_view bytes);
  /// Of a VNC console, by a viewer who only watches.
  void take_watched(std::string_view bytes);
  /// Where the next bytes come from; null = not known yet.
  HostStream* source();
  void catch_up();
  void leave_catch_up();
  void announce(const HostStream& from);
  bool send_bytes(const HostStream& from);
  void show(std::string text);
  void handle_sent(core::http::WebSocket::Sent sent);
  void leave();
  void disconnect();

  Metrics& metrics_;
  Console console_;
  std::uint64_t number_;  // among the viewers of this process
  std::shared_ptr<HostStream> stream_;
  std::shared_ptr<HostStream> catch_up_ = {};  // older bytes, until the cursor reaches `stream_`
  std::shared_ptr<core::http::WebSocket> viewer_;
  SessionCalls calls_;
  std::string log_id_ = {};
  std::uint64_t offset_ = 0;
  bool is_placed_ = false;
  bool is_start_shown_ = false;
  bool is_link_lost_ = false;
  bool has_typed_ = false;
  RfbFilter watched_ = {};
  bool is_refusal_shown_ = false;
  std::deque<std::string> texts_ = {};
  bool is_sending_ = false;
  bool is_ended_ = false;
  std::string last_reason_ = {};
  core::http::CloseCode last_code_ = core::http::CloseCode::normal;
};

}  // namespace nucleus::console
