#include "core/state/redis_reader.hpp"

#include <hiredis/hiredis.h>

#include <algorithm>

namespace nucleus::core {

namespace {
// Entries read per HSCAN call: Redis serves others between two calls.
constexpr std::size_t entries_per_scan = 5000;
constexpr std::size_t events_per_read = 5000;
}  // namespace

std::string redis_key(const std::string& service, const std::string& name) {
  return "nucleus:" + service + ":" + name;
}

RedisConnection::Reply RedisReader::request(const std::vector<std::string>& words) {
  return redis_.connect() ? redis_.request(words) : nullptr;
}

Error RedisReader::lost() const {
  return {.code = ErrorCode::unavailable, .detail = "redis: " + redis_.fault()};
}

Result<std::map<std::string, StoredRecord>> RedisReader::records(const std::string& service) {
  const auto index_key = redis_key(service, "index");
  const auto index = request({"SMEMBERS", index_key});
  if (!index) return std::unexpected(lost());
  if (index->type != REDIS_REPLY_ARRAY)
    return refuse(ErrorCode::internal, "redis: " + index_key + " is not a set");
  for (std::size_t i = 0; i < index->elements; ++i)
    redis_.send({"HMGET", redis_text(*index->element[i]), "r", "b"});
  std::map<std::string, StoredRecord> records;
  std::string missing;
  for (std::size_t i = 0; i < index->elements; ++i) {
    const auto record = redis_.receive();
    if (!record) return std::unexpected(lost());
    const auto key = redis_text(*index->element[i]);
    if (record->type != REDIS_REPLY_ARRAY || record->elements != 2 || !record->element[0]->str)
      missing = key;
    else
      records[key] = {.revision = std::stoull(redis_text(*record->element[0])),
                      .bytes = redis_text(*record->element[1])};
  }
  if (missing.empty()) return records;
  return refuse(ErrorCode::not_found, "redis: indexed record is missing: " + missing);
}

Result<std::vector<std::pair<std::string, std::string>>> RedisReader::hash(const std::string& key) {
  std::vector<std::pair<std::string, std::string>> entries;
  std::string cursor = "0";
  do {
    const auto page = request({"HSCAN", key, cursor, "COUNT", std::to_string(entries_per_scan)});
    if (!page) return std::unexpected(lost());
    if (page->type != REDIS_REPLY_ARRAY || page->elements != 2)
      return refuse(ErrorCode::internal, "redis: " + key + " is not a hash");
    cursor = redis_text(*page->element[0]);
    const redisReply& found = *page->element[1];
    for (std::size_t i = 0; i + 1 < found.elements; i += 2)
      entries.emplace_back(redis_text(*found.element[i]), redis_text(*found.element[i + 1]));
  } while (cursor != "0");
  // HSCAN returns entries in no order, and may repeat one.
  std::ranges::sort(entries);
  const auto repeated = std::ranges::unique(entries);
  entries.erase(repeated.begin(), repeated.end());
  return entries;
}

Result<std::vector<std::pair<std::string, std::string>>> RedisReader::summaries(
    const std::string& service) {
  return hash(redis_key(service, "archive-summaries"));
}

Result<std::map<std::string, std::string>> RedisReader::archived(const std::string& service) {
  auto entries = hash(redis_key(service, "archive"));
  if (!entries) return std::unexpected(entries.error());
  return std::map<std::string, std::string>(std::make_move_iterator(entries->begin()),
                                            std::make_move_iterator(entries->end()));
}

Result<std::uint64_t> RedisReader::last_sequence() {
  const auto sequence = request({"GET", "nucleus:sequence"});
  if (!sequence) return std::unexpected(lost());
  return sequence->type == REDIS_REPLY_STRING ? std::stoull(redis_text(*sequence)) : 0;
}

Result<EventExtent> RedisReader::events() {
  const auto count = request({"XLEN", "nucleus:events"});
  const auto first = request({"XRANGE", "nucleus:events", "-", "+", "COUNT", "1"});
  const auto last = request({"XREVRANGE", "nucleus:events", "+", "-", "COUNT", "1"});
  if (!count || !first || !last) return std::unexpected(lost());
  if (first->type != REDIS_REPLY_ARRAY || last->type != REDIS_REPLY_ARRAY)
    return refuse(ErrorCode::internal, "redis: nucleus:events is not a stream");
  if (first->elements == 0 || last->elements == 0) return EventExtent{};
  const auto number = [](const redisReply& entries) {
    return std::stoull(redis_text(*entries.element[0]->element[0]));
  };
  return EventExtent{.first = number(*first),
                     .last = number(*last),
                     .count = static_cast<std::uint64_t>(count->integer)};
}

Result<std::vector<StoredEvent>> RedisReader::events_of(const std::string& trace_id) {
  std::vector<StoredEvent> found;
  std::string after = "-";
  while (true) {
    const auto page =
        request({"XRANGE", "nucleus:events", after, "+", "COUNT", std::to_string(events_per_read)});
    if (!page) return std::unexpected(lost());
    if (page->type != REDIS_REPLY_ARRAY)
      return refuse(ErrorCode::internal, "redis: nucleus:events is not a stream");
    if (page->elements == 0) return found;
    for (std::size_t i = 0; i < page->elements; ++i) {
      const redisReply& entry = *page->element[i];
      const redisReply& fields = *entry.element[1];
      after = "(" + redis_text(*entry.element[0]);
      if (redis_field(fields, "i") == trace_id)
        found.push_back({.sequence = std::stoull(redis_text(*entry.element[0])),
                         .topic = redis_field(fields, "t"),
                         .trace_id = trace_id,
                         .sender = redis_field(fields, "s"),
                         .body = redis_field(fields, "b")});
    }
  }
}

}  // namespace nucleus::core
