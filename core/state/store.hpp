// The store holds a service's records in memory and writes them through the journal. There is one
// writer, so reads never wait. A transaction collects records and events. Its commit changes memory
// immediately; replies and events leave the process only when the commit is durable. If a commit
// fails, memory is discarded and loaded again.
//
// Finished records are archived: they leave memory, and their summaries are passed to the room when
// the store loads (docs/adr/0025-finished-records-are-archived.md).
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/assert.hpp"
#include "core/loop/context.hpp"
#include "core/state/journal.hpp"

namespace nucleus::core {

class CoreMetrics;

/// Archived records read in one call.
constexpr std::size_t archived_read_max = 1000;

/// The name of one record of type R, or the prefix of several; made only in a room's keys.hpp.
template <class R>
struct Key {
  std::string name;
};

/// The first two parts of an event's topic. `_` = none.
struct Scope {
  std::string project = "_";
  std::string cluster = "_";
};

/// The first project and the first cluster named in the event's fields, nested ones included.
Scope scope_of(const void* event, const msg::Type& type);

class Store;

/// Records and events that take effect together. Without a commit it has no effect.
class Transaction {
 public:
  /// The record as changed by this transaction, or null. Valid until it is written again.
  template <class R>
  const R* read(const Key<R>& key) const;
  template <class R>
  void write(const Key<R>& key, R record);
  template <class R>
  void remove(const Key<R>& key);
  /// Moves the record to the archive. `summary` holds what the room needs in memory to list it.
  template <class R, class Summary>
  void archive(const Key<R>& key, const Summary& summary, const R& record);
  template <msg::Struct Event>
  void emit(const Event& event);

  /// Takes effect in memory now; the reply is stored for repeats of this request. `unavailable`
  /// while memory is being loaded: the transaction has no effect then.
  template <msg::Struct Reply>
  Result<Reply> commit(Reply reply);
  Result<void> commit();

 private:
  friend class Store;
  struct Change {
    std::shared_ptr<const void> record = {};  // null = removed or archived
    const msg::Type* type = nullptr;          // of the record
    std::optional<ArchivedRecord> archived = {};
  };
  Transaction(Store& store, const Context& context) : store_{store}, context_{context} {}
  void emit_raw(std::string_view topic, const void* event, const msg::Type& type);
  void apply(std::string reply);

  Store& store_;
  const Context& context_;
  std::map<std::string, Change> changes_ = {};
  std::vector<StoredEvent> events_ = {};
};

class Store {
 public:
  Store(Loop& loop, Journal& journal, std::string service_name);

  /// A transaction for the request or event of `context`; it must not outlive the handler.
  Transaction begin(const Context& context) { return Transaction{*this, context}; }

  /// The record, or null; valid until a commit writes it.
  template <class R>
  const R* read(const Key<R>& key) const {
    auto entry = entries_.find(key.name);
    return entry == entries_.end() ? nullptr : decoded<R>(entry->second);
  }

  /// Visits every record whose key begins with `prefix`, ordered by key. `visit` must not commit.
  template <class R>
  void for_each(const Key<R>& prefix, const std::function<void(const R&)>& visit) const {
    for (auto entry = entries_.lower_bound(prefix.name);
         entry != entries_.end() && entry->first.starts_with(prefix.name); ++entry)
      visit(*decoded<R>(entry->second));
  }

  /// Visits the summary of every archived record whose key begins with `prefix`, ordered by key.
  /// Only within an `on_loaded` callback: the store does not keep summaries.
  template <class Summary>
  void for_each_archived(
      const std::string& prefix,
      const std::function<void(const std::string& key, const Summary&)>& visit) const {
    NUCLEUS_ASSERT(is_loading_);
    auto entry = std::ranges::lower_bound(archived_, prefix, {}, &ArchivedSummary::first);
    for (; entry != archived_.end() && entry->first.starts_with(prefix); ++entry)
      visit(entry->first, msg::decode<Summary>(entry->second));
  }

  /// Reads archived records from the journal, in the order of `keys`; at most
  /// `archived_read_max`. `not_found`: one of them is not archived. `unavailable`: the store is
  /// being loaded.
  template <class R>
  void read_archived(const std::vector<Key<R>>& keys,
                     std::function<void(Result<std::vector<R>>)> done) {
    std::vector<std::string> names;
    names.reserve(keys.size());
    for (const auto& key : keys) names.push_back(key.name);
    read_archived_raw(std::move(names),
                      [done = std::move(done)](Result<std::vector<std::string>> bodies) {
                        if (!bodies) return done(std::unexpected(bodies.error()));
                        std::vector<R> records;
                        records.reserve(bodies->size());
                        for (const auto& bytes : *bodies) records.push_back(msg::decode<R>(bytes));
                        done(std::move(records));
                      });
  }

  /// Calls `ready` each time memory has been loaded: at the start, and after a failed commit.
  /// Rooms rebuild their indexes in it.
  void on_loaded(std::function<void()> ready) { loaded_.push_back(std::move(ready)); }
  /// Calls `publish` for each event that became durable.
  void on_durable_event(std::function<void(const StoredEvent&)> publish) {
    publish_ = std::move(publish);
  }
  /// Calls `stop` when another process has taken over this service: this one must exit.
  void on_fenced(std::function<void(Error)> stop) { fenced_ = std::move(stop); }

  /// Loads memory, and retries until the journal answers.
  void start();
  bool is_loaded() const { return is_loaded_; }
  /// Asks the journal whether it answers; call every second or so.
  void check_connection();
  /// False if the journal has not answered check_connection() for 3 s.
  bool is_reachable() const;
  /// Why the store is not loaded: the journal's last error, or empty.
  const std::string& fault() const { return fault_; }
  /// Counts commits in `metrics`, which must outlive the store.
  void measure(CoreMetrics& metrics) { metrics_ = &metrics; }
  /// Runs `then` when every earlier commit is durable: immediately if none is pending, and with
  /// `unknown_outcome` if one of them failed or the store is not loaded.
  void when_durable(std::function<void(Result<void>)> then);

  /// The stored reply to this request, or null.
  const std::string* stored_reply(const std::string& request_id) const;
  std::uint64_t last_sequence() const { return last_sequence_; }
  /// Events up to `sequence` have been handled; the next commit makes the cursor durable.
  void set_cursor(std::uint64_t sequence) { cursor_ = sequence; }
  std::uint64_t cursor() const { return cursor_; }
  Journal& journal() { return journal_; }

 private:
  friend class Transaction;
  using ArchivedSummary = std::pair<std::string, std::string>;  // key, summary
  struct Entry {
    std::uint64_t revision = 0;
    std::string bytes = {};
    mutable std::shared_ptr<const void> record = {};  // decoded at the first read
  };

  template <class R>
  static const R* decoded(const Entry& entry) {
    if (!entry.record) entry.record = std::make_shared<R>(msg::decode<R>(entry.bytes));
    return static_cast<const R*>(entry.record.get());
  }
  Result<void> check_loaded() const;
  void adopt(Snapshot snapshot);
  void read_archived_raw(std::vector<std::string> keys,
                         std::function<void(Result<std::vector<std::string>>)> done);
  void submit(Commit commit);
  void finish_commit(std::uint64_t ticket, std::uint64_t last_sequence,
                     std::vector<StoredEvent>& events);
  void count_commit(bool is_durable, std::int64_t begun_us);
  void reload(const Error& error);
  void store_reply(const std::string& request_id, std::string reply);

  Loop& loop_;
  Journal& journal_;
  std::string service_name_;
  std::map<std::string, Entry> entries_ = {};
  std::vector<ArchivedSummary> archived_ = {};  // only while on_loaded callbacks run; by key
  std::unordered_map<std::string, std::string> replies_ = {};
  std::deque<std::string> reply_order_ = {};
  std::vector<std::function<void()>> loaded_ = {};
  std::function<void(const StoredEvent&)> publish_ = {};
  std::function<void(Error)> fenced_ = {};
  // Callbacks of when_durable, each with the ticket it waits for; tickets ascend.
  std::deque<std::pair<std::uint64_t, std::function<void(Result<void>)>>> waiting_ = {};
  std::uint64_t ticket_last_ = 0;     // of the newest commit
  std::uint64_t ticket_durable_ = 0;  // commits up to here are durable
  std::uint64_t generation_ = 0;      // incremented by each load; older answers are dropped
  std::uint64_t last_sequence_ = 0;
  std::uint64_t cursor_ = 0;
  bool is_loaded_ = false;
  bool is_checking_ = false;
  std::int64_t unanswered_since_ms_ = 0;  // steady clock; 0 = the last check was answered
  bool is_loading_ = false;               // on_loaded callbacks are running
  std::string fault_ = {};
  CoreMetrics* metrics_ = nullptr;
};

template <class R>
const R* Transaction::read(const Key<R>& key) const {
  auto change = changes_.find(key.name);
  if (change == changes_.end()) return store_.read(key);
  return static_cast<const R*>(change->second.record.get());
}

template <class R>
void Transaction::write(const Key<R>& key, R record) {
  // Encoded by the commit: a record may be written more than once.
  changes_[key.name] = {std::make_shared<R>(std::move(record)), &msg::type_of<R>};
}

template <class R>
void Transaction::remove(const Key<R>& key) {
  changes_[key.name] = {};
}

template <class R, class Summary>
void Transaction::archive(const Key<R>& key, const Summary& summary, const R& record) {
  changes_[key.name] = {.archived = ArchivedRecord{.key = key.name,
                                                   .summary = msg::encode(summary),
                                                   .bytes = msg::encode(record)}};
}

template <msg::Struct Event>
void Transaction::emit(const Event& event) {
  emit_raw(Event::topic, &event, msg::type_of<Event>);
}

template <msg::Struct Reply>
Result<Reply> Transaction::commit(Reply reply) {
  if (auto loaded = store_.check_loaded(); !loaded) return std::unexpected(loaded.error());
  apply(msg::encode(reply));
  return reply;
}

}  // namespace nucleus::core
