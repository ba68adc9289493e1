// The journal keeps a service's state durable: in Redis in production, in memory in the simulation.
// One service owns one journal name. Every call is made on the loop and answered on the loop, in
// order, and never blocks it. Records are loaded at the start; archived records are not, only their
// summaries (docs/adr/0025-finished-records-are-archived.md).
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

/// An event as it is stored and sent. The topic is PROJECT/CLUSTER/type.
struct StoredEvent {
  std::uint64_t sequence = 0;
  std::string topic = {};
  std::string trace_id = {};
  std::string sender = {};
  std::string body = {};
};

struct RecordChange {
  std::string key = {};
  std::uint64_t revision_read = 0;        // 0 = no such record
  std::optional<std::string> bytes = {};  // nothing = the record is removed
};

/// A record that moves to the archive: the live record under its key, if any, is removed.
struct ArchivedRecord {
  std::string key = {};
  std::uint64_t revision_read = 0;  // of the live record; 0 = no such record
  std::string summary = {};         // loaded at each start; keep it small
  std::string bytes = {};           // read on demand
};

/// One atomic write: all of it takes effect or nothing. A key is changed or archived at most once.
struct Commit {
  std::vector<RecordChange> records = {};
  std::vector<ArchivedRecord> archived = {};
  std::vector<StoredEvent> events = {};  // numbered by the journal
  std::uint64_t cursor = 0;              // events up to here have been handled
  std::string request_id = {};           // empty = no reply to store
  std::string reply = {};                // the reply's body, stored under the request id
};

/// Everything a service loads when it starts.
struct Snapshot {
  std::map<std::string, StoredRecord> records = {};
  std::vector<std::pair<std::string, std::string>> archived = {};  // key, summary; by key
  std::vector<std::pair<std::string, std::string>> replies = {};   // request id, body; oldest first
  std::uint64_t cursor = 0;
  std::uint64_t last_sequence = 0;  // of all events of the deployment
};

class Journal {
 public:
  virtual ~Journal() = default;
  /// Takes ownership, which fences the previous owner, and loads the service's state.
  virtual void load(std::function<void(Result<Snapshot>)> done) = 0;
  /// Makes the commit durable and returns the number of the newest event; the commit's own events
  /// are the last ones. `conflict`: another owner has fenced this one. `unknown_outcome`: the
  /// connection was lost, so the commit may have taken effect or not; or a revision did not match.
  /// After an error, every commit fails until the next load.
  virtual void commit(Commit commit, std::function<void(Result<std::uint64_t>)> done) = 0;
  /// Reads the events after `sequence`, at most `count`, in order. `wrong_state`: they have been
  /// trimmed.
  virtual void read_events(std::uint64_t sequence, std::size_t count,
                           std::function<void(Result<std::vector<StoredEvent>>)> done) = 0;
  /// Reads the bytes of archived records, in the order of `keys`. A commit made before is visible.
  /// `not_found`: one of the keys is not archived.
  virtual void read_archived(std::vector<std::string> keys,
                             std::function<void(Result<std::vector<std::string>>)> done) = 0;
};

}  // namespace nucleus::core
