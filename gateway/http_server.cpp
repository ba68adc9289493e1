#include "gateway/http_server.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>

#include "core/log/log.hpp"
#include "gateway/http_head.hpp"
#include "gateway/ready_answer.hpp"

namespace nucleus::gateway {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
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

}  // namespace

struct HttpServer::Server : std::enable_shared_from_this<Server> {
  class Session;

  HttpServerOptions options;
  Handle handle;
  std::function<bool(const HttpRequest&)> is_upload;
  Plan plan;
  asio::io_context context{1};
  tcp::acceptor acceptor{context};
  std::atomic<std::size_t> connections = 0;
  std::uint64_t answers_ready = 0;  // sent so far; makes each one's id
  std::thread thread;

  void open() {
    const auto colon = options.listen.rfind(':');
    if (colon == std::string::npos) throw std::runtime_error("gateway.listen is no ADDRESS:PORT");
    const auto address = asio::ip::make_address(options.listen.substr(0, colon));
    const auto port = static_cast<unsigned short>(std::stoul(options.listen.substr(colon + 1)));
    const tcp::endpoint endpoint{address, port};
    acceptor.open(endpoint.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    acceptor.bind(endpoint);
    acceptor.listen();
    accept();
    thread = std::thread([this] { context.run(); });
  }
  void accept();
};

/// One connection; everything of it runs on the server's thread but HttpStream::send.
class HttpServer::Server::Session : public HttpStream,
                                    public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Server> server, tcp::socket socket)
      : server_{std::move(server)}, stream_{std::move(socket)} {
    ++server_->connections;
    beast::error_code ignored;
    stream_.socket().set_option(tcp::no_delay(true), ignored);
    const auto peer = stream_.socket().remote_endpoint(ignored);
    if (!ignored) origin_ = peer.address().to_string();
  }
  ~Session() override { --server_->connections; }

  void read_head() {
    head_.emplace();
    head_->header_limit(static_cast<std::uint32_t>(server_->options.header_bytes_max));
    head_->body_limit(std::numeric_limits<std::uint64_t>::max());  // checked when it is read
    scanned_ = 0;
    if (buffer_.size() > 0) return take_bytes();
    expire();
    read_bytes();
  }

  bool send(std::string text) override {
    const std::scoped_lock lock{mutex_};
    if (!is_open_) return false;
    waiting_bytes_ += text.size();
    if (waiting_bytes_ > server_->options.stream_bytes_max) {
      is_open_ = false;
      asio::post(server_->context, [self = shared_from_this()] { self->close(); });
      return false;
    }
    waiting_.push_back(std::move(text));
    if (waiting_.size() == 1)
      asio::post(server_->context, [self = shared_from_this()] { self->write_waiting(); });
    return true;
  }
  bool is_open() const override { return is_open_; }

 private:
  void expire() { stream_.expires_after(std::chrono::seconds(server_->options.idle_s)); }

  void read_bytes() {
    stream_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](
                                                       beast::error_code fault, std::size_t size) {
      if (fault) return self->close();
      // Once it has begun, a head has little time, however its bytes drip.
      if (self->buffer_.size() == 0)
        self->stream_.expires_after(std::chrono::seconds(self->server_->options.header_s));
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
    head_digest_ = sha256(head);
    return server_->options.recall(*head_digest_);
  }

  /// Only what is told by the head alone, on a connection that stays open, is known by it again.
  std::optional<Digest> head_that_is_all() const {
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

  bool is_too_large(std::uint64_t bytes_max) {
    const auto length = head_->content_length();
    return length && *length > bytes_max;
  }

  void go_on_if_asked() {
    if (beast::iequals(head_->get()[http::field::expect], "100-continue")) {
      http::response<http::empty_body> go_on{http::status::continue_, 11};
      http::write(stream_, go_on);
    }
  }

  void read_body(std::uint64_t bytes_max) {
    if (is_too_large(bytes_max))
      return refuse(413, "the body is over " + std::to_string(bytes_max) + " bytes");
    go_on_if_asked();
    text_.emplace(std::move(*head_));
    text_->body_limit(bytes_max);
    expire();
    http::async_read(stream_, buffer_, *text_,
                     [self = shared_from_this(), bytes_max](beast::error_code fault, std::size_t) {
                       if (fault == http::error::body_limit)
                         return self->refuse(
                             413, "the body is over " + std::to_string(bytes_max) + " bytes");
                       if (is_malformed(fault))
                         return self->refuse(400, "the body is malformed: " + fault.message());
                       if (fault) return self->close();
                       self->request_.body = std::move(self->text_->get().body());
                       self->must_close_ = !self->text_->get().keep_alive();
                       self->hand_on();
                     });
  }

  void read_file(const BodyPlan& plan) {
    if (is_too_large(plan.bytes_max))
      return refuse(413, "the body is over " + std::to_string(plan.bytes_max) + " bytes");
    go_on_if_asked();
    file_.emplace(std::move(*head_));
    file_->body_limit(plan.bytes_max);
    beast::error_code fault;
    file_->get().body().open(plan.file_path.c_str(), beast::file_mode::write, fault);
    if (fault) return refuse(503, "the upload cannot be stored");
    request_.body_path = plan.file_path;
    expire();
    file_bytes_due_ = upload_bytes_due();
    read_more_of_file();
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
    http::async_read_some(stream_, buffer_, *file_,
                          [self = shared_from_this()](beast::error_code fault, std::size_t size) {
                            if (fault == http::error::body_limit)
                              return self->refuse(413, "the body is too large");
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
    stream_.expires_never();
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
    asio::async_write(stream_, parts, all,
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
    auto message = std::make_shared<http::response<http::string_body>>();
    message->version(11);
    message->result(static_cast<unsigned>(response.status));
    for (const auto& [name, value] : response.headers) message->set(name, value);
    message->keep_alive(!must_close_ && !response.on_open);
    const bool has_body = response.status != 204 && response.status != 304;
    message->body() = has_body ? std::move(response.body) : std::string();
    if (has_body && !response.on_open) message->prepare_payload();
    expire();
    http::async_write(stream_, *message,
                      [self = shared_from_this(), message, on_open = std::move(response.on_open)](
                          beast::error_code fault, std::size_t) {
                        if (fault) return self->close();
                        if (on_open) return self->begin_stream(on_open);
                        if (self->must_close_) return self->drain_and_close();
                        self->read_head();
                      });
  }

  void begin_stream(const std::function<void(std::shared_ptr<HttpStream>)>& on_open) {
    stream_.expires_never();
    is_open_ = true;
    watch_for_end();
    on_open(shared_from_this());
  }

  /// A client of an open answer says nothing more: what can be read is its end.
  void watch_for_end() {
    stream_.async_read_some(buffer_.prepare(1024),
                            [self = shared_from_this()](beast::error_code fault, std::size_t) {
                              if (fault) return self->close();
                              self->watch_for_end();
                            });
  }

  void write_waiting() {
    auto text = std::make_shared<std::string>();
    {
      const std::scoped_lock lock{mutex_};
      if (waiting_.empty() || !is_open_) return;
      for (const auto& part : waiting_) *text += part;
    }
    asio::async_write(stream_, asio::buffer(*text),
                      [self = shared_from_this(), text](beast::error_code fault, std::size_t) {
                        if (fault) return self->close();
                        self->wrote(text->size());
                      });
  }

  void wrote(std::size_t bytes) {
    bool is_more = false;
    {
      const std::scoped_lock lock{mutex_};
      waiting_bytes_ -= bytes;
      while (bytes > 0) {
        bytes -= waiting_.front().size();
        waiting_.pop_front();
      }
      is_more = !waiting_.empty();
    }
    if (is_more) write_waiting();
  }

  /// Closing with unread bytes would reset the connection and lose the answer: some are read first.
  void drain_and_close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(std::chrono::seconds(1));
    drain();
  }
  void drain() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(65536),
                            [self = shared_from_this()](beast::error_code fault, std::size_t) {
                              if (fault) return self->close();
                              self->drain();
                            });
  }

  void close() {
    is_open_ = false;
    beast::error_code ignored;
    stream_.socket().close(ignored);
  }

  std::shared_ptr<Server> server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> head_;
  std::optional<http::request_parser<http::string_body>> text_;
  std::optional<http::request_parser<http::file_body>> file_;
  std::string origin_ = {};
  std::size_t scanned_ = 0;  // bytes of the head that were looked at
  std::optional<Digest> head_digest_ = {};
  std::array<char, request_id_bytes> id_ = {};  // of an answer from memory
  std::uint64_t file_bytes_due_ = 0;            // until then, of an upload
  HttpRequest request_ = {};
  std::shared_ptr<void> kept_ = {};
  bool must_close_ = false;
  std::mutex mutex_ = {};
  std::deque<std::string> waiting_ = {};
  std::size_t waiting_bytes_ = 0;
  std::atomic<bool> is_open_ = false;
};

void HttpServer::Server::accept() {
  acceptor.async_accept([this](beast::error_code fault, tcp::socket socket) {
    if (fault == asio::error::operation_aborted) return;
    if (fault)
      core::log::warning("connection_not_accepted", {{"reason", fault.message()}});
    else if (connections < options.connections_max)
      std::make_shared<Session>(shared_from_this(), std::move(socket))->read_head();
    accept();
  });
}

HttpServer::HttpServer(HttpServerOptions options, Handle handle,
                       std::function<bool(const HttpRequest&)> is_upload, Plan plan)
    : server_{std::make_shared<Server>()} {
  server_->options = std::move(options);
  server_->handle = std::move(handle);
  server_->is_upload = std::move(is_upload);
  server_->plan = std::move(plan);
  server_->open();
}

HttpServer::~HttpServer() {
  server_->context.stop();
  server_->thread.join();
}

std::string HttpServer::address() const {
  const auto endpoint = server_->acceptor.local_endpoint();
  return endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
}

}  // namespace nucleus::gateway
