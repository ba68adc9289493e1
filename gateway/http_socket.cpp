#include "gateway/http_socket.hpp"

#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include "gateway/stream_queue.hpp"

namespace nucleus::gateway {

namespace {

constexpr std::size_t said_bytes_max = 4096;  // in one message of a client

class HttpSocket : public HttpStream, public std::enable_shared_from_this<HttpSocket> {
  using Fault = boost::beast::error_code;

 public:
  HttpSocket(std::shared_ptr<HttpServing> server, HttpSocketParts parts)
      : server_{std::move(server)},
        parts_{std::move(parts)},
        socket_{*parts_.wire},
        queue_{server_->options.stream_bytes_max} {}

  void accept() {
    namespace websocket = boost::beast::websocket;
    parts_.wire->next_layer().expires_never();
    socket_.set_option(websocket::stream_base::timeout{
        .handshake_timeout = std::chrono::seconds(server_->options.header_s),
        .idle_timeout = std::chrono::seconds(server_->options.idle_s),
        .keep_alive_pings = true});
    socket_.read_message_max(said_bytes_max);
    socket_.text(true);
    socket_.async_accept(parts_.request, [self = shared_from_this()](Fault fault) {
      if (fault) return self->close();
      self->queue_.open();
      self->read();
      self->parts_.on_open(self);
      self->parts_.on_open = nullptr;
    });
  }

  bool send(std::string text) override {
    const auto put = queue_.put(std::move(text));
    if (put == StreamQueue::Put::too_slow)
      boost::asio::post(server_->context, [self = shared_from_this()] { self->close(); });
    if (put == StreamQueue::Put::first)
      boost::asio::post(server_->context, [self = shared_from_this()] { self->write(); });
    return queue_.is_open();
  }
  bool is_open() const override { return queue_.is_open(); }
  std::size_t waiting_bytes() const override { return queue_.waiting_bytes(); }

 private:
  void read() {
    socket_.async_read(said_, [self = shared_from_this()](Fault fault, std::size_t) {
      if (fault) return self->close();
      self->said_.clear();
      self->read();
    });
  }

  void write() {
    text_ = queue_.first();
    if (text_.empty()) return;
    socket_.async_write(boost::asio::buffer(text_),
                        [self = shared_from_this()](Fault fault, std::size_t) {
                          if (fault) return self->close();
                          if (self->queue_.took(self->text_.size())) self->write();
                        });
  }

  void close() {
    queue_.close();
    parts_.wire->close();
  }

  std::shared_ptr<HttpServing> server_;
  HttpSocketParts parts_;
  boost::beast::websocket::stream<core::Wire&> socket_;
  StreamQueue queue_;
  boost::beast::flat_buffer said_ = {};
  std::string text_ = {};  // under way
};

}  // namespace

void open_http_socket(std::shared_ptr<HttpServing> server, HttpSocketParts parts) {
  std::make_shared<HttpSocket>(std::move(server), std::move(parts))->accept();
}

}  // namespace nucleus::gateway
