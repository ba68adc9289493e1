#include "tests/support/viewer.hpp"

// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <optional>
#include <stdexcept>

#include "tests/support/process.hpp"

namespace nucleus::tests {

struct Viewer::Socket {
  /// `url` is ws://ADDRESS:PORT/PATH.
  explicit Socket(const std::string& url) {
    const auto host = url.substr(std::string("ws://").size());
    const auto slash = host.find('/');
    address_ = host.substr(0, slash);
    path_ = host.substr(slash);
    const auto colon = address_.rfind(':');
    const auto port = static_cast<unsigned short>(std::stoul(address_.substr(colon + 1)));
    const auto address = boost::asio::ip::make_address(address_.substr(0, colon));
    fault_ = wait([&](auto done) {
      tcp_stream().async_connect(boost::asio::ip::tcp::endpoint{address, port},
                                 [done](boost::beast::error_code fault) { done(fault, 0); });
    });
  }

  /// The handshake's HTTP status: 101 if the WebSocket is open; 0 without a response.
  unsigned open(const std::string& protocols, const std::string& origin) {
    namespace websocket = boost::beast::websocket;
    socket_.set_option(
        websocket::stream_base::decorator([protocols, origin](websocket::request_type& request) {
          if (!origin.empty()) request.set(boost::beast::http::field::origin, origin);
          if (protocols.empty()) return;
          request.set(boost::beast::http::field::sec_websocket_protocol, protocols);
        }));
    websocket::response_type answer;
    fault_ = wait([&](auto done) {
      socket_.async_handshake(answer, address_, path_,
                              [done](boost::beast::error_code fault) { done(fault, 0); });
    });
    body_ = answer.body();
    const auto said = answer[boost::beast::http::field::sec_websocket_protocol];
    protocol_ = std::string(said.data(), said.size());
    if (fault_ && fault_ != websocket::error::upgrade_declined) return 0;
    socket_.binary(true);
    return answer.result_int();
  }

  /// Reads until the bytes end with `text`, or the connection ends.
  std::string read_to(const std::string& text) {
    while (!fault_ && !seen_.ends_with(text)) read_some();
    return std::exchange(seen_, {});
  }
  std::string read_text_to(const std::string& text) {
    while (!fault_ && texts_.find(text) == std::string::npos) read_some();
    return std::exchange(texts_, {});
  }
  std::string read_bytes(std::size_t count_min) {
    while (!fault_ && seen_.size() < count_min) read_some();
    return std::exchange(seen_, {});
  }
  void write_text(const std::string& text) {
    socket_.text(true);
    write(text);
    socket_.binary(true);
  }
  void drop() { tcp_stream().close(); }
  bool skip(std::size_t bytes) {
    for (std::size_t skipped = 0; !fault_ && skipped < bytes; seen_.clear()) {
      read_some();
      skipped += seen_.size();
    }
    return !fault_;
  }
  /// The server's close reason; empty if it only disconnected.
  std::string read_to_close() {
    while (!fault_) read_some();
    const auto& reason = socket_.reason().reason;
    return {reason.data(), reason.size()};
  }
  unsigned close_code() const { return socket_.reason().code; }

  void write(const std::string& bytes) {
    fault_ = wait([&](auto done) { socket_.async_write(boost::asio::buffer(bytes), done); });
  }
  bool is_binary() const { return is_binary_; }
  const std::string& body() const { return body_; }
  const std::string& protocol() const { return protocol_; }

  /// A plain GET: status and body.
  std::pair<unsigned, std::string> get(const std::string& path) {
    namespace http = boost::beast::http;
    http::request<http::empty_body> request{http::verb::get, path, 11};
    request.set(http::field::host, address_);
    http::response<http::string_body> answer;
    boost::beast::flat_buffer buffer;
    fault_ = wait([&](auto done) { http::async_write(tcp_stream(), request, done); });
    fault_ = wait([&](auto done) { http::async_read(tcp_stream(), buffer, answer, done); });
    return {answer.result_int(), answer.body()};
  }
  /// Everything the server sends in response to these bytes, until it closes.
  std::string send_raw(const std::string& bytes) {
    fault_ = wait([&](auto done) {
      boost::asio::async_write(tcp_stream(), boost::asio::buffer(bytes), done);
    });
    std::string answer;
    fault_ = wait([&](auto done) {
      boost::asio::async_read(tcp_stream(), boost::asio::dynamic_buffer(answer), done);
    });
    return answer;
  }

  boost::beast::tcp_stream& tcp_stream() { return boost::beast::get_lowest_layer(socket_); }

  void read_some() {
    boost::beast::flat_buffer message;
    fault_ = wait([&](auto done) { socket_.async_read(message, done); });
    if (fault_) return;
    is_binary_ = socket_.got_binary();
    (is_binary_ ? seen_ : texts_) += boost::beast::buffers_to_string(message.data());
  }

  /// Runs one operation; throws after `wait_timeout`, and the viewer is then unusable.
  template <class Start>
  boost::beast::error_code wait(Start start) {
    auto result = std::make_shared<std::optional<boost::beast::error_code>>();
    start([result](boost::beast::error_code fault, std::size_t) { *result = fault; });
    context_.restart();
    const auto end = std::chrono::steady_clock::now() + wait_timeout;
    while (!*result && context_.run_one_until(end) > 0) {
    }
    if (!*result) throw std::runtime_error("the test's wait_timeout ended");
    return **result;
  }

  std::string address_ = {};
  std::string path_ = {};
  std::string body_ = {};
  std::string protocol_ = {};
  std::string seen_ = {};
  std::string texts_ = {};
  bool is_binary_ = false;
  boost::beast::error_code fault_ = {};
  boost::asio::io_context context_{1};
  boost::beast::websocket::stream<boost::beast::tcp_stream> socket_{context_};
};

Viewer::Viewer(const std::string& url) : socket_{std::make_unique<Socket>(url)} {}
Viewer::~Viewer() = default;

unsigned Viewer::open(const std::string& protocols, const std::string& origin) {
  return socket_->open(protocols, origin);
}
std::string Viewer::read_text_to(const std::string& text) {
  return socket_->read_text_to(text);
}
std::string Viewer::read_bytes(std::size_t count_min) {
  return socket_->read_bytes(count_min);
}
void Viewer::write_text(const std::string& text) {
  socket_->write_text(text);
}
void Viewer::drop() {
  socket_->drop();
}
std::string Viewer::read_to(const std::string& text) {
  return socket_->read_to(text);
}
bool Viewer::skip(std::size_t bytes) {
  return socket_->skip(bytes);
}
std::string Viewer::read_to_close() {
  return socket_->read_to_close();
}
unsigned Viewer::close_code() const {
  return socket_->close_code();
}
void Viewer::write(const std::string& bytes) {
  socket_->write(bytes);
}
bool Viewer::is_binary() const {
  return socket_->is_binary();
}
const std::string& Viewer::body() const {
  return socket_->body();
}
const std::string& Viewer::protocol() const {
  return socket_->protocol();
}
std::pair<unsigned, std::string> Viewer::get(const std::string& path) {
  return socket_->get(path);
}
std::string Viewer::send_raw(const std::string& bytes) {
  return socket_->send_raw(bytes);
}

}  // namespace nucleus::tests
