#include "client/api.hpp"

#include <curl/curl.h>

#include <chrono>
#include <cstdlib>
#include <memory>

#include "client/signature.hpp"

namespace nucleus::client {

using core::ErrorCode;

namespace {

constexpr long connect_ms = 5'000;
constexpr long answer_ms = 60'000;

using Curl = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using HeaderList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* body) {
  static_cast<std::string*>(body)->append(bytes, size * count);
  return size * count;
}

HeaderList header_list(const std::vector<std::string>& headers) {
  curl_slist* list = nullptr;
  for (const auto& header : headers) list = curl_slist_append(list, header.c_str());
  return {list, curl_slist_free_all};
}

core::Result<Answer> perform(CURL* curl, const std::string& url) {
  Answer answer;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
  if (const auto code = curl_easy_perform(curl); code != CURLE_OK)
    return core::refuse(ErrorCode::unavailable, url + ": " + curl_easy_strerror(code));
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  char* location = nullptr;
  curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location);
  if (location) answer.location = location;
  return answer;
}

}  // namespace

core::Result<Endpoint> Endpoint::from_environment() {
  Endpoint endpoint{.url = variable("NUCLEUS_URL"),
                    .token = variable("NUCLEUS_TOKEN"),
                    .key_name = variable("NUCLEUS_API_KEY_NAME"),
                    .key_secret = variable("NUCLEUS_API_KEY_SECRET")};
  if (endpoint.url.empty())
    return core::refuse(ErrorCode::invalid_argument,
                        "NUCLEUS_URL is not set: source the env file of your deployment");
  if (endpoint.token.empty() && (endpoint.key_name.empty() || endpoint.key_secret.empty()))
    return core::refuse(ErrorCode::invalid_argument,
                        "set NUCLEUS_TOKEN, or NUCLEUS_API_KEY_NAME and NUCLEUS_API_KEY_SECRET");
  while (endpoint.url.ends_with('/')) endpoint.url.pop_back();
  return endpoint;
}

std::vector<std::string> Api::credential() const {
  if (!endpoint_.token.empty()) return {"Authorization: Token " + endpoint_.token};
  using namespace std::chrono;
  const std::string nonce = new_nonce();
  const std::string now =
      std::to_string(duration_cast<seconds>(system_clock::now().time_since_epoch()).count());
  return {"X-Api-Key: " + endpoint_.key_name, "timestamp: " + now, "nonce: " + nonce,
          "Authorization: Signature keyId=\"\",algorithm=\"hmac-sha256\",signature=\"" +
              sign(endpoint_.key_secret, nonce, now) + "\",headers=\"nonce timestamp\""};
}

core::Result<Answer> Api::send(const std::string& method, const std::string& path,
                               const std::string* body) const {
  const Curl curl(curl_easy_init(), curl_easy_cleanup);
  auto headers = credential();
  headers.push_back("Content-Type: application/json");
  const auto list = header_list(headers);
  curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, answer_ms);
  if (body) {
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body->c_str());
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(body->size()));
  }
  return perform(curl.get(), endpoint_.url + path);
}

core::Result<Json> Api::get(const std::string& path) const {
  const auto answer = send("GET", path, nullptr);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200) return std::unexpected(error_of(*answer));
  Json json = Json::parse(answer->body, nullptr, false);
  if (json.is_discarded())
    return core::refuse(ErrorCode::internal, "the server's answer is no JSON");
  return json;
}

core::Result<void> Api::put(const std::string& path) const {
  const std::string nothing = "null";
  const auto answer = send("PUT", path, &nothing);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 204) return std::unexpected(error_of(*answer));
  return {};
}

core::Result<Json> Api::post(const std::string& path, const Json& body) const {
  const std::string text = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  const auto answer = send("POST", path, &text);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status < 200 || answer->status > 204) return std::unexpected(error_of(*answer));
  return Json::parse(answer->body.empty() ? "null" : answer->body, nullptr, false);
}

core::Result<std::string> Api::redirect(const std::string& path) const {
  const auto answer = send("GET", path, nullptr);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 303) return std::unexpected(error_of(*answer));
  return answer->location;
}

core::Result<void> Api::upload(const std::string& path, const std::string& file,
                               const std::string& name) const {
  const std::string md5 = md5_of_file(file);
  if (md5.empty()) return core::refuse(ErrorCode::invalid_argument, file + " cannot be read");
  const Curl curl(curl_easy_init(), curl_easy_cleanup);
  auto headers = credential();
  headers.push_back("md5: " + md5);
  const auto list = header_list(headers);
  const std::unique_ptr<curl_mime, decltype(&curl_mime_free)> form(curl_mime_init(curl.get()),
                                                                   curl_mime_free);
  auto* part = curl_mime_addpart(form.get());
  curl_mime_name(part, "file");
  curl_mime_filedata(part, file.c_str());
  curl_mime_filename(part, name.c_str());
  curl_mime_type(part, "application/octet-stream");
  part = curl_mime_addpart(form.get());
  curl_mime_name(part, "composite");
  curl_mime_data(part, "NONE", CURL_ZERO_TERMINATED);
  curl_easy_setopt(curl.get(), CURLOPT_MIMEPOST, form.get());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, list.get());
  const auto answer = perform(curl.get(), endpoint_.url + path);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 204) return std::unexpected(error_of(*answer));
  return {};
}

std::string encoded(const std::string& text) {
  const std::unique_ptr<char, decltype(&curl_free)> escaped(
      curl_easy_escape(nullptr, text.c_str(), static_cast<int>(text.size())), curl_free);
  return escaped.get();
}

core::Error error_of(const Answer& answer) {
  const Json body = Json::parse(answer.body, nullptr, false);
  std::string said;
  if (body.is_string()) said = body;
  if (body.is_object() && body.contains("detail") && body["detail"].is_string())
    said = body["detail"];
  for (char& c : said)
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = ' ';
  if (said.empty()) said = "the server answered " + std::to_string(answer.status);
  const auto code = answer.status == 404   ? ErrorCode::not_found
                    : answer.status == 503 ? ErrorCode::unavailable
                    : answer.status >= 500 ? ErrorCode::internal
                                           : ErrorCode::wrong_state;
  return {.code = code, .detail = said};
}

}  // namespace nucleus::client
