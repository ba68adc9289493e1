// Copies the rest of images to this host's chunks while its nodes run from them: first what nodes
// read at their start, then everything else, one chunk at a time, at a limited rate. The files of
// the chunks are the progress, so that another process goes on where this one was. Sends to the
// image store what nodes of this host have read at their start. Has a thread of its own; calls do
// not block.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "messages/image_copies.hpp"
#include "services/provisioner/driver/boot_reads.hpp"
#include "services/provisioner/driver/chunk_fetcher.hpp"
#include "services/provisioner/driver/copy_plan.hpp"

namespace nucleus::provisioner {

class ImageCopier {
 public:
  /// `bytes_per_s_max` of the image, unpacked; 0 = nothing is copied, and progress is still known.
  ImageCopier(std::uint64_t bytes_per_s_max, ChunkFetcher& fetcher, BootReads& boots,
              ChunkMetrics& metrics);
  /// Waits for the chunk that is being fetched.
  ~ImageCopier();
  ImageCopier(const ImageCopier&) = delete;
  ImageCopier& operator=(const ImageCopier&) = delete;

  /// The nodes that run here, by the contents that their disks are based on.
  using Running = std::map<std::string, std::vector<msg::NodeId>>;
  void set_running(const Running& running);

  /// Of the running nodes, those whose images are not complete here; at most `image_copies_max`.
  std::vector<msg::ImageCopy> copies() const;

 private:
  using Clock = CopyPace::Clock;
  /// One content.
  struct Copy {
    std::vector<msg::NodeId> nodes = {};
    bool is_planned = false;
    CopyPlan plan = {};
    std::size_t next = 0;             // in plan.missing
    std::uint64_t cache_changes = 0;  // when it was planned
    Clock::time_point planned = {};
    bool has_working_set = false;  // the image store has one
    std::vector<std::uint32_t> first = {};
    CopySpeed speed = {};
    std::string reason = {};  // of the last failure; empty = it goes on
    std::chrono::seconds retry_delay{1};
    Clock::time_point not_before = {};
  };
  struct Unsent {
    msg::WorkingSet set = {};
    std::chrono::seconds retry_delay{1};
    Clock::time_point not_before = {};
  };

  void run();
  std::string next_to_plan(Clock::time_point now) const;
  std::string next_to_copy(Clock::time_point now) const;
  void plan(const std::string& content_id);
  core::Result<CopyPlan> make_plan(const std::string& content_id,
                                   const std::vector<std::uint32_t>& first);
  void copy_chunk(const std::string& content_id);
  void note_failure(const std::string& content_id, const std::string& reason);
  void take_boots(Clock::time_point now);
  void send_working_sets(Clock::time_point now);
  void protect_chunks();
  void count_incomplete();

  ChunkFetcher& fetcher_;
  BootReads& boots_;
  ChunkMetrics& metrics_;
  mutable std::mutex mutex_ = {};
  std::condition_variable changed_ = {};
  std::map<std::string, Copy> copies_ = {};    // by content
  std::set<std::string> protected_ = {};       // contents whose chunks the cache deletes last
  std::map<std::string, Unsent> unsent_ = {};  // by content; the thread's alone
  std::string last_ = {};                      // the content of which a chunk was copied last
  CopyPace pace_;
  bool is_ending_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace nucleus::provisioner
