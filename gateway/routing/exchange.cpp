// Answers, and errors in the form of each API generation.
#include "gateway/routing/exchange.hpp"

#include <unistd.h>

#include "core/http/gzip.hpp"
#include "core/http/prepared_response.hpp"
#include "core/log/log.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

constexpr std::size_t packed_bytes_min = 1024;  // a smaller body is one packet anyway
/// When the error does not say when the request would succeed.
constexpr std::uint32_t retry_after_default_s = 1;

std::string retry_after(const core::Error& error) {
  return std::to_string(error.retry_after_s == 0 ? retry_after_default_s : error.retry_after_s);
}

int v1_status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
    case ErrorCode::wrong_state:
    case ErrorCode::conflict:
      return 400;
    case ErrorCode::unauthenticated:
      return 401;
    case ErrorCode::forbidden:
      return 403;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::no_capacity:
    case ErrorCode::unavailable:
    case ErrorCode::deadline_exceeded:
    case ErrorCode::unknown_outcome:
      return 503;
    case ErrorCode::internal:
    case ErrorCode::unknown:
      break;
  }
  return 500;
}

/// As v1, except for codes that only clients of v2 know.
int v2_status_of(const core::Error& error, const core::http::Request& request) {
  if (error.code == ErrorCode::wrong_state) return 409;
  if (error.code == ErrorCode::conflict) return request.header("If-Match").empty() ? 409 : 412;
  if (error.code == ErrorCode::invalid_argument && error.field == "idempotency_key") return 422;
  return v1_status_of(error.code);
}

const char* title_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "The request is not valid";
    case ErrorCode::unauthenticated:
      return "The credential is missing or not valid";
    case ErrorCode::forbidden:
      return "Not allowed";
    case ErrorCode::not_found:
      return "Not found";
    case ErrorCode::wrong_state:
      return "Not possible in this state";
    case ErrorCode::conflict:
      return "The resource was changed meanwhile";
    case ErrorCode::no_capacity:
      return "Not enough capacity";
    case ErrorCode::unavailable:
    case ErrorCode::deadline_exceeded:
    case ErrorCode::unknown_outcome:
      return "The service is not available";
    case ErrorCode::internal:
    case ErrorCode::unknown:
      break;
  }
  return "Internal error";
}

}  // namespace

Upload::~Upload() {
  if (!path.empty()) unlink(path.c_str());
}

bool Exchange::is_v1() const {
  const auto segments = segments_of(request.path);
  return segments.empty() || (segments.front() != "v2" && segments.front() != "api");
}

bool Exchange::is_iri() const {
  const auto segments = segments_of(request.path);
  return !segments.empty() && segments.front() == "api";
}

/// True if the client's copy, which If-None-Match names, is the current one.
bool Exchange::is_not_modified(const core::http::Response& response) const {
  const auto& whole = response.prepared ? response.prepared->response : response;
  const auto etag = whole.headers.find("ETag");
  const std::string known = request.header("If-None-Match");
  return request.method == "GET" && whole.status == 200 && etag != whole.headers.end() &&
         (known == "*" || known.find(etag->second) != std::string::npos);
}

/// Answers to reads of v2 and the IRI API. One that must not be stored holds a secret, whose length
/// could be guessed from that of the packed body if a page of others caused the request.
bool Exchange::is_packable(const core::http::Response& response) const {
  const auto type = response.headers.find("Content-Type");
  const auto cached = response.headers.find("Cache-Control");
  const bool is_secret = cached != response.headers.end() && cached->second == "no-store";
  return request.method == "GET" && !is_v1() && response.status == 200 && !response.prepared &&
         response.body.size() >= packed_bytes_min && type != response.headers.end() &&
         type->second == "application/json" && !is_secret &&
         !response.headers.contains("Content-Encoding");
}

/// The first line of the request's trace.
void Exchange::log_change(int status) const {
  core::log::info("change_answered", {{"method", request.method},
                                      {"path", request.path},
                                      {"status", status},
                                      {"person", who.person_id.value},
                                      {"trace", id_}});
}

void Exchange::respond(core::http::Response response) {
  if (is_packable(response)) {
    response.headers["Vary"] = "Accept-Encoding";
    if (core::http::accepts_gzip(request)) core::http::pack_with_gzip(response);
  }
  if (!response.prepared) add_own_headers(response);
  auto once = std::exchange(respond_, nullptr);
  if (!once) return;
  if (see_) std::exchange(see_, nullptr)(response);
  // Of those who are not known, what had an effect: anybody could fill the log otherwise.
  if (request.method != "GET" && (!who.person_id.empty() || response.status < 400))
    log_change(response.status);
  if (is_not_modified(response)) {
    const auto& whole = response.prepared ? response.prepared->response : response;
    response = {.status = 304, .headers = {{"ETag", whole.headers.at("ETag")}}};
    add_own_headers(response);
  }
  once(std::move(response));
}

void Exchange::add_own_headers(core::http::Response& response) const {
  response.headers["X-Request-Id"] = id_;
  if (sequence_ > 0) response.headers["Nucleus-Sequence"] = std::to_string(sequence_);
}

void Exchange::reply_text(int status, std::string body, const std::string& content_type,
                          core::http::Headers headers) {
  headers["Content-Type"] = content_type;
  respond({.status = status, .headers = std::move(headers), .body = std::move(body)});
}

void Exchange::reply(int status, const Json& body, core::http::Headers headers) {
  reply_text(status, text_of(body), "application/json", std::move(headers));
}

void Exchange::reply_problem(int status, Json problem, core::http::Headers headers) {
  problem["status"] = status;
  if (is_iri()) {
    // An absolute URI, and the request that was answered.
    problem["type"] = base_url + problem["type"].get<std::string>();
    problem["instance"] = base_url + request.target;
  }
  reply_text(status, text_of(problem), "application/problem+json", std::move(headers));
}

void Exchange::refuse_method(const std::string& allowed) {
  const std::string detail = "Method \"" + msg::shown(request.method) + "\" not allowed.";
  if (is_v1()) return reply(405, Json{{"detail", detail}}, {{"Allow", allowed}});
  reply_problem(405,
                {{"type", "/problems/method_not_allowed"},
                 {"title", "Method not allowed"},
                 {"detail", detail}},
                {{"Allow", allowed}});
}

void Exchange::refuse_log_in(const core::Error& error) {
  const core::http::Headers headers{{"Retry-After", retry_after(error)}};
  if (is_v1()) return reply(429, Json{{"detail", error.detail}}, headers);
  reply_problem(429,
                {{"type", "/problems/too_many_log_ins"},
                 {"title", "Too many log-ins"},
                 {"detail", error.detail}},
                headers);
}

void Exchange::refuse(const core::Error& error) {
  const int status = is_v1() ? v1_status_of(error.code) : v2_status_of(error, request);
  core::http::Headers headers;
  if (status == 503) headers["Retry-After"] = retry_after(error);
  // A browser that is offered Basic asks for a password itself; the portal has a page for that.
  if (status == 401)
    headers["WWW-Authenticate"] = request.header("X-Requested-With").empty()
                                      ? "Token, Signature, Basic realm=\"nucleus\""
                                      : "Token, Signature";
  // A resource of another project looks like one that does not exist.
  const std::string detail = status == 404 ? "Not found." : error.detail;
  if (is_v1()) {
    if (status == 400) return reply(400, Json(detail), std::move(headers));
    return reply(status, Json{{"detail", detail}}, std::move(headers));
  }
  Json problem{{"type", "/problems/" + std::string(msg::name_of(error.code))},
               {"title", title_of(error.code)},
               {"detail", detail}};
  if (!error.field.empty()) problem["field"] = error.field;
  reply_problem(status, std::move(problem), std::move(headers));
}

}  // namespace nucleus::gateway
