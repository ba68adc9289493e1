// The stream of one console, from the host's connection to the viewers that share it. It begins
// with its first viewer and ends with its last. A serial console's stream that breaks is asked for
// again, from the next offset on. Runs on the HTTP server's thread.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/http/websocket.hpp"
#include "core/result.hpp"
#include "services/console/driver/console.hpp"
#include "services/console/driver/recent_bytes.hpp"
#include "services/console/driver/recorder.hpp"
#include "services/console/driver/roles.hpp"

namespace nucleus::console {

class Session;

struct HostStreamLimits {
  std::chrono::seconds connect{10};
  std::chrono::seconds reconnect{60};        // a broken stream ends after so long
  std::size_t replay_bytes_max = 64 * 1024;  // for a viewer who joins later, and read ahead
};

class HostStream : public std::enable_shared_from_this<HostStream> {
 public:
  /// Has the host connect, from `next_offset()` on.
  using Ask = std::function<void(const std::shared_ptr<HostStream>&)>;

  /// Its output begins where the console's attachment says.
  HostStream(Console console, boost::asio::any_io_executor executor, HostStreamLimits limits,
             Ask ask);
  ~HostStream();
  HostStream(const HostStream&) = delete;
  HostStream& operator=(const HostStream&) = delete;

  /// Asks the host for the first time.
  void begin();
  /// The host has refused.
  void handle_refusal(const core::Error& error);
  /// The host has connected.
  void join(std::shared_ptr<core::http::WebSocket> host);
  /// Shows all viewers `reason` and ends.
  void end(const std::string& reason, core::http::CloseCode code);
  bool is_ended() const { return is_ended_; }

  /// Records from now on; null = no longer. The viewers are told.
  void record(std::unique_ptr<StreamRecording> recording);
  bool is_recorded() const { return recording_ != nullptr; }

  const Console& console() const { return console_; }
  const RecentBytes& bytes() const { return bytes_; }
  /// Of the log that the bytes are from.
  const std::string& log_id() const { return log_id_; }
  /// Whether the offsets are known: the host has announced the first.
  bool is_known() const { return is_known_; }
  bool is_connected() const { return host_ != nullptr; }
  /// The end of the log when it was announced, or the last byte after that.
  std::uint64_t log_end() const { return std::max(announced_end_, bytes_.end()); }
  /// What the host is asked for.
  std::int64_t next_offset() const;
  Roles& roles() { return roles_; }

  /// Tells the viewer of new bytes until it is removed.
  void add(const std::shared_ptr<Session>& viewer);
  void remove(const Session* viewer);
  /// Sends a viewer's bytes to the console; `done` once they were sent, or were lost with the host.
  void write(std::string bytes, std::function<void()> done);
  /// A viewer has read more: the console goes on if it waited for that.
  void advance();

 private:
  struct Write {
    std::string bytes = {};
    std::function<void()> done = {};
  };
  bool is_serial() const { return console_.kind == msg::ConsoleKind::serial; }
  void ask_host();
  void read_host();
  void take_announcement(std::string_view text);
  void handle_loss();
  void write_next();
  void notify();
  std::uint64_t fastest_viewer() const;
  std::vector<std::shared_ptr<Session>> viewers() const;

  Console console_;
  HostStreamLimits limits_;
  Ask ask_;
  RecentBytes bytes_;
  std::string log_id_ = {};
  std::uint64_t announced_end_ = 0;
  boost::asio::steady_timer timer_;  // until the host has connected, or is asked again
  boost::asio::steady_timer give_up_timer_;
  std::shared_ptr<core::http::WebSocket> host_ = {};
  std::vector<std::weak_ptr<Session>> viewers_ = {};
  Roles roles_ = {};
  std::unique_ptr<StreamRecording> recording_ = {};
  std::deque<Write> writes_ = {};
  bool is_known_ = false;
  bool was_joined_ = false;
  bool is_reading_ = false;
  bool is_writing_ = false;
  bool is_ended_ = false;
};

}  // namespace nucleus::console
