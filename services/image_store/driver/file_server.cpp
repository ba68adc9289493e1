#include "services/image_store/driver/file_server.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <system_error>

namespace nucleus::image_store {

namespace http = core::http;
using core::ErrorCode;

namespace {

constexpr std::string_view path_start = "/base/";
constexpr std::string_view uploads_path_start = "/uploads/";
constexpr std::string_view bearer = "bearer ";  // its case does not matter
constexpr std::string_view range_unit = "bytes=";
constexpr std::size_t readers = 4;
constexpr std::size_t ticket_bytes_max = 128;

http::Response refusal(int status, const std::string& detail) {
  http::Response response{.status = status,
                          .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
                          .body = detail + "\n"};
  if (status == 401) response.headers["WWW-Authenticate"] = "Bearer";
  if (status == 405) response.headers["Allow"] = "GET, HEAD";
  return response;
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

class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : descriptor_{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)} {
    struct stat status {};
    is_sound_ = descriptor_ >= 0 && fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
    if (is_sound_) size_ = static_cast<std::uint64_t>(status.st_size);
  }
  ~OpenFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  bool is_sound() const { return is_sound_; }
  std::uint64_t size_bytes() const { return size_; }
  /// False if that many bytes cannot be read.
  bool read(std::uint64_t from, std::string& into) const {
    std::size_t done = 0;
    while (done < into.size()) {
      const auto count = pread(descriptor_, into.data() + done, into.size() - done,
                               static_cast<off_t>(from + done));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      done += static_cast<std::size_t>(count);
    }
    return true;
  }

 private:
  int descriptor_;
  bool is_sound_ = false;
  std::uint64_t size_ = 0;
};

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
  const auto part = parse_range(request.header("Range"), size);
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

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::unexpected<core::Error> malformed() {
  return core::refuse(ErrorCode::invalid_argument, "Range must be one: bytes=FIRST-LAST", "Range");
}

/// FIRST-LAST, FIRST- or -COUNT, within the file.
core::Result<FilePart> parse_bounds(std::string_view range, std::uint64_t size) {
  const auto dash = range.find('-');
  if (dash == range.npos) return malformed();
  const auto first_text = range.substr(0, dash);
  const auto last_text = range.substr(dash + 1);
  const auto first = number_in(first_text);
  const auto last = number_in(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last))
    return malformed();
  if (!first) {
    if (*last == 0) return core::refuse(ErrorCode::wrong_state, "the range is empty", "Range");
    const auto count = std::min(*last, size);
    return FilePart{.first = size - count, .count = count};
  }
  if (last && *last < *first) return malformed();
  if (*first >= size)
    return core::refuse(ErrorCode::wrong_state,
                        "the file ends after " + std::to_string(size) + " bytes", "Range");
  const auto end = last ? std::min(*last, size - 1) : size - 1;
  return FilePart{.first = *first, .count = end - *first + 1};
}

}  // namespace

core::Result<FilePart> parse_range(const std::string& range, std::uint64_t size_bytes) {
  FilePart part{.count = size_bytes, .is_whole = true};
  if (!range.empty()) {
    if (!range.starts_with(range_unit)) return malformed();
    const auto found = parse_bounds(std::string_view(range).substr(range_unit.size()), size_bytes);
    if (!found) return found;
    part = *found;
  }
  if (part.count > answer_bytes_max)
    return core::refuse(
        ErrorCode::invalid_argument,
        "a Range of at most " + std::to_string(answer_bytes_max) + " bytes is needed", "Range");
  return part;
}

core::Result<FileRequest> parse_file_request(const http::Request& request) {
  const auto credential = request.header("Authorization");
  const auto to_lower = [](unsigned char c) { return std::tolower(c); };
  if (!std::ranges::equal(credential.substr(0, bearer.size()), bearer, {}, to_lower) ||
      credential.size() == bearer.size() || credential.size() > bearer.size() + ticket_bytes_max)
    return core::refuse(ErrorCode::unauthenticated, "a ticket is needed: Authorization: Bearer");
  const auto not_found = core::refuse(ErrorCode::not_found, "no such file");
  const std::string_view path = request.path;
  if (!path.starts_with(path_start) || !request.query.empty()) return not_found;
  const auto rest = path.substr(path_start.size());
  const auto slash = rest.find('/');
  if (slash == rest.npos) return not_found;
  FileRequest parsed{.ticket = credential.substr(bearer.size()),
                     .content_id = std::string(rest.substr(0, slash)),
                     .kind = msg::enum_of<msg::BaseFileKind>(rest.substr(slash + 1))};
  if (parsed.kind == msg::BaseFileKind::unknown) return not_found;
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
  if (request.method != "GET") return respond(refusal(405, "only GET and HEAD"));
  const auto asked = parse_file_request(request);
  if (!asked) {
    metrics_.reads_refused.Increment();
    return respond(refusal(asked.error()));
  }
  // The answer may come after this object's end.
  find_file_(*asked, [request, respond, &metrics = metrics_,
                      readers = std::weak_ptr(readers_)](const core::Result<std::string>& path) {
    if (!path) {
      metrics.reads_refused.Increment();
      return respond(refusal(path.error()));
    }
    const auto workers = readers.lock();
    if (!workers) return;
    workers->submit([path = *path, request, respond, &metrics] {
      auto response = read_part(path, request);
      metrics.bytes_read.Increment(static_cast<double>(response.body.size()));
      respond(std::move(response));
    });
  });
}

}  // namespace nucleus::image_store
