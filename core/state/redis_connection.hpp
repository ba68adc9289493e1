// A connection to Redis at its Unix socket. Calls block for at most the timeout; one thread uses
// it. After a fault it is closed, and connect() makes another.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/loop/loop.hpp"

struct redisContext;
struct redisReply;

namespace nucleus::core {

class RedisConnection {
 public:
  struct FreeReply {
    void operator()(redisReply* reply) const;
  };
  using Reply = std::unique_ptr<redisReply, FreeReply>;

  /// `timeout`: of one answer.
  RedisConnection(std::string socket_path, Milliseconds timeout);

  /// Connects unless it is connected. False: see fault().
  bool connect();
  void disconnect();
  bool is_connected() const { return redis_ != nullptr; }
  const std::string& fault() const { return fault_; }

  /// Queues a command; nothing happens without a connection.
  void send(const std::vector<std::string>& words);
  /// The answer to the oldest queued command; null: see fault().
  Reply receive();
  Reply request(const std::vector<std::string>& words);

 private:
  struct Close {
    void operator()(redisContext* redis) const;
  };

  std::string socket_path_;
  Milliseconds timeout_;
  std::unique_ptr<redisContext, Close> redis_ = {};
  std::string fault_ = {};
};

/// The bytes of a string or an error.
std::string redis_text(const redisReply& reply);
/// The value of field `name` in a flat list of names and values; empty if there is none.
std::string redis_field(const redisReply& fields, std::string_view name);

}  // namespace nucleus::core
