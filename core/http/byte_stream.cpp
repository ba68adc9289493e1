#include "core/http/byte_stream.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/beast/core/detect_ssl.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

namespace nucleus::core::http {

struct ByteStream::Tls {
  Tls(boost::beast::tcp_stream& tcp, boost::asio::ssl::context& context) : stream{tcp, context} {}
  boost::beast::ssl_stream<boost::beast::tcp_stream&> stream;
};

ByteStream::ByteStream(boost::asio::ip::tcp::socket socket) : tcp_{std::move(socket)} {}

ByteStream::~ByteStream() = default;

void ByteStream::async_accept_tls(std::shared_ptr<boost::asio::ssl::context> context,
                                  std::chrono::seconds timeout, boost::beast::flat_buffer& buffer,
                                  std::move_only_function<void(ErrorCode, bool is_plain)> done) {
  context_ = std::move(context);
  tcp_.expires_after(timeout);
  boost::beast::async_detect_ssl(
      tcp_, buffer, [this, &buffer, done = std::move(done)](ErrorCode error, bool is_tls) mutable {
        if (error || !is_tls) return done(error, !error);
        tls_ = std::make_unique<Tls>(tcp_, *context_);
        tls_->stream.async_handshake(
            boost::asio::ssl::stream_base::server, buffer.data(),
            [&buffer, done = std::move(done)](ErrorCode failed, std::size_t used) mutable {
              buffer.consume(used);
              done(failed, false);
            });
      });
}

void ByteStream::async_connect_tls(std::shared_ptr<boost::asio::ssl::context> context,
                                   const std::string& host, std::chrono::seconds timeout,
                                   std::move_only_function<void(ErrorCode)> done) {
  context_ = std::move(context);
  tcp_.expires_after(timeout);
  tls_ = std::make_unique<Tls>(tcp_, *context_);
  auto* native = tls_->stream.native_handle();
  SSL_set_verify(native, SSL_VERIFY_PEER, nullptr);
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(native), host.c_str()) == 1;
  if (!is_address && (SSL_set1_host(native, host.c_str()) != 1 ||
                      SSL_set_tlsext_host_name(native, host.c_str()) != 1))
    return done(make_error_code(boost::system::errc::invalid_argument));
  tls_->stream.async_handshake(boost::asio::ssl::stream_base::client, std::move(done));
}

void ByteStream::read_some(boost::asio::mutable_buffer into, TransferHandler done) {
  if (tls_) return tls_->stream.async_read_some(into, std::move(done));
  tcp_.async_read_some(into, std::move(done));
}

void ByteStream::write_some(const BufferList& buffers, TransferHandler done) {
  if (tls_) return tls_->stream.async_write_some(buffers, std::move(done));
  tcp_.async_write_some(buffers, std::move(done));
}

void ByteStream::async_shutdown(std::move_only_function<void()> done) {
  if (!tls_) {
    shut_down_sending();
    return done();
  }
  tls_->stream.async_shutdown([this, done = std::move(done)](ErrorCode) mutable {
    shut_down_sending();
    done();
  });
}

void ByteStream::close() {
  ErrorCode ignored;
  tcp_.socket().close(ignored);
}

void ByteStream::shut_down_sending() {
  ErrorCode ignored;
  tcp_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
}

}  // namespace nucleus::core::http
