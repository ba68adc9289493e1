#include "services/provisioner/driver/console_streams.hpp"

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <fstream>
#include <thread>

#include "core/http/websocket_client.hpp"
#include "core/log/log.hpp"
#include "services/provisioner/driver/unix_peer.hpp"

namespace nucleus::provisioner {

namespace asio = boost::asio;
using core::http::CloseCode;
using core::http::WebSocket;
using unix_stream = asio::local::stream_protocol;
using SystemError = boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds accept_timeout{2'000};
constexpr std::size_t sun_path_bytes_max = 107;
constexpr std::size_t log_bytes_max = 64 * 1024;
constexpr std::size_t message_bytes_max = 64 * 1024;
constexpr int stall_s = 30;  // longer than the console service gives a viewer
constexpr const char* reason_closed = "the console was closed";
constexpr const char* reason_in_use = "the console is in use by another client";

std::string last_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (path.empty() || !file) return {};
  const auto size = static_cast<std::size_t>(file.tellg());
  std::string text(std::min(size, log_bytes_max), '\0');
  file.seekg(static_cast<std::streamoff>(size - text.size()));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

/// One console and its connection to the console service. Nothing is queued beyond one buffer in
/// each direction: the slower side sets the pace.
class ConsoleStream : public std::enable_shared_from_this<ConsoleStream> {
 public:
  ConsoleStream(std::string socket_path, std::string log_path, std::shared_ptr<WebSocket> service)
      : socket_path_{std::move(socket_path)},
        log_path_{std::move(log_path)},
        service_{std::move(service)},
        socket_{service_->executor()},
        accept_timer_{service_->executor()} {}

  void connect() {
    if (socket_path_.size() > sun_path_bytes_max)
      return end("the console's path is too long", CloseCode::internal_error);
    socket_.async_connect(unix_stream::endpoint(socket_path_),
                          [self = shared_from_this()](SystemError error) {
                            // Asio's name for EAGAIN here: the listener's backlog is full.
                            if (error == asio::error::no_buffer_space)
                              return self->end(reason_in_use, CloseCode::try_again_later);
                            if (error)
                              return self->end("the console's socket is gone: " + error.message());
                            self->join();
                          });
  }

 private:
  void join() {
    check_accepted();
    read_service();
    std::string replay = last_bytes(log_path_);
    if (replay.empty()) return read_console();
    write_service(std::move(replay));
  }

  /// A connect succeeds while QEMU serves another client; QEMU then does not accept it.
  void check_accepted() {
    accept_timer_.expires_after(accept_timeout);
    accept_timer_.async_wait([weak = weak_from_this()](SystemError error) {
      const auto self = weak.lock();
      if (error || !self || self->is_ended_) return;
      if (!is_accepted(self->socket_.native_handle()).value_or(true))
        self->end(reason_in_use, CloseCode::try_again_later);
    });
  }

  void read_service() {
    service_->receive([self = shared_from_this()](std::optional<std::string_view> bytes) {
      if (!bytes) return self->disconnect();
      if (self->is_ended_) return;
      asio::async_write(self->socket_, asio::buffer(*bytes),
                        [self](SystemError error, std::size_t) {
                          if (error) return self->end(reason_closed);
                          self->read_service();
                        });
    });
  }

  void read_console() {
    socket_.async_read_some(asio::buffer(from_console_),
                            [self = shared_from_this()](SystemError error, std::size_t size) {
                              if (error) return self->end(reason_closed);
                              self->write_service(std::string(self->from_console_.data(), size));
                            });
  }

  void write_service(std::string bytes) {
    service_->send(std::move(bytes), [self = shared_from_this()](WebSocket::Sent sent) {
      if (sent != WebSocket::Sent::done) return self->disconnect();
      if (!self->is_ended_) self->read_console();
    });
  }

  void end(const std::string& reason, CloseCode code = CloseCode::normal) {
    if (std::exchange(is_ended_, true)) return;
    SystemError ignored;
    socket_.close(ignored);
    service_->close(code, reason);
  }

  void disconnect() {
    is_ended_ = true;
    SystemError ignored;
    socket_.close(ignored);
    service_->disconnect();
  }

  std::string socket_path_;
  std::string log_path_;
  std::shared_ptr<WebSocket> service_;
  unix_stream::socket socket_;
  asio::steady_timer accept_timer_;
  std::array<char, 16 * 1024> from_console_ = {};
  bool is_ended_ = false;
};

}  // namespace

class ConsoleStreams::Worker {
 public:
  explicit Worker(ConsoleServiceAddress service)
      : service_{std::move(service)}, thread_{[this] { context_.run(); }} {}
  ~Worker() {
    context_.stop();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void begin(const ConsolePaths& paths, msg::ConsoleKind kind, const std::string& token) {
    const bool is_serial = kind == msg::ConsoleKind::serial;
    const auto socket = is_serial ? paths.serial_socket : paths.vnc_socket;
    const auto log = is_serial ? paths.serial_log : std::string();
    core::http::open_websocket(
        context_.get_executor(),
        {.endpoint = service_.endpoint,
         .trust = service_.trust,
         .path = "/stream",
         .subprotocols = {"nucleus.stream", "nucleus.ticket." + token},
         .message_bytes_max = message_bytes_max,
         .stall_s = stall_s},
        [socket, log](const core::Result<std::shared_ptr<WebSocket>>& opened) {
          if (!opened)
            return core::log::warning("console_not_connected",
                                      {{"socket", socket}, {"reason", opened.error().detail}});
          std::make_shared<ConsoleStream>(socket, log, *opened)->connect();
        });
  }

 private:
  ConsoleServiceAddress service_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  std::thread thread_;  // last: it uses the others
};

ConsoleStreams::ConsoleStreams(ConsoleServiceAddress service)
    : worker_{std::make_unique<Worker>(std::move(service))} {}

ConsoleStreams::~ConsoleStreams() = default;

void ConsoleStreams::begin(const ConsolePaths& paths, msg::ConsoleKind kind,
                           const std::string& token) {
  worker_->begin(paths, kind, token);
}

}  // namespace nucleus::provisioner
