// An answer as the bytes that are sent, made once and sent often; but for its X-Request-Id, which
// each sending has of its own.
#pragma once

#include <memory>
#include <string>

#include "gateway/http.hpp"

namespace nucleus::gateway {

struct ReadyAnswer {
  HttpResponse response = {};  // whole, for whoever cannot take the bytes
  std::string before_id = {};  // the head on a connection that stays open
  std::string after_id = {};   // the rest of the head
  std::size_t bytes() const {  // that it keeps, about
    return 2 * (before_id.size() + after_id.size()) + response.body.size() + sizeof *this;
  }
};

/// The response has a body, its length is told, and nothing of it is still to come (`on_open`).
ReadyAnswerPtr make_ready(HttpResponse response);

}  // namespace nucleus::gateway
