// What of an image is not on this host yet, in the order in which it is copied; and how fast that
// may be. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "messages/chunks.hpp"
#include "services/provisioner/driver/chunk_cache.hpp"

namespace nucleus::provisioner {

/// The digest of chunk `index`, which must be in this page of its content's list.
core::Sha256 digest_in(const msg::ChunkPage& page, std::uint64_t index);

/// Chunks of zeros count nowhere: they are never fetched.
struct CopyPlan {
  std::uint64_t size_bytes = 0;   // of the content
  std::uint64_t total_bytes = 0;  // of its chunks
  std::uint64_t copied_bytes = 0;
  std::vector<std::uint32_t> missing = {};  // in the order in which they are copied
  std::size_t first_count = 0;              // of them: those that nodes read at their start
  ChunkPrefixes chunks = {};                // all, in no order
};

/// Adds a page of the content's list; pages are added in their order. `has`: whether a chunk is
/// here.
void add_page(CopyPlan& plan, const msg::ChunkPage& page,
              const std::function<bool(const core::Sha256&)>& has);

/// Puts the chunks of `first`, in its order, before all others.
void put_first(CopyPlan& plan, const std::vector<std::uint32_t>& first);

/// Keeps to a rate. Time in which nothing was copied is not made up for.
class CopyPace {
 public:
  using Clock = std::chrono::steady_clock;
  /// 0 = nothing may be copied.
  explicit CopyPace(std::uint64_t bytes_per_s_max) : bytes_per_s_max_{bytes_per_s_max} {}

  bool may_copy() const { return bytes_per_s_max_ > 0; }
  /// When the next bytes may be copied.
  Clock::time_point next() const { return next_; }
  /// Bytes are copied, beginning now.
  void take(std::uint64_t bytes, Clock::time_point now);

 private:
  std::uint64_t bytes_per_s_max_;
  Clock::time_point next_ = {};
};

/// How much was copied in the last ten seconds.
class CopySpeed {
 public:
  using Clock = CopyPace::Clock;
  /// Bytes have been copied, since `begun`.
  void add(std::uint64_t bytes, Clock::time_point begun, Clock::time_point now);
  /// 0 if nothing was copied lately.
  std::uint64_t bytes_per_s(Clock::time_point now) const;

 private:
  struct Piece {
    Clock::time_point begun = {};
    Clock::time_point ended = {};
    std::uint64_t bytes = 0;
  };
  std::deque<Piece> pieces_ = {};
};

}  // namespace nucleus::provisioner
