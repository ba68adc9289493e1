// HTTP/1.1 over TCP or TLS, one request at a time on one connection that is kept while it is warm.
// Boost.Beast and OpenSSL: what a command loads before it can speak decides how fast it answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace nucleus::client {

struct Url {
  bool is_tls = false;
  std::string host = {};
  std::string port = {};
  std::string path = {};  // without a slash at its end

  static core::Result<Url> parse(const std::string& text);
};

/// What follows the head of a request: a text, or a file between two texts, sent as it is read.
struct Body {
  std::string before = {};
  std::string file = {};  // a path; empty = none
  std::uint64_t file_bytes = 0;
  std::string after = {};
};

struct Request {
  std::string method = "GET";
  std::string target = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  Body body = {};
  std::chrono::seconds deadline{60};  // from one sign of life to the next
};

struct Answer {
  unsigned status = 0;
  std::string body = {};
  std::string location = {};
};

/// A part of a stream that does not end; false ends it.
using TakePart = std::function<bool(std::string_view)>;

class HttpConnection {
 public:
  /// `ca_file`: whose certificates are believed; empty = the system's.
  HttpConnection(Url url, std::string ca_file);
  ~HttpConnection();

  /// Answers what came before a body of unknown length, which goes to `take` part by part; without
  /// one, or where the answer is not 200, it is read in full instead. `unavailable`: nobody
  /// answered, or not in time. It is never sent twice.
  core::Result<Answer> stream(const Request& request, const TakePart& take);

 private:
  class Wire;
  core::Result<void> connect();
  core::Result<void> write(const Request& request);

  Url url_;
  std::string ca_file_;
  std::unique_ptr<Wire> wire_;
  std::chrono::steady_clock::time_point used_ = {};
};

/// A part of a path or query, percent-encoded.
std::string encoded(const std::string& text);

}  // namespace nucleus::client
