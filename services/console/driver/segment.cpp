#include "services/console/driver/segment.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "core/files/files.hpp"

namespace nucleus::console {

namespace fs = std::filesystem;

namespace {

constexpr mode_t only_owner = 0600;

std::unique_ptr<core::Descriptor> open_file(const fs::path& path, int flags) {
  return std::make_unique<core::Descriptor>(::open(path.c_str(), flags | O_CLOEXEC, only_owner));
}

/// Renames the file, which is complete, and makes that durable.
core::Result<void> rename_sealed(const core::Descriptor& file, const fs::path& folder,
                                 const std::string& id) {
  if (fsync(file.number()) != 0) return core::refuse_errno("the recording's file");
  if (std::rename(part_file(folder, id).c_str(), sealed_file(folder, id).c_str()) != 0)
    return core::refuse_errno("the recording's file");
  core::sync_path(folder);
  return {};
}

core::Result<void> write_header(const core::Descriptor& file, const msg::Recording& recording,
                                std::size_t size) {
  const auto header = header_line(recording, size);
  if (header.size() != size || pwrite(file.number(), header.data(), size, 0) != std::ssize(header))
    return core::refuse_errno("the recording's header");
  return {};
}

core::Error unreadable(const fs::path& file) {
  return {.code = core::ErrorCode::internal,
          .detail = file.filename().string() + " is not a recording"};
}

}  // namespace

fs::path part_file(const fs::path& folder, const std::string& id) {
  return folder / (id + ".part");
}
fs::path sealed_file(const fs::path& folder, const std::string& id) {
  return folder / (id + ".cast");
}

core::Result<void> Segment::open() {
  if (file_) return {};
  const auto path = part_file(folder_, recording_.recording_id);
  auto file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file->is_open()) return core::refuse_errno("the recording's file");
  file_ = std::move(file);
  const auto header = header_line(recording_);
  if (auto written = write(header); !written) {
    file_.reset();
    (void)std::remove(path.c_str());
    return written;
  }
  header_bytes_ = header.size();
  return {};
}

/// All of the text or nothing, in one call: whoever reads the file meanwhile, or after a crash,
/// finds whole lines.
core::Result<void> Segment::write(std::string_view text) {
  const auto count = ::write(file_->number(), text.data(), text.size());
  if (count == std::ssize(text)) {
    recording_.size_bytes += text.size();
    is_dirty_ = true;
    return {};
  }
  // A disk that is full takes a part.
  auto refused = count < 0 ? core::refuse_errno("the recording's file")
                           : core::refuse(core::ErrorCode::no_capacity,
                                          "the recording's file: the disk is full");
  const auto size = static_cast<off_t>(recording_.size_bytes);
  if (ftruncate(file_->number(), size) == 0) lseek(file_->number(), size, SEEK_SET);
  return refused;
}

core::Result<void> Segment::append(std::chrono::milliseconds since, std::uint64_t offset,
                                   std::string_view bytes) {
  if (auto opened = open(); !opened) return opened;
  auto next = lines_;
  if (const auto text = next.output(since, offset, bytes); !text.empty())
    if (auto written = write(text); !written) return written;
  lines_ = std::move(next);
  return {};
}

core::Result<void> Segment::seal(std::chrono::milliseconds since, std::uint64_t end_offset,
                                 std::int64_t end_unix_ms) {
  recording_.end_offset = end_offset;
  recording_.end_unix_ms = end_unix_ms;
  recording_.state = file_ ? msg::RecordingState::sealed : msg::RecordingState::missing;
  recording_.lost_bytes = end_offset - recording_.begin_offset;
  if (!file_) return {};
  auto next = lines_;
  if (const auto text = next.finish(since, end_offset); text.empty() || write(text)) lines_ = next;
  recording_.lost_bytes = lines_.lost() + end_offset - lines_.written();
  const auto written = write_header(*file_, recording_, header_bytes_);
  if (!written) return written;
  return rename_sealed(*file_, folder_, recording_.recording_id);
}

void Segment::sync() {
  if (file_ && std::exchange(is_dirty_, false)) fdatasync(file_->number());
}

core::Result<msg::Recording> read_sealed(const fs::path& file) {
  std::ifstream opened(file);
  std::string line;
  auto recording = std::getline(opened, line) ? parse_header(line) : std::nullopt;
  std::error_code fault;
  const auto size = fs::file_size(file, fault);
  if (!recording || recording->recording_id != file.stem() || fault)
    return std::unexpected(unreadable(file));
  recording->state = msg::RecordingState::sealed;
  recording->size_bytes = size;
  return *recording;
}

core::Result<msg::Recording> recover(const fs::path& folder, const std::string& id) {
  const auto path = part_file(folder, id);
  std::ifstream opened(path);
  std::string line;
  std::getline(opened, line);
  if (!opened || opened.eof()) {
    (void)std::remove(path.c_str());
    return core::refuse(core::ErrorCode::not_found, path.filename().string() + " has no content");
  }
  auto recording = parse_header(line);
  if (!recording || recording->recording_id != id) return std::unexpected(unreadable(path));
  const auto header_bytes = line.size() + 1;
  auto size = header_bytes;
  LineReader reader{recording->begin_offset};
  // A line without its end is not complete.
  while (std::getline(opened, line) && !opened.eof() && reader.read(line)) size += line.size() + 1;
  const auto file = open_file(path, O_WRONLY);
  if (!file->is_open() || ftruncate(file->number(), static_cast<off_t>(size)) != 0)
    return core::refuse_errno(path.filename().string());
  recording->state = msg::RecordingState::sealed;
  recording->end_offset = reader.offset();
  recording->lost_bytes = reader.lost();
  recording->end_unix_ms = recording->begin_unix_ms + reader.since().count();
  recording->is_end_inferred = true;
  recording->size_bytes = size;
  if (auto written = write_header(*file, *recording, header_bytes); !written)
    return std::unexpected(written.error());
  if (auto sealed = rename_sealed(*file, folder, id); !sealed)
    return std::unexpected(sealed.error());
  return *recording;
}

}  // namespace nucleus::console
