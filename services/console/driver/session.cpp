#include "services/console/driver/session.hpp"

#include <boost/asio/post.hpp>

#include "core/log/log.hpp"

namespace nucleus::console {

using core::http::CloseCode;
using core::http::WebSocket;

Session::Session(Metrics& metrics, std::shared_ptr<SessionRight> right,
                 std::shared_ptr<HostStream> stream, std::shared_ptr<WebSocket> viewer)
    : metrics_{metrics},
      right_{std::move(right)},
      stream_{std::move(stream)},
      viewer_{std::move(viewer)} {
  metrics_.sessions.Increment();
}

Session::~Session() {
  metrics_.sessions.Decrement();
  stream_->remove(this);
}

void Session::start() {
  right_->on_end([weak = weak_from_this(), executor = viewer_->executor()] {
    boost::asio::post(executor, [weak] {
      if (const auto self = weak.lock()) self->end("the right to this console has ended");
    });
  });
  offset_ = stream_->add(shared_from_this());
  read_viewer();
  send_next();
}

void Session::read_viewer() {
  viewer_->receive([self = shared_from_this()](std::optional<std::string_view> bytes) {
    if (!bytes) return self->disconnect();
    if (self->is_ended_) return;
    self->metrics_.bytes_from_viewers.Increment(static_cast<double>(bytes->size()));
    self->stream_->write(std::string(*bytes), [self] { self->read_viewer(); });
  });
}

void Session::send_next() {
  if (is_sending_ || is_ended_) return;
  std::string bytes(stream_->bytes().from(offset_));
  if (bytes.empty()) {
    if (!last_reason_.empty()) end(last_reason_, last_code_);
    return;
  }
  is_sending_ = true;
  const auto size = bytes.size();
  viewer_->send(std::move(bytes), [self = shared_from_this(), size](WebSocket::Sent sent) {
    self->is_sending_ = false;
    if (sent == WebSocket::Sent::done) {
      self->metrics_.bytes_to_viewers.Increment(static_cast<double>(size));
      self->offset_ += size;
      self->stream_->advance();
      return self->send_next();
    }
    if (sent == WebSocket::Sent::stalled) self->count_cut();
    self->disconnect();
  });
}

void Session::cut(const std::string& reason) {
  if (is_ended_) return;
  count_cut();
  end(reason, CloseCode::try_again_later);
}

void Session::count_cut() {
  core::log::info("viewer_cut", {{"node", stream_->console().node_id.value}});
  metrics_.viewers_cut.Increment();
}

void Session::end_after_bytes(const std::string& reason, CloseCode code) {
  last_reason_ = reason;
  last_code_ = code;
  send_next();
}

void Session::end(const std::string& reason, CloseCode code) {
  if (is_ended_) return;
  is_ended_ = true;
  stream_->remove(this);
  viewer_->close(code, reason);
}

void Session::disconnect() {
  is_ended_ = true;
  stream_->remove(this);
  viewer_->disconnect();
}

}  // namespace nucleus::console
