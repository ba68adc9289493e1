#include "core/state/sqlite_journal.hpp"

#include "core/state/sqlite_file.hpp"

namespace nucleus::core {

namespace {

constexpr std::uint64_t schema_version = 1;
constexpr const char* schema = R"(
begin immediate;
create table record(key blob primary key, revision integer not null, bytes blob not null)
  without rowid;
create table archive(key blob primary key, summary blob not null, bytes blob not null)
  without rowid;
create table reply(number integer primary key autoincrement, request_id blob not null,
  body blob not null, unix_s integer not null);
create index reply_by_time on reply(unix_s);
create table state(epoch integer not null, cursor integer not null);
insert into state values(0, 0);
pragma user_version = 1;
commit;
)";

std::uint64_t version_of(SqliteFile& file) {
  return SqliteStatement(file, "pragma user_version").first_number();
}

/// The file, with its tables.
SqliteFile open_file(const std::string& path) {
  SqliteFile file(path);
  if (version_of(file) == 0) file.run(schema);
  if (const auto version = version_of(file); version != schema_version)
    throw SqliteError(path + ": written by another release (schema " + std::to_string(version) +
                      ")");
  return file;
}

}  // namespace

/// The open file, and a prepared statement for each use.
class SqliteJournal::Tables {
 public:
  explicit Tables(const std::string& path) : file{open_file(path)} {}

  SqliteFile file;
  SqliteStatement begin{file, "begin immediate"};
  SqliteStatement commit{file, "commit"};
  SqliteStatement rollback{file, "rollback"};
  SqliteStatement save{file, "savepoint one"};
  SqliteStatement release{file, "release one"};
  SqliteStatement undo{file, "rollback to one"};
  SqliteStatement epoch{file, "select epoch from state"};
  SqliteStatement next_epoch{file, "update state set epoch = epoch + 1"};
  SqliteStatement cursor{file, "select cursor from state"};
  SqliteStatement set_cursor{file, "update state set cursor = ?"};
  SqliteStatement revision{file, "select revision from record where key = ?"};
  SqliteStatement put{file, "insert or replace into record values(?, ?, ?)"};
  SqliteStatement remove{file, "delete from record where key = ?"};
  SqliteStatement archive{file, "insert or replace into archive values(?, ?, ?)"};
  SqliteStatement archived{file, "select bytes from archive where key = ?"};
  SqliteStatement reply{file, "insert into reply(request_id, body, unix_s) values(?, ?, ?)"};
  SqliteStatement forget_replies{file, "delete from reply where unix_s < ?"};
  SqliteStatement records{file, "select key, revision, bytes from record"};
  SqliteStatement summaries{file, "select key, summary from archive order by key"};
  SqliteStatement replies{file, "select request_id, body from reply order by number"};
};

SqliteJournal::SqliteJournal(Loop& loop, SqliteOptions options)
    : loop_{loop},
      options_{std::move(options)},
      usable_{refuse(ErrorCode::unknown_outcome, "not loaded")},
      queue_{[this](std::deque<JournalCall> calls) { process(std::move(calls)); }} {}

SqliteJournal::~SqliteJournal() = default;

void SqliteJournal::load(std::function<void(Result<Snapshot>)> done) {
  queue_.push(LoadCall{std::move(done)});
}

void SqliteJournal::commit(Commit commit, std::function<void(Result<std::uint64_t>)> done) {
  queue_.push(CommitCall{std::move(commit), std::move(done)});
}

void SqliteJournal::read_events(std::uint64_t sequence, std::size_t count,
                                std::function<void(Result<std::vector<StoredEvent>>)> done) {
  queue_.push(ReadEventsCall{sequence, count, std::move(done)});
}

void SqliteJournal::read_archived(std::vector<std::string> keys,
                                  std::function<void(Result<std::vector<std::string>>)> done) {
  queue_.push(ReadArchivedCall{std::move(keys), std::move(done)});
}

void SqliteJournal::process(std::deque<JournalCall> calls) {
  while (!calls.empty()) {
    if (auto* load = std::get_if<LoadCall>(&calls.front())) {
      post_answer(loop_, std::move(load->done), load_state());
      calls.pop_front();
      continue;
    }
    std::deque<JournalCall> batch;
    while (!calls.empty() && !std::holds_alternative<LoadCall>(calls.front())) {
      batch.push_back(std::move(calls.front()));
      calls.pop_front();
    }
    process_batch(std::move(batch));
  }
}

/// One transaction, and so one sync, for all commits of the batch.
void SqliteJournal::process_batch(std::deque<JournalCall> batch) {
  const auto begun = begin();
  std::vector<Answer> answers;
  for (auto& call : batch) answers.push_back(carry_out(std::move(call)));
  const auto outcome = begun ? end() : begun;
  for (const auto& answer : answers) answer(outcome);
}

SqliteJournal::Answer SqliteJournal::carry_out(JournalCall call) {
  if (auto* commit = std::get_if<CommitCall>(&call))
    return [this, done = std::move(commit->done),
            applied = apply(commit->commit)](const Result<void>& outcome) {
      Result<std::uint64_t> answer = 0;
      if (!applied) answer = std::unexpected(applied.error());
      if (applied && !outcome) answer = std::unexpected(outcome.error());
      post_answer(loop_, done, std::move(answer));
    };
  if (auto* archived = std::get_if<ReadArchivedCall>(&call))
    return [this, done = std::move(archived->done), found = find_archived(archived->keys)](
               const Result<void>&) { post_answer(loop_, done, found); };
  return [this, done = std::move(std::get<ReadEventsCall>(call).done)](const Result<void>&) {
    post_answer(loop_, done, Result<std::vector<StoredEvent>>{});
  };
}

Result<void> SqliteJournal::fail(ErrorCode code, const std::string& reason) {
  usable_ = refuse(code, reason);
  return usable_;
}

Result<void> SqliteJournal::begin() {
  if (!usable_) return usable_;
  try {
    tables_->begin.run();
    if (tables_->epoch.first_number() == epoch_) return {};
    tables_->rollback.run();
    return fail(ErrorCode::conflict, "FENCED by another owner");
  } catch (const SqliteError& error) {
    tables_.reset();
    return fail(ErrorCode::unknown_outcome, error.what());
  }
}

Result<void> SqliteJournal::end() {
  if (!tables_) return usable_;
  try {
    tables_->commit.run();
    return {};
  } catch (const SqliteError& error) {
    tables_.reset();  // which rolls back what is left
    return fail(ErrorCode::unknown_outcome, error.what());
  }
}

/// Within the batch's transaction. A commit that fails leaves those before it.
Result<void> SqliteJournal::apply(const Commit& commit) {
  if (!usable_) return usable_;
  if (!commit.events.empty())
    return fail(ErrorCode::unknown_outcome, "a process outside the head emits no events");
  auto& tables = *tables_;
  try {
    tables.save.run();
    const auto check_revision = [&tables](const std::string& key, std::uint64_t read) {
      return tables.revision.bind(key).first_number() == read;
    };
    const auto refuse_revision = [&](const std::string& key) {
      tables.undo.run();
      tables.release.run();
      return fail(ErrorCode::unknown_outcome, "REVISION of " + key + " differs");
    };
    for (const auto& record : commit.records) {
      if (!check_revision(record.key, record.revision_read)) return refuse_revision(record.key);
      if (record.bytes)
        tables.put.bind(record.key, record.revision_read + 1, *record.bytes).run();
      else
        tables.remove.bind(record.key).run();
    }
    for (const auto& record : commit.archived) {
      if (!check_revision(record.key, record.revision_read)) return refuse_revision(record.key);
      tables.remove.bind(record.key).run();
      tables.archive.bind(record.key, record.summary, record.bytes).run();
    }
    tables.set_cursor.bind(commit.cursor).run();
    if (!commit.request_id.empty()) {
      const auto now_s = static_cast<std::uint64_t>(loop_.unix_ms() / 1000);
      tables.reply.bind(commit.request_id, commit.reply, now_s).run();
      tables.forget_replies.bind(now_s - static_cast<std::uint64_t>(options_.reply_retention_s))
          .run();
    }
    tables.release.run();
    return {};
  } catch (const SqliteError& error) {
    tables_.reset();  // the whole batch is rolled back
    return fail(ErrorCode::unknown_outcome, error.what());
  }
}

Result<std::vector<std::string>> SqliteJournal::find_archived(
    const std::vector<std::string>& keys) {
  if (!tables_) return std::unexpected(usable_.error());
  std::vector<std::string> bodies;
  try {
    for (const auto& key : keys) {
      bool is_found = false;
      tables_->archived.bind(key);
      while (tables_->archived.step()) {
        is_found = true;
        bodies.push_back(tables_->archived.bytes(0));
      }
      if (!is_found) return refuse(ErrorCode::not_found, "no archived record " + msg::shown(key));
    }
    return bodies;
  } catch (const SqliteError& error) {
    return refuse(ErrorCode::unknown_outcome, error.what());
  }
}

Result<Snapshot> SqliteJournal::load_state() {
  (void)fail(ErrorCode::unknown_outcome, "not loaded");
  try {
    if (!tables_) tables_ = std::make_unique<Tables>(options_.path);
    auto& tables = *tables_;
    Snapshot snapshot;
    tables.begin.run();
    tables.next_epoch.run();  // fences every other owner
    epoch_ = tables.epoch.first_number();
    snapshot.cursor = tables.cursor.first_number();
    while (tables.records.step())
      snapshot.records[tables.records.bytes(0)] = {.revision = tables.records.number(1),
                                                   .bytes = tables.records.bytes(2)};
    while (tables.summaries.step())
      snapshot.archived.emplace_back(tables.summaries.bytes(0), tables.summaries.bytes(1));
    while (tables.replies.step())
      snapshot.replies.emplace_back(tables.replies.bytes(0), tables.replies.bytes(1));
    tables.commit.run();
    usable_ = {};
    return snapshot;
  } catch (const SqliteError& error) {
    tables_.reset();
    return refuse(ErrorCode::unavailable, error.what());
  }
}

}  // namespace nucleus::core
