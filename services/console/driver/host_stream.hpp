// The stream of one console, from the host's connection to the viewers that share it. It begins
// with its first viewer and ends with its last. Runs on the HTTP server's thread.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "core/http/websocket.hpp"
#include "services/console/driver/console.hpp"
#include "services/console/driver/recent_bytes.hpp"

namespace nucleus::console {

class Session;

class HostStream : public std::enable_shared_from_this<HostStream> {
 public:
  /// `replay_bytes_max`: of what was received before, for a viewer that joins later.
  HostStream(Console console, boost::asio::any_io_executor executor, std::size_t replay_bytes_max);
  ~HostStream();
  HostStream(const HostStream&) = delete;
  HostStream& operator=(const HostStream&) = delete;

  /// Ends the stream if the host has not connected within this time.
  void await_host(std::chrono::seconds timeout);
  /// The host has connected.
  void join(std::shared_ptr<core::http::WebSocket> host);
  /// Shows all viewers `reason` and ends.
  void end(const std::string& reason, core::http::CloseCode code);
  bool is_ended() const { return is_ended_; }

  const Console& console() const { return console_; }
  const RecentBytes& bytes() const { return bytes_; }

  /// Returns the offset from which the viewer reads. It must be removed.
  std::uint64_t add(const std::shared_ptr<Session>& viewer);
  void remove(const Session* viewer);
  /// Sends a viewer's bytes to the console; `done` once they were sent.
  void write(std::string bytes, std::function<void()> done);
  /// A viewer has read more: the console goes on if it waited for that.
  void advance();

 private:
  struct Write {
    std::string bytes = {};
    std::function<void()> done = {};
  };
  void read_host();
  void write_next();
  void watch_hold_up();
  void cut_slow_viewers();
  std::uint64_t slowest_viewer() const;
  std::vector<std::shared_ptr<Session>> viewers() const;

  Console console_;
  std::size_t replay_bytes_max_;
  RecentBytes bytes_;
  boost::asio::steady_timer timer_;          // until the host has connected
  boost::asio::steady_timer hold_up_timer_;  // until slow viewers are cut
  std::shared_ptr<core::http::WebSocket> host_ = {};
  std::vector<std::weak_ptr<Session>> viewers_ = {};
  std::deque<Write> writes_ = {};
  bool is_reading_ = false;
  bool is_writing_ = false;
  bool is_hold_up_watched_ = false;
  bool is_ended_ = false;
};

}  // namespace nucleus::console
