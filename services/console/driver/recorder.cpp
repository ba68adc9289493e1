#include "services/console/driver/recorder.hpp"

#include <fmt/format.h>

#include "core/digest/digest.hpp"
#include "core/log/log.hpp"
#include "services/console/driver/segment.hpp"
#include "services/console/secrets.hpp"

namespace nucleus::console {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {

std::int64_t unix_ms() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// In the order of their begin.
std::string new_recording_id(std::int64_t begin_unix_ms) {
  constexpr std::size_t random_digits = 16;
  return fmt::format("{:013}-{}", begin_unix_ms,
                     core::sha256_hex(new_ticket()).substr(0, random_digits));
}

}  // namespace

Recorder::Recorder(fs::path folder, RecorderLimits limits, Metrics& metrics, Report report)
    : folder_{std::move(folder)},
      limits_{limits},
      metrics_{metrics},
      report_{std::move(report)},
      thread_{[this] { run(); }} {
  std::error_code fault;
  fs::create_directories(folder_, fault);
  if (!fault) fs::permissions(folder_, fs::perms::owner_all, fault);
  // Each recording then says so again.
  if (fault)
    core::log::error("recording_failed",
                     {{"folder", folder_.string()}, {"error", fault.message()}});
}

Recorder::~Recorder() {
  {
    const std::scoped_lock lock{mutex_};
    is_stopped_ = true;
  }
  changed_.notify_one();
}

void Recorder::post(std::function<void()> task) {
  {
    const std::scoped_lock lock{mutex_};
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void Recorder::run() {
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] { return is_stopped_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    const auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

void Recorder::begin(const std::shared_ptr<Segment>& segment) {
  post([this, segment] {
    open_[segment->recording().recording_id] = segment;
    report_(segment->recording());
  });
}

void Recorder::append(const std::shared_ptr<Segment>& segment, milliseconds since,
                      std::uint64_t offset, std::string bytes) {
  const auto size = bytes.size();
  if (queued_bytes_ + size > limits_.queued_bytes_max) {
    metrics_.recording_lost_bytes.Increment(static_cast<double>(size));
    return;
  }
  queued_bytes_ += size;
  post([this, segment, since, offset, bytes = std::move(bytes)] {
    queued_bytes_ -= bytes.size();
    const auto written = segment->append(since, offset, bytes);
    const auto count = static_cast<double>(bytes.size());
    (written ? metrics_.recorded_bytes : metrics_.recording_lost_bytes).Increment(count);
    handle(written, segment->recording());
  });
}

void Recorder::seal(const std::shared_ptr<Segment>& segment, milliseconds since,
                    std::uint64_t end_offset, std::int64_t end_unix_ms) {
  post([this, segment, since, end_offset, end_unix_ms] {
    handle(segment->seal(since, end_offset, end_unix_ms), segment->recording());
    open_.erase(segment->recording().recording_id);
    failing_.erase(segment->recording().recording_id);
    report_(segment->recording());
  });
}

/// Says once that a recording cannot be written, not for each piece of it.
void Recorder::handle(const core::Result<void>& written, const msg::Recording& recording) {
  if (written) {
    failing_.erase(recording.recording_id);
    return;
  }
  metrics_.recording_failures.Increment();
  if (failing_.insert(recording.recording_id).second)
    core::log::error("recording_failed", {{"recording", recording.recording_id},
                                          {"node", recording.node_id.value},
                                          {"error", written.error().detail}});
}

void Recorder::scan(std::set<std::string> known, std::function<void(FolderScan)> done) {
  post([this, known = std::move(known), done = std::move(done)] {
    FolderScan scan;
    for (const auto& [id, segment] : open_) {  // perhaps without a file yet
      scan.ids.insert(id);
      scan.found.push_back(segment->recording());
    }
    std::error_code fault;
    for (fs::directory_iterator at(folder_, fault), end; !fault && at != end; at.increment(fault)) {
      const auto id = at->path().stem().string();
      const bool is_part = at->path().extension() == ".part";
      if (!is_part && at->path().extension() != ".cast") continue;
      if (open_.contains(id)) continue;
      if (is_part || !known.contains(id)) {
        const auto read = is_part ? recover(folder_, id) : read_sealed(at->path());
        if (!read && read.error().code == core::ErrorCode::not_found) continue;
        if (!read)
          core::log::error("recording_unreadable", {{"error", read.error().detail}});
        else
          scan.found.push_back(*read);
      }
      scan.ids.insert(id);
    }
    if (fault)
      core::log::error("recording_failed",
                       {{"folder", folder_.string()}, {"error", fault.message()}});
    scan.is_complete = !fault;
    done(std::move(scan));
  });
}

void Recorder::remove(std::string id, std::function<void(core::Result<void>)> done) {
  post([this, id = std::move(id), done = std::move(done)] {
    std::error_code fault;
    fs::remove(sealed_file(folder_, id), fault);
    if (fault) return done(core::refuse(core::ErrorCode::internal, fault.message()));
    done({});
  });
}

void Recorder::sync() {
  post([this] {
    for (const auto& [id, segment] : open_) segment->sync();
  });
}

milliseconds StreamRecording::since_begin() const {
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun_);
}

void StreamRecording::take(const std::string& log_id, std::uint64_t offset,
                           std::string_view bytes) {
  auto& known = recorder_.recorded_[console_.node_id.value];
  if (known.log_id.empty()) known = console_.recorded;
  if (known.log_id == log_id && known.offset > offset) {
    const auto recorded = std::min<std::uint64_t>(known.offset - offset, bytes.size());
    offset += recorded;
    bytes.remove_prefix(static_cast<std::size_t>(recorded));
  }
  if (bytes.empty()) return;
  const auto& limits = recorder_.limits_;
  if (segment_ && (log_id != log_id_ || since_begin() >= limits.segment_age_max ||
                   end_offset_ - begin_offset_ >= limits.segment_bytes_max))
    seal();
  if (!segment_) begin(log_id, offset);
  end_offset_ = offset + bytes.size();
  known = {.log_id = log_id, .offset = end_offset_};
  recorder_.append(segment_, since_begin(), offset, std::string(bytes));
}

void StreamRecording::begin(const std::string& log_id, std::uint64_t offset) {
  begun_ = std::chrono::steady_clock::now();
  log_id_ = log_id;
  begin_offset_ = end_offset_ = offset;
  const auto now = unix_ms();
  segment_ = std::make_shared<Segment>(recorder_.folder_,
                                       msg::Recording{.recording_id = new_recording_id(now),
                                                      .state = msg::RecordingState::recording,
                                                      .project_id = console_.project_id,
                                                      .cluster_id = console_.cluster_id,
                                                      .node_id = console_.node_id,
                                                      .node_name = console_.node_name,
                                                      .log_id = log_id,
                                                      .begin_offset = offset,
                                                      .end_offset = offset,
                                                      .begin_unix_ms = now});
  recorder_.begin(segment_);
}

void StreamRecording::seal() {
  if (auto segment = std::exchange(segment_, nullptr))
    recorder_.seal(segment, since_begin(), end_offset_, unix_ms());
}

}  // namespace nucleus::console
