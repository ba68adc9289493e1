#include "client/api.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "client/signature.hpp"
#include "client/terminal.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

/// The JSON of an answer that is 200.
core::Result<Json> json_of(const core::Result<Answer>& answer) {
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200) return std::unexpected(error_of(*answer));
  auto json = Json::parse(answer->body);
  if (!json) return core::refuse(ErrorCode::internal, "the server's answer is no JSON");
  return std::move(*json);
}

}  // namespace

core::Result<void> Api::log_in() const {
  std::string password = endpoint_.password;
  if (password == "env") {
    const char* said = std::getenv("COMET_PASSWORD");
    password = said ? said : "";
  } else if (password == "readline") {
    password =
        ask_secret("Password of " + endpoint_.username + " at " + endpoint_.name).value_or("");
  }
  if (password.empty())
    return core::refuse(ErrorCode::unauthenticated,
                        "no password: set COMET_PASSWORD and `password: env`, or use an API key");
  const auto body = Json::object({{"username", endpoint_.username}, {"password", password}});
  Request request{.method = "POST", .target = "/nucleus/rest-auth/login/"};
  request.headers = {{"Content-Type", "application/json"}};
  request.body.before = body.dumped();
  const auto answer = exchange(request);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200) return std::unexpected(error_of(*answer));
  const auto json = Json::parse(answer->body);
  if (!json || !(*json)["key"].is_text())
    return core::refuse(ErrorCode::internal, "the server's answer to a log-in has no key");
  endpoint_.token = (*json)["key"].text();
  return {};
}

core::Result<Api::Headers> Api::credential() const {
  if (endpoint_.token.empty() && endpoint_.key_name.empty() && !endpoint_.username.empty())
    if (auto done = log_in(); !done) return std::unexpected(done.error());
  if (!endpoint_.token.empty()) return Headers{{"Authorization", "Token " + endpoint_.token}};
  using namespace std::chrono;
  const std::string nonce = new_nonce();
  const std::string now =
      std::to_string(duration_cast<seconds>(system_clock::now().time_since_epoch()).count());
  return Headers{{"X-Api-Key", endpoint_.key_name},
                 {"timestamp", now},
                 {"nonce", nonce},
                 {"Authorization", "Signature keyId=\"\",algorithm=\"hmac-sha256\",signature=\"" +
                                       sign(endpoint_.key_secret, nonce, now) +
                                       "\",headers=\"nonce timestamp\""}};
}

core::Result<Answer> Api::exchange(const Request& request, const TakePart& take) const {
  if (!connection_) {
    auto url = Url::parse(endpoint_.url);
    if (!url) return std::unexpected(url.error());
    connection_ = std::make_unique<HttpConnection>(std::move(*url), endpoint_.ca_file);
  }
  auto answer = connection_->stream(request, take);
  if (is_traced_)
    std::cerr << "debug: " << request.method << " " << request.target << " -> "
              << (answer ? std::to_string(answer->status) : answer.error().detail) << "\n";
  return answer;
}

core::Result<Answer> Api::send(Request request) const {
  auto headers = credential();
  if (!headers) return std::unexpected(headers.error());
  request.headers.insert(request.headers.end(), headers->begin(), headers->end());
  return exchange(request);
}

core::Result<Answer> Api::ask(const std::string& method, const std::string& path,
                              const std::string* body) const {
  Request request{.method = method, .target = path};
  request.headers = {{"Content-Type", "application/json"}};
  if (body) request.body.before = *body;
  return send(std::move(request));
}

core::Result<Json> Api::get(const std::string& path) const {
  return json_of(ask("GET", path, nullptr));
}

core::Result<std::string> Api::get_public(const std::string& path) const {
  const auto answer = exchange({.target = path});
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200) return std::unexpected(error_of(*answer));
  return answer->body;
}

core::Result<Json> Api::get_all(const std::string& path, const std::string& name) const {
  // A list this long is not read by a person, and a server that never ends is a fault.
  constexpr int pages_max = 1'000;
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

core::Result<Json> Api::get_as(const std::string& path, const std::string& username,
                               const std::string& password) const {
  Request request{.target = path};
  request.headers = {{"Accept", "application/json"},
                     {"Authorization", "Basic " + base64(username + ":" + password)}};
  return json_of(exchange(request));
}

core::Result<void> Api::put(const std::string& path) const {
  const std::string nothing = "null";
  const auto answer = ask("PUT", path, &nothing);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 204) return std::unexpected(error_of(*answer));
  return {};
}

core::Result<void> Api::remove(const std::string& path) const {
  const auto answer = ask("DELETE", path, nullptr);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 204) return std::unexpected(error_of(*answer));
  return {};
}

core::Result<Json> Api::post(const std::string& path, const Json& body) const {
  const std::string text = body.dumped();
  const auto answer = ask("POST", path, &text);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status < 200 || answer->status > 204) return std::unexpected(error_of(*answer));
  return Json::parse(answer->body).value_or(Json());
}

core::Result<std::string> Api::redirect(const std::string& path) const {
  const auto answer = ask("GET", path, nullptr);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 303) return std::unexpected(error_of(*answer));
  return answer->location.starts_with('/') ? endpoint_.url + answer->location : answer->location;
}

core::Result<void> Api::upload(const std::string& path, const std::string& file,
                               const std::string& name) const {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  const std::string md5 = error ? "" : md5_of_file(file);
  if (md5.empty()) return core::refuse(ErrorCode::invalid_argument, file + " cannot be read");
  const std::string boundary = "cm" + new_nonce() + new_nonce();
  const auto part = [&](const std::string& head) {
    return "--" + boundary + "\r\nContent-Disposition: form-data; " + head + "\r\n\r\n";
  };
  Request request{.method = "POST", .target = path};
  request.headers = {{"Content-Type", "multipart/form-data; boundary=" + boundary}, {"md5", md5}};
  request.body = {.before = part("name=\"composite\"") + "NONE\r\n" +
                            part("name=\"file\"; filename=\"" + encoded(name) +
                                 "\"\r\nContent-Type: application/octet-stream"),
                  .file = file,
                  .file_bytes = bytes,
                  .after = "\r\n--" + boundary + "--\r\n"};
  // A server checks what it was sent before it answers.
  request.deadline = std::chrono::minutes(10);
  const auto answer = send(std::move(request));
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 204) return std::unexpected(error_of(*answer));
  return {};
}

core::Result<void> Api::follow(const std::string& path, std::chrono::seconds silence,
                               const TakePart& take) const {
  Request request{.target = path, .deadline = silence};
  auto headers = credential();
  if (!headers) return std::unexpected(headers.error());
  request.headers = std::move(*headers);
  // A connection of its own: the first serves what is asked in between.
  auto url = Url::parse(endpoint_.url);
  if (!url) return std::unexpected(url.error());
  HttpConnection connection(std::move(*url), endpoint_.ca_file);
  const auto answer = connection.stream(request, take);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200) return std::unexpected(error_of(*answer));
  return {};
}

core::Error error_of(const Answer& answer) {
  const Json body = Json::parse(answer.body).value_or(Json());
  std::string said = body.is_text() ? body.text() : "";
  if (body["detail"].is_text()) said = body["detail"].text();
  for (char& c : said)
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = ' ';
  if (said.empty()) said = "the server answered " + std::to_string(answer.status);
  const auto code = answer.status == 401   ? ErrorCode::unauthenticated
                    : answer.status == 403 ? ErrorCode::forbidden
                    : answer.status == 404 ? ErrorCode::not_found
                    : answer.status == 503 ? ErrorCode::unavailable
                    : answer.status >= 500 ? ErrorCode::internal
                                           : ErrorCode::wrong_state;
  return {.code = code, .detail = said};
}

}  // namespace nucleus::client
