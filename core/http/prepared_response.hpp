// A response serialized once and sent many times; only X-Request-Id differs.
#pragma once

#include <memory>
#include <string>

#include "core/http/http.hpp"

namespace nucleus::core::http {

struct PreparedResponse {
  Response response = {};      // for a client that cannot be sent the bytes
  std::string before_id = {};  // the head, for a connection that stays open
  std::string after_id = {};   // the rest of the head
  std::size_t bytes() const {  // of memory, roughly
    return 2 * (before_id.size() + after_id.size()) + response.body.size() + sizeof *this;
  }
};

/// The response must be complete: a status with a body, no `on_open`, no `websocket`.
PreparedResponsePtr prepare_response(Response response);

}  // namespace nucleus::core::http
