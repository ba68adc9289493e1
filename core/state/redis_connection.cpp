#include "core/state/redis_connection.hpp"

#include <hiredis/hiredis.h>

namespace nucleus::core {

void RedisConnection::FreeReply::operator()(redisReply* reply) const {
  freeReplyObject(reply);
}

void RedisConnection::Close::operator()(redisContext* redis) const {
  redisFree(redis);
}

RedisConnection::RedisConnection(std::string socket_path, Milliseconds timeout)
    : socket_path_{std::move(socket_path)}, timeout_{timeout} {}

bool RedisConnection::connect() {
  if (redis_) return true;
  const timeval timeout{.tv_sec = timeout_.count() / 1000,
                        .tv_usec = static_cast<suseconds_t>(timeout_.count() % 1000 * 1000)};
  redis_.reset(redisConnectUnixWithTimeout(socket_path_.c_str(), timeout));
  if (redis_ && redis_->err == 0 && redisSetTimeout(redis_.get(), timeout) == REDIS_OK) return true;
  fault_ = redis_ ? redis_->errstr : "no memory";
  disconnect();
  return false;
}

void RedisConnection::disconnect() {
  redis_.reset();
}

void RedisConnection::send(const std::vector<std::string>& words) {
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

RedisConnection::Reply RedisConnection::receive() {
  if (!redis_) return nullptr;
  void* reply = nullptr;
  if (redisGetReply(redis_.get(), &reply) == REDIS_OK)
    return Reply(static_cast<redisReply*>(reply));
  fault_ = redis_->errstr;
  disconnect();
  return nullptr;
}

RedisConnection::Reply RedisConnection::request(const std::vector<std::string>& words) {
  send(words);
  return receive();
}

std::string redis_text(const redisReply& reply) {
  return {reply.str, reply.len};
}

std::string redis_field(const redisReply& fields, std::string_view name) {
  for (std::size_t i = 0; i + 1 < fields.elements; i += 2)
    if (std::string_view(fields.element[i]->str, fields.element[i]->len) == name)
      return redis_text(*fields.element[i + 1]);
  return {};
}

}  // namespace nucleus::core
