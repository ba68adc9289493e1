// The store: a service's own records in memory, written through the journal. One writer, one
// memory: reading never waits. A transaction gathers records and events; its commit takes effect in
// memory at once and leaves the process, as a reply or an event, only when it is durable. Where
// that fails, memory is dropped and loaded again.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/loop/context.hpp"
#include "core/state/journal.hpp"

namespace nucleus::core {

class CoreMetrics;

/// The name of one record of type R, or what the names of many begin with; made only in a room's
/// keys.hpp.
template <class R>
struct Key {
  std::string name;
};

/// Where an event belongs: the first two parts of its topic. `_` = none.
struct Scope {
  std::string project = "_";
  std::string cluster = "_";
};

/// The project and cluster that an event names first, in itself or in what it holds.
Scope scope_of(const void* event, const msg::Type& type);

class Store;

/// Records and events that land together. Dropped without a commit, nothing happened.
class Transaction {
 public:
  /// The record as this transaction left it; null = not there. Valid until it is written again.
  template <class R>
  const R* read(const Key<R>& key) const;
  template <class R>
  void write(const Key<R>& key, R record);
  template <class R>
  void remove(const Key<R>& key);
  template <msg::Struct Event>
  void emit(const Event& event);

  /// Takes effect in memory now, and the reply is kept for repeats of this request. `unavailable`
  /// while memory is loaded again, and then nothing has happened.
  template <msg::Struct Reply>
  Result<Reply> commit(Reply reply);
  Result<void> commit();

 private:
  friend class Store;
  struct Change {
    std::shared_ptr<const void> record = {};  // null = removed
    const msg::Type* type = nullptr;          // of the record
  };
  Transaction(Store& store, const Context& context) : store_{store}, context_{context} {}
  void emit_raw(std::string_view topic, const void* event, const msg::Type& type);
  void land(std::string reply);

  Store& store_;
  const Context& context_;
  std::map<std::string, Change> changes_ = {};
  std::vector<StoredEvent> events_ = {};
};

class Store {
 public:
  Store(Loop& loop, Journal& journal, std::string service_name);

  /// A transaction for the call that `context` names; it must not outlive the handler.
  Transaction begin(const Context& context) { return Transaction{*this, context}; }

  /// The record, or null; valid until a commit writes it.
  template <class R>
  const R* read(const Key<R>& key) const {
    auto entry = entries_.find(key.name);
    return entry == entries_.end() ? nullptr : decoded<R>(entry->second);
  }

  /// Visits every record whose key begins with `prefix`, in the order of keys. `visit` must not
  /// commit.
  template <class R>
  void for_each(const Key<R>& prefix, const std::function<void(const R&)>& visit) const {
    for (auto entry = entries_.lower_bound(prefix.name);
         entry != entries_.end() && entry->first.starts_with(prefix.name); ++entry)
      visit(*decoded<R>(entry->second));
  }

  /// Calls `ready` each time memory was loaded whole: at the start, and after a failed commit.
  /// Rooms rebuild indexes.
  void on_loaded(std::function<void()> ready) { loaded_.push_back(std::move(ready)); }
  /// Calls `publish` for each event that became durable.
  void on_durable_event(std::function<void(const StoredEvent&)> publish) {
    publish_ = std::move(publish);
  }
  /// Calls `stop` when another process has taken this service over: nothing more may be done here.
  void on_fenced(std::function<void(Error)> stop) { fenced_ = std::move(stop); }

  /// Loads memory; repeats until the journal answers.
  void start();
  bool is_loaded() const { return is_loaded_; }
  /// Why it is not loaded: the journal's last refusal; empty where there was none.
  const std::string& fault() const { return fault_; }
  /// Tells its commits to `metrics`, which outlives it.
  void measure(CoreMetrics& metrics) { metrics_ = &metrics; }
  /// Runs `then` when all that was committed before is durable: at once where nothing is under way,
  /// and with `unknown_outcome` while memory is loaded again.
  void when_durable(std::function<void(Result<void>)> then);

  /// The reply kept for this request, or null.
  const std::string* stored_reply(const std::string& request_id) const;
  std::uint64_t last_sequence() const { return last_sequence_; }
  /// Events up to `sequence` have been handled; the next commit makes it durable.
  void set_heard(std::uint64_t sequence) { heard_ = sequence; }
  std::uint64_t heard() const { return heard_; }
  Journal& journal() { return journal_; }

 private:
  friend class Transaction;
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
  void take(Snapshot snapshot);
  void submit(Commit commit);
  void count_commit(bool is_durable, std::int64_t begun_us);
  void reload(const Error& error);
  void keep_reply(const std::string& request_id, std::string reply);

  Loop& loop_;
  Journal& journal_;
  std::string service_name_;
  std::map<std::string, Entry> entries_ = {};
  std::unordered_map<std::string, std::string> replies_ = {};
  std::deque<std::string> reply_order_ = {};
  std::vector<std::function<void()>> loaded_ = {};
  std::function<void(const StoredEvent&)> publish_ = {};
  std::function<void(Error)> fenced_ = {};
  std::deque<std::pair<std::uint64_t, std::function<void(Result<void>)>>> waiting_ =
      {};                             // ticket waited for
  std::uint64_t ticket_last_ = 0;     // given to commits, in order
  std::uint64_t ticket_durable_ = 0;  // all up to here are durable
  std::uint64_t generation_ = 0;      // grows with each load; answers of an older one are dropped
  std::uint64_t last_sequence_ = 0;
  std::uint64_t heard_ = 0;
  bool is_loaded_ = false;
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
  // Encoded when it lands: many are written more than once.
  changes_[key.name] = {std::make_shared<R>(std::move(record)), &msg::type_of<R>};
}

template <class R>
void Transaction::remove(const Key<R>& key) {
  changes_[key.name] = {};
}

template <msg::Struct Event>
void Transaction::emit(const Event& event) {
  emit_raw(Event::topic, &event, msg::type_of<Event>);
}

template <msg::Struct Reply>
Result<Reply> Transaction::commit(Reply reply) {
  if (auto loaded = store_.check_loaded(); !loaded) return std::unexpected(loaded.error());
  land(msg::encode(reply));
  return reply;
}

}  // namespace nucleus::core
