// The gateway as the client sees it: REST, with the credential of one endpoint.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/api/json.hpp"
#include "client/config/endpoint.hpp"
#include "client/http/http_client.hpp"

namespace nucleus::client {

class Api {
 public:
  explicit Api(Endpoint endpoint);
  /// Ends the session that was started with a password.
  ~Api();

  /// The JSON of a GET. Any status but 200 is an error with the server's text.
  core::Result<Json> get(const std::string& path) const;
  /// As get, with a name and password instead of the endpoint's credential.
  core::Result<Json> get_as(const std::string& path, const std::string& username,
                            const std::string& password) const;
  /// The text of a GET without a credential. Any status but 200 is an error.
  core::Result<std::string> get_public(const std::string& path) const;
  /// The elements of `name` on all pages of a v2 list. `path` may have a query.
  core::Result<Json> get_all(const std::string& path, const std::string& name) const;
  /// The texts of all pages, joined. `path` has a query.
  core::Result<std::string> get_all_text(const std::string& path) const;
  /// Any status but 204 is an error.
  core::Result<void> put(const std::string& path) const;
  /// Any status but 200 to 204 is an error. The JSON of the response, null if it has none.
  core::Result<Json> send(const std::string& method, const std::string& path,
                          const Json& body) const;
  core::Result<Json> post(const std::string& path, const Json& body) const {
    return send("POST", path, body);
  }
  /// Any status but 204 is an error.
  core::Result<void> remove(const std::string& path) const;
  /// The URL to which a GET is redirected with 303.
  core::Result<std::string> redirect(const std::string& path) const;
  /// Sends a file as `name`, with its MD5 as the first generation of the API requires it.
  core::Result<void> upload(const std::string& path, const std::string& file,
                            const std::string& name, const OnProgress& on_progress = {}) const;
  /// Sends a part of a file to an upload (tus 1.0), with the upload's ticket as the credential.
  core::Result<Response> send_part(const std::string& url, const std::string& ticket,
                                   const FileBody& part) const;
  /// Gives each part of an endless body to `take`, until `take` returns false, the server ends the
  /// body, or no byte arrived for `silence_max`.
  core::Result<void> follow(const std::string& path, std::chrono::seconds silence_max,
                            const TakePart& take) const;

  const std::string& url() const { return endpoint_.url; }
  const Endpoint& endpoint() const { return endpoint_; }
  /// Prints each request and the status of its response on standard error.
  void set_traced(bool is_traced) { is_traced_ = is_traced; }

 private:
  enum class Credential : unsigned char { of_endpoint, of_request };

  core::Result<Response> send(HttpClient& client, const Request& request, Credential credential,
                              const TakePart& take = {}) const;
  core::Result<Response> send_once(HttpClient& client, const Request& request,
                                   Credential credential, const TakePart& take) const;
  core::Result<Response> send_json(const std::string& method, const std::string& path,
                                   const std::string& body) const;
  core::Result<void> add_credential(Request& request) const;
  core::Result<void> log_in() const;

  // The session's token and the connection are kept from request to request.
  mutable Endpoint endpoint_;
  mutable bool has_session_ = false;  // `endpoint_.token` was issued for the password
  mutable HttpClient client_;
  mutable HttpClient uploads_client_;  // to another server
  bool is_traced_ = false;
};

/// The error text of a response that is not a success, in one line.
core::Error error_of(const Response& response);

}  // namespace nucleus::client
