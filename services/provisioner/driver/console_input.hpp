// The serial socket of one domain: what is typed goes into it. QEMU serves one client, so all
// streams of the domain share it. What QEMU prints there is dropped at once, for it is in the log
// too: a guest never waits for a viewer. Used on the thread of its executor.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nucleus::provisioner {

inline constexpr const char* console_in_use = "the console is in use by another client";
inline constexpr const char* console_closed = "the console was closed";

class ConsoleInput : public std::enable_shared_from_this<ConsoleInput> {
 public:
  /// `on_end` is called once the socket has ended, with the reason. `on_refused`: another client
  /// has the socket, so nothing can be typed; the domain runs on.
  struct Listener {
    std::function<void(const std::string& reason)> on_end = {};
    std::function<void()> on_refused = {};
  };

  ConsoleInput(std::string path, boost::asio::any_io_executor executor);

  /// Connects; once.
  void connect();
  /// Listens for as long as the result lives.
  [[nodiscard]] std::shared_ptr<Listener> add(Listener listener);
  /// Types; `done` is called once the socket has taken it, not if it ends before. QEMU drops what a
  /// client typed that leaves before the guest has read it, so the input stays until then.
  void write(std::string bytes, std::function<void()> done);
  bool is_ended() const { return is_ended_; }

 private:
  struct Write {
    std::string bytes = {};
    std::function<void()> done = {};
  };
  void try_connect();
  void check_accepted();
  void drain();
  void write_next();
  void stay_until_taken();
  void refuse();
  void end(const std::string& reason);
  std::vector<std::shared_ptr<Listener>> listeners() const;

  std::string path_;
  boost::asio::local::stream_protocol::socket socket_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer stay_timer_;
  int stays_ = 0;  // looks at what the guest has not taken yet, since it took something
  int untaken_ = 0;
  std::vector<std::weak_ptr<Listener>> listeners_ = {};
  std::deque<Write> writes_ = {};
  std::array<char, 16 * 1024> dropped_ = {};
  bool is_connected_ = false;
  bool is_writing_ = false;
  bool is_refused_ = false;  // the listeners know
  bool is_ended_ = false;
};

}  // namespace nucleus::provisioner
