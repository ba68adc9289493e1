// Writes the body of one PATCH to its upload as it arrives. One writer an upload at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/digest/digest.hpp"
#include "core/files/descriptor.hpp"
#include "core/http/http.hpp"
#include "services/image_store/driver/upload_folder.hpp"

namespace nucleus::image_store {

/// Held by who writes an upload, or removes it.
struct UploadLock {
  std::atomic<bool> has_ended = false;  // the right to write
};

/// The uploads that are being written or removed. Any thread.
class UploadLocks : public std::enable_shared_from_this<UploadLocks> {
 public:
  /// Held until the last copy of it is destroyed; null if another holds it.
  std::shared_ptr<UploadLock> try_lock(const std::string& upload_id);
  bool is_locked(const std::string& upload_id);
  /// Whoever writes to the upload now writes no further byte.
  void end(const std::string& upload_id);

 private:
  std::mutex mutex_ = {};
  std::map<std::string, UploadLock*> locked_ = {};
};

/// What a part's bytes must have.
struct PartChecksum {
  core::Hasher::Algorithm algorithm = core::Hasher::Algorithm::sha256;
  std::string digest = {};  // its bytes
};

/// One part of an upload.
struct UploadPart {
  std::string upload_id = {};
  std::uint64_t offset = 0;
  std::optional<PartChecksum> checksum = {};
};

class UploadWriter final : public core::http::BodySink {
 public:
  /// Blocks. `conflict` if the upload has not received exactly `offset` bytes.
  static core::Result<std::shared_ptr<UploadWriter>> open(const UploadFolder& folder,
                                                          UploadPart part,
                                                          std::shared_ptr<UploadLock> lock);
  /// Keeps what was written without a checksum; drops what was not checked.
  ~UploadWriter() override;
  UploadWriter(const UploadWriter&) = delete;
  UploadWriter& operator=(const UploadWriter&) = delete;

  /// EACCES if the right has ended.
  int write(std::string_view bytes) override;
  /// Makes the part durable, and lets the next one be written; returns the bytes received now.
  /// Blocks. `conflict` of Upload-Checksum if that does not match. If it fails, nothing of the part
  /// is kept.
  core::Result<std::uint64_t> finish();
  const std::string& upload_id() const { return part_.upload_id; }
  std::uint64_t written_bytes() const { return at_ - part_.offset; }

 private:
  UploadWriter(const UploadFolder& folder, UploadPart part, std::shared_ptr<UploadLock> lock);
  core::Result<void> check_and_sync();
  void drop();

  const UploadFolder folder_;
  const UploadPart part_;
  std::shared_ptr<UploadLock> lock_;
  core::Descriptor file_;
  std::optional<core::Hasher> hasher_ = {};
  std::uint64_t at_;
  std::uint64_t flushed_;  // up to here, the kernel was asked to write
  bool is_marked_ = false;
};

}  // namespace nucleus::image_store
