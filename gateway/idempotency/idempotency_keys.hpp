// Idempotency-Key: a request of v2 that is sent again under its key has one effect and one answer.
// The registry binds the key to the request; calls named after the key have one effect even through
// another gateway; the answer is kept here.
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

  /// Runs the handler, or answers as it did before. 409: the first one is not answered yet; 422:
  /// the key stands for another request.
  void run(const ExchangePtr& exchange, const Handler& handler);

 private:
  struct Kept {
    std::string fingerprint = {};
    bool is_answered = false;
    HttpResponse answer = {};
    std::int64_t until_ms = 0;  // steady
  };
  void keep(const std::string& name, const HttpResponse& answer);

  core::Loop& loop_;
  std::map<std::string, Kept> kept_ = {};  // by person and key
  std::deque<std::string> answered_ = {};  // oldest first
};

}  // namespace nucleus::gateway
