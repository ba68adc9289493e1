// Records streams of consoles to files. Files are written on a thread of its own, so that a slow
// disk holds up no console: what it cannot take is lost, and is a gap in the recording.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/result.hpp"
#include "messages/recordings.hpp"
#include "services/console/driver/console.hpp"
#include "services/console/metrics.hpp"

namespace nucleus::console {

class Segment;

struct RecorderLimits {
  std::uint64_t segment_bytes_max = 4 << 20;  // of the log; a crash loses no earlier segment
  std::chrono::milliseconds segment_age_max{3'600'000};  // at the next byte after that
  std::size_t queued_bytes_max = 32 << 20;  // for the disk, of all consoles; more are lost
};

/// What the folder holds.
struct FolderScan {
  std::vector<msg::Recording> found = {};  // those that are not known as sealed
  std::set<std::string> ids = {};          // of all
  bool is_complete = false;                // false = the folder could not be read to its end
};

class Recorder {
 public:
  /// Called on the recorder's thread when a recording has begun or is sealed.
  using Report = std::function<void(const msg::Recording&)>;

  /// Creates the folder if it is missing.
  Recorder(std::filesystem::path folder, RecorderLimits limits, Metrics& metrics, Report report);
  /// Writes and seals what it was given.
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// Seals what a crashed process has left, and reads what is not `known` as sealed.
  void scan(std::set<std::string> known, std::function<void(FolderScan)> done);
  /// Removes a sealed file. A file that is not there is removed.
  void remove(std::string id, std::function<void(core::Result<void>)> done);
  /// Makes durable what was written so far.
  void sync();

  const std::filesystem::path& folder() const { return folder_; }

 private:
  friend class StreamRecording;
  void begin(const std::shared_ptr<Segment>& segment);
  void append(const std::shared_ptr<Segment>& segment, std::chrono::milliseconds since,
              std::uint64_t offset, std::string bytes);
  void seal(const std::shared_ptr<Segment>& segment, std::chrono::milliseconds since,
            std::uint64_t end_offset, std::int64_t end_unix_ms);
  void handle(const core::Result<void>& written, const msg::Recording& recording);
  void post(std::function<void()> task);
  void run();

  std::filesystem::path folder_;
  RecorderLimits limits_;
  Metrics& metrics_;
  Report report_;
  std::map<std::string, std::shared_ptr<Segment>> open_ = {};  // its thread's
  std::set<std::string> failing_ = {};                         // ids; its thread's
  /// By node: up to where which log was recorded. The HTTP server's thread's.
  std::map<std::string, RecordedUpTo> recorded_ = {};
  std::atomic<std::size_t> queued_bytes_ = 0;
  std::mutex mutex_ = {};  // guards the members below
  std::condition_variable changed_ = {};
  std::deque<std::function<void()>> tasks_ = {};
  bool is_stopped_ = false;
  std::jthread thread_;  // last: it uses the others
};

/// The recording of one serial console's stream: one segment after another. On the HTTP server's
/// thread.
class StreamRecording {
 public:
  StreamRecording(Recorder& recorder, Console console)
      : recorder_{recorder}, console_{std::move(console)} {}
  ~StreamRecording() { seal(); }
  StreamRecording(const StreamRecording&) = delete;
  StreamRecording& operator=(const StreamRecording&) = delete;

  /// Records bytes of the log, but those that are recorded already.
  void take(const std::string& log_id, std::uint64_t offset, std::string_view bytes);

 private:
  void begin(const std::string& log_id, std::uint64_t offset);
  void seal();
  std::chrono::milliseconds since_begin() const;

  Recorder& recorder_;
  Console console_;
  std::shared_ptr<Segment> segment_ = {};
  std::string log_id_ = {};
  std::uint64_t begin_offset_ = 0;
  std::uint64_t end_offset_ = 0;
  std::chrono::steady_clock::time_point begun_ = {};
};

}  // namespace nucleus::console
