#include "services/console/driver/host_stream.hpp"

#include <algorithm>

#include "services/console/driver/session.hpp"

namespace nucleus::console {

using core::http::CloseCode;
using core::http::WebSocket;
using SystemError = boost::system::error_code;

namespace {

constexpr std::chrono::seconds hold_up_max{2};
constexpr const char* reason_not_connected = "the host did not connect";
constexpr const char* reason_lost = "the connection to the host was lost";

CloseCode known_code(std::uint16_t code) {
  const auto same = static_cast<CloseCode>(code);
  return same == CloseCode::try_again_later || same == CloseCode::internal_error
             ? same
             : CloseCode::normal;
}

}  // namespace

HostStream::HostStream(Console console, boost::asio::any_io_executor executor,
                       std::size_t replay_bytes_max)
    : console_{std::move(console)},
      replay_bytes_max_{replay_bytes_max},
      bytes_{2 * replay_bytes_max},  // one half for those who join, one for those who are slow
      timer_{executor},
      hold_up_timer_{std::move(executor)} {}

HostStream::~HostStream() {
  if (host_) host_->close(CloseCode::normal, "no viewer is left");
}

void HostStream::await_host(std::chrono::seconds timeout) {
  timer_.expires_after(timeout);
  timer_.async_wait([weak = weak_from_this()](SystemError cancelled) {
    const auto self = weak.lock();
    if (!cancelled && self && !self->host_)
      self->end(reason_not_connected, CloseCode::try_again_later);
  });
}

void HostStream::join(std::shared_ptr<WebSocket> host) {
  host_ = std::move(host);
  timer_.cancel();
  read_host();
  write_next();
}

/// The console waits for a viewer that is as far behind as one who joins may be.
void HostStream::read_host() {
  if (!host_ || is_reading_ || is_ended_) return;
  if (bytes_.end() - slowest_viewer() > replay_bytes_max_) return watch_hold_up();
  hold_up_timer_.cancel();
  is_reading_ = true;
  host_->receive([weak = weak_from_this()](std::optional<std::string_view> bytes) {
    const auto self = weak.lock();
    if (!self || self->is_ended_) return;
    self->is_reading_ = false;
    if (!bytes) {
      const auto told = self->host_->close_reason();
      if (told.text.empty()) return self->end(reason_lost, CloseCode::try_again_later);
      return self->end(told.text, known_code(told.code));
    }
    self->bytes_.append(*bytes);
    for (const auto& viewer : self->viewers()) viewer->send_next();
    self->read_host();
  });
}

void HostStream::write(std::string bytes, std::function<void()> done) {
  writes_.push_back({std::move(bytes), std::move(done)});
  write_next();
}

void HostStream::write_next() {
  if (!host_ || is_writing_ || is_ended_ || writes_.empty()) return;
  is_writing_ = true;
  auto next = std::move(writes_.front());
  writes_.pop_front();
  host_->send(std::move(next.bytes),
              [weak = weak_from_this(), done = std::move(next.done)](WebSocket::Sent sent) {
                const auto self = weak.lock();
                if (!self) return;
                self->is_writing_ = false;
                if (sent != WebSocket::Sent::done) return;  // the reader learns why
                done();
                self->write_next();
              });
}

std::uint64_t HostStream::add(const std::shared_ptr<Session>& viewer) {
  viewers_.push_back(viewer);
  const auto replayed = std::min<std::uint64_t>(replay_bytes_max_, bytes_.end() - bytes_.begin());
  return bytes_.end() - replayed;
}

void HostStream::remove(const Session* viewer) {
  std::erase_if(viewers_, [viewer](const auto& weak) {
    const auto one = weak.lock();
    return !one || one.get() == viewer;
  });
  advance();
}

void HostStream::advance() {
  read_host();
}

/// A viewer that has read everything waits for slower ones only for a while.
void HostStream::watch_hold_up() {
  const auto all = viewers();
  const bool is_any_held_up = std::ranges::any_of(
      all, [this](const auto& viewer) { return viewer->read_up_to() == bytes_.end(); });
  if (!is_any_held_up || is_hold_up_watched_) return;
  is_hold_up_watched_ = true;
  hold_up_timer_.expires_after(hold_up_max);
  hold_up_timer_.async_wait([weak = weak_from_this()](SystemError cancelled) {
    const auto self = weak.lock();
    if (!self) return;
    self->is_hold_up_watched_ = false;
    if (!cancelled) self->cut_slow_viewers();
  });
}

void HostStream::cut_slow_viewers() {
  for (const auto& viewer : viewers())
    if (bytes_.end() - viewer->read_up_to() > replay_bytes_max_)
      viewer->cut("too slow: others watch this console");
}

std::uint64_t HostStream::slowest_viewer() const {
  std::uint64_t slowest = bytes_.end();
  for (const auto& viewer : viewers()) slowest = std::min(slowest, viewer->read_up_to());
  return slowest;
}

std::vector<std::shared_ptr<Session>> HostStream::viewers() const {
  std::vector<std::shared_ptr<Session>> all;
  for (const auto& weak : viewers_)
    if (auto viewer = weak.lock()) all.push_back(std::move(viewer));
  return all;
}

void HostStream::end(const std::string& reason, CloseCode code) {
  if (is_ended_) return;
  is_ended_ = true;
  timer_.cancel();
  hold_up_timer_.cancel();
  writes_.clear();
  for (const auto& viewer : viewers()) viewer->end_after_bytes(reason, code);
}

}  // namespace nucleus::console
