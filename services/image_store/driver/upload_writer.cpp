#include "services/image_store/driver/upload_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/files/files.hpp"

namespace nucleus::image_store {

using core::ErrorCode;

namespace {

// The last sync of a part then has little left to write.
constexpr std::uint64_t flush_bytes = 8 << 20;

}  // namespace

std::shared_ptr<UploadLock> UploadLocks::try_lock(const std::string& upload_id) {
  const std::scoped_lock guard{mutex_};
  if (locked_.contains(upload_id)) return nullptr;
  auto lock = std::make_unique<UploadLock>();
  locked_[upload_id] = lock.get();
  return {lock.release(), [self = shared_from_this(), upload_id](UploadLock* held) {
            const std::scoped_lock again{self->mutex_};
            self->locked_.erase(upload_id);
            delete held;
          }};
}

void UploadLocks::end(const std::string& upload_id) {
  const std::scoped_lock guard{mutex_};
  if (const auto found = locked_.find(upload_id); found != locked_.end())
    found->second->has_ended = true;
}

bool UploadLocks::is_locked(const std::string& upload_id) {
  const std::scoped_lock guard{mutex_};
  return locked_.contains(upload_id);
}

UploadWriter::UploadWriter(const UploadFolder& folder, UploadPart part,
                           std::shared_ptr<UploadLock> lock)
    : folder_{folder},
      part_{std::move(part)},
      lock_{std::move(lock)},
      file_{::open(folder_.path_of(part_.upload_id).c_str(),
                   O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)},
      at_{part_.offset},
      flushed_{part_.offset} {}

core::Result<std::shared_ptr<UploadWriter>> UploadWriter::open(const UploadFolder& folder,
                                                               UploadPart part,
                                                               std::shared_ptr<UploadLock> lock) {
  if (auto clean = folder.roll_back(part.upload_id); !clean) return std::unexpected(clean.error());
  const auto received = folder.offset_of(part.upload_id);
  if (received != part.offset)
    return core::refuse(
        ErrorCode::conflict,
        "Upload-Offset must be " + std::to_string(received) + ", the number of bytes received",
        "Upload-Offset");
  std::shared_ptr<UploadWriter> writer(new UploadWriter(folder, std::move(part), std::move(lock)));
  if (!writer->file_.is_open()) return core::refuse_errno("cannot open the upload");
  if (!writer->part_.checksum) return writer;
  writer->hasher_.emplace(writer->part_.checksum->algorithm);
  if (auto marked = core::replace_file(folder.mark_of(writer->part_.upload_id),
                                       std::to_string(received), {.is_durable = true});
      !marked)
    return std::unexpected(marked.error());
  writer->is_marked_ = true;
  folder.sync();
  return writer;
}

UploadWriter::~UploadWriter() {
  if (is_marked_) drop();
}

int UploadWriter::write(std::string_view bytes) {
  if (lock_ && lock_->has_ended) return EACCES;
  if (hasher_) hasher_->add(bytes);
  while (!bytes.empty()) {
    const auto count = pwrite(file_.number(), bytes.data(), bytes.size(), static_cast<off_t>(at_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    at_ += static_cast<std::uint64_t>(count);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  if (at_ - flushed_ >= flush_bytes) {
    sync_file_range(file_.number(), static_cast<off_t>(flushed_),
                    static_cast<off_t>(at_ - flushed_), SYNC_FILE_RANGE_WRITE);
    flushed_ = at_;
  }
  return 0;
}

core::Result<std::uint64_t> UploadWriter::finish() {
  auto kept = check_and_sync();
  if (!kept) drop();
  lock_.reset();
  if (!kept) return std::unexpected(kept.error());
  return at_;
}

core::Result<void> UploadWriter::check_and_sync() {
  if (hasher_ && hasher_->finish() != part_.checksum->digest)
    return core::refuse(ErrorCode::conflict, "Upload-Checksum does not match the bytes received",
                        "Upload-Checksum");
  // After a failed sync the kernel may call lost pages clean: the part must be sent again.
  if (fdatasync(file_.number()) != 0) return core::refuse_errno("the upload cannot be stored");
  if (is_marked_ && unlink(folder_.mark_of(part_.upload_id).c_str()) != 0)
    return core::refuse_errno("the upload cannot be stored");
  if (is_marked_ || part_.offset == 0) folder_.sync();
  is_marked_ = false;
  return {};
}

void UploadWriter::drop() {
  // Through the mark, if there is one: a crash in between repeats it.
  if (is_marked_)
    (void)folder_.roll_back(part_.upload_id);
  else if (ftruncate(file_.number(), static_cast<off_t>(part_.offset)) != 0)
    return;
  is_marked_ = false;
}

}  // namespace nucleus::image_store
