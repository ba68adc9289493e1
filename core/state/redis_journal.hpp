// The journal in Redis: one atomic function call a commit, many commits a pipeline, so that they
// share an fsync. A thread of its own talks to Redis; the loop only hands over and is told. Docs:
// docs/adr/0004-one-redis.md.
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
  Milliseconds timeout = Milliseconds{2000};  // of one answer; then the link counts as lost
  std::int64_t reply_retention_s = 600;       // how long a repeated request finds its first reply
  std::int64_t events_retained = 1'000'000;   // of the deployment; older ones are trimmed
};

class RedisJournal : public Journal {
 public:
  /// `service_name` owns the keys `nucleus:SERVICE:*`. Connects when first used.
  RedisJournal(Loop& loop, std::string service_name, RedisOptions options);
  ~RedisJournal() override;
  void load(std::function<void(Result<Snapshot>)> done) override;
  void commit(Commit commit, std::function<void(Result<std::uint64_t>)> done) override;
  void read_events(std::uint64_t sequence, std::size_t count,
                   std::function<void(Result<std::vector<StoredEvent>>)> done) override;

 private:
  struct LoadCall {
    std::function<void(Result<Snapshot>)> done;
  };
  struct CommitCall {
    Commit commit;
    std::function<void(Result<std::uint64_t>)> done;
  };
  struct ReadCall {
    std::uint64_t sequence;
    std::size_t count;
    std::function<void(Result<std::vector<StoredEvent>>)> done;
  };
  using Call = std::variant<LoadCall, CommitCall, ReadCall>;
  struct CloseReply {
    void operator()(redisReply* reply) const;
  };
  using Reply = std::unique_ptr<redisReply, CloseReply>;

  void hand_over(Call call);
  void serve();
  void answer_all(std::deque<Call> calls);
  void append(const Call& call);
  Result<std::uint64_t> commit_answer();
  Result<Snapshot> load_all();
  Result<std::vector<StoredEvent>> events_answer();
  bool connect();
  void disconnect();
  void append(const std::vector<std::string>& words);
  Reply next();
  Reply ask(const std::vector<std::string>& words);
  std::string key(const std::string& name) const;

  Loop& loop_;
  std::string service_name_;
  RedisOptions options_;
  redisContext* redis_ = nullptr;
  std::uint64_t epoch_ = 0;
  bool is_broken_ = true;  // after a failure nothing is written until memory was loaded again
  std::string fault_ = {};
  std::mutex mutex_ = {};
  std::condition_variable changed_ = {};
  std::deque<Call> waiting_ = {};
  bool is_stopped_ = false;
  std::jthread thread_;
};

}  // namespace nucleus::core
