#include "core/state/redis_journal.hpp"

#include <hiredis/hiredis.h>

#include <csignal>
#include <memory>

#include "core/log/log.hpp"

namespace nucleus::core {

namespace {

// Keys: epoch, events, sequence, cursor, replies, index, then the records.
// Arguments: epoch, cursor, request id, reply, reply_retention_s, events_retained, count of events,
// four words an event, then three words a record: revision read, `w` or `d`, bytes.
constexpr const char* commit_library = R"(#!lua name=nucleus
local function commit(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then
    return redis.error_reply('FENCED by another owner')
  end
  local event_count = tonumber(args[7])
  local first_record = 8 + 4 * event_count
  for i = 7, #keys do
    local revision = redis.call('HGET', keys[i], 'r') or '0'
    if revision ~= args[first_record + 3 * (i - 7)] then
      return redis.error_reply('REVISION of ' .. keys[i] .. ' is ' .. revision)
    end
  end
  for i = 7, #keys do
    local at = first_record + 3 * (i - 7)
    if args[at + 1] == 'w' then
      local revision = string.format('%d', tonumber(args[at]) + 1)
      redis.call('HSET', keys[i], 'r', revision, 'b', args[at + 2])
      redis.call('SADD', keys[6], keys[i])
    else
      redis.call('DEL', keys[i])
      redis.call('SREM', keys[6], keys[i])
    end
  end
  local sequence = tonumber(redis.call('GET', keys[3]) or '0')
  for i = 0, event_count - 1 do
    sequence = sequence + 1
    local at = 8 + 4 * i
    redis.call('XADD', keys[2], 'MAXLEN', '~', args[6], string.format('%d-0', sequence),
               't', args[at], 'i', args[at + 1], 's', args[at + 2], 'b', args[at + 3])
  end
  if event_count > 0 then redis.call('SET', keys[3], string.format('%d', sequence)) end
  redis.call('SET', keys[4], args[2])
  if args[3] ~= '' then
    local oldest = (redis.call('TIME')[1] - args[5]) * 1000
    redis.call('XADD', keys[5], 'MINID', '~', string.format('%d', oldest), '*',
               'i', args[3], 'b', args[4])
  end
  return sequence
end
redis.register_function('nucleus_commit', commit)
)";

std::string text(const redisReply& reply) {
  return {reply.str, reply.len};
}

/// The value of field `name` in a stream entry's flat list of names and values.
std::string field(const redisReply& fields, std::string_view name) {
  for (std::size_t i = 0; i + 1 < fields.elements; i += 2)
    if (std::string_view(fields.element[i]->str, fields.element[i]->len) == name)
      return text(*fields.element[i + 1]);
  return {};
}

Error lost(const std::string& reason) {
  return {.code = ErrorCode::unknown_outcome, .detail = "redis: " + reason};
}

}  // namespace

void RedisJournal::CloseReply::operator()(redisReply* reply) const {
  freeReplyObject(reply);
}

RedisJournal::RedisJournal(Loop& loop, std::string service_name, RedisOptions options)
    : loop_{loop},
      service_name_{std::move(service_name)},
      options_{std::move(options)},
      thread_{[this] { serve(); }} {}

RedisJournal::~RedisJournal() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
  disconnect();
}

void RedisJournal::load(std::function<void(Result<Snapshot>)> done) {
  hand_over(LoadCall{std::move(done)});
}

void RedisJournal::commit(Commit commit, std::function<void(Result<std::uint64_t>)> done) {
  hand_over(CommitCall{std::move(commit), std::move(done)});
}

void RedisJournal::read_events(std::uint64_t sequence, std::size_t count,
                               std::function<void(Result<std::vector<StoredEvent>>)> done) {
  hand_over(ReadCall{sequence, count, std::move(done)});
}

void RedisJournal::hand_over(Call call) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(call));
  }
  changed_.notify_one();
}

void RedisJournal::serve() {
  // hiredis writes to a socket that Redis may have closed; that must be an error, not the end of
  // the process.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  while (true) {
    std::deque<Call> calls;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopped_ || !waiting_.empty(); });
      // What was accepted before the end is still written.
      if (waiting_.empty()) return;
      calls.swap(waiting_);
    }
    answer_all(std::move(calls));
  }
}

void RedisJournal::answer_all(std::deque<Call> calls) {
  // All calls up to the next load go out in one pipeline; Redis syncs its log once for all that it
  // reads together.
  while (!calls.empty()) {
    if (auto* load = std::get_if<LoadCall>(&calls.front())) {
      auto snapshot = std::make_shared<Result<Snapshot>>(load_all());
      loop_.post([done = std::move(load->done), snapshot] { done(std::move(*snapshot)); });
      calls.pop_front();
      continue;
    }
    std::deque<Call> batch;
    while (!calls.empty() && !std::holds_alternative<LoadCall>(calls.front())) {
      batch.push_back(std::move(calls.front()));
      calls.pop_front();
    }
    const bool is_linked = redis_ || connect();
    if (is_linked)
      for (const auto& call : batch) append(call);
    for (auto& call : batch) {
      if (auto* commit = std::get_if<CommitCall>(&call)) {
        auto answer = commit_answer();
        loop_.post([done = std::move(commit->done), answer] { done(answer); });
      } else if (auto* read = std::get_if<ReadCall>(&call)) {
        auto events = std::make_shared<Result<std::vector<StoredEvent>>>(events_answer());
        if (events->has_value() && !(*events)->empty() &&
            (*events)->front().sequence != read->sequence + 1)
          *events =
              refuse(ErrorCode::wrong_state,
                     "events after " + std::to_string(read->sequence) + " are no longer kept");
        loop_.post([done = std::move(read->done), events] { done(std::move(*events)); });
      }
    }
  }
}

void RedisJournal::append(const Call& call) {
  if (const auto* read = std::get_if<ReadCall>(&call)) {
    return append({"XRANGE", "nucleus:events", std::to_string(read->sequence + 1), "+", "COUNT",
                   std::to_string(read->count)});
  }
  const auto* commit_call = std::get_if<CommitCall>(&call);
  if (!commit_call || is_broken_) return;
  const Commit& commit = commit_call->commit;
  std::vector<std::string> words = {
      "FCALL",       "nucleus_commit", std::to_string(6 + commit.records.size()),
      key("epoch"),  "nucleus:events", "nucleus:sequence",
      key("cursor"), key("replies"),   key("index")};
  for (const auto& record : commit.records) words.push_back(record.key);
  words.insert(words.end(),
               {std::to_string(epoch_), std::to_string(commit.cursor), commit.request_id,
                commit.reply, std::to_string(options_.reply_retention_s),
                std::to_string(options_.events_retained), std::to_string(commit.events.size())});
  for (const auto& event : commit.events)
    words.insert(words.end(), {event.topic, event.trace_id, event.sender, event.body});
  for (const auto& record : commit.records)
    words.insert(words.end(), {std::to_string(record.revision_read), record.bytes ? "w" : "d",
                               record.bytes.value_or("")});
  append(words);
}

Result<std::uint64_t> RedisJournal::commit_answer() {
  if (is_broken_) return std::unexpected(lost(fault_.empty() ? "not loaded" : fault_));
  Reply reply = next();
  if (reply && reply->type == REDIS_REPLY_INTEGER)
    return static_cast<std::uint64_t>(reply->integer);
  is_broken_ = true;
  if (!reply) return std::unexpected(lost(fault_));
  fault_ = text(*reply);
  disconnect();  // whatever else is in the pipeline counts as unknown
  const bool is_fenced = fault_.starts_with("FENCED");
  return refuse(is_fenced ? ErrorCode::conflict : ErrorCode::unknown_outcome, "redis: " + fault_);
}

Result<std::vector<StoredEvent>> RedisJournal::events_answer() {
  Reply reply = next();
  if (!reply) return std::unexpected(lost(fault_));
  if (reply->type != REDIS_REPLY_ARRAY)
    return refuse(ErrorCode::internal, "redis: the event stream is no stream");
  std::vector<StoredEvent> events;
  events.reserve(reply->elements);
  for (std::size_t i = 0; i < reply->elements; ++i) {
    const redisReply& entry = *reply->element[i];
    const redisReply& fields = *entry.element[1];
    events.push_back({.sequence = std::stoull(text(*entry.element[0])),
                      .topic = field(fields, "t"),
                      .trace_id = field(fields, "i"),
                      .sender = field(fields, "s"),
                      .body = field(fields, "b")});
  }
  return events;
}

Result<Snapshot> RedisJournal::load_all() {
  is_broken_ = true;
  if (!redis_ && !connect()) return refuse(ErrorCode::unavailable, "redis: " + fault_);
  Snapshot snapshot;
  const Reply library = ask({"FUNCTION", "LOAD", "REPLACE", commit_library});
  const Reply epoch = ask({"INCR", key("epoch")});
  const Reply cursor = ask({"GET", key("cursor")});
  const Reply sequence = ask({"GET", "nucleus:sequence"});
  const Reply replies = ask({"XRANGE", key("replies"), "-", "+"});
  const Reply index = ask({"SMEMBERS", key("index")});
  if (!library || !epoch || !cursor || !sequence || !replies || !index)
    return refuse(ErrorCode::unavailable, "redis: " + fault_);
  if (library->type == REDIS_REPLY_ERROR || epoch->type != REDIS_REPLY_INTEGER ||
      index->type != REDIS_REPLY_ARRAY || replies->type != REDIS_REPLY_ARRAY) {
    const Reply& refused = library->type == REDIS_REPLY_ERROR ? library : epoch;
    return refuse(ErrorCode::unavailable,
                  "redis: " + (refused->str ? text(*refused) : "answers that make no sense"));
  }
  if (cursor->type == REDIS_REPLY_STRING) snapshot.cursor = std::stoull(text(*cursor));
  if (sequence->type == REDIS_REPLY_STRING) snapshot.last_sequence = std::stoull(text(*sequence));
  for (std::size_t i = 0; i < replies->elements; ++i) {
    const redisReply& fields = *replies->element[i]->element[1];
    snapshot.replies.emplace_back(field(fields, "i"), field(fields, "b"));
  }
  for (std::size_t i = 0; i < index->elements; ++i)
    append({"HMGET", text(*index->element[i]), "r", "b"});
  for (std::size_t i = 0; i < index->elements; ++i) {
    const Reply record = next();
    if (!record) return refuse(ErrorCode::unavailable, "redis: " + fault_);
    if (record->type != REDIS_REPLY_ARRAY || record->elements != 2 || !record->element[0]->str)
      return refuse(ErrorCode::internal, "redis: a record that the index names is not there: " +
                                             text(*index->element[i]));
    snapshot.records[text(*index->element[i])] = {
        .revision = std::stoull(text(*record->element[0])), .bytes = text(*record->element[1])};
  }
  epoch_ = static_cast<std::uint64_t>(epoch->integer);
  is_broken_ = false;
  return snapshot;
}

bool RedisJournal::connect() {
  const timeval timeout{
      .tv_sec = options_.timeout.count() / 1000,
      .tv_usec = static_cast<suseconds_t>(options_.timeout.count() % 1000 * 1000)};
  redis_ = redisConnectUnixWithTimeout(options_.socket_path.c_str(), timeout);
  if (redis_ && redis_->err == 0 && redisSetTimeout(redis_, timeout) == REDIS_OK) return true;
  fault_ = redis_ ? redis_->errstr : "no memory";
  disconnect();
  return false;
}

void RedisJournal::disconnect() {
  if (redis_) redisFree(redis_);
  redis_ = nullptr;
  is_broken_ = true;
}

void RedisJournal::append(const std::vector<std::string>& words) {
  if (!redis_) return;
  std::vector<const char*> starts;
  std::vector<std::size_t> lengths;
  for (const auto& word : words) {
    starts.push_back(word.data());
    lengths.push_back(word.size());
  }
  redisAppendCommandArgv(redis_, static_cast<int>(words.size()), starts.data(), lengths.data());
}

RedisJournal::Reply RedisJournal::next() {
  if (!redis_) return nullptr;
  void* reply = nullptr;
  if (redisGetReply(redis_, &reply) == REDIS_OK) return Reply(static_cast<redisReply*>(reply));
  fault_ = redis_->errstr;
  disconnect();
  return nullptr;
}

RedisJournal::Reply RedisJournal::ask(const std::vector<std::string>& words) {
  append(words);
  return next();
}

std::string RedisJournal::key(const std::string& name) const {
  return "nucleus:" + service_name_ + ":" + name;
}

}  // namespace nucleus::core
