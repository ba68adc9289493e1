#include "client/api/api.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "client/api/signature.hpp"
#include "client/http/url.hpp"
#include "client/terminal/terminal.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

constexpr int redirects_max = 5;
// A server that always returns a next page is faulty: stop here.
constexpr int pages_max = 1'000;

/// The JSON of a response with status 200.
core::Result<Json> json_of(const core::Result<Response>& response) {
  if (!response) return std::unexpected(response.error());
  if (response->status != 200) return std::unexpected(error_of(*response));
  auto json = Json::parse(response->body);
  if (!json) return core::refuse(ErrorCode::internal, "the server's response is not JSON");
  return std::move(*json);
}

/// `&after=CURSOR` of a link to the next page; empty if there is none.
std::string next_of(const std::string& link) {
  const auto end = link.find(">; rel=\"next\"");
  const auto begin = link.rfind("after=", end);
  if (end == std::string::npos || begin == std::string::npos) return {};
  return "&" + link.substr(begin, end - begin);
}

core::Result<void> expect(const core::Result<Response>& response, unsigned status) {
  if (!response) return std::unexpected(response.error());
  if (response->status != status) return std::unexpected(error_of(*response));
  return {};
}

}  // namespace

Api::Api(Endpoint endpoint)
    : endpoint_{std::move(endpoint)},
      client_{endpoint_.ca_file},
      uploads_client_{endpoint_.ca_file} {}

Api::~Api() {
  if (!has_session_) return;
  has_session_ = false;  // a refused request starts no new session
  (void)send(client_, {.method = "POST", .url = "/nucleus/rest-auth/logout/"},
             Credential::of_endpoint);
}

core::Result<void> Api::log_in() const {
  std::string password = endpoint_.password;
  if (password == "env") {
    const char* value = std::getenv("COMET_PASSWORD");
    password = value ? value : "";
  } else if (password == "readline") {
    password =
        ask_secret("Password of " + endpoint_.username + " at " + endpoint_.name).value_or("");
  }
  if (password.empty())
    return core::refuse(ErrorCode::unauthenticated,
                        "no password: set COMET_PASSWORD and `password: env`, or use an API key");
  const auto body = Json::object({{"username", endpoint_.username}, {"password", password}});
  const Request request{.method = "POST",
                        .url = "/nucleus/rest-auth/login/",
                        .headers = {{"Content-Type", "application/json"}},
                        .body = body.dumped()};
  const auto json = json_of(send(client_, request, Credential::of_request));
  if (!json) return std::unexpected(json.error());
  if (!(*json)["key"].is_text())
    return core::refuse(ErrorCode::internal, "the server's response to the login has no key");
  endpoint_.token = (*json)["key"].text();
  has_session_ = true;
  return {};
}

core::Result<void> Api::add_credential(Request& request) const {
  if (!endpoint_.has_credential()) {
    request.reads_netrc = true;
    return {};
  }
  if (endpoint_.token.empty() && endpoint_.key_name.empty())
    if (auto done = log_in(); !done) return done;
  if (!endpoint_.token.empty()) {
    request.headers.emplace_back("Authorization", "Token " + endpoint_.token);
    return {};
  }
  using namespace std::chrono;
  const std::string nonce = new_nonce();
  const std::string now =
      std::to_string(duration_cast<seconds>(system_clock::now().time_since_epoch()).count());
  request.headers.emplace_back("X-Api-Key", endpoint_.key_name);
  request.headers.emplace_back("timestamp", now);
  request.headers.emplace_back("nonce", nonce);
  request.headers.emplace_back("Authorization",
                               "Signature keyId=\"\",algorithm=\"hmac-sha256\",signature=\"" +
                                   sign(endpoint_.key_secret, nonce, now) +
                                   "\",headers=\"nonce timestamp\"");
  return {};
}

core::Result<Response> Api::send(HttpClient& client, const Request& request, Credential credential,
                                 const TakePart& take) const {
  auto response = send_once(client, request, credential, take);
  const bool has_expired =
      response && response->status == 401 && has_session_ && credential == Credential::of_endpoint;
  if (!has_expired) return response;
  // The server ended the session: the next request starts another.
  has_session_ = false;
  endpoint_.token.clear();
  return send_once(client, request, credential, take);
}

/// Follows redirects of a GET but 303, which `redirect` reads. The credential is added to each
/// request to the endpoint's own origin, and to no other.
core::Result<Response> Api::send_once(HttpClient& client, const Request& request,
                                      Credential credential, const TakePart& take) const {
  const std::string own = origin_of(endpoint_.url);
  std::string url = endpoint_.url + request.url;
  for (int redirects = 0; redirects <= redirects_max; ++redirects) {
    Request sent = request;
    sent.url = url;
    const bool is_own = origin_of(url) == own;
    if (!is_own) sent.username.clear();
    if (is_own && credential == Credential::of_endpoint)
      if (auto added = add_credential(sent); !added) return std::unexpected(added.error());
    auto response = client.send(sent, take);
    if (is_traced_)
      std::cerr << "debug: " << request.method << " " << (redirects ? url : request.url) << " -> "
                << (response ? std::to_string(response->status) : response.error().detail)
                << (response && msg::is_name(response->request_id)
                        ? ", request " + response->request_id
                        : "")
                << "\n";
    if (!response) return response;
    if (response->status == 401 && !is_own)
      return core::refuse(ErrorCode::unauthenticated,
                          "redirected to " + origin_of(url) +
                              ", which gets no credential: use it as the endpoint's URL");
    if (response->status == 401 && sent.reads_netrc)
      return core::refuse(ErrorCode::unauthenticated,
                          own + " accepts no credential of ~/.netrc: run comet init");
    const bool is_followed =
        request.method == "GET" && response->status != 303 && !response->redirect_url.empty();
    if (!is_followed) return response;
    url = response->redirect_url;
  }
  return core::refuse(ErrorCode::unavailable,
                      own + ": more than " + std::to_string(redirects_max) + " redirects");
}

core::Result<Response> Api::send_json(const std::string& method, const std::string& path,
                                      const std::string& body) const {
  const Request request{.method = method,
                        .url = path,
                        .headers = {{"Content-Type", "application/json"}},
                        .body = body};
  return send(client_, request, Credential::of_endpoint);
}

core::Result<Json> Api::get(const std::string& path) const {
  return json_of(send(client_, {.url = path}, Credential::of_endpoint));
}

core::Result<std::string> Api::get_public(const std::string& path) const {
  auto response = send(client_, {.url = path}, Credential::of_request);
  if (auto done = expect(response, 200); !done) return std::unexpected(done.error());
  return std::move(response->body);
}

core::Result<Json> Api::get_all(const std::string& path, const std::string& name) const {
  const std::string join = path.find('?') == std::string::npos ? "?" : "&";
  Json all = Json::list();
  std::string after;
  for (int i = 0; i < pages_max; ++i) {
    const auto page = get(after.empty() ? path : path + join + "after=" + encoded(after));
    if (!page) return page;
    for (const auto& item : (*page)[name].items()) all.add(item);
    after = (*page)["next"].text();
    if (after.empty()) break;
  }
  return all;
}

core::Result<std::string> Api::get_all_text(const std::string& path) const {
  std::string all;
  std::string after;
  for (int i = 0; i < pages_max; ++i) {
    const auto page = send(client_, {.url = path + after}, Credential::of_endpoint);
    if (auto done = expect(page, 200); !done) return std::unexpected(done.error());
    all += page->body;
    after = next_of(page->link);
    if (after.empty()) break;
  }
  return all;
}

core::Result<Json> Api::get_as(const std::string& path, const std::string& username,
                               const std::string& password) const {
  const Request request{.url = path,
                        .headers = {{"Accept", "application/json"}},
                        .username = username,
                        .password = password};
  return json_of(send(client_, request, Credential::of_request));
}

core::Result<void> Api::put(const std::string& path) const {
  return expect(send_json("PUT", path, "null"), 204);
}

core::Result<void> Api::remove(const std::string& path) const {
  return expect(send_json("DELETE", path, {}), 204);
}

core::Result<Json> Api::send(const std::string& method, const std::string& path,
                             const Json& body) const {
  const auto response = send_json(method, path, body.dumped());
  if (!response) return std::unexpected(response.error());
  if (response->status < 200 || response->status > 204) return std::unexpected(error_of(*response));
  return Json::parse(response->body).value_or(Json());
}

core::Result<std::string> Api::redirect(const std::string& path) const {
  auto response = send(client_, {.url = path}, Credential::of_endpoint);
  if (auto done = expect(response, 303); !done) return std::unexpected(done.error());
  return std::move(response->redirect_url);
}

core::Result<void> Api::upload(const std::string& path, const std::string& file,
                               const std::string& name, const OnProgress& on_progress) const {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  const std::string md5 = error ? "" : md5_of_file(file);
  if (md5.empty()) return core::refuse(ErrorCode::invalid_argument, "cannot read " + file);
  const FileBody form{
      .path = file, .file_name = name, .size_bytes = size, .on_progress = on_progress};
  const Request request{.method = "POST",
                        .url = path,
                        .headers = {{"md5", md5}},
                        .file = &form,
                        // The server checks a file of some GiB before it responds.
                        .silence_max = std::chrono::minutes(10)};
  return expect(send(client_, request, Credential::of_endpoint), 204);
}

core::Result<Response> Api::send_part(const std::string& url, const std::string& ticket,
                                      const FileBody& part) const {
  if (endpoint_.url.starts_with("https://") && !url.starts_with("https://"))
    return core::refuse(ErrorCode::invalid_argument,
                        "the server sends uploads to a URL without TLS: " + url);
  const Request request{.method = "PATCH",
                        .url = url,
                        .headers = {{"Authorization", "Bearer " + ticket},
                                    {"Tus-Resumable", "1.0.0"},
                                    {"Upload-Offset", std::to_string(part.offset)},
                                    {"Content-Type", "application/offset+octet-stream"}},
                        .file = &part};
  if (is_traced_) std::cerr << "PATCH " << url << " from byte " << part.offset << '\n';
  return uploads_client_.send(request);
}

core::Result<void> Api::follow(const std::string& path, std::chrono::seconds silence_max,
                               const TakePart& take) const {
  // On a connection of its own: `take` sends requests on the other.
  HttpClient client(endpoint_.ca_file);
  const Request request{.url = path, .silence_max = silence_max};
  return expect(send(client, request, Credential::of_endpoint, take), 200);
}

core::Error error_of(const Response& response) {
  const Json body = Json::parse(response.body).value_or(Json());
  std::string detail = body.is_text() ? body.text() : "";
  if (body["detail"].is_text()) detail = body["detail"].text();
  for (char& c : detail)
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = ' ';
  if (detail.empty()) detail = "the server answered " + std::to_string(response.status);
  // What the operator needs to find the cause.
  if (response.status == 500 && msg::is_name(response.request_id))
    detail += " (request " + response.request_id + ")";
  const auto code = response.status == 401   ? ErrorCode::unauthenticated
                    : response.status == 403 ? ErrorCode::forbidden
                    : response.status == 404 ? ErrorCode::not_found
                    : response.status == 503 ? ErrorCode::unavailable
                    : response.status >= 500 ? ErrorCode::internal
                                             : ErrorCode::wrong_state;
  return {.code = code, .detail = detail};
}

}  // namespace nucleus::client
