// What nodes read of their images from the start of their domain until they are ready, so that
// other hosts can copy that first: the chunks in order, each once. In memory only: of a start that
// is interrupted, nothing is recorded. Any thread; the caller has the clock.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "messages/chunks.hpp"

namespace nucleus::provisioner {

class BootReads {
 public:
  using Clock = std::chrono::steady_clock;
  /// A node whose guest agent does not answer counts as ready that long after its first read.
  static constexpr std::chrono::seconds longest{120};
  static constexpr std::size_t boots_max = 1000;
  static constexpr std::size_t recorded_max = 10'000;

  /// The node's domain is about to start, with a new disk on this content; it reads by this ticket.
  void begin(const msg::NodeId& node_id, const std::string& content_id, const std::string& ticket);
  /// The chunks from `first` to `last` were read.
  void note(const std::string& content_id, const std::string& ticket, std::uint64_t first,
            std::uint64_t last, Clock::time_point now);
  /// The image store has a record of this content: none is made here any more.
  void set_recorded(const std::string& content_id);
  /// The node's guest agent has answered.
  void set_ready(const msg::NodeId& node_id);
  /// Forgets all others.
  void keep_only(const std::set<msg::NodeId>& nodes);

  /// The nodes that have begun to read and are not ready.
  std::set<msg::NodeId> booting() const;
  struct Finished {
    std::string content_id = {};
    msg::WorkingSet set = {};
  };
  /// What nodes that are ready had read; it is forgotten here.
  std::vector<Finished> take_finished(Clock::time_point now);

 private:
  struct Boot {
    std::string content_id = {};
    std::string ticket = {};
    std::vector<std::uint32_t> indexes = {};
    std::set<std::uint32_t> seen = {};
    std::optional<Clock::time_point> first_read = {};
    bool is_ready = false;
  };

  mutable std::mutex mutex_ = {};
  std::map<msg::NodeId, Boot> boots_ = {};
  std::set<std::string> recorded_ = {};  // contents
};

}  // namespace nucleus::provisioner
