// The gateway as the client sees it: REST, with the credential of an endpoint.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/endpoint.hpp"
#include "client/http.hpp"
#include "client/json.hpp"

namespace nucleus::client {

class Api {
 public:
  explicit Api(Endpoint endpoint) : endpoint_{std::move(endpoint)} {}

  /// The JSON of a GET; anything but 200 is an error that says what the server said.
  core::Result<Json> get(const std::string& path) const;
  /// As get, said by name and password instead of the endpoint's credential.
  core::Result<Json> get_as(const std::string& path, const std::string& username,
                            const std::string& password) const;
  /// The text of a GET that needs no credential; anything but 200 is an error.
  core::Result<std::string> get_public(const std::string& path) const;
  /// All pages of a v2 list, whose elements are in `name`: one list. `path` may have a query.
  core::Result<Json> get_all(const std::string& path, const std::string& name) const;
  /// An action: anything but 204 is an error.
  core::Result<void> put(const std::string& path) const;
  /// Anything but 200, 201, 202 or 204 is an error; the body's JSON, null where there is none.
  core::Result<Json> post(const std::string& path, const Json& body) const;
  /// Anything but 204 is an error.
  core::Result<void> remove(const std::string& path) const;
  /// The Location of a 303.
  core::Result<std::string> redirect(const std::string& path) const;
  /// Streams a file as old clients do: multipart with `file` and `composite`, header `md5`.
  core::Result<void> upload(const std::string& path, const std::string& file,
                            const std::string& name) const;
  /// Each part of a body without an end, till `take` says false, the server ends it, or nothing
  /// came for `silence`.
  core::Result<void> follow(const std::string& path, std::chrono::seconds silence,
                            const TakePart& take) const;

  const std::string& url() const { return endpoint_.url; }
  const Endpoint& endpoint() const { return endpoint_; }
  /// Says each request and its answer's status on standard error.
  void set_traced(bool is_traced) { is_traced_ = is_traced; }

 private:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  core::Result<Answer> send(Request request) const;
  core::Result<Answer> exchange(const Request& request, const TakePart& take = {}) const;
  core::Result<Answer> ask(const std::string& method, const std::string& path,
                           const std::string* body) const;
  core::Result<Headers> credential() const;
  core::Result<void> log_in() const;

  // The token of a log-in and the warm connection are what is remembered between two requests.
  mutable Endpoint endpoint_;
  mutable std::unique_ptr<HttpConnection> connection_ = {};
  bool is_traced_ = false;
};

/// What an answer that is no success says, in one line.
core::Error error_of(const Answer& answer);

}  // namespace nucleus::client
