#include "services/console/driver/host_stream.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "services/console/driver/control_text.hpp"
#include "services/console/driver/session.hpp"

namespace nucleus::console {

using core::http::CloseCode;
using core::http::WebSocket;
using SystemError = boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds ask_again{200};
constexpr const char* reason_not_connected = "the host did not connect";
constexpr const char* reason_lost = "the connection to the host was lost";

CloseCode known_code(std::uint16_t code) {
  const auto same = static_cast<CloseCode>(code);
  return same == CloseCode::try_again_later || same == CloseCode::internal_error
             ? same
             : CloseCode::normal;
}

/// Whether the host answered that there is no such console, rather than not at all.
bool is_final(const core::Error& error) {
  using core::ErrorCode;
  return error.code == ErrorCode::wrong_state || error.code == ErrorCode::not_found ||
         error.code == ErrorCode::invalid_argument || error.code == ErrorCode::forbidden;
}

}  // namespace

HostStream::HostStream(Console console, boost::asio::any_io_executor executor,
                       HostStreamLimits limits, Ask ask)
    : console_{std::move(console)},
      limits_{limits},
      ask_{std::move(ask)},
      bytes_{2 * limits.replay_bytes_max},  // of which a viewer may be one behind
      timer_{executor},
      give_up_timer_{std::move(executor)} {
  is_known_ = !is_serial();
}

HostStream::~HostStream() {
  if (host_) host_->close(CloseCode::normal, "no viewer is left");
}

void HostStream::begin() {
  ask_host();
}

void HostStream::record(std::unique_ptr<StreamRecording> recording) {
  const bool was_recorded = is_recorded();
  recording_ = std::move(recording);
  if (is_recorded() == was_recorded) return;
  for (const auto& viewer : viewers()) viewer->show_recording(is_recorded());
}

std::int64_t HostStream::next_offset() const {
  return is_known_ ? static_cast<std::int64_t>(bytes_.end()) : console_.attachment.offset;
}

void HostStream::ask_host() {
  timer_.expires_after(limits_.connect);
  timer_.async_wait([weak = weak_from_this()](SystemError cancelled) {
    const auto self = weak.lock();
    if (cancelled || !self || self->host_ || self->is_ended_) return;
    if (self->was_joined_) return self->ask_host();
    self->end(reason_not_connected, CloseCode::try_again_later);
  });
  ask_(shared_from_this());
}

void HostStream::handle_refusal(const core::Error& error) {
  if (is_ended_ || host_) return;
  if (!was_joined_ || is_final(error)) return end(error.detail, CloseCode::try_again_later);
  timer_.expires_after(ask_again);
  timer_.async_wait([weak = weak_from_this()](SystemError cancelled) {
    const auto self = weak.lock();
    if (!cancelled && self && !self->host_ && !self->is_ended_) self->ask_host();
  });
}

void HostStream::join(std::shared_ptr<WebSocket> host) {
  host_ = std::move(host);
  was_joined_ = true;
  timer_.cancel();
  give_up_timer_.cancel();
  is_reading_ = false;
  is_writing_ = false;
  read_host();
  write_next();
}

/// Asks again from the next offset on; the viewers wait.
void HostStream::handle_loss() {
  host_.reset();
  if (!is_serial()) return end(reason_lost, CloseCode::try_again_later);
  for (const auto& viewer : viewers()) viewer->show_link(false);
  give_up_timer_.expires_after(limits_.reconnect);
  give_up_timer_.async_wait([weak = weak_from_this()](SystemError cancelled) {
    const auto self = weak.lock();
    if (!cancelled && self && !self->host_) self->end(reason_lost, CloseCode::try_again_later);
  });
  ask_host();
}

/// Reads ahead of the fastest viewer only. Those that fall behind what is kept read the log again.
void HostStream::read_host() {
  if (!host_ || is_reading_ || is_ended_) return;
  if (bytes_.end() > fastest_viewer() + limits_.replay_bytes_max) return;
  is_reading_ = true;
  host_->receive(
      [weak = weak_from_this(), host = host_.get()](std::optional<std::string_view> bytes) {
        const auto self = weak.lock();
        if (!self || self->is_ended_ || self->host_.get() != host) return;
        self->is_reading_ = false;
        if (!bytes) {
          const auto told = host->close_reason();
          if (told.text.empty()) return self->handle_loss();
          return self->end(told.text, known_code(told.code));
        }
        if (self->is_serial() && host->is_text()) {
          self->take_announcement(*bytes);
        } else {
          self->is_known_ = true;
          if (self->recording_) self->recording_->take(self->log_id_, self->bytes_.end(), *bytes);
          self->bytes_.append(*bytes);
        }
        self->notify();
        self->read_host();
      });
}

/// The host is trusted as far as its own nodes go: a malformed text ends the stream.
void HostStream::take_announcement(std::string_view text) {
  const auto part = nlohmann::json::parse(text, nullptr, false);
  const auto offset = number_in(part, "offset");
  if (offset < 0) return end("the host sent a malformed message", CloseCode::internal_error);
  const auto log_id = text_in(part, "log_id");
  const auto begin = static_cast<std::uint64_t>(offset);
  if (!is_known_ || log_id != log_id_ || begin != bytes_.end()) bytes_.restart(begin);
  log_id_ = log_id;
  announced_end_ = static_cast<std::uint64_t>(std::max(offset, number_in(part, "end")));
  is_known_ = true;
  const auto refused = text_in(part, "refused");
  for (const auto& viewer : viewers()) {
    viewer->show_link(true);
    if (!refused.empty()) viewer->show_refusal(refused);
  }
}

void HostStream::notify() {
  for (const auto& viewer : viewers()) viewer->send_next();
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
  host_->send(std::move(next.bytes), [weak = weak_from_this(), host = host_.get(),
                                      done = std::move(next.done)](WebSocket::Sent) {
    const auto self = weak.lock();
    if (!self) return;
    if (self->host_.get() == host) self->is_writing_ = false;
    done();  // the reader learns of a loss
    self->write_next();
  });
}

void HostStream::add(const std::shared_ptr<Session>& viewer) {
  viewers_.push_back(viewer);
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

std::uint64_t HostStream::fastest_viewer() const {
  std::uint64_t fastest = 0;
  for (const auto& viewer : viewers()) {
    if (!viewer->is_placed()) return bytes_.end();
    fastest = std::max(fastest, viewer->read_up_to());
  }
  return fastest;
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
  recording_.reset();
  timer_.cancel();
  give_up_timer_.cancel();
  writes_.clear();
  for (const auto& viewer : viewers()) viewer->end_after_bytes(reason, code);
}

}  // namespace nucleus::console
