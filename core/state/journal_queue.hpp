// The calls of a journal that blocks: carried out in order on a thread of their own, all that wait
// in one batch, so that commits made at the same time can share a sync of the disk.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "core/loop/loop.hpp"
#include "core/state/journal.hpp"

namespace nucleus::core {

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
using JournalCall = std::variant<LoadCall, CommitCall, ReadEventsCall, ReadArchivedCall>;

class JournalQueue {
 public:
  /// `process` runs on the thread, with at least one call.
  explicit JournalQueue(std::function<void(std::deque<JournalCall>)> process);
  /// The calls pushed before are still carried out.
  ~JournalQueue();
  JournalQueue(const JournalQueue&) = delete;
  JournalQueue& operator=(const JournalQueue&) = delete;

  void push(JournalCall call);

 private:
  void run();

  std::function<void(std::deque<JournalCall>)> process_;
  std::mutex mutex_ = {};  // guards waiting_ and is_stopped_
  std::condition_variable changed_ = {};
  std::deque<JournalCall> waiting_ = {};
  bool is_stopped_ = false;
  std::jthread thread_;
};

/// Answers a call on the loop.
template <class Done, class Answer>
void post_answer(Loop& loop, Done done, Answer answer) {
  auto shared = std::make_shared<Answer>(std::move(answer));
  loop.post([done = std::move(done), shared] { done(std::move(*shared)); });
}

}  // namespace nucleus::core
