#include "core/tls/wire.hpp"

#include <boost/beast/core/detect_ssl.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

namespace nucleus::core {

struct Wire::Tls {
  Tls(boost::beast::tcp_stream& tcp, boost::asio::ssl::context& context) : stream{tcp, context} {}
  boost::beast::ssl_stream<boost::beast::tcp_stream&> stream;
};

Wire::Wire(boost::asio::ip::tcp::socket socket) : tcp_{std::move(socket)} {}

Wire::~Wire() = default;

void Wire::async_secure(std::shared_ptr<boost::asio::ssl::context> context,
                        std::chrono::seconds deadline, boost::beast::flat_buffer& buffer,
                        std::move_only_function<void(Fault, bool is_plain)> done) {
  context_ = std::move(context);
  tcp_.expires_after(deadline);
  boost::beast::async_detect_ssl(
      tcp_, buffer, [this, &buffer, done = std::move(done)](Fault fault, bool is_tls) mutable {
        if (fault || !is_tls) return done(fault, !fault);
        tls_ = std::make_unique<Tls>(tcp_, *context_);
        tls_->stream.async_handshake(
            boost::asio::ssl::stream_base::server, buffer.data(),
            [&buffer, done = std::move(done)](Fault broken, std::size_t used) mutable {
              buffer.consume(used);
              done(broken, false);
            });
      });
}

void Wire::read_some(boost::asio::mutable_buffer into, Moved done) {
  if (tls_) return tls_->stream.async_read_some(into, std::move(done));
  tcp_.async_read_some(into, std::move(done));
}

void Wire::write_some(const WireParts& parts, Moved done) {
  if (tls_) return tls_->stream.async_write_some(parts, std::move(done));
  tcp_.async_write_some(parts, std::move(done));
}

void Wire::async_end(std::move_only_function<void()> done) {
  if (!tls_) {
    shut();
    return done();
  }
  tls_->stream.async_shutdown([this, done = std::move(done)](Fault) mutable {
    shut();
    done();
  });
}

void Wire::close() {
  Fault ignored;
  tcp_.socket().close(ignored);
}

void Wire::shut() {
  Fault ignored;
  tcp_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
}

}  // namespace nucleus::core
