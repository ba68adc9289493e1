// One accepted connection, plain or with TLS on it: a stream for Asio and Beast that is either.
// What completes its calls is of one type, so that the layers below are compiled once, in
// wire.cpp, and not for each operation above. On the thread of its io_context.
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

namespace nucleus::core {

/// Up to 16 pieces to write, as many as Asio hands to the system at once.
struct WireParts {
  using value_type = boost::asio::const_buffer;
  using const_iterator = const value_type*;
  std::array<value_type, 16> all = {};
  std::size_t count = 0;

  const_iterator begin() const { return all.data(); }
  const_iterator end() const { return all.data() + count; }
};

class Wire {
 public:
  using executor_type = boost::beast::tcp_stream::executor_type;
  using next_layer_type = boost::beast::tcp_stream;
  using Fault = boost::beast::error_code;
  using Moved = std::move_only_function<void(Fault, std::size_t bytes)>;

  explicit Wire(boost::asio::ip::tcp::socket socket);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  executor_type get_executor() noexcept { return tcp_.get_executor(); }
  /// The socket and its deadlines.
  boost::beast::tcp_stream& next_layer() noexcept { return tcp_; }
  const boost::beast::tcp_stream& next_layer() const noexcept { return tcp_; }

  /// Speaks TLS from here on, within `deadline`. `done(fault, is_plain)`; `is_plain`: the client
  /// began with something else, which is left in `buffer`, and the wire stays plain.
  void async_secure(std::shared_ptr<boost::asio::ssl::context> context,
                    std::chrono::seconds deadline, boost::beast::flat_buffer& buffer,
                    std::move_only_function<void(Fault, bool is_plain)> done);

  /// Into the first buffer that has room.
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
    WireParts parts;
    for (auto at = boost::asio::buffer_sequence_begin(buffers),
              end = boost::asio::buffer_sequence_end(buffers);
         at != end && parts.count < parts.all.size(); ++at)
      if (const boost::asio::const_buffer part = *at; part.size() > 0)
        parts.all[parts.count++] = part;
    write_some(parts, std::forward<Done>(done));
  }

  /// Tells the other side that nothing more comes; it may still send. `done()` by the deadline that
  /// is set on `next_layer()`.
  void async_end(std::move_only_function<void()> done);
  void close();

 private:
  struct Tls;
  void read_some(boost::asio::mutable_buffer into, Moved done);
  void write_some(const WireParts& parts, Moved done);
  void shut();

  boost::beast::tcp_stream tcp_;
  std::shared_ptr<boost::asio::ssl::context> context_ = {};
  std::unique_ptr<Tls> tls_;
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
