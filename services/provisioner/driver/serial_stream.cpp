#include "services/provisioner/driver/serial_stream.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace nucleus::provisioner {

using core::http::CloseCode;
using core::http::WebSocket;

namespace {

constexpr std::size_t part_bytes_max = 64 * 1024;

std::int64_t first_offset(const ConsoleLog& log, const msg::StreamConsole& request) {
  const bool is_another_log = !request.log_id.empty() && request.log_id != log.id();
  if (is_another_log) return log.begin();
  const auto offset = request.offset < 0 ? log.end() + request.offset : request.offset;
  return std::clamp(offset, log.begin(), log.end());
}

}  // namespace

SerialStream::SerialStream(const LogFile& log, const msg::StreamConsole& request,
                           std::shared_ptr<ConsoleInput> input, std::shared_ptr<WebSocket> service)
    : log_{log.path, log.bytes_max},
      is_announced_{request.is_announced},
      offset_{first_offset(log_, request)},
      input_{std::move(input)},
      service_{std::move(service)} {}

void SerialStream::start(LogWatch& watch, const std::string& log_path) {
  const auto weak = weak_from_this();
  handler_ = watch.add(log_path, [weak] {
    if (const auto self = weak.lock()) self->pump();
  });
  if (input_) listen();
  if (!input_) last_reason_ = console_closed;
  read_service();
  pump();
}

void SerialStream::listen() {
  const auto weak = weak_from_this();
  listener_ = input_->add({.on_end =
                               [weak](const std::string& reason) {
                                 if (const auto self = weak.lock()) self->finish(reason);
                               },
                           .on_refused =
                               [weak] {
                                 const auto self = weak.lock();
                                 if (!self) return;
                                 self->is_refused_ = true;
                                 self->pump();
                               }});
}

void SerialStream::pump() {
  if (is_sending_ || is_ended_) return;
  const auto part = log_.read(offset_, part_bytes_max);
  const bool is_jump = part.offset != offset_;
  offset_ = part.offset;
  if (is_announced_ && (is_first_ || is_jump || is_refused_))
    return announce(offset_, std::exchange(is_refused_, false) ? console_in_use : "");
  if (!part.bytes.empty()) {
    offset_ += static_cast<std::int64_t>(part.bytes.size());
    return send_bytes(part.bytes);
  }
  if (last_reason_.empty()) return;
  is_ended_ = true;
  service_->close(CloseCode::normal, last_reason_);
}

/// Where the bytes that follow are in the log.
void SerialStream::announce(std::int64_t offset, const std::string& refused) {
  is_first_ = false;
  is_sending_ = true;
  nlohmann::json part{{"log_id", log_.id()}, {"offset", offset}, {"end", log_.end()}};
  if (!refused.empty()) part["refused"] = refused;
  service_->send_text(
      part.dump(), [self = shared_from_this()](WebSocket::Sent sent) { self->handle_sent(sent); });
}

void SerialStream::send_bytes(std::string bytes) {
  is_sending_ = true;
  service_->send(std::move(bytes),
                 [self = shared_from_this()](WebSocket::Sent sent) { self->handle_sent(sent); });
}

void SerialStream::handle_sent(WebSocket::Sent sent) {
  is_sending_ = false;
  if (sent != WebSocket::Sent::done) return disconnect();
  pump();
}

void SerialStream::read_service() {
  service_->receive([self = shared_from_this()](std::optional<std::string_view> bytes) {
    if (!bytes) return self->disconnect();
    if (self->is_ended_) return;
    if (!self->input_) return self->read_service();  // the domain has ended: its input is discarded
    self->input_->write(std::string(*bytes), [self] { self->read_service(); });
  });
}

void SerialStream::finish(const std::string& reason) {
  last_reason_ = reason;
  pump();
}

void SerialStream::disconnect() {
  is_ended_ = true;
  service_->disconnect();
}

}  // namespace nucleus::provisioner
