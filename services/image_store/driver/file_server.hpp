// Serves hosts over HTTP, with TLS, by a volume's ticket as a bearer token. /base/CONTENT/KIND
// gives the files of volumes' bases; /base/CONTENT/disk/chunks?page=N a page of the disk's chunk
// list, …/chunks/INDEX/DIGEST one chunk, and a POST to …/hosts the hosts to ask for chunks first.
// …/working-set is what nodes read until they were ready, which a PUT records once.
// /uploads/ID receives the layers of disks.
// Requests arrive on the server's thread, files are read on workers of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/http/server.hpp"
#include "core/loop/posix_loop.hpp"
#include "services/image_store/driver/chunk_hosts.hpp"
#include "services/image_store/driver/chunk_lists.hpp"
#include "services/image_store/driver/upload_server.hpp"
#include "services/image_store/driver/working_sets.hpp"
#include "services/image_store/metrics.hpp"

namespace nucleus::image_store {

/// Read and sent at once. A longer range is refused, so that no answer takes much memory.
constexpr std::uint64_t answer_bytes_max = 4 << 20;

/// What of a file a request asks for.
enum class FilePartKind : std::uint8_t { whole, chunk_page, chunk, hosts, working_set };

/// The file that a request asks for.
struct FileRequest {
  std::string ticket = {};
  std::string content_id = {};
  msg::BaseFileKind kind = msg::BaseFileKind::unknown;
  FilePartKind part = FilePartKind::whole;
  std::uint64_t number = 0;  // of the page, or of the chunk
  core::Sha256 digest = {};  // of the chunk
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
  core::http::Response answer(const FileRequest& asked, const std::string& path,
                              const core::http::Request& request);
  core::http::Response work_with_set(const std::string& path, const core::http::Request& request);
  core::http::Response join(const FileRequest& asked, const core::http::Request& request);

  Metrics& metrics_;
  FindFile find_file_;
  std::shared_ptr<UploadHandler> uploads_;
  ChunkLists lists_ = {};
  ChunkHosts hosts_ = {};
  WorkingSets working_sets_ = {};
  std::shared_ptr<core::ThreadWorkers> readers_;
  std::unique_ptr<core::http::Server> server_;  // last: its thread uses the others
};

/// A request's path below /base/, and its ticket. `unauthenticated`: no ticket; `not_found`:
/// another path.
core::Result<FileRequest> parse_file_request(const core::http::Request& request);

}  // namespace nucleus::image_store
