#include "services/image_store/driver/file_server.hpp"

#include <algorithm>
#include <chrono>

#include "core/chunks/chunk.hpp"
#include "core/http/request_parts.hpp"
#include "services/image_store/driver/open_file.hpp"

namespace nucleus::image_store {

namespace http = core::http;
using core::ErrorCode;

namespace {

constexpr std::string_view path_start = "/base/";
constexpr std::string_view uploads_path_start = "/uploads/";
constexpr std::string_view chunks_path = "/chunks";  // after /base/CONTENT/disk
constexpr std::string_view hosts_path = "/hosts";
constexpr std::string_view working_set_path = "/working-set";
constexpr std::size_t readers = 4;

http::Response refusal(int status, const std::string& detail) {
  http::Response response{.status = status,
                          .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
                          .body = detail + "\n"};
  if (status == 401) response.headers["WWW-Authenticate"] = "Bearer";
  return response;
}

/// What a part may be requested with.
std::string methods_of(const core::Result<FileRequest>& asked) {
  const auto part = asked ? asked->part : FilePartKind::whole;
  if (part == FilePartKind::hosts) return "POST";
  return part == FilePartKind::working_set ? "GET, PUT" : "GET, HEAD";
}

bool is_allowed(const http::Request& request, const core::Result<FileRequest>& asked) {
  const auto part = asked ? asked->part : FilePartKind::whole;
  if (part == FilePartKind::hosts) return request.method == "POST";
  return request.method == "GET" || (part == FilePartKind::working_set && request.method == "PUT");
}

http::Response refusal(const core::Error& error) {
  switch (error.code) {
    case ErrorCode::unauthenticated:
      return refusal(401, error.detail);
    case ErrorCode::not_found:
      return refusal(404, error.detail);
    case ErrorCode::invalid_argument:
      return refusal(400, error.detail);
    case ErrorCode::wrong_state:
      return refusal(416, error.detail);
    default:
      return refusal(503, error.detail);
  }
}

bool is_of_upload(const http::Request& request) {
  return request.path.starts_with(uploads_path_start);
}

/// Blocks.
http::Response read_part(const std::string& path, const http::Request& request) {
  const OpenFile file(path);
  if (!file.is_sound()) return refusal(503, "the file cannot be read");
  const auto size = file.size_bytes();
  http::Response response{.headers = {{"Content-Type", "application/octet-stream"},
                                      {"Accept-Ranges", "bytes"},
                                      {"Cache-Control", "no-store"}}};
  if (request.is_head) {  // of the whole file, whatever its Range
    response.headers["Content-Length"] = std::to_string(size);
    return response;
  }
  const auto part = http::parse_range(request.header("Range"), size, answer_bytes_max);
  if (!part) {
    auto refused = refusal(part.error());
    if (refused.status == 416) refused.headers["Content-Range"] = "bytes */" + std::to_string(size);
    return refused;
  }
  response.body.resize(part->count);
  if (!file.read(part->first, response.body)) return refusal(503, "the file cannot be read");
  if (part->is_whole) return response;
  response.status = 206;
  response.headers["Content-Range"] = "bytes " + std::to_string(part->first) + "-" +
                                      std::to_string(part->first + part->count - 1) + "/" +
                                      std::to_string(size);
  return response;
}

/// What follows /base/CONTENT/KIND in the path; false if it names nothing.
bool parse_part(std::string_view rest, const http::Request& request, FileRequest& parsed) {
  if (rest.empty()) return request.query.empty();
  if (parsed.kind != msg::BaseFileKind::disk) return false;
  if (rest == chunks_path) {
    const auto page = http::parse_number(request.query.empty() ? "0" : request.query_value("page"));
    if (request.query.size() > 1 || !page) return false;
    parsed.part = FilePartKind::chunk_page;
    parsed.number = *page;
    return true;
  }
  if (!request.query.empty()) return false;
  if (rest == hosts_path || rest == working_set_path) {
    parsed.part = rest == hosts_path ? FilePartKind::hosts : FilePartKind::working_set;
    return true;
  }
  if (!rest.starts_with(chunks_path) || rest.size() <= chunks_path.size() + 1) return false;
  const auto chunk = core::parse_chunk_name(rest.substr(chunks_path.size() + 1));
  if (!chunk) return false;
  parsed.part = FilePartKind::chunk;
  parsed.number = chunk->index;
  parsed.digest = chunk->digest;
  return true;
}

std::int64_t unix_s() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

http::Response response_of(const core::Result<std::string>& body) {
  if (!body) return refusal(body.error());
  return {.headers = {{"Content-Type", "application/octet-stream"}, {"Cache-Control", "no-store"}},
          .body = *body};
}

}  // namespace

core::Result<FileRequest> parse_file_request(const http::Request& request) {
  const auto ticket = http::token_of(request);
  if (!ticket)
    return core::refuse(ErrorCode::unauthenticated, "a ticket is needed: Authorization: Bearer");
  const auto not_found = core::refuse(ErrorCode::not_found, "no such file");
  const std::string_view path = request.path;
  if (!path.starts_with(path_start)) return not_found;
  const auto rest = path.substr(path_start.size());
  const auto slash = rest.find('/');
  if (slash == rest.npos) return not_found;
  const auto name = rest.substr(slash + 1);
  const auto kind_end = std::min(name.find('/'), name.size());
  FileRequest parsed{.ticket = *ticket,
                     .content_id = std::string(rest.substr(0, slash)),
                     .kind = msg::enum_of<msg::BaseFileKind>(name.substr(0, kind_end))};
  if (parsed.kind == msg::BaseFileKind::unknown) return not_found;
  if (!parse_part(name.substr(kind_end), request, parsed)) return not_found;
  return parsed;
}

FileServer::FileServer(http::ServerOptions options, Metrics& metrics, FindFile find_file,
                       std::shared_ptr<UploadHandler> uploads)
    : metrics_{metrics},
      find_file_{std::move(find_file)},
      uploads_{std::move(uploads)},
      readers_{std::make_shared<core::ThreadWorkers>(readers)} {
  server_ = std::make_unique<http::Server>(
      std::move(options),
      [this](const http::Request& request, const std::shared_ptr<void>& context,
             const http::Respond& respond) {
        if (is_of_upload(request)) return uploads_->handle(request, context, respond);
        handle(request, respond);
      },
      [](const http::Request& request) {
        return is_of_upload(request) && UploadHandler::is_part(request);
      },
      [this](const http::Request& request, const UploadHandler::Planned& done) {
        uploads_->plan_part(request, done);
      });
  server_->start();
}

FileServer::~FileServer() {
  server_.reset();
  readers_->stop();
}

void FileServer::handle(const http::Request& request, const http::Respond& respond) {
  const auto asked = parse_file_request(request);
  if (!is_allowed(request, asked)) {
    auto refused = refusal(405, "only " + methods_of(asked));
    refused.headers["Allow"] = methods_of(asked);
    return respond(refused);
  }
  if (!asked) {
    metrics_.reads_refused.Increment();
    return respond(refusal(asked.error()));
  }
  // The answer may come after this object's end.
  find_file_(*asked, [this, asked = *asked, request, respond, &metrics = metrics_,
                      readers = std::weak_ptr(readers_)](const core::Result<std::string>& path) {
    if (!path) {
      metrics.reads_refused.Increment();
      return respond(refusal(path.error()));
    }
    const auto workers = readers.lock();
    if (!workers) return;
    workers->submit(
        [this, asked, path = *path, request, respond] { respond(answer(asked, path, request)); });
  });
}

/// On a reader, which ends before this object.
http::Response FileServer::answer(const FileRequest& asked, const std::string& path,
                                  const http::Request& request) {
  switch (asked.part) {
    case FilePartKind::whole: {
      auto response = read_part(path, request);
      metrics_.bytes_read.Increment(static_cast<double>(response.body.size()));
      return response;
    }
    case FilePartKind::chunk_page:
      return response_of(lists_.page(path, asked.number));
    case FilePartKind::chunk: {
      auto response = response_of(ChunkLists::chunk(path, asked.number, asked.digest));
      if (response.status != 200) return response;
      metrics_.chunks_sent.Increment();
      metrics_.chunk_bytes_sent.Increment(static_cast<double>(response.body.size()));
      return response;
    }
    case FilePartKind::hosts:
      return join(asked, request);
    case FilePartKind::working_set:
      return work_with_set(path, request);
  }
  return refusal(404, "no such file");
}

http::Response FileServer::work_with_set(const std::string& path, const http::Request& request) {
  if (request.method == "GET") return response_of(WorkingSets::find(path));
  if (auto kept = working_sets_.keep(path, request.body); !kept) return refusal(kept.error());
  return {.status = 204};
}

http::Response FileServer::join(const FileRequest& asked, const http::Request& request) {
  try {
    const auto plan =
        hosts_.join(asked.content_id, msg::decode<msg::JoinFanOut>(request.body), unix_s());
    if (!plan) return refusal(plan.error());
    metrics_.fan_out_hosts.Set(static_cast<double>(hosts_.count()));
    return response_of(msg::encode(*plan));
  } catch (const msg::DecodeError& error) {
    return refusal(400, error.what());
  }
}

}  // namespace nucleus::image_store
