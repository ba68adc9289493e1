// HTTP requests and responses, independent of the library that carries them.
#pragma once

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/digest/digest.hpp"

namespace nucleus::core::http {

struct CaseInsensitiveLess {
  bool operator()(std::string_view a, std::string_view b) const {
    return std::ranges::lexicographical_compare(
        a, b, {}, [](char c) { return std::tolower(static_cast<unsigned char>(c)); },
        [](char c) { return std::tolower(static_cast<unsigned char>(c)); });
  }
};
using Headers = std::map<std::string, std::string, CaseInsensitiveLess>;

struct Request {
  std::string method = {};                             // GET for HEAD as well
  std::string target = {};                             // as sent
  std::string path = {};                               // percent-decoded, without the query
  std::multimap<std::string, std::string> query = {};  // percent-decoded
  Headers headers = {};
  std::string body = {};
  std::string body_path = {};       // the file that has the body, if a BodyPlan named one
  std::string client_address = {};  // numeric; of IPv6 its /64, all of which one client may own
  std::size_t listener = 0;         // that it came through: 0 = ServerOptions::listen
  /// SHA-256 of the head of a GET that has nothing else: equal heads are equal requests.
  std::optional<Sha256> head_digest = {};
  bool is_head = false;     // the client sent HEAD: the response's body is not sent
  bool is_upgrade = false;  // the client accepts a WebSocket as the response

  /// The header's value; empty if it is missing.
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
  /// The parameter's first value; empty if it is missing.
  std::string query_value(const std::string& name) const {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
  }
  /// The method as the client sent it.
  std::string sent_method() const { return is_head ? "HEAD" : method; }
};

/// Appends to a response that stays open. Any thread.
class Stream {
 public:
  virtual ~Stream() = default;
  /// False if the client has disconnected, or was cut off because it reads too slowly.
  virtual bool send(std::string text) = 0;
  virtual bool is_open() const = 0;
  /// Disconnects the client; what is queued is dropped.
  virtual void close() = 0;
  /// Bytes given to `send` and not written to the connection yet.
  virtual std::size_t queued_bytes() const = 0;
};

class WebSocket;
struct PreparedResponse;
using PreparedResponsePtr = std::shared_ptr<const PreparedResponse>;

/// Makes a WebSocket of the connection. Only for a request with `is_upgrade`.
struct WebSocketUpgrade {
  std::string subprotocol = {};          // selected of those that the client offers; empty = none
  bool is_binary = false;                // type of the messages sent
  std::size_t message_bytes_max = 4096;  // received; a larger message closes with 1009
  int stall_s = 0;                       // a message must be written within this; 0 = no limit
  /// Called on the server's thread once the WebSocket is open.
  std::function<void(std::shared_ptr<WebSocket>)> on_open = {};
};

struct Response {
  int status = 200;
  Headers headers = {};
  /// Of a response to HEAD it may be left out: a Content-Length among the headers is then sent.
  std::string body = {};
  /// If set, the response has no end: called with its stream, on the server's thread, after the
  /// head was sent. With `is_websocket` each text sent is one message of a WebSocket.
  std::function<void(std::shared_ptr<Stream>)> on_open = {};
  bool is_websocket = false;
  std::optional<WebSocketUpgrade> websocket = {};  // if set, sent instead of all other members
  PreparedResponsePtr prepared = {};               // the same
};

/// Sends the response; any thread. Calls after the first are ignored.
using Respond = std::function<void(Response)>;

/// Takes a body part by part, on the server's thread. Destroyed with the request, also if the body
/// was cut off.
class BodySink {
 public:
  virtual ~BodySink() = default;
  /// 0, or the errno why the part cannot be stored: the request is then refused with 503.
  virtual int write(std::string_view part) = 0;
};

/// Where a request's body goes, decided from its head.
struct BodyPlan {
  std::string file_path = {};           // written there, to a new file
  std::shared_ptr<BodySink> sink = {};  // or passed to this
  std::uint64_t bytes_max = 0;          // a longer body is refused with 413
  std::shared_ptr<void> context = {};   // passed to the handler
};

constexpr std::size_t request_id_bytes = 32;  // of X-Request-Id

/// Parses a request's target into `target`, `path` and `query`; false if it is malformed.
bool parse_target(const std::string& target, Request& request);

}  // namespace nucleus::core::http
