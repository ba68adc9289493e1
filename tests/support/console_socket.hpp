// A console's unix socket as QEMU serves it: one client at a time, greeted, its bytes echoed. What
// it prints is appended to its log first, as QEMU does for as long as the domain runs.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>

namespace nucleus::tests {

/// A silent client of a console's socket.
class ConsoleClient {
 public:
  explicit ConsoleClient(const std::string& path)
      : socket_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("the console's socket refuses the connection");
  }
  ~ConsoleClient() { close(socket_); }
  ConsoleClient(const ConsoleClient&) = delete;
  ConsoleClient& operator=(const ConsoleClient&) = delete;

 private:
  int socket_;
};

class ConsoleSocket {
 public:
  enum class Manner { echoes, floods, accepts_nobody };

  /// The log is beside the socket: NAME.log for NAME.sock or NAME.serial. The domain prints its
  /// greeting at the start.
  ConsoleSocket(const std::string& path, std::string greeting, Manner manner = Manner::echoes)
      : manner_{manner},
        log_{open((path.substr(0, path.rfind('.')) + ".log").c_str(),
                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)},
        stop_{eventfd(0, EFD_CLOEXEC)},
        listener_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    unlink(path.c_str());  // an earlier domain's
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 1) != 0)
      throw std::runtime_error("the console's socket cannot be bound");
    print(greeting);
    if (manner_ != Manner::accepts_nobody) thread_ = std::jthread([this] { run(); });
  }
  ~ConsoleSocket() {
    hang_up();
    close(stop_);
    close(log_);
  }
  ConsoleSocket(const ConsoleSocket&) = delete;
  ConsoleSocket& operator=(const ConsoleSocket&) = delete;

  /// The domain prints this.
  void print(const std::string& bytes) const {
    if (write(log_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("the console's log cannot be written");
  }

  /// As when a domain ends: client and listener are closed when it returns.
  void hang_up() {
    const std::uint64_t one = 1;
    if (listener_ < 0 || ::write(stop_, &one, sizeof one) < 0) return;
    if (thread_.joinable()) thread_.join();
    close(listener_);
    listener_ = -1;
  }
  /// Ready once a client has left.
  std::future<void> client_left() { return left_.get_future(); }

 private:
  /// QEMU drops what it has not read yet of a client that has left.
  bool is_ready(int descriptor, short what) {
    std::array<pollfd, 2> watched{{{stop_, POLLIN, 0}, {descriptor, what, 0}}};
    if (poll(watched.data(), watched.size(), -1) < 0 || watched[0].revents != 0) return false;
    return watched[1].revents != 0 && (watched[1].revents & POLLHUP) == 0;
  }

  void run() {
    while (is_ready(listener_, POLLIN)) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (client < 0) continue;
      manner_ == Manner::floods ? flood(client) : echo(client);
      close(client);
      if (!has_left_.exchange(true)) left_.set_value();
    }
  }

  /// A guest takes no more at once than its serial port holds.
  void echo(int client) {
    std::array<char, 16> bytes{};
    while (is_ready(client, POLLIN)) {
      const auto size = recv(client, bytes.data(), bytes.size(), 0);
      if (size <= 0) return;
      print({bytes.data(), static_cast<std::size_t>(size)});
      for (ssize_t sent = 0; sent < size;) {
        if (!is_ready(client, POLLOUT)) return;
        const auto more =
            send(client, bytes.data() + sent, static_cast<std::size_t>(size - sent), MSG_NOSIGNAL);
        if (more < 0 && errno != EAGAIN) return;
        if (more > 0) sent += more;
      }
    }
  }

  void flood(int client) {
    const std::string bytes(65536, '#');
    while (is_ready(client, POLLOUT)) {
      const auto sent = send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return;
      if (sent > 0) print(bytes.substr(0, static_cast<std::size_t>(sent)));
    }
  }

  Manner manner_;
  int log_;
  int stop_;
  int listener_;
  std::atomic<bool> has_left_ = false;
  std::promise<void> left_ = {};
  std::jthread thread_ = {};
};

}  // namespace nucleus::tests
