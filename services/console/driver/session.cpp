#include "services/console/driver/session.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <fstream>

#include "core/log/log.hpp"
#include "services/console/driver/unix_peer.hpp"

namespace nucleus::console {

namespace asio = boost::asio;
using core::http::CloseCode;
using core::http::WebSocket;
using unix_stream = asio::local::stream_protocol;
using SystemError = boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds accept_timeout{2'000};
constexpr std::size_t socket_path_bytes_max = 107;
constexpr const char* reason_closed = "the console was closed";
constexpr const char* reason_in_use = "the console is in use by another client";

std::string last_bytes(const std::string& path, std::size_t bytes_max) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (path.empty() || !file) return {};
  const auto size = static_cast<std::size_t>(file.tellg());
  std::string text(std::min(size, bytes_max), '\0');
  file.seekg(static_cast<std::streamoff>(size - text.size()));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

Session::Session(ConsoleProxy& proxy, Console console, std::shared_ptr<WebSocket> viewer)
    : proxy_{proxy},
      console_{std::move(console)},
      viewer_{std::move(viewer)},
      socket_{viewer_->executor()},
      accept_timer_{viewer_->executor()} {}

Session::~Session() {
  if (is_joined_) proxy_.metrics_.sessions.Decrement();
}

void Session::start() {
  if (console_.socket_path.size() > socket_path_bytes_max)
    return end("the console's path is too long", CloseCode::internal_error);
  console_.right->on_end([weak = weak_from_this(), executor = viewer_->executor()] {
    asio::post(executor, [weak] {
      if (const auto self = weak.lock()) self->end("the right to this console has ended");
    });
  });
  if (console_.kind == msg::ConsoleKind::serial) take_serial_console();
  connect();
}

void Session::take_serial_console() {
  auto& owner = proxy_.serial_owners_[console_.socket_path];
  if (const auto before = owner.lock()) before->end("opened by another viewer");
  owner = weak_from_this();
}

void Session::connect() {
  socket_.async_connect(unix_stream::endpoint(console_.socket_path),
                        [self = shared_from_this()](SystemError error) {
                          if (self->is_ended_) return;
                          // Asio's name for EAGAIN here: the listener's backlog is full.
                          if (error == asio::error::no_buffer_space)
                            return self->end(reason_in_use, CloseCode::try_again_later);
                          if (error)
                            return self->end("the console's socket is gone: " + error.message());
                          self->join();
                        });
}

void Session::join() {
  is_joined_ = true;
  proxy_.metrics_.sessions.Increment();
  check_accepted();
  read_viewer();
  std::string replay = last_bytes(console_.log_path, proxy_.options_.replay_bytes_max);
  if (replay.empty()) return read_console();
  write_viewer(std::move(replay));
}

/// A connect succeeds while QEMU serves another client; QEMU then does not accept it.
void Session::check_accepted() {
  accept_timer_.expires_after(accept_timeout);
  accept_timer_.async_wait([weak = weak_from_this()](SystemError error) {
    const auto self = weak.lock();
    if (error || !self || self->is_ended_) return;
    if (!is_accepted(self->socket_.native_handle()).value_or(true))
      self->end(reason_in_use, CloseCode::try_again_later);
  });
}

void Session::read_viewer() {
  viewer_->receive([self = shared_from_this()](std::optional<std::string_view> bytes) {
    if (!bytes) return self->disconnect();
    if (self->is_ended_) return;
    self->proxy_.metrics_.bytes_from_viewers.Increment(static_cast<double>(bytes->size()));
    asio::async_write(self->socket_, asio::buffer(*bytes), [self](SystemError error, std::size_t) {
      if (error) return self->end(reason_closed);
      self->read_viewer();
    });
  });
}

void Session::read_console() {
  socket_.async_read_some(asio::buffer(from_console_),
                          [self = shared_from_this()](SystemError error, std::size_t size) {
                            if (error) return self->end(reason_closed);
                            self->write_viewer(std::string(self->from_console_.data(), size));
                          });
}

void Session::write_viewer(std::string bytes) {
  const auto size = static_cast<double>(bytes.size());
  viewer_->send(std::move(bytes), [self = shared_from_this(), size](WebSocket::Sent sent) {
    if (sent == WebSocket::Sent::done) {
      self->proxy_.metrics_.bytes_to_viewers.Increment(size);
      if (!self->is_ended_) self->read_console();
      return;
    }
    if (sent == WebSocket::Sent::stalled) {
      core::log::info("viewer_cut", {{"node", self->console_.node_id.value}});
      self->proxy_.metrics_.viewers_cut.Increment();
    }
    self->disconnect();
  });
}

void Session::end(const std::string& reason, CloseCode code) {
  if (is_ended_) return;
  is_ended_ = true;
  SystemError ignored;
  socket_.close(ignored);
  viewer_->close(code, reason);
}

void Session::disconnect() {
  is_ended_ = true;
  SystemError ignored;
  socket_.close(ignored);
  viewer_->disconnect();
}

}  // namespace nucleus::console
