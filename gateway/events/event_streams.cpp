#include "gateway/events/event_streams.hpp"

#include <algorithm>
#include <optional>

#include "gateway/events/topic.hpp"
#include "gateway/json/numbers.hpp"
#include "messages/image_store.hpp"

namespace nucleus::gateway {

using core::ErrorCode;

namespace {

constexpr core::Milliseconds heartbeat_interval{10'000};
constexpr core::Milliseconds expiry_interval{1'000};
constexpr core::Milliseconds recheck_interval{1'000};
constexpr core::Milliseconds catch_up_interval{50};
constexpr std::size_t read_count = 1'000;

/// The event after which the client resumes; nothing = from now on. If both are given, the later
/// one applies: a client that reconnects to its first URL has received more since.
core::Result<std::optional<std::uint64_t>> resume_after(const core::http::Request& request) {
  std::optional<std::uint64_t> after;
  for (const auto& [name, text] :
       {std::pair<const char*, std::string>{"after", request.query_value("after")},
        {"Last-Event-ID", request.header("Last-Event-ID")}}) {
    if (text.empty()) continue;
    const auto number = whole_number<std::uint64_t>(text);
    if (!number)
      return core::refuse(ErrorCode::invalid_argument,
                          std::string(name) + " must be the number of an event", name);
    after = std::max(after.value_or(0), *number);
  }
  return after;
}

}  // namespace

Json json_of(const core::StoredEvent& event) {
  const auto parts = parts_of(event.topic);
  auto body = Json::from_msgpack(event.body, true, false);
  // A volume's ticket is a secret of its host.
  if (parts.type == msg::VolumePlaced::topic && body.contains("volume"))
    body["volume"].erase("ticket");
  return {{"sequence", event.sequence}, {"type", parts.type},     {"project", parts.project},
          {"cluster", parts.cluster},   {"sender", event.sender}, {"trace_id", event.trace_id},
          {"body", std::move(body)}};
}

std::string server_sent(const core::StoredEvent& event) {
  return "id: " + std::to_string(event.sequence) + "\nevent: " + parts_of(event.topic).type +
         "\ndata: " + text_of(json_of(event)) + "\n\n";
}

bool may_see(const msg::Principal& who, const core::StoredEvent& event) {
  const auto parts = parts_of(event.topic);
  return parts.project == "public" || msg::sees(who, {parts.project});
}

bool is_wanted(const EventFilter& filter, const core::StoredEvent& event) {
  if (filter.types.empty() && filter.cluster.empty()) return true;
  const auto parts = parts_of(event.topic);
  return (filter.types.empty() || filter.types.contains(parts.type)) &&
         (filter.cluster.empty() || filter.cluster == parts.cluster);
}

EventStreams::EventStreams(core::Runtime& runtime, const Config& config, Metrics& metrics)
    : runtime_{runtime}, config_{config}, metrics_{metrics}, slots_{config.streams} {
  // A gateway follows from now on. Earlier events are read when a client asks for them.
  runtime_.store.on_loaded([this] {
    runtime_.store.set_cursor(runtime_.store.last_sequence());
    recent_.clear();
    // Changes of credentials may be among the events that this gateway has not followed.
    for (const auto& stream : streams_) recheck(stream);
  });
  runtime_.bus.every(heartbeat_interval, *this, &EventStreams::send_heartbeats);
  runtime_.bus.every(expiry_interval, *this, &EventStreams::close_expired);
}

void EventStreams::follow(const core::StoredEvent& event) {
  recent_.push_back(event);
  if (recent_.size() > config_.events_retained) recent_.pop_front();
  if (event.topic.ends_with(msg::CredentialsChanged::topic)) recheck_streams_of(event);
  for (const auto& stream : streams_)
    if (stream->is_live) send(*stream, event);
}

void EventStreams::open(const ExchangePtr& exchange, EventFilter filter) {
  if (!runtime_.store.is_loaded())
    return exchange->refuse(ErrorCode::unavailable, "events are not loaded yet");
  const auto asked = resume_after(exchange->request);
  if (!asked) return exchange->refuse(asked.error());
  if (!*asked) return begin(exchange, std::move(filter), runtime_.store.cursor());
  const auto after = std::min(**asked, runtime_.store.cursor());
  // Read one first: 410 is possible only before the stream is open.
  runtime_.store.journal().read_events(
      after, 1,
      [this, exchange, filter = std::move(filter),
       after](const core::Result<std::vector<core::StoredEvent>>& events) {
        if (events) return begin(exchange, filter, after);
        if (events.error().code != ErrorCode::wrong_state) return exchange->refuse(events.error());
        exchange->reply_problem(410,
                                {{"type", "/problems/events_gone"},
                                 {"title", "These events are no longer kept"},
                                 {"detail", "read the current state, then follow new events"}});
      });
}

void EventStreams::begin(const ExchangePtr& exchange, EventFilter filter, std::uint64_t after) {
  remove_closed();
  auto stream = std::make_shared<Stream>();
  stream->slot = slots_.take(exchange->who);
  if (!stream->slot)
    return exchange->refuse(ErrorCode::no_capacity, "too many event streams are open");
  stream->who = exchange->who;
  stream->needs = exchange->needs;
  stream->filter = std::move(filter);
  stream->sent = after;
  stream->is_socket = exchange->request.is_upgrade;
  exchange->respond(
      {.status = stream->is_socket ? 101 : 200,
       .headers = {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}},
       .on_open =
           [this, stream](std::shared_ptr<core::http::Stream> to) {
             runtime_.loop.post([this, stream, to = std::move(to)]() mutable {
               stream->to = std::move(to);
               add(stream);
             });
           },
       .is_websocket = stream->is_socket});
}

void EventStreams::add(const StreamPtr& stream) {
  if (!stream->is_socket) stream->to->send("retry: 1000\n\n");
  streams_.push_back(stream);
  metrics_.show_streams(streams_.size());
  recheck(stream);  // the credential may have ended since the request was admitted
}

/// Nothing is sent until the registry has answered.
void EventStreams::recheck(const StreamPtr& stream) {
  stream->is_live = false;
  ++stream->checks;
  runtime_.bus.call(msg::RecheckCredential{.person_id = stream->who.person_id,
                                           .token_id = stream->who.token_id,
                                           .person_uid = stream->who.person_uid},
                    {.deadline = config_.call_deadline},
                    [this, stream](const core::Result<msg::Principal>& who) {
                      if (!who && who.error().code != ErrorCode::unauthenticated)
                        return recheck_later(stream);
                      --stream->checks;
                      if (!who || !msg::may(*who, stream->needs)) return stream->to->close();
                      stream->who = *who;
                      catch_up(stream);
                    });
}

/// The registry did not answer; until it does, nothing is sent.
void EventStreams::recheck_later(const StreamPtr& stream) {
  runtime_.loop.after(recheck_interval, [this, stream] {
    --stream->checks;
    if (stream->to->is_open()) recheck(stream);
  });
}

void EventStreams::recheck_streams_of(const core::StoredEvent& change) {
  std::optional<msg::PersonId> person;
  try {
    person = msg::decode<msg::CredentialsChanged>(change.body).person_id;
  } catch (const msg::DecodeError&) {
    person.reset();  // an unreadable event affects every stream
  }
  for (const auto& stream : streams_) {
    if (person && stream->who.person_id != *person) continue;
    // Which password or API key opened a stream is not known: its client connects again.
    if (stream->who.token_id.empty()) stream->to->close();
    recheck(stream);
  }
}

void EventStreams::catch_up(const StreamPtr& stream) {
  if (!stream->to->is_open() || stream->checks > 0) return;
  if (stream->sent >= runtime_.store.cursor()) {
    stream->is_live = true;
    return;
  }
  if (!recent_.empty() && recent_.front().sequence <= stream->sent + 1) {
    for (auto i = stream->sent + 1 - recent_.front().sequence; i < recent_.size(); ++i) {
      if (is_behind(*stream)) return catch_up_later(stream);
      send(*stream, recent_[i]);
    }
    stream->is_live = true;
    return;
  }
  runtime_.store.journal().read_events(
      stream->sent, read_count,
      [this, stream](const core::Result<std::vector<core::StoredEvent>>& events) {
        if (stream->checks > 0) return;
        if (!events || events->empty()) return catch_up_later(stream);
        for (const auto& event : *events) {
          if (is_behind(*stream)) return catch_up_later(stream);
          send(*stream, event);
        }
        catch_up(stream);
      });
}

/// Continues later, after the last event that was sent.
void EventStreams::catch_up_later(const StreamPtr& stream) {
  runtime_.loop.after(catch_up_interval, [this, stream] { catch_up(stream); });
}

/// Earlier events are read only as fast as the client reads: half of its queue is for new ones.
bool EventStreams::is_behind(const Stream& stream) const {
  return stream.to->queued_bytes() > config_.http.stream_bytes_max / 2;
}

void EventStreams::send(Stream& stream, const core::StoredEvent& event) {
  if (event.sequence <= stream.sent) return;
  if (is_expired(stream)) return stream.to->close();
  stream.sent = event.sequence;
  if (may_see(stream.who, event) && is_wanted(stream.filter, event))
    stream.to->send(stream.is_socket ? text_of(json_of(event)) : server_sent(event));
}

/// Keeps proxies from closing idle streams. A WebSocket has pings.
void EventStreams::send_heartbeats(core::Context&) {
  for (const auto& stream : streams_)
    if (!stream->is_socket) stream->to->send(":\n\n");
  remove_closed();
}

bool EventStreams::is_expired(const Stream& stream) const {
  const auto end_unix_s = stream.who.expires_unix_s;
  return end_unix_s != 0 && end_unix_s * 1000 <= runtime_.loop.unix_ms();
}

void EventStreams::close_expired(core::Context&) {
  for (const auto& stream : streams_)
    if (is_expired(*stream)) stream->to->close();
  remove_closed();
}

void EventStreams::remove_closed() {
  std::erase_if(streams_, [](const StreamPtr& stream) { return !stream->to->is_open(); });
  metrics_.show_streams(streams_.size());
}

}  // namespace nucleus::gateway
