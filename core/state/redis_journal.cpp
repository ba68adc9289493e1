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

std::unexpected<Error> lost(const std::string& reason) {
  return refuse(ErrorCode::unknown_outcome, "redis: " + reason);
}

}  // namespace

RedisJournal::RedisJournal(Loop& loop, std::string service_name, RedisOptions options)
    : loop_{loop},
      service_name_{std::move(service_name)},
      options_{std::move(options)},
      redis_{options_.socket_path, options_.timeout},
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
    if (redis_.connect())
      for (const auto& call : batch) send(call);
    else
      fault_ = redis_.fault();
    for (auto& call : batch) answer(call);
  }
}

void RedisJournal::send(const JournalCall& call) {
  if (const auto* events = std::get_if<ReadEventsCall>(&call)) {
    redis_.send({"XRANGE", "nucleus:events", std::to_string(events->sequence + 1), "+", "COUNT",
                 std::to_string(events->count)});
  } else if (const auto* archived = std::get_if<ReadArchivedCall>(&call)) {
    if (archived->keys.empty()) return;  // HMGET needs a field
    std::vector<std::string> words = {"HMGET", key("archive")};
    words.insert(words.end(), archived->keys.begin(), archived->keys.end());
    redis_.send(words);
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
  redis_.send(words);
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
  const auto reply = receive();
  if (reply && reply->type == REDIS_REPLY_INTEGER)
    return static_cast<std::uint64_t>(reply->integer);
  is_broken_ = true;
  if (!reply) return lost(fault_);
  fault_ = redis_text(*reply);
  disconnect();  // the outcome of the rest of the pipeline is unknown
  const bool is_fenced = fault_.starts_with("FENCED");
  return refuse(is_fenced ? ErrorCode::conflict : ErrorCode::unknown_outcome, "redis: " + fault_);
}

Result<std::vector<StoredEvent>> RedisJournal::events_answer(std::uint64_t after) {
  const auto reply = receive();
  if (!reply) return lost(fault_);
  if (reply->type != REDIS_REPLY_ARRAY)
    return refuse(ErrorCode::internal, "redis: nucleus:events is not a stream");
  std::vector<StoredEvent> events;
  events.reserve(reply->elements);
  for (std::size_t i = 0; i < reply->elements; ++i) {
    const redisReply& entry = *reply->element[i];
    const redisReply& fields = *entry.element[1];
    events.push_back({.sequence = std::stoull(redis_text(*entry.element[0])),
                      .topic = redis_field(fields, "t"),
                      .trace_id = redis_field(fields, "i"),
                      .sender = redis_field(fields, "s"),
                      .body = redis_field(fields, "b")});
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
  const auto reply = receive();
  if (!reply) return lost(fault_);
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != keys.size())
    return refuse(ErrorCode::internal, "redis: " + key("archive") + " is not a hash");
  bodies.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (reply->element[i]->type != REDIS_REPLY_STRING)
      return refuse(ErrorCode::not_found, "no archived record " + msg::shown(keys[i]));
    bodies.push_back(redis_text(*reply->element[i]));
  }
  return bodies;
}

Result<Snapshot> RedisJournal::load_state() {
  is_broken_ = true;
  if (!redis_.connect()) return refuse(ErrorCode::unavailable, "redis: " + redis_.fault());
  Snapshot snapshot;
  const auto library = request({"FUNCTION", "LOAD", "REPLACE", commit_library});
  const auto epoch = request({"INCR", key("epoch")});
  const auto cursor = request({"GET", key("cursor")});
  const auto sequence = request({"GET", "nucleus:sequence"});
  const auto replies = request({"XRANGE", key("replies"), "-", "+"});
  if (!library || !epoch || !cursor || !sequence || !replies)
    return refuse(ErrorCode::unavailable, "redis: " + fault_);
  if (library->type == REDIS_REPLY_ERROR || epoch->type != REDIS_REPLY_INTEGER ||
      replies->type != REDIS_REPLY_ARRAY) {
    const auto& refused = library->type == REDIS_REPLY_ERROR ? library : epoch;
    return refuse(ErrorCode::unavailable,
                  "redis: " + (refused->str ? redis_text(*refused) : "unexpected answer"));
  }
  if (cursor->type == REDIS_REPLY_STRING) snapshot.cursor = std::stoull(redis_text(*cursor));
  if (sequence->type == REDIS_REPLY_STRING)
    snapshot.last_sequence = std::stoull(redis_text(*sequence));
  for (std::size_t i = 0; i < replies->elements; ++i) {
    const redisReply& fields = *replies->element[i]->element[1];
    snapshot.replies.emplace_back(redis_field(fields, "i"), redis_field(fields, "b"));
  }
  // The new epoch fences every other writer: nothing changes while the rest is read.
  RedisReader reader(redis_);
  auto records = reader.records(service_name_);
  if (!records) return std::unexpected(records.error());
  snapshot.records = std::move(*records);
  auto summaries = reader.summaries(service_name_);
  if (!summaries) return std::unexpected(summaries.error());
  snapshot.archived = std::move(*summaries);
  epoch_ = static_cast<std::uint64_t>(epoch->integer);
  is_broken_ = false;
  return snapshot;
}

void RedisJournal::disconnect() {
  redis_.disconnect();
  is_broken_ = true;
}

RedisConnection::Reply RedisJournal::receive() {
  if (!redis_.is_connected()) return nullptr;  // fault_ says why
  auto reply = redis_.receive();
  if (!reply) {
    fault_ = redis_.fault();
    is_broken_ = true;
  }
  return reply;
}

RedisConnection::Reply RedisJournal::request(const std::vector<std::string>& words) {
  redis_.send(words);
  return receive();
}

std::string RedisJournal::key(const std::string& name) const {
  return redis_key(service_name_, name);
}

}  // namespace nucleus::core
