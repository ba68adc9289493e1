#include "gateway/http_connection.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <limits>
#include <optional>

#include "gateway/http_head.hpp"
#include "gateway/http_socket.hpp"
#include "gateway/ready_answer.hpp"
#include "gateway/stream_queue.hpp"

namespace nucleus::gateway {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;

namespace {

/// Before anything is known of the request but its path: `{"detail": …}`, or a problem of v2.
HttpResponse plain_error(int status, const std::string& detail, const std::string& path) {
  if (path.starts_with("/v2/") || path.starts_with("/nucleus/v2/"))
    return {.status = status,
            .headers = {{"Content-Type", "application/problem+json"}},
            .body = R"({"type":"/problems/invalid_argument","title":"The request is not valid",)"
                    R"("status":)" +
                    std::to_string(status) + R"(,"detail":")" + detail + "\"}"};
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = "{\"detail\":\"" + detail + "\"}"};
}

bool is_malformed(beast::error_code fault) {
  return fault && fault.category() == http::make_error_code(http::error::bad_chunk).category();
}

/// A connection's place among `connections_max`.
struct Seat {
  explicit Seat(std::atomic<std::size_t>& all) : taken{all} { ++taken; }
  ~Seat() { --taken; }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  std::atomic<std::size_t>& taken;
};

/// One connection; everything of it runs on the server's thread but `send`.
class HttpConnection : public HttpStream, public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(std::shared_ptr<HttpServing> server, tcp::socket socket)
      : server_{std::move(server)},
        seat_{std::make_shared<Seat>(server_->connections)},
        wire_{std::make_unique<core::Wire>(std::move(socket))},
        queue_{server_->options.stream_bytes_max} {
    beast::error_code ignored;
    tcp_stream().socket().set_option(tcp::no_delay(true), ignored);
    const auto peer = tcp_stream().socket().remote_endpoint(ignored);
    if (!ignored) origin_ = peer.address().to_string();
  }

  void begin() {
    if (!server_->options.certificate) return read_head();
    wire_->async_secure(server_->options.certificate->context(),
                        std::chrono::seconds(server_->options.header_s), buffer_,
                        [self = shared_from_this()](beast::error_code fault, bool is_plain) {
                          if (fault) return self->close();
                          if (is_plain) return self->refuse(400, "this port speaks TLS: https://");
                          self->read_head();
                        });
  }

  void read_head() {
    head_.emplace();
    head_->header_limit(static_cast<std::uint32_t>(server_->options.header_bytes_max));
    head_->body_limit(std::numeric_limits<std::uint64_t>::max());  // checked when it is read
    scanned_ = 0;
    expire();
    if (buffer_.size() == 0) return read_bytes();
    hurry_head();
    take_bytes();
  }

  bool send(std::string text) override {
    switch (queue_.put(std::move(text))) {
      case StreamQueue::Put::closed:
        return false;
      case StreamQueue::Put::too_slow:
        asio::post(server_->context, [self = shared_from_this()] { self->close(); });
        return false;
      case StreamQueue::Put::first:
        asio::post(server_->context, [self = shared_from_this()] { self->write_waiting(); });
        return true;
      case StreamQueue::Put::behind_others:
        return true;
    }
    return false;
  }
  bool is_open() const override { return queue_.is_open(); }
  std::size_t waiting_bytes() const override { return queue_.waiting_bytes(); }

 private:
  beast::tcp_stream& tcp_stream() { return wire_->next_layer(); }
  void expire() { tcp_stream().expires_after(std::chrono::seconds(server_->options.idle_s)); }
  /// Once it has begun, a head has little time, however its bytes drip.
  void hurry_head() { tcp_stream().expires_after(std::chrono::seconds(server_->options.header_s)); }

  void read_bytes() {
    wire_->async_read_some(buffer_.prepare(4096),
                           [self = shared_from_this()](beast::error_code fault, std::size_t size) {
                             if (fault) return self->close();
                             if (self->buffer_.size() == 0) self->hurry_head();
                             self->buffer_.commit(size);
                             self->take_bytes();
                           });
  }

  void take_bytes() {
    const auto data = buffer_.data();
    const std::string_view bytes(static_cast<const char*>(data.data()), data.size());
    const auto scan = scan_head(bytes, scanned_);
    scanned_ = bytes.size();
    if (*scan.fault != '\0')
      return refuse(400, std::string("the request is malformed: ") + scan.fault);
    if (scan.is_whole) {
      if (auto ready = recall(bytes.substr(0, scan.size))) {
        buffer_.consume(scan.size);
        return answer_ready(std::move(ready));
      }
      return take_head();
    }
    if (bytes.size() >= server_->options.header_bytes_max)
      return refuse(431, "the request's head is too large");
    read_bytes();
  }

  /// What is remembered of a GET with this very head: the whole request.
  ReadyAnswerPtr recall(std::string_view head) {
    head_digest_.reset();
    if (!server_->options.recall || !head.starts_with("GET ")) return {};
    head_digest_ = core::sha256(head);
    return server_->options.recall(*head_digest_);
  }

  /// Only what is told by the head alone, on a connection that stays open, is known by it again.
  std::optional<core::Sha256> head_that_is_all() const {
    const auto& headers = request_.headers;
    const bool is_more = must_close_ || headers.contains("Content-Length") ||
                         headers.contains("Transfer-Encoding") || headers.contains("Expect") ||
                         headers.contains("Upgrade");
    return is_more ? std::nullopt : head_digest_;
  }

  /// Nothing, or why the length of the body or its host could be understood in two ways.
  std::string find_doubt() const {
    const auto& message = head_->get();
    const auto encoding = message.find(http::field::transfer_encoding);
    if (encoding != message.end() && !beast::iequals(encoding->value(), "chunked"))
      return "Transfer-Encoding must be chunked";
    if (message.count(http::field::transfer_encoding) > 1 ||
        message.count(http::field::content_length) > 1)
      return "the body's length is told twice";
    if (message.count(http::field::transfer_encoding) + message.count(http::field::content_length) >
        1)
      return "the body's length is told in two ways";
    if (message.version() >= 11 && message.count(http::field::host) != 1)
      return "there must be one Host";
    if (message.count(http::field::host) == 1 && !is_host(std::string(message[http::field::host])))
      return "Host is none";
    return {};
  }

  void take_head() {
    beast::error_code fault;
    buffer_.consume(head_->put(buffer_.data(), fault));
    if (fault == http::error::header_limit) return refuse(431, "the request's head is too large");
    if (fault || !head_->is_header_done())
      return refuse(400, "the request is malformed: " + fault.message());
    if (const auto doubt = find_doubt(); !doubt.empty())
      return refuse(400, "the request is malformed: " + doubt);
    const auto& message = head_->get();
    request_ = {};
    kept_.reset();
    request_.origin = origin_;
    request_.method = std::string(message.method_string());
    request_.is_upgrade = websocket::is_upgrade(message);
    for (const auto& field : message)
      request_.headers[std::string(field.name_string())] = std::string(field.value());
    if (!parse_target(std::string(message.target()), request_))
      return refuse(400, "the request's target is malformed");
    if (!server_->is_upload(request_)) return read_body(server_->options.body_bytes_max);
    server_->plan(request_, [self = shared_from_this()](std::variant<BodyPlan, HttpResponse> plan) {
      asio::post(self->server_->context, [self, plan = std::move(plan)]() mutable {
        if (auto* refusal = std::get_if<HttpResponse>(&plan)) {
          self->must_close_ = true;
          return self->answer(std::move(*refusal));
        }
        auto& accepted = std::get<BodyPlan>(plan);
        self->kept_ = accepted.kept;
        self->read_file(accepted);
      });
    });
  }

  /// By what its head says; what a chunked body brings is counted as it comes.
  bool is_too_large(std::uint64_t bytes_max) {
    body_bytes_max_ = bytes_max;
    const auto length = head_->content_length();
    return length && *length > bytes_max;
  }
  void refuse_large() {
    refuse(413, "the body is over " + std::to_string(body_bytes_max_) + " bytes");
  }

  void go_on_if_asked(bool is_asked, void (HttpConnection::*next)()) {
    expire();
    if (!is_asked) return (this->*next)();
    auto go_on = std::make_shared<http::response<http::empty_body>>(http::status::continue_, 11);
    http::async_write(
        *wire_, *go_on,
        [self = shared_from_this(), go_on, next](beast::error_code fault, std::size_t) {
          if (fault) return self->close();
          ((*self).*next)();
        });
  }
  bool is_go_on_asked() const {
    return beast::iequals(head_->get()[http::field::expect], "100-continue");
  }

  void read_body(std::uint64_t bytes_max) {
    if (is_too_large(bytes_max)) return refuse_large();
    const bool is_asked = is_go_on_asked();
    text_.emplace(std::move(*head_));
    text_->body_limit(bytes_max);
    go_on_if_asked(is_asked, &HttpConnection::read_text);
  }

  void read_text() {
    http::async_read(*wire_, buffer_, *text_,
                     [self = shared_from_this()](beast::error_code fault, std::size_t) {
                       if (fault == http::error::body_limit) return self->refuse_large();
                       if (is_malformed(fault))
                         return self->refuse(400, "the body is malformed: " + fault.message());
                       if (fault) return self->close();
                       self->request_.body = std::move(self->text_->get().body());
                       self->must_close_ = !self->text_->get().keep_alive();
                       self->hand_on();
                     });
  }

  void read_file(const BodyPlan& plan) {
    if (is_too_large(plan.bytes_max)) return refuse_large();
    const bool is_asked = is_go_on_asked();
    file_.emplace(std::move(*head_));
    file_->body_limit(plan.bytes_max);
    beast::error_code fault;
    file_->get().body().open(plan.file_path.c_str(), beast::file_mode::write, fault);
    if (fault) return refuse(503, "the upload cannot be stored");
    request_.body_path = plan.file_path;
    file_bytes_due_ = upload_bytes_due();
    go_on_if_asked(is_asked, &HttpConnection::read_more_of_file);
  }

  std::uint64_t upload_bytes_due() const {
    return server_->options.upload_bytes_per_s_min *
           static_cast<std::uint64_t>(server_->options.idle_s);
  }

  /// An upload may take long, but each `idle_s` must bring so many bytes.
  void count_file_bytes(std::uint64_t bytes) {
    file_bytes_due_ -= std::min(bytes, file_bytes_due_);
    if (file_bytes_due_ > 0) return;
    file_bytes_due_ = upload_bytes_due();
    expire();
  }

  void read_more_of_file() {
    http::async_read_some(*wire_, buffer_, *file_,
                          [self = shared_from_this()](beast::error_code fault, std::size_t size) {
                            if (fault == http::error::body_limit) return self->refuse_large();
                            if (is_malformed(fault))
                              return self->refuse(400, "the body is malformed: " + fault.message());
                            if (fault) return self->close();
                            if (!self->file_->is_done()) {
                              self->count_file_bytes(size);
                              return self->read_more_of_file();
                            }
                            self->must_close_ = !self->file_->get().keep_alive();
                            self->file_->get().body().close();
                            self->hand_on();
                          });
  }

  void hand_on() {
    tcp_stream().expires_never();
    request_.head_digest = head_that_is_all();
    server_->handle(std::move(request_), kept_, [self = shared_from_this()](HttpResponse response) {
      asio::post(self->server_->context, [self, response = std::move(response)]() mutable {
        self->answer(std::move(response));
      });
    });
  }

  /// The rest of the request is not read: the connection ends with the answer.
  void refuse(int status, const std::string& detail) {
    must_close_ = true;
    answer(plain_error(status, detail, request_.path));
  }

  void make_id() {
    fmt::format_to(id_.begin(), "{:.16}{:016x}", server_->options.id_prefix,
                   ++server_->answers_ready);
  }

  void answer_ready(ReadyAnswerPtr ready) {
    make_id();
    const std::array<asio::const_buffer, 4> parts{asio::buffer(ready->before_id), asio::buffer(id_),
                                                  asio::buffer(ready->after_id),
                                                  asio::buffer(ready->response.body)};
    expire();
    // As much at once as the socket takes; asio's own limit is 64 KiB a call.
    const auto all = [](const beast::error_code& fault, std::size_t) {
      return fault ? 0 : std::numeric_limits<std::size_t>::max();
    };
    asio::async_write(*wire_, parts, all,
                      [self = shared_from_this(), ready](beast::error_code fault, std::size_t) {
                        if (fault) return self->close();
                        self->read_head();
                      });
  }

  void answer(HttpResponse response) {
    if (response.ready && !must_close_) return answer_ready(std::move(response.ready));
    if (response.ready) {
      make_id();
      response = HttpResponse(response.ready->response);
      response.headers["X-Request-Id"] = std::string(id_.data(), id_.size());
    }
    if (response.on_open && response.is_socket)
      return open_http_socket(server_,
                              {.wire = std::move(wire_),
                               .seat = std::move(seat_),
                               .request = http::request<http::empty_body>{text_->get().base()},
                               .on_open = std::move(response.on_open)});
    auto message = std::make_shared<http::response<http::string_body>>();
    message->version(11);
    message->result(static_cast<unsigned>(response.status));
    for (const auto& [name, value] : response.headers) message->set(name, value);
    message->keep_alive(!must_close_ && !response.on_open);
    const bool has_body = response.status != 204 && response.status != 304;
    message->body() = has_body ? std::move(response.body) : std::string();
    if (has_body && !response.on_open) message->prepare_payload();
    expire();
    http::async_write(*wire_, *message,
                      [self = shared_from_this(), message, on_open = std::move(response.on_open)](
                          beast::error_code fault, std::size_t) {
                        if (fault) return self->close();
                        if (on_open) return self->begin_stream(on_open);
                        if (self->must_close_) return self->drain_and_close();
                        self->read_head();
                      });
  }

  void begin_stream(const std::function<void(std::shared_ptr<HttpStream>)>& on_open) {
    tcp_stream().expires_never();
    queue_.open();
    watch_for_end();
    on_open(shared_from_this());
  }

  /// A client of an open answer says nothing more: what can be read is its end.
  void watch_for_end() {
    wire_->async_read_some(buffer_.prepare(1024),
                           [self = shared_from_this()](beast::error_code fault, std::size_t) {
                             if (fault) return self->close();
                             self->watch_for_end();
                           });
  }

  void write_waiting() {
    auto text = std::make_shared<std::string>(queue_.all());
    if (!text->empty()) write_rest(text, 0);
  }

  /// Whoever takes no byte of it for `idle_s` is cut off; the read beside it waits on.
  void write_rest(const std::shared_ptr<std::string>& text, std::size_t from) {
    expire();
    wire_->async_write_some(
        asio::buffer(*text) + from,
        [self = shared_from_this(), text, from](beast::error_code fault, std::size_t size) {
          if (fault) return self->close();
          if (from + size < text->size()) return self->write_rest(text, from + size);
          if (self->queue_.took(text->size())) self->write_waiting();
        });
  }

  /// Closing with unread bytes would reset the connection and lose the answer: some are read first.
  void drain_and_close() {
    tcp_stream().expires_after(std::chrono::seconds(1));
    wire_->async_end([self = shared_from_this()] { self->drain(); });
  }
  void drain() {
    buffer_.clear();
    tcp_stream().async_read_some(buffer_.prepare(65536),
                                 [self = shared_from_this()](beast::error_code fault, std::size_t) {
                                   if (fault) return self->close();
                                   self->drain();
                                 });
  }

  void close() {
    queue_.close();
    wire_->close();
  }

  std::shared_ptr<HttpServing> server_;
  std::shared_ptr<void> seat_;
  std::unique_ptr<core::Wire> wire_;
  StreamQueue queue_;  // of an open answer
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> head_;
  std::optional<http::request_parser<http::string_body>> text_;
  std::optional<http::request_parser<http::file_body>> file_;
  std::string origin_ = {};
  std::size_t scanned_ = 0;  // bytes of the head that were looked at
  std::optional<core::Sha256> head_digest_ = {};
  std::array<char, request_id_bytes> id_ = {};  // of an answer from memory
  std::uint64_t body_bytes_max_ = 0;
  std::uint64_t file_bytes_due_ = 0;  // until then, of an upload
  HttpRequest request_ = {};
  std::shared_ptr<void> kept_ = {};
  bool must_close_ = false;
};

}  // namespace

void begin_connection(std::shared_ptr<HttpServing> server, tcp::socket socket) {
  std::make_shared<HttpConnection>(std::move(server), std::move(socket))->begin();
}

}  // namespace nucleus::gateway
