// The journal in Redis. A commit is one atomic function call; commits made at the same time share
// a pipeline and its fsync. A private thread talks to Redis and posts the answers to the loop.
// Docs: docs/adr/0004-one-redis.md.
#pragma once

#include <deque>

#include "core/state/journal_queue.hpp"
#include "core/state/redis_reader.hpp"

namespace nucleus::core {

struct RedisOptions {
  std::string socket_path = {};
  Milliseconds timeout = Milliseconds{2000};  // of one answer; then the connection is closed
  std::int64_t reply_retention_s = 600;       // how long replies are stored for repeated requests
  std::int64_t events_retained = 1'000'000;   // of the deployment; older ones are trimmed
};

class RedisJournal : public Journal {
 public:
  /// `service_name` owns the keys `nucleus:SERVICE:*`. Connects at the first call.
  RedisJournal(Loop& loop, std::string service_name, RedisOptions options);
  void load(std::function<void(Result<Snapshot>)> done) override;
  void commit(Commit commit, std::function<void(Result<std::uint64_t>)> done) override;
  void read_events(std::uint64_t sequence, std::size_t count,
                   std::function<void(Result<std::vector<StoredEvent>>)> done) override;
  void read_archived(std::vector<std::string> keys,
                     std::function<void(Result<std::vector<std::string>>)> done) override;

 private:
  void process(std::deque<JournalCall> calls);
  void send(const JournalCall& call);
  void send(const Commit& commit);
  void answer(JournalCall& call);
  Result<std::uint64_t> commit_answer();
  Result<std::vector<StoredEvent>> events_answer(std::uint64_t after);
  Result<std::vector<std::string>> archived_answer(const std::vector<std::string>& keys);
  Result<Snapshot> load_state();
  void disconnect();
  RedisConnection::Reply receive();
  RedisConnection::Reply request(const std::vector<std::string>& words);
  std::string key(const std::string& name) const;

  Loop& loop_;
  std::string service_name_;
  RedisOptions options_;
  RedisConnection redis_;
  std::uint64_t epoch_ = 0;
  bool is_broken_ = true;  // after a failure, commits fail until the next load
  std::string fault_ = {};
  JournalQueue queue_;  // destroyed first: its thread uses the others
};

}  // namespace nucleus::core
