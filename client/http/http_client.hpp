// HTTP by libcurl: one request at a time, over a connection that is kept open between requests.
// Proxies, name resolution and TLS follow the environment as they do for curl(1).
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

/// Called with the bytes sent so far, about once a second.
using OnProgress = std::function<void(std::uint64_t bytes_sent)>;

/// Bytes of a file as a body; with a `file_name`, in a form of two fields, as the first generation
/// of the API reads it: `composite`, which is always NONE, and `file`.
struct FileBody {
  std::string path = {};
  std::string file_name = {};
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
  OnProgress on_progress = {};
};

struct Request {
  std::string method = "GET";
  std::string url = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};
  const FileBody* file = nullptr;  // instead of `body`
  std::string username = {};       // with `password`: Basic authentication
  std::string password = {};
  bool reads_netrc = false;              // take name and password from .netrc
  std::chrono::seconds silence_max{60};  // the longest wait without a byte in either direction
};

struct Response {
  unsigned status = 0;
  std::string body = {};
  std::string redirect_url = {};  // absolute; empty unless the status is a redirect
  std::string link = {};          // the header Link
  std::string request_id = {};    // the header X-Request-Id
};

/// Takes a part of a body that does not end; returns false to end it.
using TakePart = std::function<bool(std::string_view)>;

class HttpClient {
 public:
  /// `ca_file` holds the CA certificates that servers are verified with. If it is empty, they come
  /// from CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR, else from the system.
  explicit HttpClient(std::string ca_file);
  ~HttpClient();

  /// Sends one request; never follows a redirect. If `take` is given, a body of status 200 goes to
  /// it part by part instead of into the response. A POST never uses a kept connection, so that a
  /// connection that closes at that moment cannot make it be sent twice. `unavailable`: no
  /// response, or silence for too long.
  core::Result<Response> send(const Request& request, const TakePart& take = {});

 private:
  std::string ca_file_;
  std::unique_ptr<void, void (*)(void*)> handle_;
};

}  // namespace nucleus::client
