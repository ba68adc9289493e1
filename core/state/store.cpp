#include "core/state/store.hpp"

#include "core/log/log.hpp"
#include "core/metrics/core_metrics.hpp"

namespace nucleus::core {

namespace {
// Replies in memory; the journal keeps them by time. Callers repeat a request within seconds.
constexpr std::size_t stored_replies_max = 200'000;
constexpr Milliseconds load_retry_delay{200};
constexpr std::int64_t silence_ms_max = 3000;
constexpr const char* lost_commit = "the store lost its connection during a commit";
constexpr const char* reloading = "the records are being loaded";
}  // namespace

Store::Store(Loop& loop, Journal& journal, std::string service_name)
    : loop_{loop}, journal_{journal}, service_name_{std::move(service_name)} {}

void Store::start() {
  const std::uint64_t generation = ++generation_;
  journal_.load([this, generation](Result<Snapshot> snapshot) {
    if (generation != generation_) return;
    if (metrics_) metrics_->show_store_up(snapshot.has_value());
    if (snapshot) return adopt(std::move(*snapshot));
    fault_ = snapshot.error().detail;
    log::warning("store_not_loaded",
                 {{"service", service_name_}, {"reason", snapshot.error().detail}});
    loop_.after(load_retry_delay, [this, generation] {
      if (generation == generation_) start();
    });
  });
}

void Store::adopt(Snapshot snapshot) {
  entries_.clear();
  for (auto& [key, record] : snapshot.records)
    entries_[key] = {.revision = record.revision, .bytes = std::move(record.bytes)};
  replies_.clear();
  reply_order_.clear();
  for (auto& [request_id, reply] : snapshot.replies) store_reply(request_id, std::move(reply));
  cursor_ = snapshot.cursor;
  last_sequence_ = snapshot.last_sequence;
  ticket_durable_ = ticket_last_;
  is_loaded_ = true;
  fault_.clear();
  log::info("store_loaded", {{"service", service_name_},
                             {"records", entries_.size()},
                             {"archived", snapshot.archived.size()},
                             {"cursor", cursor_}});
  archived_ = std::move(snapshot.archived);
  is_loading_ = true;
  for (const auto& ready : loaded_) ready();
  is_loading_ = false;
  archived_ = {};
}

void Store::check_connection() {
  if (is_checking_ || !is_loaded_) return;
  is_checking_ = true;
  if (unanswered_since_ms_ == 0) unanswered_since_ms_ = loop_.steady_ms();
  journal_.read_events(last_sequence_, 1, [this](const Result<std::vector<StoredEvent>>& answer) {
    is_checking_ = false;
    if (answer || answer.error().code != ErrorCode::unknown_outcome) unanswered_since_ms_ = 0;
  });
}

bool Store::is_reachable() const {
  return unanswered_since_ms_ == 0 || loop_.steady_ms() - unanswered_since_ms_ <= silence_ms_max;
}

Result<void> Store::check_loaded() const {
  if (is_loaded_) return {};
  return refuse(ErrorCode::unavailable, reloading);
}

void Store::when_durable(std::function<void(Result<void>)> then) {
  if (!is_loaded_) return then(refuse(ErrorCode::unknown_outcome, lost_commit));
  if (ticket_durable_ == ticket_last_) return then({});
  waiting_.emplace_back(ticket_last_,
                        [id = log::Trace::current(), then = std::move(then)](Result<void> durable) {
                          const log::Trace trace{id};
                          then(std::move(durable));
                        });
}

const std::string* Store::stored_reply(const std::string& request_id) const {
  auto reply = replies_.find(request_id);
  return reply == replies_.end() ? nullptr : &reply->second;
}

void Store::read_archived_raw(std::vector<std::string> keys,
                              std::function<void(Result<std::vector<std::string>>)> done) {
  NUCLEUS_ASSERT(keys.size() <= archived_read_max);
  if (auto loaded = check_loaded(); !loaded) return done(std::unexpected(loaded.error()));
  journal_.read_archived(std::move(keys), [this, generation = generation_, done = std::move(done)](
                                              Result<std::vector<std::string>> bodies) {
    // A record archived by a commit that failed is live again.
    if (generation != generation_) return done(refuse(ErrorCode::unavailable, reloading));
    done(std::move(bodies));
  });
}

void Store::store_reply(const std::string& request_id, std::string reply) {
  if (!replies_.insert_or_assign(request_id, std::move(reply)).second) return;
  reply_order_.push_back(request_id);
  if (reply_order_.size() <= stored_replies_max) return;
  replies_.erase(reply_order_.front());
  reply_order_.pop_front();
}

void Store::count_commit(bool is_durable, std::int64_t begun_us) {
  if (!metrics_) return;
  metrics_->show_store_up(is_durable);
  metrics_->count_commit(is_durable, static_cast<double>(loop_.steady_us() - begun_us) / 1e6);
}

void Store::submit(Commit commit) {
  const std::uint64_t ticket = ++ticket_last_;
  const std::uint64_t generation = generation_;
  auto events = std::make_shared<std::vector<StoredEvent>>(commit.events);
  const std::int64_t begun_us = loop_.steady_us();
  journal_.commit(std::move(commit),
                  [this, ticket, generation, begun_us, events](Result<std::uint64_t> last) {
                    count_commit(last.has_value(), begun_us);
                    if (generation != generation_) return;
                    if (!last) return reload(last.error());
                    finish_commit(ticket, *last, *events);
                  });
}

void Store::finish_commit(std::uint64_t ticket, std::uint64_t last_sequence,
                          std::vector<StoredEvent>& events) {
  NUCLEUS_ASSERT(ticket == ticket_durable_ + 1);  // the journal answers in order
  NUCLEUS_ASSERT(last_sequence >= events.size());
  ticket_durable_ = ticket;
  last_sequence_ = std::max(last_sequence_, last_sequence);
  std::uint64_t sequence = last_sequence - events.size();
  for (auto& event : events) {
    event.sequence = ++sequence;
    if (publish_) publish_(event);
  }
  while (!waiting_.empty() && waiting_.front().first <= ticket_durable_) {
    auto then = std::move(waiting_.front().second);
    waiting_.pop_front();
    then({});
  }
}

void Store::reload(const Error& error) {
  is_loaded_ = false;
  fault_ = error.detail;
  ++generation_;
  log::error("commit_failed", {{"service", service_name_}, {"reason", error.detail}});
  auto waiting = std::exchange(waiting_, {});
  // The outcome is unknown to the waiting requests: their callers repeat them and get the stored
  // reply if the commit took effect.
  for (auto& [ticket, then] : waiting) then(refuse(ErrorCode::unknown_outcome, lost_commit));
  if (error.code == ErrorCode::conflict && fenced_) return fenced_(error);
  start();
}

Scope scope_of(const void* event, const msg::Type& type) {
  Scope scope;
  const auto take = [](std::string& into, const void* id) {
    if (into == "_" && !static_cast<const std::string*>(id)->empty())
      into = *static_cast<const std::string*>(id);
  };
  for (const auto& field : type.fields()) {
    const void* value = msg::member(event, field);
    if (field.type == &msg::type_of<msg::ProjectId>) {
      take(scope.project, value);
    } else if (field.type == &msg::type_of<msg::ClusterId>) {
      take(scope.cluster, value);
    } else if (field.type->kind == msg::Type::Kind::structure) {
      const Scope inner = scope_of(value, *field.type);
      if (scope.project == "_") scope.project = inner.project;
      if (scope.cluster == "_") scope.cluster = inner.cluster;
    }
  }
  return scope;
}

void Transaction::emit_raw(std::string_view topic, const void* event, const msg::Type& type) {
  const Scope scope = scope_of(event, type);
  events_.push_back({.topic = scope.project + "/" + scope.cluster + "/" + std::string(topic),
                     .trace_id = context_.trace_id(),
                     .sender = store_.service_name_,
                     .body = msg::encode(event, type)});
}

void Transaction::apply(std::string reply) {
  Commit commit{.events = std::move(events_),
                .cursor = std::max(store_.cursor_, context_.event_id())};
  for (auto& [key, change] : changes_) {
    auto entry = store_.entries_.find(key);
    const std::uint64_t revision = entry == store_.entries_.end() ? 0 : entry->second.revision;
    if (change.record) {
      std::string bytes = msg::encode(change.record.get(), *change.type);
      commit.records.push_back({.key = key, .revision_read = revision, .bytes = bytes});
      store_.entries_[key] = {
          .revision = revision + 1, .bytes = std::move(bytes), .record = std::move(change.record)};
      continue;
    }
    if (change.archived) {
      change.archived->revision_read = revision;
      commit.archived.push_back(std::move(*change.archived));
    } else if (revision > 0) {
      commit.records.push_back({.key = key, .revision_read = revision});
    }
    if (revision > 0) store_.entries_.erase(entry);
  }
  changes_.clear();
  events_.clear();
  if (!context_.request_id().empty() && !reply.empty()) {
    commit.request_id = context_.request_id();
    commit.reply = reply;
    store_.store_reply(context_.request_id(), std::move(reply));
  }
  store_.submit(std::move(commit));
}

Result<void> Transaction::commit() {
  if (auto loaded = store_.check_loaded(); !loaded) return loaded;
  apply({});
  return {};
}

}  // namespace nucleus::core
