// The journal in an SQLite file, for a process whose records belong to its machine: the
// provisioner. Commits made at the same time share one transaction and its sync. Events are
// numbered by the deployment's Redis alone, so a commit with events is refused.
// Docs: docs/adr/0029-a-host-keeps-its-own-state.md.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/state/journal_queue.hpp"

namespace nucleus::core {

struct SqliteOptions {
  std::string path = {};
  std::int64_t reply_retention_s = 600;  // how long replies are stored for repeated requests
};

class SqliteJournal final : public Journal {
 public:
  /// Opens the file at the first load, and again after a failure.
  SqliteJournal(Loop& loop, SqliteOptions options);
  ~SqliteJournal() override;
  void load(std::function<void(Result<Snapshot>)> done) override;
  void commit(Commit commit, std::function<void(Result<std::uint64_t>)> done) override;
  void read_events(std::uint64_t sequence, std::size_t count,
                   std::function<void(Result<std::vector<StoredEvent>>)> done) override;
  void read_archived(std::vector<std::string> keys,
                     std::function<void(Result<std::vector<std::string>>)> done) override;

 private:
  class Tables;
  /// Answers one call, given the outcome of the batch's transaction.
  using Answer = std::function<void(const Result<void>& outcome)>;

  void process(std::deque<JournalCall> calls);
  void process_batch(std::deque<JournalCall> batch);
  Answer carry_out(JournalCall call);
  Result<void> begin();
  Result<void> end();
  Result<void> apply(const Commit& commit);
  Result<std::vector<std::string>> find_archived(const std::vector<std::string>& keys);
  Result<Snapshot> load_state();
  Result<void> fail(ErrorCode code, const std::string& reason);

  Loop& loop_;
  const SqliteOptions options_;
  std::unique_ptr<Tables> tables_;  // null until the file is open
  std::uint64_t epoch_ = 0;
  Result<void> usable_;  // an error after a failure, until the next load
  JournalQueue queue_;   // destroyed first: its thread uses the others
};

}  // namespace nucleus::core
