// The context of a handler: the envelope of the request or event it handles, and the only source of
// time and ids.
#pragma once

#include <string>

#include "core/loop/loop.hpp"

namespace nucleus::core {

class Context {
 public:
  Context(Loop& loop, msg::Envelope envelope) : loop_{loop}, envelope_{std::move(envelope)} {}

  /// Empty if a timer or an event is handled.
  const std::string& request_id() const { return envelope_.request_id; }
  const std::string& trace_id() const { return envelope_.trace_id; }
  const std::string& sender() const { return envelope_.sender; }
  std::uint64_t event_id() const { return envelope_.event_id; }  // 0: no event
  std::int64_t deadline_unix_ms() const { return envelope_.deadline_unix_ms; }
  std::int64_t now_unix_ms() const { return loop_.unix_ms(); }
  std::int64_t now_unix_s() const { return loop_.unix_ms() / 1000; }
  std::string new_id() { return loop_.new_id(); }

 private:
  Loop& loop_;
  msg::Envelope envelope_;
};

}  // namespace nucleus::core
