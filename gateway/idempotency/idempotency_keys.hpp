// Idempotency-Key: a repeated request of v2 with the same key has one effect and one answer. The
// registry binds the key to the request. Calls whose request ids derive from the key have one
// effect even through another gateway. The answer is kept here.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "core/loop/loop.hpp"
#include "gateway/routing/exchange.hpp"

namespace nucleus::gateway {

class IdempotencyKeys {
 public:
  explicit IdempotencyKeys(core::Loop& loop) : loop_{loop} {}

  /// Runs the handler, or repeats the first answer. 409: the first request is not answered yet;
  /// 422: the key was used for another request.
  void run(const ExchangePtr& exchange, const Handler& handler);

 private:
  struct Kept {
    std::string fingerprint = {};
    bool is_answered = false;
    core::http::Response answer = {};
    std::int64_t until_ms = 0;  // steady
  };
  void keep(const std::string& name, const core::http::Response& answer);

  core::Loop& loop_;
  std::map<std::string, Kept> kept_ = {};  // by person and key
  std::deque<std::string> answered_ = {};  // oldest first
};

}  // namespace nucleus::gateway
