#include "client/http.hpp"

#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <fstream>
#include <optional>

namespace nucleus::client {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using core::ErrorCode;
using ErrorOfBoost = boost::system::error_code;

namespace {

constexpr std::chrono::seconds connect_max{5};
// A server closes what is idle; a connection this young is still there.
constexpr std::chrono::milliseconds warm_max{2'000};
constexpr std::size_t part_bytes = 256 * 1024;
constexpr std::uint64_t answer_bytes_max = 256ULL << 20;

}  // namespace

/// The socket, plain or with TLS on it; each step runs to its end or to its deadline.
class HttpConnection::Wire {
 public:
  explicit Wire(bool is_tls) {
    if (is_tls)
      secure_.emplace(loop_, tls_.emplace(asio::ssl::context::tls_client));
    else
      plain_.emplace(loop_);
  }

  ErrorOfBoost open(const Url& url, const std::string& ca_file) {
    ErrorOfBoost error;
    asio::ip::tcp::resolver resolver(loop_);
    const auto found = resolver.resolve(url.host, url.port, error);
    if (error) return error;
    tcp().expires_after(connect_max);
    error = finish([&](auto done) { tcp().async_connect(found, done); });
    if (error || !secure_) return error;
    if (ca_file.empty())
      tls_->set_default_verify_paths(error);
    else
      tls_->load_verify_file(ca_file, error);
    if (error) return error;
    secure_->set_verify_mode(asio::ssl::verify_peer);
    secure_->set_verify_callback(asio::ssl::host_name_verification(url.host));
    SSL_set_tlsext_host_name(secure_->native_handle(), url.host.c_str());
    return finish(
        [&](auto done) { secure_->async_handshake(asio::ssl::stream_base::client, done); });
  }

  ErrorOfBoost write(const void* bytes, std::size_t size, std::chrono::seconds deadline) {
    tcp().expires_after(deadline);
    const auto buffer = asio::buffer(bytes, size);
    return finish([&](auto done) {
      if (secure_)
        asio::async_write(*secure_, buffer, done);
      else
        asio::async_write(*plain_, buffer, done);
    });
  }

  template <class Parser>
  ErrorOfBoost read_some(Parser& parser, std::chrono::seconds deadline) {
    tcp().expires_after(deadline);
    return finish([&](auto done) {
      if (secure_)
        http::async_read_some(*secure_, buffer_, parser, done);
      else
        http::async_read_some(*plain_, buffer_, parser, done);
    });
  }

 private:
  beast::tcp_stream& tcp() { return secure_ ? secure_->next_layer() : *plain_; }

  template <class Start>
  ErrorOfBoost finish(Start start) {
    ErrorOfBoost result;
    start([&result](ErrorOfBoost error, auto&&...) { result = error; });
    loop_.restart();
    loop_.run();
    return result;
  }

  asio::io_context loop_ = {};
  // To make it takes longer than to start: only where it is used.
  std::optional<asio::ssl::context> tls_ = {};
  std::optional<beast::tcp_stream> plain_ = {};
  std::optional<beast::ssl_stream<beast::tcp_stream>> secure_ = {};
  beast::flat_buffer buffer_ = {};
};

core::Result<Url> Url::parse(const std::string& text) {
  const auto wrong = [&] {
    return core::refuse(ErrorCode::invalid_argument, "no URL of http or https: " + msg::shown(text),
                        "url");
  };
  struct Freed {
    char* text = nullptr;
    ~Freed() { OPENSSL_free(text); }
  } scheme, user, host, port, path, query, fragment;
  constexpr std::size_t bytes_max = 2'048;
  const bool is_read =
      text.size() <= bytes_max && text.find("://") != std::string::npos &&
      OSSL_parse_url(text.c_str(), &scheme.text, &user.text, &host.text, &port.text, nullptr,
                     &path.text, &query.text, &fragment.text) == 1;
  ERR_clear_error();
  if (!is_read || *user.text || *query.text || *fragment.text) return wrong();
  Url url{.is_tls = beast::iequals(scheme.text, "https"),
          .host = host.text,
          .port = port.text,
          .path = path.text};
  if (!url.is_tls && !beast::iequals(scheme.text, "http")) return wrong();
  if (url.host.starts_with('[')) url.host = url.host.substr(1, url.host.size() - 2);
  const bool is_odd = std::ranges::any_of(
      url.host, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\\'; });
  if (url.host.empty() || is_odd) return wrong();
  if (url.port == "0") url.port = url.is_tls ? "443" : "80";
  while (url.path.ends_with('/')) url.path.pop_back();
  return url;
}

HttpConnection::HttpConnection(Url url, std::string ca_file)
    : url_{std::move(url)}, ca_file_{std::move(ca_file)} {}
HttpConnection::~HttpConnection() = default;

core::Result<void> HttpConnection::connect() {
  if (wire_ && std::chrono::steady_clock::now() - used_ < warm_max) return {};
  wire_ = std::make_unique<Wire>(url_.is_tls);
  if (const auto error = wire_->open(url_, ca_file_); error) {
    wire_.reset();
    return core::refuse(ErrorCode::unavailable,
                        url_.host + ":" + url_.port + ": " + error.message());
  }
  return {};
}

core::Result<void> HttpConnection::write(const Request& request) {
  const auto& body = request.body;
  http::request<http::empty_body> head;
  head.version(11);
  head.method_string(request.method);
  head.target(url_.path + request.target);
  head.set(http::field::host, url_.host + ":" + url_.port);
  head.set(http::field::user_agent, "cm");
  for (const auto& [name, value] : request.headers) head.set(name, value);
  const auto bytes = body.before.size() + body.file_bytes + body.after.size();
  if (bytes || request.method != "GET") head.content_length(bytes);
  std::ostringstream text;
  text << head.base();
  const std::string first = text.str() + body.before;
  auto error = wire_->write(first.data(), first.size(), request.deadline);
  if (!body.file.empty() && !error) {
    std::ifstream file(body.file, std::ios::binary);
    std::vector<char> part(part_bytes);
    std::uint64_t left = body.file_bytes;
    while (left > 0 && !error) {
      const auto wanted = std::min<std::uint64_t>(left, part.size());
      if (!file.read(part.data(), static_cast<std::streamsize>(wanted)))
        return core::refuse(ErrorCode::invalid_argument, body.file + " changed while it was sent");
      error = wire_->write(part.data(), wanted, request.deadline);
      left -= wanted;
    }
  }
  if (!body.after.empty() && !error)
    error = wire_->write(body.after.data(), body.after.size(), request.deadline);
  if (error)
    return core::refuse(ErrorCode::unavailable,
                        url_.host + ":" + url_.port + ": " + error.message());
  return {};
}

core::Result<Answer> HttpConnection::stream(const Request& request, const TakePart& take) {
  if (auto connected = connect(); !connected) return std::unexpected(connected.error());
  if (auto written = write(request); !written) {
    wire_.reset();
    return std::unexpected(written.error());
  }
  http::response_parser<http::string_body> parser;
  parser.body_limit(answer_bytes_max);
  parser.header_limit(64 * 1024);
  parser.eager(true);
  ErrorOfBoost error;
  bool is_taken = false;
  while (!parser.is_done() && !error) {
    error = wire_->read_some(parser, request.deadline);
    if (!take || !parser.is_header_done() || parser.get().result_int() != 200) continue;
    is_taken = true;
    auto& part = parser.get().body();
    if (!part.empty() && !take(part)) break;
    part.clear();
  }
  const bool is_whole = parser.is_done();
  Answer answer{.status = parser.get().result_int()};
  if (error || !is_whole || !parser.get().keep_alive()) wire_.reset();
  if (!is_whole && !is_taken)
    return core::refuse(ErrorCode::unavailable,
                        url_.host + ":" + url_.port + ": " + error.message());
  answer.body = std::move(parser.get().body());
  const auto location = parser.get()[http::field::location];
  answer.location = std::string(location.data(), location.size());
  used_ = std::chrono::steady_clock::now();
  return answer;
}

std::string encoded(const std::string& text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string whole;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || std::string_view("-._~").find(c) != std::string_view::npos) {
      whole += c;
      continue;
    }
    whole += '%';
    whole += digits[byte >> 4];
    whole += digits[byte & 15];
  }
  return whole;
}

}  // namespace nucleus::client
