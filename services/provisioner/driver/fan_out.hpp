// The hosts that this one asks for chunks before it asks the image store, by content, as the store
// tells them; those that failed are left alone for a while. Calls block; any thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/loop/posix_loop.hpp"
#include "messages/chunks.hpp"
#include "services/provisioner/driver/reader_pool.hpp"

namespace nucleus::provisioner {

class FanOut {
 public:
  struct Self {
    std::string endpoint = {};   // ADDRESS:PORT where this host serves others; empty = no fan-out
    std::string authority = {};  // PEM
    std::string key = {};
  };
  using Clock = std::chrono::steady_clock;

  FanOut(Self self, std::string store_url, ReaderPool& store)
      : self_{std::move(self)}, store_url_{std::move(store_url)}, store_{store} {}

  /// Joins the fan-out of a content if that is due: at its first use, then after 1, 2, 4 … 30 s.
  /// If the image store fails, no peers are known until the next attempt.
  void join_if_due(const std::string& content_id, const std::string& ticket);
  void leave(const std::string& content_id);

  /// Whom to ask for a chunk, in order; none that failed lately.
  std::vector<msg::ChunkPeer> peers(const std::string& content_id, std::uint64_t chunk);
  void note_failed(const std::string& endpoint, bool is_lie);
  void note_worked(const std::string& endpoint);

  /// Whether another host may have chunks of a content from this one.
  bool is_open_to(const std::string& content_id, const std::string& ticket) const;

 private:
  struct Content {
    msg::FanOutPlan plan = {};
    Clock::time_point next_join = {};
    std::chrono::seconds interval{1};
  };
  struct Fault {
    Clock::time_point until = {};
    std::chrono::seconds pause{1};
  };

  const Self self_;
  const std::string store_url_;
  ReaderPool& store_;
  std::mutex mutex_ = {};
  std::map<std::string, Content> contents_ = {};
  std::map<std::string, Fault> faults_ = {};  // by endpoint
};

}  // namespace nucleus::provisioner
