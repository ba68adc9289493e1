// The gateway as the client sees it: REST over libcurl, with the credential of the environment.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace nucleus::client {

using Json = nlohmann::json;

/// Where, and as whom. From NUCLEUS_URL and NUCLEUS_TOKEN, or NUCLEUS_API_KEY_NAME and _SECRET.
struct Endpoint {
  std::string url = {};
  std::string token = {};
  std::string key_name = {};
  std::string key_secret = {};

  /// `invalid_argument` names the variable that is missing.
  static core::Result<Endpoint> from_environment();
};

struct Answer {
  long status = 0;
  std::string body = {};
  std::string location = {};
};

class Api {
 public:
  explicit Api(Endpoint endpoint) : endpoint_{std::move(endpoint)} {}

  /// The JSON of a GET; anything but 200 is an error that says what the server said.
  core::Result<Json> get(const std::string& path) const;
  /// An action: anything but 204 is an error.
  core::Result<void> put(const std::string& path) const;
  /// Anything but 200, 201, 202 or 204 is an error; the body's JSON, null where there is none.
  core::Result<Json> post(const std::string& path, const Json& body) const;
  /// The Location of a 303.
  core::Result<std::string> redirect(const std::string& path) const;
  /// Streams a file as old clients do: multipart with `file` and `composite`, header `md5`.
  core::Result<void> upload(const std::string& path, const std::string& file,
                            const std::string& name) const;

  const std::string& url() const { return endpoint_.url; }

 private:
  core::Result<Answer> send(const std::string& method, const std::string& path,
                            const std::string* body) const;
  std::vector<std::string> credential() const;

  Endpoint endpoint_;
};

/// A part of a path or query, percent-encoded.
std::string encoded(const std::string& text);
/// What an answer that is no success says, in one line.
core::Error error_of(const Answer& answer);

}  // namespace nucleus::client
