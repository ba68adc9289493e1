#include "core/state/redis_journal.hpp"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <memory>

#include "core/log/log.hpp"

namespace nucleus::core {

namespace {

// Keys: epoch, events, sequence, cursor, replies, index, archive, archive-summaries, then one key
// per changed or archived record.
// Arguments: epoch, cursor, request id, reply, reply_retention_s, events_retained, count of events;
// four arguments per event; four per record: revision read, `w` (write), `d` (delete) or `a`
// (archive), bytes, summary.
constexpr const char* commit_library = R"(#!lua name=nucleus
local function commit(keys, args)
  if redis.call('GET', keys[1]) ~= args[1] then
    return redis.error_reply('FENCED by another owner')
  end
  local event_count = tonumber(args[7])
  local first_record = 8 + 4 * event_count
  for i = 9, #keys do
    local revision = redis.call('HGET', keys[i], 'r') or '0'
    if revision ~= args[first_record + 4 * (i - 9)] then
      return redis.error_reply('REVISION of ' .. keys[i] .. ' is ' .. revision)
    end
  end
  for i = 9, #keys do
    local at = first_record + 4 * (i - 9)
    local action = args[at + 1]
    if action == 'w' then
      local revision = string.format('%d', tonumber(args[at]) + 1)
      redis.call('HSET', keys[i], 'r', revision, 'b', args[at + 2])
      redis.call('SADD', keys[6], keys[i])
    else
      redis.call('DEL', keys[i])
      redis.call('SREM', keys[6], keys[i])
      if action == 'a' then
        redis.call('HSET', keys[7], keys[i], args[at + 2])
        redis.call('HSET', keys[8], keys[i], args[at + 3])
      end
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

std::unexpected<Error> lost(const std::string& reason) {
  return refuse(ErrorCode::unknown_outcome, "redis: " + reason);
}

// Summaries read per HSCAN call: Redis serves other services between two calls.
constexpr std::size_t summaries_per_scan = 5000;

}  // namespace

void RedisJournal::CloseReply::operator()(redisReply* reply) const {
  freeReplyObject(reply);
}

void RedisJournal::CloseConnection::operator()(redisContext* redis) const {
  redisFree(redis);
}

RedisJournal::RedisJournal(Loop& loop, std::string service_name, RedisOptions options)
    : loop_{loop},
      service_name_{std::move(service_name)},
      options_{std::move(options)},
      queue_{[this](std::deque<JournalCall> calls) { process(std::move(calls)); }} {}

void RedisJournal::load(std::function<void(Result<Snapshot>)> done) {
  queue_.push(LoadCall{std::move(done)});
}

void RedisJournal::commit(Commit commit, std::function<void(Result<std::uint64_t>)> done) {
  queue_.push(CommitCall{std::move(commit), std::move(done)});
}

void RedisJournal::read_events(std::uint64_t sequence, std::size_t count,
                               std::function<void(Result<std::vector<StoredEvent>>)> done) {
  queue_.push(ReadEventsCall{sequence, count, std::move(done)});
}

void RedisJournal::read_archived(std::vector<std::string> keys,
                                 std::function<void(Result<std::vector<std::string>>)> done) {
  queue_.push(ReadArchivedCall{std::move(keys), std::move(done)});
}

void RedisJournal::process(std::deque<JournalCall> calls) {
  // All calls up to the next load share one pipeline; Redis syncs its log once per pipeline.
  while (!calls.empty()) {
    if (auto* load = std::get_if<LoadCall>(&calls.front())) {
      auto snapshot = load_state();
      if (!snapshot) disconnect();  // answers may be left in the pipeline
      post_answer(loop_, std::move(load->done), std::move(snapshot));
      calls.pop_front();
      continue;
    }
    std::deque<JournalCall> batch;
    while (!calls.empty() && !std::holds_alternative<LoadCall>(calls.front())) {
      batch.push_back(std::move(calls.front()));
      calls.pop_front();
    }
    if (redis_ || connect())
      for (const auto& call : batch) send(call);
    for (auto& call : batch) answer(call);
  }
}

void RedisJournal::send(const JournalCall& call) {
  if (const auto* events = std::get_if<ReadEventsCall>(&call)) {
    send({"XRANGE", "nucleus:events", std::to_string(events->sequence + 1), "+", "COUNT",
          std::to_string(events->count)});
  } else if (const auto* archived = std::get_if<ReadArchivedCall>(&call)) {
    if (archived->keys.empty()) return;  // HMGET needs a field
    std::vector<std::string> words = {"HMGET", key("archive")};
    words.insert(words.end(), archived->keys.begin(), archived->keys.end());
    send(words);
  } else if (const auto* commit = std::get_if<CommitCall>(&call); commit && !is_broken_) {
    send(commit->commit);
  }
}

void RedisJournal::send(const Commit& commit) {
  const std::size_t record_count = commit.records.size() + commit.archived.size();
  std::vector<std::string> words = {
      "FCALL",        "nucleus_commit",        std::to_string(8 + record_count),
      key("epoch"),   "nucleus:events",        "nucleus:sequence",
      key("cursor"),  key("replies"),          key("index"),
      key("archive"), key("archive-summaries")};
  for (const auto& record : commit.records) words.push_back(record.key);
  for (const auto& record : commit.archived) words.push_back(record.key);
  words.insert(words.end(),
               {std::to_string(epoch_), std::to_string(commit.cursor), commit.request_id,
                commit.reply, std::to_string(options_.reply_retention_s),
                std::to_string(options_.events_retained), std::to_string(commit.events.size())});
  for (const auto& event : commit.events)
    words.insert(words.end(), {event.topic, event.trace_id, event.sender, event.body});
  for (const auto& record : commit.records)
    words.insert(words.end(), {std::to_string(record.revision_read), record.bytes ? "w" : "d",
                               record.bytes.value_or(""), ""});
  for (const auto& record : commit.archived)
    words.insert(words.end(),
                 {std::to_string(record.revision_read), "a", record.bytes, record.summary});
  send(words);
}

void RedisJournal::answer(JournalCall& call) {
  if (auto* commit = std::get_if<CommitCall>(&call))
    post_answer(loop_, std::move(commit->done), commit_answer());
  else if (auto* events = std::get_if<ReadEventsCall>(&call))
    post_answer(loop_, std::move(events->done), events_answer(events->sequence));
  else if (auto* archived = std::get_if<ReadArchivedCall>(&call))
    post_answer(loop_, std::move(archived->done), archived_answer(archived->keys));
}

Result<std::uint64_t> RedisJournal::commit_answer() {
  if (is_broken_) return lost(fault_.empty() ? "not loaded" : fault_);
  Reply reply = receive();
  if (reply && reply->type == REDIS_REPLY_INTEGER)
    return static_cast<std::uint64_t>(reply->integer);
  is_broken_ = true;
  if (!reply) return lost(fault_);
  fault_ = text(*reply);
  disconnect();  // the outcome of the rest of the pipeline is unknown
  const bool is_fenced = fault_.starts_with("FENCED");
  return refuse(is_fenced ? ErrorCode::conflict : ErrorCode::unknown_outcome, "redis: " + fault_);
}

Result<std::vector<StoredEvent>> RedisJournal::events_answer(std::uint64_t after) {
  Reply reply = receive();
  if (!reply) return lost(fault_);
  if (reply->type != REDIS_REPLY_ARRAY)
    return refuse(ErrorCode::internal, "redis: nucleus:events is not a stream");
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
  if (!events.empty() && events.front().sequence != after + 1)
    return refuse(ErrorCode::wrong_state,
                  "events after " + std::to_string(after) + " have been trimmed");
  return events;
}

Result<std::vector<std::string>> RedisJournal::archived_answer(
    const std::vector<std::string>& keys) {
  std::vector<std::string> bodies;
  if (keys.empty()) return bodies;
  Reply reply = receive();
  if (!reply) return lost(fault_);
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != keys.size())
    return refuse(ErrorCode::internal, "redis: " + key("archive") + " is not a hash");
  bodies.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (reply->element[i]->type != REDIS_REPLY_STRING)
      return refuse(ErrorCode::not_found, "no archived record " + msg::shown(keys[i]));
    bodies.push_back(text(*reply->element[i]));
  }
  return bodies;
}

Result<Snapshot> RedisJournal::load_state() {
  is_broken_ = true;
  if (!redis_ && !connect()) return refuse(ErrorCode::unavailable, "redis: " + fault_);
  Snapshot snapshot;
  const Reply library = request({"FUNCTION", "LOAD", "REPLACE", commit_library});
  const Reply epoch = request({"INCR", key("epoch")});
  const Reply cursor = request({"GET", key("cursor")});
  const Reply sequence = request({"GET", "nucleus:sequence"});
  const Reply replies = request({"XRANGE", key("replies"), "-", "+"});
  if (!library || !epoch || !cursor || !sequence || !replies)
    return refuse(ErrorCode::unavailable, "redis: " + fault_);
  if (library->type == REDIS_REPLY_ERROR || epoch->type != REDIS_REPLY_INTEGER ||
      replies->type != REDIS_REPLY_ARRAY) {
    const Reply& refused = library->type == REDIS_REPLY_ERROR ? library : epoch;
    return refuse(ErrorCode::unavailable,
                  "redis: " + (refused->str ? text(*refused) : "unexpected answer"));
  }
  if (cursor->type == REDIS_REPLY_STRING) snapshot.cursor = std::stoull(text(*cursor));
  if (sequence->type == REDIS_REPLY_STRING) snapshot.last_sequence = std::stoull(text(*sequence));
  for (std::size_t i = 0; i < replies->elements; ++i) {
    const redisReply& fields = *replies->element[i]->element[1];
    snapshot.replies.emplace_back(field(fields, "i"), field(fields, "b"));
  }
  // The new epoch fences every other writer: nothing changes while the rest is read.
  if (auto loaded = load_records(snapshot); !loaded) return std::unexpected(loaded.error());
  if (auto loaded = load_summaries(snapshot); !loaded) return std::unexpected(loaded.error());
  epoch_ = static_cast<std::uint64_t>(epoch->integer);
  is_broken_ = false;
  return snapshot;
}

Result<void> RedisJournal::load_records(Snapshot& snapshot) {
  const Reply index = request({"SMEMBERS", key("index")});
  if (!index) return refuse(ErrorCode::unavailable, "redis: " + fault_);
  if (index->type != REDIS_REPLY_ARRAY)
    return refuse(ErrorCode::internal, "redis: " + key("index") + " is not a set");
  for (std::size_t i = 0; i < index->elements; ++i)
    send({"HMGET", text(*index->element[i]), "r", "b"});
  for (std::size_t i = 0; i < index->elements; ++i) {
    const Reply record = receive();
    if (!record) return refuse(ErrorCode::unavailable, "redis: " + fault_);
    if (record->type != REDIS_REPLY_ARRAY || record->elements != 2 || !record->element[0]->str)
      return refuse(ErrorCode::internal,
                    "redis: indexed record is missing: " + text(*index->element[i]));
    snapshot.records[text(*index->element[i])] = {
        .revision = std::stoull(text(*record->element[0])), .bytes = text(*record->element[1])};
  }
  return {};
}

Result<void> RedisJournal::load_summaries(Snapshot& snapshot) {
  std::string cursor = "0";
  do {
    const Reply page = request(
        {"HSCAN", key("archive-summaries"), cursor, "COUNT", std::to_string(summaries_per_scan)});
    if (!page) return refuse(ErrorCode::unavailable, "redis: " + fault_);
    if (page->type != REDIS_REPLY_ARRAY || page->elements != 2)
      return refuse(ErrorCode::internal, "redis: " + key("archive-summaries") + " is not a hash");
    cursor = text(*page->element[0]);
    const redisReply& entries = *page->element[1];
    for (std::size_t i = 0; i + 1 < entries.elements; i += 2)
      snapshot.archived.emplace_back(text(*entries.element[i]), text(*entries.element[i + 1]));
  } while (cursor != "0");
  // HSCAN returns entries in no order, and may repeat one.
  std::ranges::sort(snapshot.archived);
  const auto repeated = std::ranges::unique(snapshot.archived);
  snapshot.archived.erase(repeated.begin(), repeated.end());
  return {};
}

bool RedisJournal::connect() {
  const timeval timeout{
      .tv_sec = options_.timeout.count() / 1000,
      .tv_usec = static_cast<suseconds_t>(options_.timeout.count() % 1000 * 1000)};
  redis_.reset(redisConnectUnixWithTimeout(options_.socket_path.c_str(), timeout));
  if (redis_ && redis_->err == 0 && redisSetTimeout(redis_.get(), timeout) == REDIS_OK) return true;
  fault_ = redis_ ? redis_->errstr : "no memory";
  disconnect();
  return false;
}

void RedisJournal::disconnect() {
  redis_.reset();
  is_broken_ = true;
}

void RedisJournal::send(const std::vector<std::string>& words) {
  if (!redis_) return;
  std::vector<const char*> starts;
  std::vector<std::size_t> lengths;
  starts.reserve(words.size());
  lengths.reserve(words.size());
  for (const auto& word : words) {
    starts.push_back(word.data());
    lengths.push_back(word.size());
  }
  redisAppendCommandArgv(redis_.get(), static_cast<int>(words.size()), starts.data(),
                         lengths.data());
}

RedisJournal::Reply RedisJournal::receive() {
  if (!redis_) return nullptr;
  void* reply = nullptr;
  if (redisGetReply(redis_.get(), &reply) == REDIS_OK)
    return Reply(static_cast<redisReply*>(reply));
  fault_ = redis_->errstr;
  disconnect();
  return nullptr;
}

RedisJournal::Reply RedisJournal::request(const std::vector<std::string>& words) {
  send(words);
  return receive();
}

std::string RedisJournal::key(const std::string& name) const {
  return "nucleus:" + service_name_ + ":" + name;
}

}  // namespace nucleus::core
