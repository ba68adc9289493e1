// GET /v2/events: server-sent events, or a WebSocket's messages where the client asks for one; each
// client its own projects' alone, in order, none left out. `?after=` or `Last-Event-ID` resumes
// after an event of before. The newest are kept in memory, older ones read from the journal.
#pragma once

#include <deque>
#include <list>
#include <set>

#include "core/runtime/runtime.hpp"
#include "gateway/config.hpp"
#include "gateway/metrics.hpp"
#include "gateway/routing/exchange.hpp"

namespace nucleus::gateway {

/// What a stream tells of all that its client may see.
struct EventFilter {
  std::set<std::string> types = {};  // empty = all
  std::string cluster = {};          // empty = of any
};

class EventStreams {
 public:
  EventStreams(core::Runtime& runtime, const Config& config, Metrics& metrics);

  /// Answers with an open stream. 400: Last-Event-ID or `after` is no number; 410: that event is no
  /// longer kept.
  void open(const ExchangePtr& exchange, EventFilter filter = {});
  /// The next event of the deployment; none is left out.
  void follow(const core::StoredEvent& event);

 private:
  struct Stream {
    std::shared_ptr<HttpStream> to = {};
    msg::Principal who = {};
    EventFilter filter = {};
    bool is_socket = false;
    std::uint64_t sent = 0;  // up to here, all that it may see was sent
    bool is_live = false;    // else it is being read from the journal
  };
  using StreamPtr = std::shared_ptr<Stream>;

  void begin(const ExchangePtr& exchange, EventFilter filter, std::uint64_t after);
  void add(const StreamPtr& stream);
  void catch_up(const StreamPtr& stream);
  void catch_up_later(const StreamPtr& stream);
  bool is_behind(const Stream& stream) const;
  void send(Stream& stream, const core::StoredEvent& event);
  void beat(core::Context& context);

  core::Runtime& runtime_;
  const Config& config_;
  Metrics& metrics_;
  std::list<StreamPtr> streams_ = {};
  std::deque<core::StoredEvent> recent_ = {};  // dense
};

/// An event as a client reads it: one JSON object.
Json json_of(const core::StoredEvent& event);
/// An event as a block of the stream: id, event and data lines.
std::string server_sent(const core::StoredEvent& event);
/// Does the filter let it through?
bool is_wanted(const EventFilter& filter, const core::StoredEvent& event);
/// May this principal see the event? Its project is the topic's first part.
bool may_see(const msg::Principal& who, const core::StoredEvent& event);

}  // namespace nucleus::gateway
