// Receives the bytes of uploads by tus 1.0, each by its ticket as a bearer token: HEAD, PATCH and
// DELETE of /uploads/ID. Bytes are written on the server's thread as they arrive; opening, syncing
// and removing files runs on workers of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/http/server.hpp"
#include "core/loop/posix_loop.hpp"
#include "services/image_store/driver/tus.hpp"
#include "services/image_store/metrics.hpp"

namespace nucleus::image_store {

/// The upload that a ticket opens.
struct UploadTarget {
  std::uint64_t size_bytes = 0;
  std::int64_t expires_unix_s = 0;
  bool is_receiving = true;  // else all bytes have arrived
};

/// What the server asks of the room; each `done` may be called on any thread.
struct UploadCalls {
  template <class Value>
  using Done = std::function<void(core::Result<Value>)>;
  /// `not_found`; `forbidden`: it has failed or expired.
  std::function<void(const UploadAccess&, Done<UploadTarget>)> find = {};
  /// This many bytes are durable. `forbidden`: the upload was removed meanwhile.
  std::function<void(const std::string& upload_id, std::uint64_t offset, Done<UploadTarget>)>
      received = {};
  /// Forgets the upload, and removes its file.
  std::function<void(const std::string& upload_id, Done<msg::Done>)> remove = {};
};

struct UploadRules {
  std::uint64_t size_bytes_max = 0;
  std::vector<std::string> origins = {};  // whose pages may send uploads
};

/// Answers the requests of one or more HTTP servers, on their threads.
class UploadHandler {
 public:
  using Planned = std::function<void(std::variant<core::http::BodyPlan, core::http::Response>)>;

  UploadHandler(const UploadRules& rules, Metrics& metrics, UploadFolder folder,
                std::shared_ptr<UploadLocks> locks, UploadCalls calls);
  /// Call after the end of the servers.
  ~UploadHandler();
  UploadHandler(const UploadHandler&) = delete;
  UploadHandler& operator=(const UploadHandler&) = delete;

  /// Whether `plan_part` decides about the request before its body is read.
  static bool is_part(const core::http::Request& request);
  void plan_part(const core::http::Request& request, const Planned& done);
  /// `context`: of the plan of a part that has been written.
  void handle(const core::http::Request& request, const std::shared_ptr<void>& context,
              const core::http::Respond& respond);

 private:
  core::http::Respond with_origin(const core::http::Request& request,
                                  core::http::Respond respond) const;
  void plan(const core::http::Request& request, const Planned& done);
  void answer(const core::http::Request& request, const core::http::Respond& respond);
  void finish_part(const std::shared_ptr<UploadWriter>& writer, const core::http::Respond& respond);
  void show(const UploadAccess& access, const core::http::Respond& respond);
  void remove(const UploadAccess& access, const core::http::Respond& respond);

  const UploadRules rules_;
  Metrics& metrics_;
  const UploadFolder folder_;
  std::shared_ptr<UploadLocks> locks_;
  const UploadCalls calls_;
  std::shared_ptr<core::ThreadWorkers> workers_;
};

/// The server for clients.
class UploadServer {
 public:
  /// Throws std::runtime_error if the endpoint cannot be bound.
  UploadServer(core::http::ServerOptions options, std::shared_ptr<UploadHandler> handler);

  core::Endpoint endpoint() const { return server_->endpoint(); }

 private:
  std::shared_ptr<UploadHandler> handler_;
  std::unique_ptr<core::http::Server> server_;  // last: its thread uses the other
};

}  // namespace nucleus::image_store
