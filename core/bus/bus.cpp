#include "core/bus/bus.hpp"

#include <algorithm>

#include "core/log/log.hpp"
#include "core/metrics/core_metrics.hpp"

namespace nucleus::core {

namespace {
constexpr std::size_t refusals_looked_at = 1024;  // between two looks at those that are over
}

Bus::Bus(Loop& loop, Link& link, Store* store, BusLimits limits)
    : loop_{loop}, link_{link}, store_{store}, limits_{limits} {
  link_.on_receive([this](Frames frames) { receive(std::move(frames)); });
}

void Bus::serve_raw(std::string topic, RequestHandler handler) {
  requests_.insert_or_assign(std::move(topic), std::move(handler));
}

void Bus::subscribe_raw(std::string topic, EventHandler handler) {
  events_.insert_or_assign(std::move(topic), std::move(handler));
}

void Bus::every_raw(Milliseconds interval, std::function<void(Context&)> handler) {
  loop_.after(interval, [this, interval, handler = std::move(handler)] {
    if (is_ready()) {
      Context now = context();
      handler(now);
    }
    every_raw(interval, handler);
  });
}

void Bus::listen(const std::string& prefix, std::function<void(const StoredEvent&)> listener) {
  listener_ = std::move(listener);
  link_.subscribe(prefix);
}

void Bus::watch_hearing(std::function<void(std::int64_t)> told) {
  hearing_told_ = std::move(told);
  is_line_up_ = link_.watch_line([this](bool is_up) { take_line(is_up); });
}

/// What was told while the line was away is in the stream alone.
void Bus::take_line(bool is_up) {
  is_line_up_ = is_up;
  if (!is_up) ++lines_lost_;
  show_hearing(0);
  if (is_up && store_ && store_->is_loaded()) read_missed_events();
}

void Bus::show_hearing(std::int64_t sure_ms) {
  if (hearing_told_) hearing_told_(is_line_up_ ? sure_ms : 0);
}

Context Bus::context() {
  return {loop_, {.trace_id = loop_.new_id(), .sender = link_.name()}};
}

void Bus::start() {
  if (!store_) return;
  store_->on_durable_event([this](const StoredEvent& event) { publish(event); });
  // Requests of before a reload are answered by nobody; their callers repeat them.
  store_->on_loaded([this] {
    in_flight_.clear();
    held_.clear();
    is_catching_up_ = is_hearing();
    is_reading_events_ = false;
    ahead_.clear();
    newest_told_ = 0;
    if (is_catching_up_) read_missed_events();
  });
  if (is_hearing()) {
    link_.subscribe("");
    poll_events();
  }
  store_->start();
}

void Bus::call_raw(std::string topic, std::string body, CallOptions options,
                   std::function<void(Result<std::string>)> done) {
  Frames frames{.topic = std::move(topic), .body = std::move(body)};
  frames.envelope = {
      .kind = msg::MessageKind::request,
      .request_id = options.request_id.empty() ? loop_.new_id() : options.request_id,
      .trace_id = options.trace_id.empty() ? loop_.new_id() : options.trace_id,
      .sender = link_.name(),
      .to = options.to.empty() ? frames.topic.substr(0, frames.topic.find('.')) : options.to,
      .deadline_unix_ms = loop_.unix_ms() + options.deadline.count(),
      .after_sequence = options.after_sequence};
  const std::string request_id = frames.envelope.request_id;
  link_.send(frames);
  calls_[request_id] = {std::move(frames), std::move(done), std::move(options.on_sequence),
                        loop_.steady_ms() + options.deadline.count(), loop_.steady_us()};
  loop_.after(std::min(limits_.repeat_every, options.deadline),
              [this, request_id] { repeat_call(request_id); });
}

void Bus::repeat_call(const std::string& request_id) {
  auto call = calls_.find(request_id);
  if (call == calls_.end()) return;
  const std::int64_t left_ms = call->second.deadline_steady_ms - loop_.steady_ms();
  if (left_ms <= 0) {
    auto ended = std::move(call->second);
    calls_.erase(call);
    const std::string late = ended.frames.envelope.to + " did not answer in time";
    return end_call(std::move(ended), refuse(ErrorCode::deadline_exceeded, late));
  }
  link_.send(call->second.frames);
  loop_.after(std::min(limits_.repeat_every, Milliseconds{left_ms}),
              [this, request_id] { repeat_call(request_id); });
}

void Bus::receive(Frames frames) {
  switch (frames.envelope.kind) {
    case msg::MessageKind::request:
      return receive_request(std::move(frames));
    case msg::MessageKind::reply:
      return receive_reply(frames);
    case msg::MessageKind::event:
      return receive_event(std::move(frames));
    case msg::MessageKind::hello:
    case msg::MessageKind::unknown:
      log::warning("message_kind_unknown", {{"topic", msg::shown(frames.topic)}});
  }
}

void Bus::receive_request(Frames frames) {
  if (frames.envelope.deadline_unix_ms < loop_.unix_ms()) return;  // nobody waits for it
  auto handler = requests_.find(frames.topic);
  if (handler == requests_.end())
    return turn_away(frames, ErrorCode::not_found, "nobody serves " + msg::shown(frames.topic));
  if (always_.contains(frames.topic)) return answer_at_once(frames, handler->second);
  if (!is_ready()) return;  // the caller repeats it until we are ready
  if (must_wait(frames.envelope)) return hold(std::move(frames));
  const std::string key = frames.envelope.sender + " " + frames.envelope.request_id;
  if (in_flight_.contains(key)) return;
  if (const auto refused = refused_.find(key);
      refused != refused_.end() &&
      refused->second.deadline_unix_ms == frames.envelope.deadline_unix_ms)
    return answer(frames, std::unexpected(refused->second.error));
  if (store_) {
    if (const std::string* kept = store_->stored_reply(frames.envelope.request_id)) {
      return store_->when_durable([this, frames, body = *kept](Result<void> durable) {
        if (durable) answer(frames, body);
      });
    }
  }
  if (is_draining_) return turn_away(frames, ErrorCode::unavailable, "takes no new requests");
  if (!has_room_in_flight())
    return turn_away(frames, ErrorCode::unavailable, "too many requests under way");
  in_flight_[key] = frames.envelope.deadline_unix_ms;
  if (metrics_) metrics_->show_in_flight(in_flight_.size());
  const std::int64_t begun_us = loop_.steady_us();
  Context context(loop_, frames.envelope);
  handler->second(frames.body, context, [this, frames, key, begun_us](Result<std::string> body) {
    if (!store_) return end_request(frames, key, begun_us, body);
    store_->when_durable(
        [this, frames, key, begun_us, body = std::move(body)](Result<void> durable) {
          if (durable) return end_request(frames, key, begun_us, body);
          end_request(frames, key, begun_us, std::unexpected(durable.error()));
        });
  });
}

void Bus::turn_away(const Frames& frames, ErrorCode code, std::string why) {
  const Error error{.code = code, .detail = std::move(why)};
  // Topics that come from outside are no labels: there is no end of them.
  const bool is_served = requests_.contains(frames.topic);
  if (metrics_) metrics_->count_request(is_served ? frames.topic : "unknown", &error, 0);
  answer(frames, std::unexpected(error));
}

void Bus::answer_at_once(const Frames& frames, const RequestHandler& handler) {
  Context context(loop_, frames.envelope);
  handler(frames.body, context,
          [this, &frames](Result<std::string> body) { answer(frames, std::move(body)); });
}

void Bus::end_request(const Frames& request, const std::string& key, std::int64_t begun_us,
                      const Result<std::string>& body) {
  in_flight_.erase(key);
  if (metrics_) {
    metrics_->show_in_flight(in_flight_.size());
    metrics_->count_request(request.topic, body ? nullptr : &body.error(),
                            static_cast<double>(loop_.steady_us() - begun_us) / 1e6);
  }
  // An outcome that is not known is not told: the caller repeats, and finds out.
  if (!body && body.error().code == ErrorCode::unknown_outcome) return;
  // Where we are away for now, the caller repeats as well, and may be told something else.
  if (!body && body.error().code != ErrorCode::unavailable)
    remember_refusal(key, {body.error(), request.envelope.deadline_unix_ms});
  answer(request, body);
}

void Bus::remember_refusal(const std::string& key, const Refusal& refusal) {
  const std::int64_t now_unix_ms = loop_.unix_ms();
  while (!refused_order_.empty() && (refused_order_.front().second < now_unix_ms ||
                                     refused_order_.size() >= limits_.refusals_kept_max)) {
    const auto known = refused_.find(refused_order_.front().first);
    if (known != refused_.end() && known->second.deadline_unix_ms == refused_order_.front().second)
      refused_.erase(known);
    refused_order_.pop_front();
  }
  refused_.insert_or_assign(key, refusal);
  refused_order_.emplace_back(key, refusal.deadline_unix_ms);
}

bool Bus::has_room_in_flight() {
  if (in_flight_.size() < limits_.requests_in_flight_max) return true;
  const std::int64_t now_unix_ms = loop_.unix_ms();
  std::erase_if(in_flight_, [&](const auto& request) { return request.second < now_unix_ms; });
  return in_flight_.size() < limits_.requests_in_flight_max;
}

/// A caller that saw an event wants an answer that knows it. Who hears nothing has nothing to wait
/// for: it answers from what it wrote itself.
bool Bus::must_wait(const msg::Envelope& envelope) const {
  return store_ && is_hearing() && envelope.after_sequence > store_->cursor();
}

void Bus::hold(Frames frames) {
  if (held_.size() >= limits_.requests_in_flight_max)
    return answer(frames, refuse(ErrorCode::unavailable, "too many requests under way"));
  const auto sequence = frames.envelope.after_sequence;
  held_.emplace(sequence, std::move(frames));
}

void Bus::release_held() {
  while (!held_.empty() && held_.begin()->first <= store_->cursor())
    receive_request(std::move(held_.extract(held_.begin()).mapped()));
  // Repeats of a request that waits wait beside it; whoever has gone is let go here.
  std::erase_if(held_, [now = loop_.unix_ms()](const auto& entry) {
    return entry.second.envelope.deadline_unix_ms < now;
  });
}

void Bus::answer(const Frames& request, Result<std::string> body) {
  Frames reply{.topic = request.topic};
  reply.envelope = {.kind = msg::MessageKind::reply,
                    .request_id = request.envelope.request_id,
                    .trace_id = request.envelope.trace_id,
                    .sender = link_.name(),
                    .to = request.envelope.sender,
                    .sequence = store_ ? store_->last_sequence() : 0};
  if (body) {
    reply.body = std::move(*body);
  } else {
    reply.envelope.error = body.error();
    if (body.error().code == ErrorCode::internal)
      log::error("request_failed", {{"topic", request.topic},
                                    {"trace", msg::shown(request.envelope.trace_id)},
                                    {"reason", body.error().detail}});
  }
  link_.send(std::move(reply));
}

void Bus::receive_reply(const Frames& frames) {
  auto call = calls_.find(frames.envelope.request_id);
  if (call == calls_.end()) return;  // answered before, or its deadline has passed
  const auto& error = frames.envelope.error;
  // Away, or lost in mid-commit: the same request is sent again until the deadline.
  if (error && (error->code == ErrorCode::unavailable || error->code == ErrorCode::unknown_outcome))
    return;
  auto ended = std::move(call->second);
  calls_.erase(call);
  if (ended.on_sequence) ended.on_sequence(frames.envelope.sequence);
  if (error) return end_call(std::move(ended), std::unexpected(*error));
  end_call(std::move(ended), frames.body);
}

void Bus::end_call(Call call, Result<std::string> body) {
  if (metrics_)
    metrics_->count_call(call.frames.topic, body ? nullptr : &body.error(),
                         static_cast<double>(loop_.steady_us() - call.begun_us) / 1e6);
  call.done(std::move(body));
}

void Bus::publish(const StoredEvent& event) {
  Frames frames{.topic = event.topic, .body = event.body};
  frames.envelope = {.kind = msg::MessageKind::event,
                     .trace_id = event.trace_id,
                     .sender = event.sender,
                     .event_id = event.sequence};
  link_.send(std::move(frames));
}

void Bus::receive_event(Frames frames) {
  StoredEvent event{.sequence = frames.envelope.event_id,
                    .topic = std::move(frames.topic),
                    .trace_id = std::move(frames.envelope.trace_id),
                    .sender = std::move(frames.envelope.sender),
                    .body = std::move(frames.body)};
  newest_seen_ = std::max(newest_seen_, event.sequence);
  if (listener_) listener_(event);
  if (!store_ || !is_hearing() || !store_->is_loaded()) return;
  const std::uint64_t sequence = event.sequence;
  if (sequence <= store_->cursor()) return;
  newest_told_ = std::max(newest_told_, sequence);
  if (sequence > store_->cursor() + 1) {
    if (ahead_.size() < limits_.events_ahead_max) ahead_.emplace(sequence, std::move(event));
    await_gap();
  } else {
    hear_event(event);
    hear_ahead();
  }
  show_events();
}

/// Those that came early, as far as none is missing.
void Bus::hear_ahead() {
  while (!ahead_.empty() && store_->is_loaded() && ahead_.begin()->first <= store_->cursor() + 1) {
    const StoredEvent event = std::move(ahead_.extract(ahead_.begin()).mapped());
    if (event.sequence > store_->cursor()) hear_event(event);
  }
}

void Bus::await_gap() {
  if (std::exchange(is_gap_awaited_, true)) return;
  loop_.after(limits_.gap_patience, [this] {
    is_gap_awaited_ = false;
    if (store_->is_loaded() && newest_told_ > store_->cursor()) read_missed_events();
  });
}

std::uint64_t Bus::newest_event() const {
  if (!store_) return newest_seen_;
  return std::max({newest_seen_, store_->last_sequence(), store_->cursor()});
}

void Bus::show_events() {
  if (metrics_) metrics_->show_events(store_->cursor(), newest_event());
}

void Bus::hear_event(const StoredEvent& event) {
  const auto type = std::string_view(event.topic).substr(event.topic.rfind('/') + 1);
  if (auto handler = events_.find(std::string(type)); handler != events_.end()) {
    Context context(
        loop_, {.trace_id = event.trace_id, .sender = event.sender, .event_id = event.sequence});
    if (auto heard = handler->second(event.body, context); !heard)
      log::error(
          "event_refused",
          {{"topic", event.topic}, {"event", event.sequence}, {"reason", heard.error().detail}});
  }
  if (follower_) follower_(event);
  if (metrics_) metrics_->count_event();
  if (!store_->is_loaded()) return;
  store_->set_cursor(event.sequence);
  release_held();
}

void Bus::read_missed_events() {
  if (is_reading_events_) return;
  is_reading_events_ = true;
  store_->journal().read_events(
      store_->cursor(), limits_.events_per_read,
      [this, told = newest_told_, begun_ms = loop_.steady_ms(), was_up = is_line_up_,
       lost = lines_lost_](Result<std::vector<StoredEvent>> read) {
        if (!is_reading_events_ || !store_->is_loaded()) return;
        is_reading_events_ = false;
        if (metrics_) metrics_->show_store_up(read || read.error().code == ErrorCode::wrong_state);
        if (!read) {
          log::error("events_not_read",
                     {{"after", store_->cursor()}, {"reason", read.error().detail}});
          show_hearing(0);
          return;  // the next poll tries again
        }
        for (const auto& event : *read)
          if (event.sequence > store_->cursor() && store_->is_loaded()) hear_event(event);
        hear_ahead();
        show_events();
        if (read->size() == limits_.events_per_read) return read_missed_events();
        is_catching_up_ = false;
        if (was_up && lost == lines_lost_) show_hearing(begun_ms);
        // What was told while this was read may have come too late for it.
        if (newest_told_ > std::max(store_->cursor(), told)) await_gap();
      });
}

void Bus::poll_events() {
  loop_.after(limits_.poll_events_every, [this] {
    if (store_->is_loaded()) read_missed_events();
    poll_events();
  });
}

}  // namespace nucleus::core
