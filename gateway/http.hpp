// A request and its answer, free of the HTTP library.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/digest/digest.hpp"

namespace nucleus::gateway {

/// Header names are compared without regard to case.
struct NoCase {
  bool operator()(std::string_view a, std::string_view b) const {
    return std::ranges::lexicographical_compare(
        a, b, {}, [](char c) { return std::tolower(static_cast<unsigned char>(c)); },
        [](char c) { return std::tolower(static_cast<unsigned char>(c)); });
  }
};
using Headers = std::map<std::string, std::string, NoCase>;

struct HttpRequest {
  std::string method = {};
  std::string target = {};                             // as sent
  std::string path = {};                               // decoded, without the query
  std::multimap<std::string, std::string> query = {};  // decoded
  Headers headers = {};
  std::string body = {};
  std::string body_path = {};  // where the body went to a file instead
  std::string origin = {};     // the address of who sent it
  /// Of a GET's head, byte for byte, where nothing follows it: whoever sends it again asks the
  /// same.
  std::optional<core::Sha256> head_digest = {};
  bool is_upgrade = false;  // it may be answered by a WebSocket

  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
  /// The query's first value of this name; empty where it is not said.
  std::string asked(const std::string& name) const {
    const auto found = query.find(name);
    return found == query.end() ? std::string() : found->second;
  }
};

/// Sends what an open answer still has to say; from any thread.
class HttpStream {
 public:
  virtual ~HttpStream() = default;
  /// False where the client has gone, or reads so slowly that it was cut off.
  virtual bool send(std::string text) = 0;
  virtual bool is_open() const = 0;
  /// What was sent so and is not on the line yet; from any thread.
  virtual std::size_t waiting_bytes() const = 0;
};

constexpr std::size_t request_id_bytes = 32;  // of an X-Request-Id

struct ReadyAnswer;
using ReadyAnswerPtr = std::shared_ptr<const ReadyAnswer>;

struct HttpResponse {
  int status = 200;
  Headers headers = {};
  std::string body = {};
  /// Where set, the answer stays open: called once with the stream after the head was sent.
  std::function<void(std::shared_ptr<HttpStream>)> on_open = {};
  /// Where set, it is sent, and nothing else of this.
  ReadyAnswerPtr ready = {};
  bool is_socket = false;  // what stays open is a WebSocket, each text one message; status 101
};

/// Answers once, from any thread.
using Respond = std::function<void(HttpResponse)>;

/// What is to become of a body, said after the head alone.
struct BodyPlan {
  std::string file_path = {};       // not empty: write it there
  std::uint64_t bytes_max = 0;      // more is refused with 413, before any of it is read
  std::shared_ptr<void> kept = {};  // handed on to the handler
};

}  // namespace nucleus::gateway
