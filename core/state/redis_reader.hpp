// Reads what services have stored in Redis, at any time, without becoming their owner. What is
// written meanwhile may be read in part: a caller that compares records reads them again.
#pragma once

#include <map>

#include "core/state/journal.hpp"
#include "core/state/redis_connection.hpp"

namespace nucleus::core {

struct EventExtent {
  std::uint64_t first = 0;  // number of the oldest; 0 = there are none
  std::uint64_t last = 0;
  std::uint64_t count = 0;
};

class RedisReader {
 public:
  /// The connection must outlive the reader. It is connected when needed.
  explicit RedisReader(RedisConnection& redis) : redis_{redis} {}

  /// The records of a service, by key. All calls: `unavailable` without an answer.
  Result<std::map<std::string, StoredRecord>> records(const std::string& service);
  /// Key and summary of each archived record of a service, by key.
  Result<std::vector<std::pair<std::string, std::string>>> summaries(const std::string& service);
  /// The bytes of all archived records of a service, by key.
  Result<std::map<std::string, std::string>> archived(const std::string& service);
  /// Number of the newest event of the deployment; 0 = none.
  Result<std::uint64_t> last_sequence();
  /// The events that are stored.
  Result<EventExtent> events();
  /// The stored events that the request with this trace caused, oldest first.
  Result<std::vector<StoredEvent>> events_of(const std::string& trace_id);

 private:
  RedisConnection::Reply request(const std::vector<std::string>& words);
  Error lost() const;
  Result<std::vector<std::pair<std::string, std::string>>> hash(const std::string& key);

  RedisConnection& redis_;
};

/// nucleus:SERVICE:NAME.
std::string redis_key(const std::string& service, const std::string& name);

}  // namespace nucleus::core
