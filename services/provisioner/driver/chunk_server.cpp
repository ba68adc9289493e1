#include "services/provisioner/driver/chunk_server.hpp"

#include <stdexcept>

#include "core/chunks/chunk.hpp"
#include "core/http/request_parts.hpp"
#include "services/provisioner/driver/base_server.hpp"

namespace nucleus::provisioner {

namespace http = core::http;
using core::ErrorCode;

namespace {

constexpr std::size_t own_threads = 16;
constexpr std::size_t host_threads = 16;
constexpr std::size_t own_connections_max = 4'096;  // nbdkit has a few for each node
constexpr std::size_t answer_bytes_max = 4 << 20;
constexpr std::string_view path_start = "/base/";
constexpr std::string_view disk_path = "/disk";
constexpr std::string_view chunks_start = "/disk/chunks/";

http::Response refusal_of(const core::Error& error) {
  int status = 503;
  if (error.code == ErrorCode::unauthenticated) status = 401;
  if (error.code == ErrorCode::not_found) status = 404;
  if (error.code == ErrorCode::invalid_argument) status = 400;
  if (error.code == ErrorCode::wrong_state) status = 416;
  return {.status = status,
          .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
          .body = error.detail + "\n"};
}

http::Response refuse_request(ErrorCode code, const char* detail) {
  return refusal_of({.code = code, .detail = detail});
}

/// /base/CONTENT and what follows.
struct BasePath {
  std::string content_id = {};
  std::string_view rest = {};
};

std::optional<BasePath> parse_base_path(const http::Request& request) {
  const std::string_view path = request.path;
  if (!path.starts_with(path_start) || !request.query.empty()) return std::nullopt;
  const auto slash = path.find('/', path_start.size());
  if (slash == path.npos) return std::nullopt;
  return BasePath{std::string(path.substr(path_start.size(), slash - path_start.size())),
                  path.substr(slash)};
}

http::ServerOptions server_options(const ChunkServer::Options& options) {
  const int listening = listen_at(options.socket_path, options.user);
  if (listening < 0)
    throw std::runtime_error("cannot listen on " + options.socket_path + ": " +
                             std::generic_category().message(errno));
  http::ServerOptions server{.listen = {.descriptor = listening},
                             .connections_max = own_connections_max,
                             .connections_per_address_max = own_connections_max,
                             .head_bytes_max = 8192,
                             .body_bytes_max = 0};
  if (options.endpoint)
    server.also_listen.push_back(
        {.endpoint = *options.endpoint, .certificate = options.certificate});
  return server;
}

}  // namespace

ChunkServer::ChunkServer(const Options& options, ChunkFetcher& fetcher, BootReads& boots,
                         ChunkMetrics& metrics)
    : fetcher_{fetcher}, boots_{boots}, metrics_{metrics}, own_{own_threads}, hosts_{host_threads} {
  server_ = std::make_unique<http::Server>(
      server_options(options), [this](const http::Request& request, const std::shared_ptr<void>&,
                                      const http::Respond& respond) {
        const bool is_own = request.listener == 0;
        (is_own ? own_ : hosts_).submit([this, is_own, request, respond] {
          respond(is_own ? answer_nbdkit(request) : answer_host(request));
        });
      });
  server_->start();
}

ChunkServer::~ChunkServer() {
  server_.reset();
  own_.stop();
  hosts_.stop();
}

/// As the image store answers for a disk.
http::Response ChunkServer::answer_nbdkit(const http::Request& request) {
  const auto path = parse_base_path(request);
  const auto ticket = http::token_of(request);
  if (request.method != "GET" || !path || path->rest != disk_path)
    return refuse_request(ErrorCode::not_found, "no such file");
  if (!ticket || !fetcher_.is_needed(path->content_id, *ticket))
    return refuse_request(ErrorCode::unauthenticated, "no volume of this host has this ticket");
  const auto size = fetcher_.size_bytes(path->content_id);
  if (!size) return refusal_of(size.error());
  http::Response response{.headers = {{"Content-Type", "application/octet-stream"},
                                      {"Accept-Ranges", "bytes"},
                                      {"Cache-Control", "no-store"}}};
  if (request.is_head) {
    response.headers["Content-Length"] = std::to_string(*size);
    return response;
  }
  const auto part = http::parse_range(request.header("Range"), *size, answer_bytes_max);
  if (!part) return refusal_of(part.error());
  if (part->count > 0)
    boots_.note(path->content_id, *ticket, part->first / msg::chunk_bytes,
                (part->first + part->count - 1) / msg::chunk_bytes, BootReads::Clock::now());
  auto bytes = fetcher_.read(path->content_id, part->first, part->count);
  if (!bytes) return refusal_of(bytes.error());
  response.body = std::move(*bytes);
  if (part->is_whole) return response;
  response.status = 206;
  response.headers["Content-Range"] = "bytes " + std::to_string(part->first) + "-" +
                                      std::to_string(part->first + part->count - 1) + "/" +
                                      std::to_string(*size);
  return response;
}

http::Response ChunkServer::answer_host(const http::Request& request) {
  const auto path = parse_base_path(request);
  const auto ticket = http::token_of(request);
  if (request.method != "GET" || !path || !path->rest.starts_with(chunks_start))
    return refuse_request(ErrorCode::not_found, "no such file");
  if (!ticket || !fetcher_.is_open_to(path->content_id, *ticket))
    return refuse_request(ErrorCode::unauthenticated, "the ticket does not open this content");
  const auto name = core::parse_chunk_name(path->rest.substr(chunks_start.size()));
  if (!name) return refuse_request(ErrorCode::not_found, "no such chunk");
  auto packed = fetcher_.packed_chunk(path->content_id, name->index, name->digest);
  if (!packed) return refusal_of(packed.error());
  metrics_.sent_bytes.Increment(static_cast<double>(packed->size()));
  return {.headers = {{"Content-Type", "application/octet-stream"}, {"Cache-Control", "no-store"}},
          .body = std::move(*packed)};
}

}  // namespace nucleus::provisioner
