// The HTTP server over real sockets: HEAD, limits, and what a client cannot make it do.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/post.hpp>
#include <future>

#include "core/http/server.hpp"
#include "core/http/websocket.hpp"
#include "core/metrics/metrics_server.hpp"
#include "tests/support/process.hpp"

namespace nucleus::core::http {
namespace {

using tests::wait_timeout;

/// A TCP connection to the server, from a given loopback address.
class Client {
 public:
  explicit Client(const Server& server, std::uint32_t from = INADDR_LOOPBACK)
      : Client(server.endpoint().port, from) {}
  Client(std::uint16_t port, std::uint32_t from)
      : socket_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(from);
    bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      ADD_FAILURE() << "no connection";
  }
  ~Client() { close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Bytes sent before the socket's buffers were full or the server closed.
  std::size_t send(std::string_view bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const auto size = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (size <= 0) break;
      sent += static_cast<std::size_t>(size);
    }
    return sent;
  }
  /// Sends until nothing can be sent for 200 ms, at most `bytes_max`.
  std::size_t send_until_blocked(const std::string& message, std::size_t bytes_max) {
    std::size_t sent = 0;
    pollfd writable{socket_, POLLOUT, 0};
    while (sent < bytes_max && poll(&writable, 1, 200) > 0) {
      const auto size =
          ::send(socket_, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size <= 0) break;
      sent += static_cast<std::size_t>(size);
    }
    return sent;
  }
  /// Bytes received until they end with `text`, or the server closes.
  std::string read_to(std::string_view text) {
    std::string got;
    std::array<char, 4096> part{};
    pollfd readable{socket_, POLLIN, 0};
    while (text.empty() || !got.ends_with(text)) {
      if (poll(&readable, 1, static_cast<int>(wait_timeout.count())) <= 0) break;
      const auto size = recv(socket_, part.data(), part.size(), 0);
      if (size <= 0) break;
      got.append(part.data(), static_cast<std::size_t>(size));
    }
    return got;
  }
  std::string read_to_close() { return read_to(""); }

 private:
  int socket_;
};

std::string a_request(const std::string& method = "GET", const std::string& more = {}) {
  return method + " / HTTP/1.1\r\nHost: n\r\n" + more + "\r\n";
}

void respond_hello(const Request& request, const std::shared_ptr<void>&, const Respond& respond) {
  respond({.headers = {{"X-Method", request.sent_method()}}, .body = "hello"});
}

std::unique_ptr<Server> start(ServerOptions options = {}, Server::Handler handler = respond_hello) {
  auto server = std::make_unique<Server>(std::move(options), std::move(handler));
  server->start();
  return server;
}

TEST(HttpListener, AnswersHeadAsGetWithoutABody) {
  const auto server = start();
  Client client(*server);
  client.send(a_request("HEAD"));
  const auto head = client.read_to("\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 ")) << head;
  EXPECT_NE(head.find("Content-Length: 5\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("X-Method: HEAD\r\n"), std::string::npos) << head;
  // The connection stays usable, and no byte of a body was sent.
  client.send(a_request());
  const auto next = client.read_to("hello");
  EXPECT_TRUE(next.starts_with("HTTP/1.1 200 ")) << next;
}

TEST(HttpListener, EndsHeadOfAStreamAfterItsHead) {
  const auto server =
      start({}, [](const Request&, const std::shared_ptr<void>&, const Respond& respond) {
        respond({.on_open = [](const std::shared_ptr<Stream>& stream) { stream->send("data"); }});
      });
  Client client(*server);
  client.send(a_request("HEAD"));
  const auto got = client.read_to_close();
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 ") && got.ends_with("\r\n\r\n")) << got;
}

TEST(HttpListener, SendsAStreamToAClientWhoseConnectionEndsWithIt) {
  const auto server =
      start({}, [](const Request&, const std::shared_ptr<void>&, const Respond& respond) {
        respond({.on_open = [](const std::shared_ptr<Stream>& stream) { stream->send("data"); }});
      });
  // As scripts and proxies ask.
  for (const auto& request : {a_request("GET", "Connection: close\r\n"),
                              std::string("GET / HTTP/1.0\r\nHost: n\r\n\r\n")}) {
    Client client(*server);
    client.send(request);
    EXPECT_TRUE(client.read_to("data").ends_with("\r\n\r\ndata")) << request;
  }
}

TEST(HttpListener, BoundsChunkExtensionsAndTrailers) {
  const auto server = start();
  const std::string endless(1 << 20, 'a');
  for (const std::string start_of : {"1;", "1\r\nx\r\n0\r\nX: "}) {
    Client client(*server);
    client.send(a_request("POST", "Transfer-Encoding: chunked\r\n") + start_of + endless);
    const auto got = client.read_to_close();
    EXPECT_TRUE(got.starts_with("HTTP/1.1 400 ")) << got;
    EXPECT_NE(got.find("a chunk extension or the trailer is too long"), std::string::npos) << got;
  }
}

TEST(HttpListener, AcceptsShortChunkExtensionsAndTrailers) {
  std::promise<std::string> body;
  const auto server =
      start({}, [&](const Request& request, const std::shared_ptr<void>&, const Respond& respond) {
        body.set_value(request.body);
        respond({.body = "hello"});
      });
  Client client(*server);
  client.send(a_request("POST", "Transfer-Encoding: chunked\r\n") +
              "2;name=value\r\nab\r\n1\r\nc\r\n0\r\nX: y\r\n\r\n");
  EXPECT_TRUE(client.read_to("hello").starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(body.get_future().get(), "abc");
}

TEST(HttpListener, Answers503OverTheLimitOfConnections) {
  const auto server = start({.connections_max = 2});
  Client first(*server), second(*server);
  first.send(a_request());
  second.send(a_request());
  EXPECT_TRUE(first.read_to("hello").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(second.read_to("hello").starts_with("HTTP/1.1 200 "));
  Client third(*server);
  EXPECT_TRUE(third.read_to_close().starts_with("HTTP/1.1 503 "));
}

TEST(HttpListener, LimitsTheConnectionsOfOneAddressAndServesOthers) {
  constexpr std::uint32_t greedy = INADDR_LOOPBACK + 1;
  const auto server = start({.connections_max = 100, .connections_per_address_max = 2});
  auto first = std::make_unique<Client>(*server, greedy);
  Client second(*server, greedy);
  EXPECT_TRUE(Client(*server, greedy).read_to_close().starts_with("HTTP/1.1 503 "));
  Client other(*server);
  other.send(a_request());
  EXPECT_TRUE(other.read_to("hello").starts_with("HTTP/1.1 200 "));
  // A closed connection makes room for another one.
  first.reset();
  const auto end = std::chrono::steady_clock::now() + wait_timeout;
  std::string got;
  while (!got.starts_with("HTTP/1.1 200 ") && std::chrono::steady_clock::now() < end) {
    Client again(*server, greedy);
    again.send(a_request());
    got = again.read_to("hello");
  }
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 ")) << got;
}

TEST(Metrics, AreServedWhileAnotherAddressHoldsAllItMay) {
  const MetricsServer metrics({.address = "127.0.0.1", .port = 0}, {}, [](const auto& report) {
    report({.is_serving = true, .line = "serving"});
  });
  const auto connect = [&](std::uint32_t from) {
    return std::make_unique<Client>(static_cast<std::uint16_t>(metrics.port()), from);
  };
  constexpr std::uint32_t greedy = INADDR_LOOPBACK + 1;
  std::vector<std::unique_ptr<Client>> held;
  for (int i = 0; i < 60; ++i) {
    held.push_back(connect(greedy));
    held.back()->send("GET /metrics HTTP/1.1\r\nHost: n\r\nX: ");
  }
  EXPECT_TRUE(held.back()->read_to_close().starts_with("HTTP/1.1 503 "));
  for (const char* page : {"metrics", "healthz"}) {
    const auto other = connect(INADDR_LOOPBACK);
    other->send(std::string("GET /") + page + " HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(other->read_to_close().starts_with("HTTP/1.1 200 ")) << page;
  }
}

TEST(HttpListener, LimitsTheBytesOfBodiesOfOneAddressAndServesOthers) {
  constexpr std::uint32_t greedy = INADDR_LOOPBACK + 1;
  std::array<std::promise<Respond>, 2> held;
  std::size_t calls = 0;  // on the server's thread
  const auto server =
      start({.bodies_bytes_max = 3 << 20, .bodies_bytes_per_address_max = 1 << 20},
            [&](const Request& request, const std::shared_ptr<void>&, const Respond& respond) {
              if (request.method == "POST") return held.at(calls++).set_value(respond);
              respond({.body = "hello"});
            });
  const std::string body(400'000, 'x');
  const auto with_body = [&](const char* method) {
    return a_request(method, "Content-Length: 400000\r\n") + body;
  };
  Client first(*server, greedy), second(*server, greedy);
  first.send(with_body("POST"));
  second.send(with_body("POST"));
  // Both bodies have arrived, and are held until they are answered.
  std::vector<Respond> responds;
  for (auto& one : held) responds.push_back(one.get_future().get());
  Client third(*server, greedy);
  third.send(with_body("PUT"));
  EXPECT_TRUE(third.read_to_close().starts_with("HTTP/1.1 503 "));
  Client other(*server);
  other.send(with_body("PUT"));
  EXPECT_TRUE(other.read_to("hello").starts_with("HTTP/1.1 200 "));
  for (const auto& respond : responds) respond({.body = "done"});
  EXPECT_TRUE(first.read_to("done").starts_with("HTTP/1.1 200 "));
  for (int i = 0; i < 4; ++i) {
    first.send(with_body("PUT"));
    EXPECT_TRUE(first.read_to("hello").starts_with("HTTP/1.1 200 "));
  }
}

TEST(HttpListener, IgnoresASecondResponseAndOneAfterItsEnd) {
  std::promise<Respond> kept;
  auto server =
      start({}, [&](const Request& request, const std::shared_ptr<void>&, const Respond& respond) {
        if (request.method == "PUT") return kept.set_value(respond);
        respond({.body = "hello"});
        respond({.status = 500, .body = "second"});
      });
  Client client(*server);
  for (int i = 0; i < 2; ++i) {
    client.send(a_request());
    EXPECT_TRUE(client.read_to("hello").starts_with("HTTP/1.1 200 "));
  }
  client.send(a_request("PUT", "Content-Length: 0\r\n"));
  const auto respond = kept.get_future().get();
  server.reset();
  EXPECT_EQ(client.read_to_close(), "");
  respond({.body = "too late"});
}

TEST(HttpListener, JoinsHeadersOfTheSameName) {
  std::promise<std::string> value;
  const auto server =
      start({}, [&](const Request& request, const std::shared_ptr<void>&, const Respond& respond) {
        value.set_value(request.header("x-list"));
        respond({.body = "hello"});
      });
  Client client(*server);
  client.send(a_request("GET", "X-List: a\r\nx-list: b\r\n"));
  client.read_to("hello");
  EXPECT_EQ(value.get_future().get(), "a, b");
}

std::string upgrade_request() {
  return a_request("GET",
                   "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
}

TEST(HttpListener, ClosesAWebSocketForTheFirstReasonOnly) {
  const auto server =
      start({}, [](const Request&, const std::shared_ptr<void>&, const Respond& respond) {
        respond({.websocket = WebSocketUpgrade{.on_open = [](std::shared_ptr<WebSocket> websocket) {
                   websocket->close(CloseCode::going_away, "first");
                   websocket->close(CloseCode::going_away, "second");
                   websocket->receive([websocket](std::optional<std::string_view>) {});
                 }}});
      });
  Client client(*server);
  client.send(upgrade_request());
  const auto response = client.read_to("first");  // 101 and the close frame
  EXPECT_TRUE(response.starts_with("HTTP/1.1 101 ")) << response;
  EXPECT_TRUE(
      response.ends_with("\r\n\r\n\x88\x07\x03\xe9"
                         "first"))
      << response;
  const std::string masked_answer("\x88\x82\0\0\0\0\x03\xe9", 8);
  client.send(masked_answer);
  EXPECT_EQ(client.read_to_close(), "");
}

TEST(HttpListener, StopsAtAnyMomentOfAWebSocketHandshake) {
  for (int round = 0; round < 100; ++round) {
    auto server =
        start({}, [](const Request&, const std::shared_ptr<void>&, const Respond& respond) {
          respond({.websocket = WebSocketUpgrade{.on_open = [](std::shared_ptr<WebSocket>) {}}});
        });
    Client client(*server);
    client.send(upgrade_request());
    EXPECT_TRUE(client.read_to("\r\n\r\n").starts_with("HTTP/1.1 101 "));
    server.reset();
  }
}

TEST(HttpListener, ReadsAWebSocketOnlyAsFastAsItsOwnerReceives) {
  std::promise<std::shared_ptr<WebSocket>> opened;
  const auto server = start({}, [&](const Request&, const std::shared_ptr<void>&,
                                    const Respond& respond) {
    respond({.websocket = WebSocketUpgrade{.message_bytes_max = 65536,
                                           .on_open = [&](std::shared_ptr<WebSocket> websocket) {
                                             opened.set_value(std::move(websocket));
                                           }}});
  });
  {
    Client client(*server);
    client.send(upgrade_request());
    EXPECT_TRUE(client.read_to("\r\n\r\n").starts_with("HTTP/1.1 101 "));
    // A masked binary frame of 65,535 bytes. Nothing is received: only the kernel's buffers fill.
    const std::string frame = std::string("\x82\xfe\xff\xff\0\0\0\0", 8) + std::string(65535, 'x');
    constexpr std::size_t bytes_max = 64 << 20;
    EXPECT_LT(client.send_until_blocked(frame, bytes_max), bytes_max);
  }
  // What the server's thread owns must end there.
  std::promise<void> released;
  auto websocket = opened.get_future().get();
  auto* raw = websocket.get();
  boost::asio::post(raw->executor(), [websocket = std::move(websocket), &released]() mutable {
    websocket.reset();
    released.set_value();
  });
  released.get_future().get();
}

}  // namespace
}  // namespace nucleus::core::http
