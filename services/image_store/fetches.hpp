// Images that the image store fetches from a URL, one worker thread each. Runs on the loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/loop/posix_loop.hpp"
#include "core/runtime/runtime.hpp"
#include "services/image_store/config.hpp"
#include "services/image_store/driver/url_fetcher.hpp"
#include "services/image_store/records.hpp"

namespace nucleus::image_store {

class Fetches {
 public:
  /// Receives the size of the file, or why there is none.
  using Ended = std::function<void(const std::string& upload_id, core::Result<std::uint64_t>)>;

  Fetches(core::Loop& loop, const Config& config, Ended ended);
  ~Fetches();
  Fetches(const Fetches&) = delete;
  Fetches& operator=(const Fetches&) = delete;

  /// Whether another one may be started now. A project has half of `fetches_max` at most: a server
  /// that sends a byte a second does not delay other projects.
  bool has_room_for(const msg::ProjectId& project) const;
  /// `path` is the upload's file. `lock` is held while it is written.
  void start(const StoredUpload& upload, const std::string& path, std::uint64_t bytes_max,
             std::shared_ptr<void> lock);
  /// The upload was removed, or has expired. Does nothing if it is not being fetched.
  void cancel(const std::string& upload_id);

 private:
  struct Running {
    msg::ProjectId project = {};
    std::shared_ptr<std::atomic<bool>> is_cancelled = {};
  };

  void end(const std::string& upload_id, const core::Result<std::uint64_t>& fetched);

  core::Loop& loop_;
  const Config& config_;
  Ended ended_;
  std::map<std::string, Running> running_ = {};
  // Cleared with this object: a fetch that ends later is not reported.
  std::shared_ptr<Fetches*> self_ = std::make_shared<Fetches*>(this);
  std::unique_ptr<core::ThreadWorkers> workers_ = {};  // since the first fetch
};

}  // namespace nucleus::image_store
