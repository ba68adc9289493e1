// The journal in Redis. A commit is one atomic function call; commits made at the same time share
// a pipeline and its fsync. A private thread talks to Redis and posts the answers to the loop.
// Docs: docs/adr/0004-one-redis.md.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <variant>

#include "core/loop/loop.hpp"
#include "core/state/journal.hpp"

struct redisContext;
struct redisReply;

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
  ~RedisJournal() override;
  void load(std::function<void(Result<Snapshot>)> done) override;
  void commit(Commit commit, std::function<void(Result<std::uint64_t>)> done) override;
  void read_events(std::uint64_t sequence, std::size_t count,
                   std::function<void(Result<std::vector<StoredEvent>>)> done) override;
  void read_archived(std::vector<std::string> keys,
                     std::function<void(Result<std::vector<std::string>>)> done) override;

 private:
  struct LoadCall {
    std::function<void(Result<Snapshot>)> done;
  };
  struct CommitCall {
    Commit commit;
    std::function<void(Result<std::uint64_t>)> done;
  };
  struct ReadEventsCall {
    std::uint64_t sequence;
    std::size_t count;
    std::function<void(Result<std::vector<StoredEvent>>)> done;
  };
  struct ReadArchivedCall {
    std::vector<std::string> keys;
    std::function<void(Result<std::vector<std::string>>)> done;
  };
  using Call = std::variant<LoadCall, CommitCall, ReadEventsCall, ReadArchivedCall>;
  struct CloseReply {
    void operator()(redisReply* reply) const;
  };
  using Reply = std::unique_ptr<redisReply, CloseReply>;

  void enqueue(Call call);
  void run();
  void process(std::deque<Call> calls);
  void send(const Call& call);
  void send(const Commit& commit);
  void answer(Call& call);
  Result<std::uint64_t> commit_answer();
  Result<std::vector<StoredEvent>> events_answer(std::uint64_t after);
  Result<std::vector<std::string>> archived_answer(const std::vector<std::string>& keys);
  Result<Snapshot> load_state();
  Result<void> load_records(Snapshot& snapshot);
  Result<void> load_summaries(Snapshot& snapshot);
  bool connect();
  void disconnect();
  void send(const std::vector<std::string>& words);
  Reply receive();
  Reply request(const std::vector<std::string>& words);
  std::string key(const std::string& name) const;

  Loop& loop_;
  std::string service_name_;
  RedisOptions options_;
  redisContext* redis_ = nullptr;
  std::uint64_t epoch_ = 0;
  bool is_broken_ = true;  // after a failure, commits fail until the next load
  std::string fault_ = {};
  std::mutex mutex_ = {};  // guards waiting_ and is_stopped_
  std::condition_variable changed_ = {};
  std::deque<Call> waiting_ = {};
  bool is_stopped_ = false;
  std::jthread thread_;
};

}  // namespace nucleus::core
