// GET /v2/events: server-sent events, or messages of a WebSocket. Each client gets the events of
// its projects, in order and without gaps. `?after=` or `Last-Event-ID` resumes after an earlier
// event. The newest events are kept in memory, older ones are read from the journal. A stream ends
// when its credential does: the registry is asked again after each change of the person's.
#pragma once

#include <deque>
#include <list>
#include <set>

#include "core/runtime/runtime.hpp"
#include "gateway/config.hpp"
#include "gateway/metrics.hpp"
#include "gateway/routing/exchange.hpp"

namespace nucleus::gateway {

/// Limits a stream to some of the events that its client sees.
struct EventFilter {
  std::set<std::string> types = {};  // empty = all
  std::string cluster = {};          // empty = of any
};

class EventStreams {
 public:
  EventStreams(core::Runtime& runtime, const Config& config, Metrics& metrics);

  /// Answers with an open stream. 503 if too many are open; 400 if Last-Event-ID or `after` is not
  /// a number; 410 if the events after it are no longer kept.
  void open(const ExchangePtr& exchange, EventFilter filter = {});
  /// The next event of the deployment, without gaps.
  void follow(const core::StoredEvent& event);

 private:
  struct Stream {
    StreamSlots::Slot slot = {};
    std::shared_ptr<core::http::Stream> to = {};
    msg::Principal who = {};
    msg::Right needs = msg::Right::unknown;
    EventFilter filter = {};
    bool is_socket = false;
    std::uint64_t sent = 0;  // every event up to this number was sent or filtered
    bool is_live = false;    // false = it is catching up, or its credential is being checked
    std::size_t checks = 0;  // of its credential, that are not answered yet
  };
  using StreamPtr = std::shared_ptr<Stream>;

  void begin(const ExchangePtr& exchange, EventFilter filter, std::uint64_t after);
  void add(const StreamPtr& stream);
  void recheck(const StreamPtr& stream);
  void recheck_later(const StreamPtr& stream);
  void recheck_streams_of(const core::StoredEvent& change);
  void catch_up(const StreamPtr& stream);
  void catch_up_later(const StreamPtr& stream);
  bool is_behind(const Stream& stream) const;
  void send(Stream& stream, const core::StoredEvent& event);
  bool is_expired(const Stream& stream) const;
  void send_heartbeats(core::Context& context);
  void close_expired(core::Context& context);
  void remove_closed();

  core::Runtime& runtime_;
  const Config& config_;
  Metrics& metrics_;
  StreamSlots slots_;
  std::list<StreamPtr> streams_ = {};
  std::deque<core::StoredEvent> recent_ = {};  // without gaps
};

/// An event as one JSON object.
Json json_of(const core::StoredEvent& event);
/// An event as server-sent lines: id, event and data.
std::string server_sent(const core::StoredEvent& event);
/// True if the filter lets the event through.
bool is_wanted(const EventFilter& filter, const core::StoredEvent& event);
/// True if the principal sees the event: its project is the first part of the topic.
bool may_see(const msg::Principal& who, const core::StoredEvent& event);

}  // namespace nucleus::gateway
