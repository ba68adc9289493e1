// Serves hosts over HTTP, with TLS: GET or HEAD of /base/CONTENT/KIND gives the files of volumes'
// bases, by the volume's ticket as a bearer token, and /uploads/ID receives the layers of disks.
// Requests arrive on the server's thread, files are read on workers of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/http/server.hpp"
#include "core/loop/posix_loop.hpp"
#include "services/image_store/driver/upload_server.hpp"
#include "services/image_store/metrics.hpp"

namespace nucleus::image_store {

/// Read and sent at once. A longer range is refused, so that no answer takes much memory.
constexpr std::uint64_t answer_bytes_max = 4 << 20;

/// The file that a request asks for.
struct FileRequest {
  std::string ticket = {};
  std::string content_id = {};
  msg::BaseFileKind kind = msg::BaseFileKind::unknown;
};

class FileServer {
 public:
  /// Passes on the path of the file; `done` may be called on any thread. Errors are those of
  /// find_base_file().
  using FindFile =
      std::function<void(const FileRequest&, std::function<void(core::Result<std::string>)> done)>;

  /// Throws std::runtime_error if the endpoint cannot be bound.
  FileServer(core::http::ServerOptions options, Metrics& metrics, FindFile find_file,
             std::shared_ptr<UploadHandler> uploads);
  ~FileServer();
  FileServer(const FileServer&) = delete;
  FileServer& operator=(const FileServer&) = delete;

  core::Endpoint endpoint() const { return server_->endpoint(); }

 private:
  void handle(const core::http::Request& request, const core::http::Respond& respond);

  Metrics& metrics_;
  FindFile find_file_;
  std::shared_ptr<UploadHandler> uploads_;
  std::shared_ptr<core::ThreadWorkers> readers_;
  std::unique_ptr<core::http::Server> server_;  // last: its thread uses the others
};

/// A request's path, /base/CONTENT/KIND, and its ticket. `unauthenticated`: no ticket; `not_found`:
/// another path.
core::Result<FileRequest> parse_file_request(const core::http::Request& request);

/// The part of a file that is asked for.
struct FilePart {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  bool is_whole = false;
};

/// From a Range header, which may be empty, and the file's size. `invalid_argument`: it is
/// malformed, more than one range, or too long; `wrong_state`: the file ends before it.
core::Result<FilePart> parse_range(const std::string& range, std::uint64_t size_bytes);

}  // namespace nucleus::image_store
