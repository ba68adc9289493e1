// A connection: reads requests one after another, writes their responses, and ends clients that are
// too slow. Everything runs on the server's thread.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <limits>
#include <optional>

#include "core/http/body_faults.hpp"
#include "core/http/byte_stream.hpp"
#include "core/http/head.hpp"
#include "core/http/prepared_response.hpp"
#include "core/http/server_state.hpp"
#include "core/http/sink_body.hpp"
#include "core/http/websocket_connection.hpp"
#include "core/log/log.hpp"

namespace nucleus::core::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace beast_http = beast::http;
using tcp = asio::ip::tcp;

namespace {

// Beyond a head, the buffer has what is read at once of a body, and bounds what has no limit in the
// protocol: a chunk's extension and the trailer.
constexpr std::size_t body_buffer_bytes = 64 * 1024;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerState& state, tcp::socket socket, std::unique_ptr<ClientShare> slot,
             std::size_t listener)
      : state_{state},
        listener_{listener},
        slot_{std::move(slot)},
        body_share_{state_.body_bytes, slot_->client()},
        stream_{std::make_unique<ByteStream>(std::move(socket))},
        queue_{std::make_shared<StreamQueue>(state_.options.stream_bytes_max)},
        buffer_{state_.options.head_bytes_max + body_buffer_bytes} {
    beast::error_code ignored;
    tcp_stream().socket().set_option(tcp::no_delay(true), ignored);
  }
  ~Connection() { queue_->close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() {
    const auto& certificate = state_.listen_options(listener_).certificate;
    if (!certificate) return read_head();
    stream_->async_accept_tls(
        certificate->context(), std::chrono::seconds(state_.options.head_s), buffer_,
        [self = shared_from_this()](beast::error_code error, bool is_plain) {
          if (error) return self->close();
          if (is_plain) return self->refuse(400, "this port requires TLS (https:// or wss://)");
          self->read_head();
        });
  }

 private:
  beast::tcp_stream& tcp_stream() { return stream_->next_layer(); }
  void start_idle_timeout() {
    tcp_stream().expires_after(std::chrono::seconds(state_.options.idle_s));
  }
  /// From its first byte, a head has this much time, however its bytes arrive.
  void start_head_deadline() {
    tcp_stream().expires_after(std::chrono::seconds(state_.options.head_s));
  }

  void read_head() {
    head_.emplace();
    head_->header_limit(static_cast<std::uint32_t>(state_.options.head_bytes_max));
    head_->body_limit(std::numeric_limits<std::uint64_t>::max());  // limited when it is read
    scanned_ = 0;
    is_head_ = false;
    start_idle_timeout();
    if (buffer_.size() == 0) return read_bytes();
    start_head_deadline();
    scan_bytes();
  }

  void read_bytes() {
    stream_->async_read_some(buffer_.prepare(4096), [self = shared_from_this()](
                                                        beast::error_code error, std::size_t size) {
      if (error) return self->close();
      if (self->buffer_.size() == 0) self->start_head_deadline();
      self->buffer_.commit(size);
      self->scan_bytes();
    });
  }

  void scan_bytes() {
    const auto data = buffer_.data();
    const std::string_view bytes(static_cast<const char*>(data.data()), data.size());
    const auto scan = scan_head(bytes, scanned_);
    scanned_ = bytes.size();
    if (*scan.error != '\0') return refuse_malformed(scan.error);
    if (scan.is_complete) {
      if (auto cached = look_up(bytes.substr(0, scan.size))) {
        buffer_.consume(scan.size);
        return send_prepared(std::move(cached));
      }
      return parse_head();
    }
    if (bytes.size() >= state_.options.head_bytes_max)
      return refuse(431, "the request's head is too large");
    read_bytes();
  }

  PreparedResponsePtr look_up(std::string_view head) {
    head_digest_.reset();
    if (!state_.options.cache_lookup || !head.starts_with("GET ")) return {};
    head_digest_ = sha256(head);
    return state_.options.cache_lookup(*head_digest_);
  }

  /// The head's digest if the head alone decides the response, and the connection stays open.
  std::optional<Sha256> cacheable_digest() const {
    const auto& headers = request_.headers;
    const bool has_more = must_close_ || headers.contains("Content-Length") ||
                          headers.contains("Transfer-Encoding") || headers.contains("Expect") ||
                          headers.contains("Upgrade");
    return has_more ? std::nullopt : head_digest_;
  }

  /// Empty, or why a proxy could find another end of the body, or another host.
  std::string framing_error() const {
    using beast_http::field;
    const auto& message = head_->get();
    const auto encoding = message.find(field::transfer_encoding);
    if (encoding != message.end() && !beast::iequals(encoding->value(), "chunked"))
      return "Transfer-Encoding must be chunked";
    if (message.count(field::transfer_encoding) > 1) return "more than one Transfer-Encoding";
    if (message.count(field::content_length) > 1) return "more than one Content-Length";
    if (message.count(field::transfer_encoding) + message.count(field::content_length) > 1)
      return "both Transfer-Encoding and Content-Length";
    if (message.version() >= 11 && message.count(field::host) != 1)
      return "there must be exactly one Host";
    if (message.count(field::host) == 1 && !is_valid_host(std::string(message[field::host])))
      return "Host is not a host name";
    return {};
  }

  void parse_head() {
    beast::error_code error;
    buffer_.consume(head_->put(buffer_.data(), error));
    if (error == beast_http::error::header_limit)
      return refuse(431, "the request's head is too large");
    if (error || !head_->is_header_done()) return refuse_malformed(error.message());
    if (const auto reason = framing_error(); !reason.empty()) return refuse_malformed(reason);
    const auto& message = head_->get();
    request_ = {};
    context_.reset();
    request_.client_address = slot_->client().to_string();
    request_.listener = listener_;
    request_.is_head = message.method() == beast_http::verb::head;
    is_head_ = request_.is_head;
    request_.method = request_.is_head ? "GET" : std::string(message.method_string());
    request_.is_upgrade = beast::websocket::is_upgrade(message);
    for (const auto& field : message) {
      auto& value = request_.headers[std::string(field.name_string())];
      if (!value.empty()) value += ", ";
      value += std::string(field.value());
    }
    if (!parse_target(std::string(message.target()), request_))
      return refuse_malformed("the target must be a path");
    if (!state_.needs_plan || !state_.needs_plan(request_))
      return read_body(state_.options.body_bytes_max);
    wait_for_handler();
    state_.plan_body(request_, post_back<std::variant<BodyPlan, Response>>(&Connection::take_plan));
  }

  void take_plan(std::variant<BodyPlan, Response> plan) {
    if (auto* refusal = std::get_if<Response>(&plan)) {
      must_close_ = true;
      return send(std::move(*refusal));
    }
    auto& accepted = std::get<BodyPlan>(plan);
    context_ = accepted.context;
    read_file(accepted);
  }

  /// By its Content-Length; a chunked body is counted while it is read.
  bool is_too_large(std::uint64_t bytes_max) {
    body_bytes_max_ = bytes_max;
    const auto length = head_->content_length();
    return length && *length > bytes_max;
  }
  void refuse_large() {
    refuse(413, "the body is over " + std::to_string(body_bytes_max_) + " bytes");
  }

  bool is_continue_expected() const {
    return beast::iequals(head_->get()[beast_http::field::expect], "100-continue");
  }
  void send_continue_if_expected(bool is_expected, void (Connection::*next)()) {
    start_idle_timeout();
    if (!is_expected) return (this->*next)();
    auto interim = std::make_shared<beast_http::response<beast_http::empty_body>>(
        beast_http::status::continue_, 11);
    beast_http::async_write(
        *stream_, *interim,
        [self = shared_from_this(), interim, next](beast::error_code error, std::size_t) {
          if (error) return self->close();
          ((*self).*next)();
        });
  }

  void read_body(std::uint64_t bytes_max) {
    if (is_too_large(bytes_max)) return refuse_large();
    const bool is_expected = is_continue_expected();
    text_.emplace(std::move(*head_));
    text_->body_limit(bytes_max);
    send_continue_if_expected(is_expected, &Connection::read_text);
  }

  /// Part by part, so that all bodies together stay within their limit.
  void read_text() {
    if (text_->is_done()) return take_text();
    beast_http::async_read_some(
        *stream_, buffer_, *text_,
        [self = shared_from_this()](beast::error_code error, std::size_t size) {
          if (error) return self->refuse_body(error);
          if (!self->body_share_.take(size))
            return self->refuse(503, "the server receives too many bodies at once");
          self->read_text();
        });
  }
  void take_text() {
    request_.body = std::move(text_->get().body());
    must_close_ = !text_->get().keep_alive();
    call_handler();
  }

  void refuse_body(beast::error_code error) {
    if (error == beast_http::error::body_limit) return refuse_large();
    if (error == beast_http::error::buffer_overflow || error == beast_http::error::header_limit)
      return refuse_malformed("a chunk extension or the trailer is too long");
    if (is_parse_error(error)) return refuse_malformed(error.message());
    if (is_disk_fault(error)) return refuse_unstored(error);
    close();
  }
  void refuse_unstored(beast::error_code error) {
    log::warning("upload_not_stored", {{"reason", error.message()}});
    refuse(503, "the upload cannot be stored: " + error.message());
  }

  void read_file(const BodyPlan& plan) {
    if (is_too_large(plan.bytes_max)) return refuse_large();
    const bool is_expected = is_continue_expected();
    file_.emplace(std::move(*head_));
    file_->body_limit(plan.bytes_max);
    beast::error_code error;
    file_->get().body() = sink_of(plan, error);
    if (error) return refuse_unstored(error);
    request_.body_path = plan.file_path;
    upload_bytes_due_ = upload_bytes_per_timeout();
    send_continue_if_expected(is_expected, &Connection::read_file_part);
  }

  std::uint64_t upload_bytes_per_timeout() const {
    return state_.options.upload_bytes_per_s_min *
           static_cast<std::uint64_t>(state_.options.idle_s);
  }

  /// An upload may take long, but not be slower than `upload_bytes_per_s_min`.
  void count_upload_bytes(std::uint64_t bytes) {
    upload_bytes_due_ -= std::min(bytes, upload_bytes_due_);
    if (upload_bytes_due_ > 0) return;
    upload_bytes_due_ = upload_bytes_per_timeout();
    start_idle_timeout();
  }

  void read_file_part() {
    beast_http::async_read_some(
        *stream_, buffer_, *file_,
        [self = shared_from_this()](beast::error_code error, std::size_t size) {
          if (error) return self->refuse_body(error);
          if (!self->file_->is_done()) {
            self->count_upload_bytes(size);
            return self->read_file_part();
          }
          self->must_close_ = !self->file_->get().keep_alive();
          self->file_->get().body().reset();
          self->call_handler();
        });
  }

  void call_handler() {
    tcp_stream().expires_never();
    request_.head_digest = cacheable_digest();
    wait_for_handler();
    state_.handler(std::move(request_), context_, post_back<Response>(&Connection::send));
  }

  void wait_for_handler() {
    ++call_;
    state_.waiting.emplace(this, shared_from_this());
  }

  /// A function that passes its argument to `next` on the server's thread: from any thread, at any
  /// time, once.
  template <class Argument>
  std::function<void(Argument)> post_back(void (Connection::*next)(Argument)) {
    return
        [mailbox = state_.mailbox, weak = weak_from_this(), call = call_, next](Argument argument) {
          mailbox->post([weak, call, next, argument = std::move(argument)]() mutable {
            const auto self = weak.lock();
            if (self && self->call_ == call && self->state_.waiting.erase(self.get()) > 0)
              ((*self).*next)(std::move(argument));
          });
        };
  }

  /// The rest of the request is not read: the connection ends with this response.
  void refuse(int status, const std::string& detail) {
    must_close_ = true;
    send(state_.options.render_error(status, detail, request_.path));
  }
  void refuse_malformed(const std::string& reason) {
    refuse(400, "the request is malformed: " + reason);
  }

  void make_request_id() {
    fmt::format_to(request_id_.begin(), "{:.16}{:016x}", state_.options.request_id_prefix,
                   ++state_.prepared_sent);
  }

  void send_prepared(PreparedResponsePtr prepared) {
    make_request_id();
    const std::array<asio::const_buffer, 4> parts{
        asio::buffer(prepared->before_id), asio::buffer(request_id_),
        asio::buffer(prepared->after_id), asio::buffer(prepared->response.body)};
    start_idle_timeout();
    // Asio would write 64 KiB a call; the socket often takes more.
    const auto all = [](const beast::error_code& error, std::size_t) {
      return error ? 0 : std::numeric_limits<std::size_t>::max();
    };
    asio::async_write(*stream_, parts, all,
                      [self = shared_from_this(), prepared](beast::error_code error, std::size_t) {
                        if (error) return self->close();
                        self->read_head();
                      });
  }

  void send(Response response) {
    body_share_.release();
    if (response.prepared && !must_close_ && !is_head_)
      return send_prepared(std::move(response.prepared));
    if (response.prepared) {
      make_request_id();
      response = Response(response.prepared->response);
      response.headers["X-Request-Id"] = std::string(request_id_.data(), request_id_.size());
    }
    if (response.on_open && response.is_websocket)
      response.websocket = stream_upgrade(state_, std::move(response.on_open));
    if (response.websocket) return upgrade(std::move(*response.websocket));
    auto message = std::make_shared<beast_http::response<beast_http::string_body>>();
    message->version(11);
    message->result(static_cast<unsigned>(response.status));
    for (const auto& [name, value] : response.headers) message->set(name, value);
    const bool is_endless = static_cast<bool>(response.on_open);
    if (is_endless && is_head_) must_close_ = true;
    message->keep_alive(!must_close_ && !is_endless);
    const bool has_body = response.status != 204 && response.status != 304;
    message->body() = has_body ? std::move(response.body) : std::string();
    const bool has_length = is_head_ && response.headers.contains("Content-Length");
    if (has_body && !is_endless && !has_length) message->prepare_payload();
    if (is_head_) message->body().clear();  // its Content-Length stays
    start_idle_timeout();
    beast_http::async_write(
        *stream_, *message,
        [self = shared_from_this(), message, on_open = std::move(response.on_open)](
            beast::error_code error, std::size_t) {
          if (error) return self->close();
          // Whatever the client says of its connection: this ends with the stream.
          if (on_open && !self->is_head_) return self->start_stream(on_open);
          if (self->must_close_) return self->drain_and_close();
          self->read_head();
        });
  }

  void upgrade(WebSocketUpgrade accepted) {
    beast_http::request<beast_http::empty_body> request{text_->get().base()};
    const auto websocket = std::make_shared<WebSocketConnection>(
        std::move(stream_),
        WebSocketConnection::Limits{.message_bytes_max = accepted.message_bytes_max,
                                    .is_binary = accepted.is_binary,
                                    .stall_s = accepted.stall_s,
                                    .handshake_s = state_.options.head_s,
                                    .idle_s = state_.options.idle_s});
    state_.websockets[websocket.get()] = websocket;
    // The slot ends with the WebSocket.
    websocket->on_end([&state = state_, slot = std::shared_ptr<ClientShare>(std::move(slot_)),
                       key = websocket.get()] {
      state.websockets.erase(key);
      state.on_websocket_end();
    });
    websocket->accept(std::move(request), accepted.subprotocol, std::move(accepted.on_open));
  }

  void start_stream(const std::function<void(std::shared_ptr<Stream>)>& on_open) {
    tcp_stream().expires_never();
    queue_->open();
    detect_disconnect();
    const auto on_self = [weak = weak_from_this()](void (Connection::*action)()) {
      return [weak, action] {
        if (const auto self = weak.lock()) ((*self).*action)();
      };
    };
    on_open(std::make_shared<QueuedStream>(
        queue_, state_.mailbox, on_self(&Connection::write_queue), on_self(&Connection::close)));
  }

  /// The client of an open response sends nothing more: what is read is its disconnect.
  void detect_disconnect() {
    stream_->async_read_some(buffer_.prepare(1024),
                             [self = shared_from_this()](beast::error_code error, std::size_t) {
                               if (error) return self->close();
                               self->detect_disconnect();
                             });
  }

  void write_queue() {
    auto text = std::make_shared<std::string>(queue_->joined());
    if (!text->empty()) write_rest(text, 0);
  }

  /// A client that takes no byte within `idle_s` is cut off.
  void write_rest(const std::shared_ptr<std::string>& text, std::size_t from) {
    start_idle_timeout();
    stream_->async_write_some(
        asio::buffer(*text) + from,
        [self = shared_from_this(), text, from](beast::error_code error, std::size_t size) {
          if (error) return self->close();
          if (from + size < text->size()) return self->write_rest(text, from + size);
          if (self->queue_->pop(text->size())) self->write_queue();
        });
  }

  /// Closing with unread bytes would reset the connection and lose the response: some are read.
  void drain_and_close() {
    tcp_stream().expires_after(std::chrono::seconds(1));
    stream_->async_shutdown([self = shared_from_this()] { self->drain(); });
  }
  void drain() {
    buffer_.clear();
    tcp_stream().async_read_some(buffer_.prepare(body_buffer_bytes),
                                 [self = shared_from_this()](beast::error_code error, std::size_t) {
                                   if (error) return self->close();
                                   self->drain();
                                 });
  }

  void close() {
    queue_->close();
    stream_->close();
  }

  ServerState& state_;
  std::size_t listener_;
  std::unique_ptr<ClientShare> slot_;
  ClientShare body_share_;
  std::unique_ptr<ByteStream> stream_;
  std::shared_ptr<StreamQueue> queue_;  // of an open response
  beast::flat_buffer buffer_;
  std::optional<beast_http::request_parser<beast_http::empty_body>> head_;
  std::optional<beast_http::request_parser<beast_http::string_body>> text_;
  std::optional<beast_http::request_parser<SinkBody>> file_;
  std::size_t scanned_ = 0;  // bytes of the head
  std::optional<Sha256> head_digest_ = {};
  std::array<char, request_id_bytes> request_id_ = {};  // of a prepared response
  std::uint64_t body_bytes_max_ = 0;
  std::uint64_t upload_bytes_due_ = 0;  // before the timeout starts again
  Request request_ = {};
  std::shared_ptr<void> context_ = {};  // of the BodyPlan
  std::uint64_t call_ = 0;              // of the handler, or for a BodyPlan
  bool must_close_ = false;
  bool is_head_ = false;  // the request was HEAD
};

}  // namespace

void serve_connection(ServerState& state, tcp::socket socket, std::unique_ptr<ClientShare> slot,
                      std::size_t listener) {
  std::make_shared<Connection>(state, std::move(socket), std::move(slot), listener)->start();
}

}  // namespace nucleus::core::http
