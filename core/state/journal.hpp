// The journal is where state is durable: Redis in production, a map in simulation. One service owns
// one journal name. All calls come from the loop and answer on the loop, in order; nothing here
// blocks it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace nucleus::core {

struct StoredRecord {
  std::uint64_t revision = 0;
  std::string bytes = {};
};

/// An event as it is stored and sent: the topic is PROJECT/CLUSTER/type, the envelope has its
/// number.
struct StoredEvent {
  std::uint64_t sequence = 0;
  std::string topic = {};
  std::string trace_id = {};
  std::string sender = {};
  std::string body = {};
};

struct RecordChange {
  std::string key = {};
  std::uint64_t revision_read = 0;        // 0 = it was not there
  std::optional<std::string> bytes = {};  // nothing = removed
};

/// One atomic write: all of it lands or none.
struct Commit {
  std::vector<RecordChange> records = {};
  std::vector<StoredEvent> events = {};  // numbered when they land
  std::uint64_t cursor = 0;              // events up to here have had their effect
  std::string request_id = {};           // empty = no reply to keep
  std::string reply = {};                // the reply's body, kept under the request id
};

/// What a service finds when it starts.
struct Snapshot {
  std::map<std::string, StoredRecord> records = {};
  std::vector<std::pair<std::string, std::string>> replies = {};  // request id, body; oldest first
  std::uint64_t cursor = 0;
  std::uint64_t last_sequence = 0;  // of the deployment
};

class Journal {
 public:
  virtual ~Journal() = default;
  /// Becomes the owner (an earlier owner is fenced from here on) and reads everything it owns.
  virtual void load(std::function<void(Result<Snapshot>)> done) = 0;
  /// Makes it durable; answers the number of the last event there is then (its own events end
  /// there). `conflict`: fenced or a revision moved. `unknown_outcome`: the link was lost; it may
  /// or may not have landed.
  virtual void commit(Commit commit, std::function<void(Result<std::uint64_t>)> done) = 0;
  /// Events after `sequence`, at most `count`, in order. `wrong_state`: they are no longer kept.
  virtual void read_events(std::uint64_t sequence, std::size_t count,
                           std::function<void(Result<std::vector<StoredEvent>>)> done) = 0;
};

}  // namespace nucleus::core
