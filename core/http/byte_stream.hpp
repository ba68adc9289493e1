// One connection, plain or TLS, as a stream for Asio and Beast. Completion handlers have
// one type, so that the layers below are instantiated once, in byte_stream.cpp, and not for every
// operation above. Used on the thread of its io_context.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace nucleus::core::http {

/// Up to 16 buffers to write: as many as Asio passes to one system call.
struct BufferList {
  using value_type = boost::asio::const_buffer;
  using const_iterator = const value_type*;
  std::array<value_type, 16> all = {};
  std::size_t count = 0;

  const_iterator begin() const { return all.data(); }
  const_iterator end() const { return all.data() + count; }
};

class ByteStream {
 public:
  using executor_type = boost::beast::tcp_stream::executor_type;
  using next_layer_type = boost::beast::tcp_stream;
  using ErrorCode = boost::beast::error_code;
  using TransferHandler = std::move_only_function<void(ErrorCode, std::size_t bytes)>;

  explicit ByteStream(boost::asio::ip::tcp::socket socket);
  ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  executor_type get_executor() noexcept { return tcp_.get_executor(); }
  /// The socket and its timeouts.
  boost::beast::tcp_stream& next_layer() noexcept { return tcp_; }
  const boost::beast::tcp_stream& next_layer() const noexcept { return tcp_; }

  /// Performs the server's side of a TLS handshake within `timeout`. `done(error, is_plain)`: if
  /// the client's first bytes are not TLS, they stay in `buffer` and the stream stays plain.
  void async_accept_tls(std::shared_ptr<boost::asio::ssl::context> context,
                        std::chrono::seconds timeout, boost::beast::flat_buffer& buffer,
                        std::move_only_function<void(ErrorCode, bool is_plain)> done);

  /// Performs the client's side of a TLS handshake within `timeout`. The server's certificate must
  /// be valid for `host`, a numeric address or a name.
  void async_connect_tls(std::shared_ptr<boost::asio::ssl::context> context,
                         const std::string& host, std::chrono::seconds timeout,
                         std::move_only_function<void(ErrorCode)> done);

  /// Reads into the first buffer that is not empty.
  template <class Buffers, class Done>
  void async_read_some(const Buffers& buffers, Done&& done) {
    boost::asio::mutable_buffer into;
    for (auto at = boost::asio::buffer_sequence_begin(buffers),
              end = boost::asio::buffer_sequence_end(buffers);
         at != end && into.size() == 0; ++at)
      into = *at;
    read_some(into, std::forward<Done>(done));
  }
  template <class Buffers, class Done>
  void async_write_some(const Buffers& buffers, Done&& done) {
    BufferList list;
    for (auto at = boost::asio::buffer_sequence_begin(buffers),
              end = boost::asio::buffer_sequence_end(buffers);
         at != end && list.count < list.all.size(); ++at)
      if (const boost::asio::const_buffer part = *at; part.size() > 0)
        list.all[list.count++] = part;
    write_some(list, std::forward<Done>(done));
  }

  /// Ends the sending direction; the client may still send. `done()` is called by the timeout set
  /// on `next_layer()`.
  void async_shutdown(std::move_only_function<void()> done);
  void close();

 private:
  struct Tls;
  void read_some(boost::asio::mutable_buffer into, TransferHandler done);
  void write_some(const BufferList& buffers, TransferHandler done);
  void shut_down_sending();

  boost::beast::tcp_stream tcp_;
  std::shared_ptr<boost::asio::ssl::context> context_ = {};
  std::unique_ptr<Tls> tls_;
};

/// Beast calls these at the end of a WebSocket.
template <class Done>
void async_teardown(boost::beast::role_type, ByteStream& stream, Done&& done) {
  stream.async_shutdown([&stream, done = std::forward<Done>(done)]() mutable {
    boost::asio::post(stream.get_executor(),
                      boost::beast::bind_front_handler(std::move(done), ByteStream::ErrorCode{}));
  });
}
inline void teardown(boost::beast::role_type, ByteStream& stream, ByteStream::ErrorCode& error) {
  stream.close();
  error = {};
}

}  // namespace nucleus::core::http
