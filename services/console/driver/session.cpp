#include "services/console/driver/session.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "core/log/log.hpp"
#include "services/console/driver/control_text.hpp"

namespace nucleus::console {

using core::http::CloseCode;
using core::http::WebSocket;
using nlohmann::json;

namespace {

constexpr std::size_t texts_max = 64;  // a viewer that reads none of them is cut off

}  // namespace

Session::Session(Metrics& metrics, Console console, std::uint64_t number,
                 std::shared_ptr<HostStream> stream, std::shared_ptr<WebSocket> viewer,
                 SessionCalls calls)
    : metrics_{metrics},
      console_{std::move(console)},
      number_{number},
      stream_{std::move(stream)},
      viewer_{std::move(viewer)},
      calls_{std::move(calls)} {
  metrics_.sessions.Increment();
}

Session::~Session() {
  metrics_.sessions.Decrement();
  leave();
}

void Session::start() {
  console_.right->on_end([weak = weak_from_this(), executor = viewer_->executor()] {
    boost::asio::post(executor, [weak] {
      if (const auto self = weak.lock()) self->end("the right to this console has ended");
    });
  });
  stream_->add(shared_from_this());
  if (stream_->is_recorded()) show_recording(true);
  if (is_serial()) stream_->roles().add(shared_from_this());
  read_viewer();
  send_next();
}

void Session::read_viewer() {
  viewer_->receive([self = shared_from_this()](std::optional<std::string_view> bytes) {
    if (!bytes) return self->disconnect();
    if (self->is_ended_) return;
    if (self->console_.attachment.is_announced && self->viewer_->is_text()) {
      self->take_request(*bytes);
      return self->read_viewer();
    }
    self->take_typed(*bytes);
  });
}

void Session::take_typed(std::string_view bytes) {
  if (!is_serial() && !may_write()) return take_watched(bytes);
  if (is_serial() && !stream_->roles().is_writer(*this)) {
    if (!std::exchange(is_refusal_shown_, true)) show_refusal("you are not the writer");
    return read_viewer();
  }
  metrics_.bytes_from_viewers.Increment(static_cast<double>(bytes.size()));
  if (!std::exchange(has_typed_, true)) report();
  stream_->write(std::string(bytes), [self = shared_from_this()] { self->read_viewer(); });
}

void Session::take_watched(std::string_view bytes) {
  auto passed = watched_.pass(bytes);
  if (!passed) return end(passed.error().detail, CloseCode::policy_violation);
  if (passed->empty()) return read_viewer();
  stream_->write(std::move(*passed), [self = shared_from_this()] { self->read_viewer(); });
}

void Session::take_request(std::string_view text) {
  const auto request = json::parse(text, nullptr, false);
  const auto type = text_in(request, "type");
  std::string refused = "unknown type: " + msg::shown(type);
  if (!is_serial())
    refused = "a VNC console has no roles";
  else if (type == "hand-over")
    refused = stream_->roles().hand_over(
        *this, static_cast<std::uint64_t>(std::max<std::int64_t>(number_in(request, "to"), 0)));
  else if (type == "take-over")
    refused = stream_->roles().take_over(shared_from_this());
  if (!refused.empty()) show_refusal(refused);
}

void Session::report() {
  const bool is_writer = is_serial() ? stream_->roles().is_writer(*this) : may_write();
  calls_.report(console_.session_id, is_writer, has_typed_);
}

void Session::show_roles(const std::string& reason) {
  is_refusal_shown_ = false;
  auto viewers = json::array();
  for (const auto& one : stream_->roles().viewers())
    viewers.push_back(
        {{"number", one->number()}, {"person", one->person()}, {"may_write", one->may_write()}});
  const auto writer = stream_->roles().writer();
  json roles{{"type", "roles"}, {"you", number_}, {"viewers", std::move(viewers)}};
  roles["writer"] = writer ? json(writer->number()) : json();
  if (!reason.empty()) roles["reason"] = reason;
  show(roles.dump(-1, ' ', false, json::error_handler_t::replace));
}

void Session::show_link(bool is_live) {
  if (is_link_lost_ == !is_live) return;
  is_link_lost_ = !is_live;
  show(json{{"type", "link"}, {"is_live", is_live}}.dump());
}

void Session::show_recording(bool is_recorded) {
  show(json{{"type", "recording"}, {"is_recorded", is_recorded}}.dump());
}

void Session::show_refusal(const std::string& detail) {
  show(json{{"type", "refused"}, {"detail", detail}}.dump(-1, ' ', false,
                                                          json::error_handler_t::replace));
}

void Session::show(std::string text) {
  if (!console_.attachment.is_announced || is_ended_) return;
  if (texts_.size() >= texts_max) return disconnect();
  texts_.push_back(std::move(text));
  send_next();
}

/// Sets the cursor, once the offsets of the log are known.
void Session::place() {
  const auto& wanted = console_.attachment;
  is_placed_ = true;
  log_id_ = stream_->log_id();
  const bool is_another_log = !wanted.log_id.empty() && wanted.log_id != log_id_;
  const auto end = stream_->log_end();
  if (!is_serial())
    offset_ = stream_->bytes().begin();
  else if (is_another_log)
    offset_ = 0;
  else if (wanted.offset >= 0)
    offset_ = std::min(static_cast<std::uint64_t>(wanted.offset), end);
  else
    offset_ = end - std::min(-static_cast<std::uint64_t>(wanted.offset), end);
  // A tail that the shared stream does not keep is no reason to ask for it.
  if (wanted.offset == -msg::console_tail_bytes)
    offset_ = std::max(offset_, stream_->bytes().begin());
}

HostStream* Session::source() {
  if (!stream_->is_known()) return nullptr;
  if (!is_placed_) place();
  if (stream_->log_id() != log_id_) {  // the host has begun another log
    catch_up_.reset();
    log_id_ = stream_->log_id();
    offset_ = stream_->bytes().begin();
    is_start_shown_ = false;
  }
  if (offset_ >= stream_->bytes().begin()) {
    if (catch_up_) leave_catch_up();
    return stream_.get();
  }
  if (!catch_up_) catch_up();
  return catch_up_ && catch_up_->is_known() && catch_up_->log_id() == log_id_ ? catch_up_.get()
                                                                              : nullptr;
}

/// The shared stream goes on from here. It may have more, even if the other one has ended.
void Session::leave_catch_up() {
  std::exchange(catch_up_, nullptr)->remove(this);
  if (!stream_->is_ended()) last_reason_.clear();
}

/// Reads the older bytes from the host's log, by a stream that no one else uses.
void Session::catch_up() {
  Console older = console_;
  older.attachment.offset = static_cast<std::int64_t>(offset_);
  older.attachment.log_id = log_id_;
  catch_up_ = calls_.begin_stream(older);
  catch_up_->add(shared_from_this());
}

void Session::send_next() {
  if (is_sending_ || is_ended_) return;
  const auto* from = source();
  if (from) announce(*from);
  if (!texts_.empty()) {
    is_sending_ = true;
    auto text = std::move(texts_.front());
    texts_.pop_front();
    return viewer_->send_text(std::move(text), [self = shared_from_this()](WebSocket::Sent sent) {
      self->handle_sent(sent);
    });
  }
  if (from && send_bytes(*from)) return;
  const bool is_all_sent = catch_up_ ? catch_up_->is_ended() : true;
  if (!last_reason_.empty() && is_all_sent) end(last_reason_, last_code_);
}

/// Where the next byte is in the log, if the viewer cannot know.
void Session::announce(const HostStream& from) {
  const auto begin = from.bytes().begin();
  const bool is_gap = offset_ < begin;
  if (is_gap && is_start_shown_ && console_.attachment.is_announced)
    texts_.push_back(json{{"type", "gap"}, {"from", offset_}, {"to", begin}}.dump());
  if (is_gap) offset_ = begin;
  if (std::exchange(is_start_shown_, true) || !console_.attachment.is_announced) return;
  json start{{"type", "start"}, {"log_id", log_id_}, {"offset", offset_}};
  texts_.push_back(start.dump());
}

/// False if there are none.
bool Session::send_bytes(const HostStream& from) {
  std::string bytes(from.bytes().from(std::min(offset_, from.bytes().end())));
  if (bytes.empty()) return false;
  is_sending_ = true;
  const auto size = bytes.size();
  viewer_->send(std::move(bytes), [self = shared_from_this(), size](WebSocket::Sent sent) {
    if (sent == WebSocket::Sent::done) {
      self->metrics_.bytes_to_viewers.Increment(static_cast<double>(size));
      self->offset_ += size;
      self->stream_->advance();
      if (self->catch_up_) self->catch_up_->advance();
    }
    self->handle_sent(sent);
  });
  return true;
}

void Session::handle_sent(WebSocket::Sent sent) {
  is_sending_ = false;
  if (sent == WebSocket::Sent::done) return send_next();
  if (sent == WebSocket::Sent::stalled) {
    core::log::info("viewer_cut", {{"node", console_.node_id.value}});
    metrics_.viewers_cut.Increment();
  }
  disconnect();
}

void Session::end_after_bytes(const std::string& reason, CloseCode code) {
  last_reason_ = reason;
  last_code_ = code;
  send_next();
}

void Session::end(const std::string& reason, CloseCode code) {
  if (is_ended_) return;
  is_ended_ = true;
  leave();
  viewer_->close(code, reason);
}

void Session::leave() {
  stream_->remove(this);
  if (catch_up_) catch_up_->remove(this);
  if (is_serial()) stream_->roles().remove(this);
}

void Session::disconnect() {
  is_ended_ = true;
  leave();
  viewer_->disconnect();
}

}  // namespace nucleus::console
