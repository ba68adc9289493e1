#include "services/provisioner/driver/console_streams.hpp"

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <map>
#include <thread>

#include "core/http/websocket_client.hpp"
#include "core/log/log.hpp"
#include "services/provisioner/driver/console_input.hpp"
#include "services/provisioner/driver/log_watch.hpp"
#include "services/provisioner/driver/serial_stream.hpp"

namespace nucleus::provisioner {

namespace asio = boost::asio;
using core::http::CloseCode;
using core::http::WebSocket;
using unix_stream = asio::local::stream_protocol;
using SystemError = boost::system::error_code;

namespace {

constexpr std::size_t message_bytes_max = 64 * 1024;
constexpr std::size_t vnc_path_bytes_max = 107;
constexpr int stall_s = 30;  // longer than the console service gives a viewer

/// One VNC console and its connection to the console service. Nothing is queued beyond one buffer
/// in each direction: the slower side sets the pace.
class VncStream : public std::enable_shared_from_this<VncStream> {
 public:
  VncStream(std::string socket_path, std::shared_ptr<WebSocket> service)
      : socket_path_{std::move(socket_path)},
        service_{std::move(service)},
        socket_{service_->executor()} {}

  void connect() {
    if (socket_path_.size() > vnc_path_bytes_max)
      return end("the console's path is too long", CloseCode::internal_error);
    socket_.async_connect(unix_stream::endpoint(socket_path_),
                          [self = shared_from_this()](SystemError error) {
                            // Asio's name for EAGAIN here: the listener's backlog is full.
                            if (error == asio::error::no_buffer_space)
                              return self->end(console_in_use, CloseCode::try_again_later);
                            if (error)
                              return self->end("the console's socket is gone: " + error.message());
                            self->read_service();
                            self->read_console();
                          });
  }

 private:
  void read_service() {
    service_->receive([self = shared_from_this()](std::optional<std::string_view> bytes) {
      if (!bytes) return self->disconnect();
      if (self->is_ended_) return;
      asio::async_write(self->socket_, asio::buffer(*bytes),
                        [self](SystemError error, std::size_t) {
                          if (error) return self->end(console_closed);
                          self->read_service();
                        });
    });
  }

  void read_console() {
    socket_.async_read_some(asio::buffer(from_console_),
                            [self = shared_from_this()](SystemError error, std::size_t size) {
                              if (error) return self->end(console_closed);
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
  std::shared_ptr<WebSocket> service_;
  unix_stream::socket socket_;
  std::array<char, 16 * 1024> from_console_ = {};
  bool is_ended_ = false;
};

}  // namespace

class ConsoleStreams::Worker {
 public:
  Worker(ConsoleServiceAddress service, std::int64_t log_bytes_max)
      : service_{std::move(service)}, log_bytes_max_{log_bytes_max}, thread_{[this] {
          context_.run();
        }} {}
  ~Worker() {
    context_.stop();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void begin(const ConsolePaths& paths, const msg::StreamConsole& request) {
    core::http::open_websocket(
        context_.get_executor(),
        {.endpoint = service_.endpoint,
         .trust = service_.trust,
         .path = "/stream",
         .subprotocols = {"nucleus.stream", "nucleus.ticket." + request.token},
         .message_bytes_max = message_bytes_max,
         .stall_s = stall_s},
        [this, paths, request](const core::Result<std::shared_ptr<WebSocket>>& opened) {
          if (!opened)
            return core::log::warning("console_not_connected", {{"node", request.node_id.value},
                                                                {"reason", opened.error().detail}});
          if (request.kind == msg::ConsoleKind::vnc)
            return std::make_shared<VncStream>(paths.vnc_socket, *opened)->connect();
          std::make_shared<SerialStream>(
              SerialStream::LogFile{.path = paths.serial_log, .bytes_max = log_bytes_max_}, request,
              paths.serial_socket.empty() ? nullptr : input_of(paths.serial_socket), *opened)
              ->start(watch_, paths.serial_log);
        });
  }

 private:
  std::shared_ptr<ConsoleInput> input_of(const std::string& socket) {
    std::erase_if(inputs_, [](const auto& entry) { return entry.second.expired(); });
    auto& shared = inputs_[socket];
    auto input = shared.lock();
    if (input && !input->is_ended()) return input;
    shared = input = std::make_shared<ConsoleInput>(socket, context_.get_executor());
    asio::post(context_, [input] { input->connect(); });  // once its first stream listens
    return input;
  }

  ConsoleServiceAddress service_;
  std::int64_t log_bytes_max_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  LogWatch watch_{context_.get_executor()};
  std::map<std::string, std::weak_ptr<ConsoleInput>> inputs_ = {};  // by their sockets
  std::thread thread_;                                              // last: it uses the others
};

ConsoleStreams::ConsoleStreams(ConsoleServiceAddress service, std::int64_t log_bytes_max)
    : worker_{std::make_unique<Worker>(std::move(service), log_bytes_max)} {}

ConsoleStreams::~ConsoleStreams() = default;

void ConsoleStreams::begin(const ConsolePaths& paths, const msg::StreamConsole& request) {
  worker_->begin(paths, request);
}

}  // namespace nucleus::provisioner
