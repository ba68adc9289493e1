// One accepted connection, plain or with TLS on it: a stream for Asio and Beast that is either, so
// that all above it is written and compiled once. On the thread of its io_context.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/detect_ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <chrono>
#include <memory>
#include <optional>

namespace nucleus::core {

class Wire {
 public:
  using executor_type = boost::beast::tcp_stream::executor_type;
  using next_layer_type = boost::beast::tcp_stream;
  using Fault = boost::beast::error_code;

  explicit Wire(boost::asio::ip::tcp::socket socket) : tcp_{std::move(socket)} {}

  executor_type get_executor() noexcept { return tcp_.get_executor(); }
  /// The socket and its deadlines.
  boost::beast::tcp_stream& next_layer() noexcept { return tcp_; }
  const boost::beast::tcp_stream& next_layer() const noexcept { return tcp_; }

  /// Speaks TLS from here on, within `deadline`. `done(fault, is_plain)`; `is_plain`: the client
  /// began with something else, which is left in `buffer`, and the wire stays plain.
  template <class Done>
  void async_secure(std::shared_ptr<boost::asio::ssl::context> context,
                    std::chrono::seconds deadline, boost::beast::flat_buffer& buffer, Done done) {
    context_ = std::move(context);
    tcp_.expires_after(deadline);
    boost::beast::async_detect_ssl(
        tcp_, buffer, [this, &buffer, done = std::move(done)](Fault fault, bool is_tls) mutable {
          if (fault || !is_tls) return done(fault, !fault);
          tls_.emplace(tcp_, *context_);
          tls_->async_handshake(
              boost::asio::ssl::stream_base::server, buffer.data(),
              [&buffer, done = std::move(done)](Fault broken, std::size_t used) mutable {
                buffer.consume(used);
                done(broken, false);
              });
        });
  }

  template <class Buffers, class Done>
  void async_read_some(const Buffers& buffers, Done&& done) {
    if (tls_) return tls_->async_read_some(buffers, std::forward<Done>(done));
    tcp_.async_read_some(buffers, std::forward<Done>(done));
  }
  template <class Buffers, class Done>
  void async_write_some(const Buffers& buffers, Done&& done) {
    if (tls_) return tls_->async_write_some(buffers, std::forward<Done>(done));
    tcp_.async_write_some(buffers, std::forward<Done>(done));
  }

  /// Tells the other side that nothing more comes; it may still send. `done()` by the deadline that
  /// is set on `next_layer()`.
  template <class Done>
  void async_end(Done done) {
    if (!tls_) {
      shut();
      return done();
    }
    tls_->async_shutdown([this, done = std::move(done)](Fault) mutable {
      shut();
      done();
    });
  }
  void close() {
    Fault ignored;
    tcp_.socket().close(ignored);
  }

 private:
  void shut() {
    Fault ignored;
    tcp_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
  }

  boost::beast::tcp_stream tcp_;
  std::shared_ptr<boost::asio::ssl::context> context_ = {};
  std::optional<boost::beast::ssl_stream<boost::beast::tcp_stream&>> tls_ = {};
};

/// How Beast ends a WebSocket's connection.
template <class Done>
void async_teardown(boost::beast::role_type, Wire& wire, Done&& done) {
  wire.async_end([&wire, done = std::forward<Done>(done)]() mutable {
    boost::asio::post(wire.get_executor(),
                      boost::beast::bind_front_handler(std::move(done), Wire::Fault{}));
  });
}
inline void teardown(boost::beast::role_type, Wire& wire, Wire::Fault& fault) {
  wire.close();
  fault = {};
}

}  // namespace nucleus::core
