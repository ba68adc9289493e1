// Reads the disks of images from chunks: from memory, from this host's cache, from other hosts, and
// at last from the image store. Whatever several readers need at once is fetched once. Calls block;
// any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "messages/chunks.hpp"
#include "services/provisioner/driver/chunk_cache.hpp"
#include "services/provisioner/driver/fan_out.hpp"
#include "services/provisioner/driver/kept_lists.hpp"
#include "services/provisioner/driver/reader_pool.hpp"

namespace nucleus::provisioner {

class ChunkFetcher {
 public:
  struct Options {
    std::string store_url = {};
    std::string ca_file = {};  // verifies the store
    std::string cache_directory = {};
    std::uint64_t cache_bytes_max = 0;
    std::string lists_directory = {};  // of pages of lists of chunks; empty = none is kept
    FanOut::Self self = {};
    long peer_stall_s = 10;  // a host that sends nothing for so long is slow
  };

  ChunkFetcher(Options options, ChunkMetrics& metrics);
  ~ChunkFetcher();

  /// The contents that the volumes of this host need, with the tickets that open them.
  using Needed = std::map<std::string, std::set<std::string>>;
  /// Adds one; a later `set_needed` may take it away.
  void add_needed(const std::string& content_id, const std::string& ticket);
  /// Those that are not named are not opened any more. Joins the fan-outs that are due, on a thread
  /// of its own.
  void set_needed(Needed needed);
  /// Whether a volume of this host opens the content by this ticket.
  bool is_needed(const std::string& content_id, const std::string& ticket) const;
  bool is_open_to(const std::string& content_id, const std::string& ticket) const {
    return fan_out_.is_open_to(content_id, ticket);
  }

  /// `not_found`: no volume of this host has the content, or the store does not know it;
  /// `unavailable`: the store does not answer.
  core::Result<std::uint64_t> size_bytes(const std::string& content_id);
  /// Bytes within the content. Fails as `size_bytes`.
  core::Result<std::string> read(const std::string& content_id, std::uint64_t first,
                                 std::uint64_t count);
  /// A packed chunk, for another host. `not_found` also if it has another digest.
  core::Result<std::string> packed_chunk(const std::string& content_id, std::uint64_t index,
                                         const core::Sha256& digest);

  using PagePtr = std::shared_ptr<const msg::ChunkPage>;
  /// A page of the content's list of chunks. Fails as `size_bytes`.
  core::Result<PagePtr> page(const std::string& content_id, std::uint64_t number);
  /// Puts a chunk, which is not of zeros, into the cache; false if it was there. `no_capacity`: it
  /// could not be kept there; else fails as `size_bytes`.
  core::Result<bool> copy(const std::string& content_id, std::uint64_t index);
  ChunkCache& cache() { return cache_; }

  /// What the image store has recorded that nodes read at their start; nothing if it has not.
  /// `unavailable`: it does not answer.
  core::Result<std::optional<msg::WorkingSet>> working_set(const std::string& content_id);
  /// Lets the image store record it. One that it has stays. Fails as `size_bytes`.
  core::Result<void> send_working_set(const std::string& content_id, const msg::WorkingSet& set);

 private:
  using ChunkPtr = std::shared_ptr<const Chunk>;
  struct Flight {
    bool is_over = false;
    core::Result<ChunkPtr> result = ChunkPtr{};
  };
  struct Wanted {
    std::string content_id = {};
    std::uint64_t index = 0;
    core::Sha256 digest = {};
    std::size_t size = 0;
  };
  /// Whether the memory for what guests read next has it too.
  enum class Use : std::uint8_t { read, copy };

  template <class Reply>
  core::Result<Reply> ask_store(const std::string& content_id,
                                const std::function<core::Result<Reply>(StoreReader&)>& ask);
  core::Result<std::string> get_from_store(const std::string& content_id, const std::string& path);
  core::Result<PagePtr> fetch_page(const std::string& content_id, std::uint64_t number);
  core::Result<Wanted> want(const std::string& content_id, std::uint64_t index);
  core::Result<ChunkPtr> chunk(const Wanted& wanted, Use use = Use::read);
  core::Result<ChunkPtr> load(const Wanted& wanted);
  std::optional<Chunk> fetch_from_hosts(const Wanted& wanted);
  core::Result<Chunk> fetch_from_store(const Wanted& wanted);
  void remember(const core::Sha256& digest, const ChunkPtr& chunk);

  const Options options_;
  ChunkMetrics& metrics_;
  ChunkCache cache_;
  KeptLists lists_;
  ReaderPool store_;
  ReaderPool peers_;
  FanOut fan_out_;
  mutable std::mutex mutex_ = {};
  std::condition_variable landed_ = {};
  Needed needed_ = {};
  std::map<std::pair<std::string, std::uint64_t>, PagePtr> pages_ = {};
  std::set<std::pair<std::string, std::uint64_t>> pages_under_way_ = {};
  std::map<core::Sha256, std::shared_ptr<Flight>> flights_ = {};
  std::list<std::pair<core::Sha256, ChunkPtr>> recent_ = {};  // the latest first
  bool is_joining_ = false;
  core::ThreadWorkers joiner_{1};  // last: it ends first
};

}  // namespace nucleus::provisioner
