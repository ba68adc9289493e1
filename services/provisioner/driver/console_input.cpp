#include "services/provisioner/driver/console_input.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "services/provisioner/driver/unix_peer.hpp"

namespace nucleus::provisioner {

namespace {

using unix_stream = boost::asio::local::stream_protocol;
using SystemError = boost::system::error_code;

constexpr std::chrono::milliseconds accept_timeout{2'000};
constexpr std::chrono::milliseconds connect_again{1'000};
constexpr std::size_t input_path_bytes_max = 107;
constexpr std::chrono::milliseconds stay{20};  // polled: QEMU does not report what it has read
constexpr int stays_max = 500;

/// What was written to the socket, and not read yet.
int bytes_untaken(unix_stream::socket& socket) {
  int bytes = 0;
  return ioctl(socket.native_handle(), SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

}  // namespace

ConsoleInput::ConsoleInput(std::string path, boost::asio::any_io_executor executor)
    : path_{std::move(path)}, socket_{executor}, timer_{executor}, stay_timer_{executor} {}

void ConsoleInput::connect() {
  if (path_.size() > input_path_bytes_max) return end("the console's path is too long");
  try_connect();
}

void ConsoleInput::try_connect() {
  socket_.async_connect(unix_stream::endpoint(path_),
                        [self = shared_from_this()](SystemError error) {
                          // Asio's name for EAGAIN here: the listener's backlog is full.
                          if (error == boost::asio::error::no_buffer_space) return self->refuse();
                          if (error)
                            return self->end("the console's socket is gone: " + error.message());
                          self->is_connected_ = true;
                          self->check_accepted();
                          self->drain();
                          self->write_next();
                        });
}

/// A connect succeeds while QEMU serves another client; QEMU then does not accept it.
void ConsoleInput::check_accepted() {
  timer_.expires_after(accept_timeout);
  timer_.async_wait([weak = weak_from_this()](SystemError cancelled) {
    const auto self = weak.lock();
    if (cancelled || !self || self->is_ended_) return;
    if (!is_accepted(self->socket_.native_handle()).value_or(true)) return self->refuse();
    self->is_refused_ = false;
  });
}

void ConsoleInput::drain() {
  socket_.async_read_some(boost::asio::buffer(dropped_),
                          [weak = weak_from_this()](SystemError error, std::size_t) {
                            const auto self = weak.lock();
                            if (!self || error == boost::asio::error::operation_aborted) return;
                            if (error) return self->end(console_closed);
                            self->drain();
                          });
}

void ConsoleInput::write(std::string bytes, std::function<void()> done) {
  writes_.push_back({std::move(bytes), std::move(done)});
  write_next();
}

void ConsoleInput::write_next() {
  if (!is_connected_ || is_writing_ || is_ended_ || writes_.empty()) return;
  is_writing_ = true;
  boost::asio::async_write(socket_, boost::asio::buffer(writes_.front().bytes),
                           [weak = weak_from_this()](SystemError error, std::size_t) {
                             const auto self = weak.lock();
                             if (!self) return;
                             self->is_writing_ = false;
                             // The reader learns why. Who waits for `done` waits no longer.
                             if (error && self->is_ended_) return self->writes_.clear();
                             if (error) return;
                             const auto done = std::move(self->writes_.front().done);
                             self->writes_.pop_front();
                             self->stays_ = 0;
                             self->stay_until_taken();
                             done();
                             self->write_next();
                           });
}

/// Keeps the socket, whoever else has left. A guest that takes nothing for long has hung.
void ConsoleInput::stay_until_taken() {
  const int before = std::exchange(untaken_, is_ended_ ? 0 : bytes_untaken(socket_));
  if (untaken_ == 0) return;
  if (untaken_ < before) stays_ = 0;
  if (++stays_ > stays_max) return;
  stay_timer_.expires_after(stay);
  stay_timer_.async_wait([self = shared_from_this()](SystemError cancelled) {
    if (!cancelled) self->stay_until_taken();
  });
}

/// Another client has the console. It may leave.
void ConsoleInput::refuse() {
  is_connected_ = false;
  SystemError ignored;
  socket_.close(ignored);
  if (!std::exchange(is_refused_, true))
    for (const auto& listener : listeners()) listener->on_refused();
  timer_.expires_after(connect_again);
  timer_.async_wait([weak = weak_from_this()](SystemError cancelled) {
    const auto self = weak.lock();
    if (!cancelled && self && !self->is_ended_) self->try_connect();
  });
}

void ConsoleInput::end(const std::string& reason) {
  if (std::exchange(is_ended_, true)) return;
  SystemError ignored;
  socket_.close(ignored);
  timer_.cancel();
  if (!is_writing_) writes_.clear();
  for (const auto& listener : listeners()) listener->on_end(reason);
}

std::shared_ptr<ConsoleInput::Listener> ConsoleInput::add(Listener listener) {
  std::erase_if(listeners_, [](const auto& weak) { return weak.expired(); });
  auto added = std::make_shared<Listener>(std::move(listener));
  listeners_.push_back(added);
  if (is_refused_) added->on_refused();
  return added;
}

std::vector<std::shared_ptr<ConsoleInput::Listener>> ConsoleInput::listeners() const {
  std::vector<std::shared_ptr<Listener>> all;
  for (const auto& weak : listeners_)
    if (auto listener = weak.lock()) all.push_back(std::move(listener));
  return all;
}

}  // namespace nucleus::provisioner
