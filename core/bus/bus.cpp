#include "core/bus/bus.hpp"

#include <algorithm>

#include "core/assert.hpp"
#include "core/log/log.hpp"
#include "core/metrics/core_metrics.hpp"

namespace nucleus::core {

namespace {

constexpr std::int64_t timeout_ms_max = 86'400'000;  // a day; no caller waits longer

std::string key_of(const msg::Envelope& envelope) {
  return envelope.sender + " " + envelope.request_id;
}

/// That of the request that is being handled, unless another is given.
std::string trace_of_call(const std::string& given, Loop& loop) {
  if (!given.empty()) return given;
  return log::Trace::current().empty() ? loop.new_id() : log::Trace::current();
}

}  // namespace

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

void Bus::observe(const std::string& prefix, std::function<void(const StoredEvent&)> observer) {
  observer_ = std::move(observer);
  link_.subscribe(prefix);
}

void Bus::watch_completeness(std::function<void(std::int64_t)> watcher) {
  completeness_watcher_ = std::move(watcher);
  is_connected_ =
      link_.watch_connection([this](bool is_connected) { handle_connection_change(is_connected); });
}

/// Events published while the connection was down can only be read from the stream.
void Bus::handle_connection_change(bool is_connected) {
  is_connected_ = is_connected;
  if (!is_connected) ++disconnect_count_;
  report_completeness(0);
  if (is_connected && store_ && store_->is_loaded()) read_missed_events();
}

void Bus::report_completeness(std::int64_t complete_ms) {
  if (completeness_watcher_) completeness_watcher_(is_connected_ ? complete_ms : 0);
}

Context Bus::context() {
  return {loop_, {.trace_id = loop_.new_id(), .sender = link_.name()}};
}

void Bus::start() {
  if (!store_) return;
  store_->on_durable_event([this](const StoredEvent& event) { publish(event); });
  // Requests from before a reload get no answer; their callers repeat them.
  store_->on_loaded([this] {
    in_flight_.clear();
    held_.clear();
    held_bytes_ = 0;
    is_catching_up_ = has_subscriptions();
    is_reading_events_ = false;
    early_events_.clear();
    newest_received_ = 0;
    if (is_catching_up_) read_missed_events();
  });
  if (has_subscriptions()) {
    link_.subscribe("");
    poll_events();
  }
  store_->start();
}

void Bus::call_raw(std::string topic, std::string body, CallOptions options,
                   std::function<void(Result<std::string>)> done) {
  // The bus would close the connection of a process that sends it.
  if (body.size() > msg::body_bytes_max)
    return loop_.post([done = std::move(done)] {
      done(refuse(ErrorCode::invalid_argument, "the request is over 1 MiB"));
    });
  Frames frames{.topic = std::move(topic), .body = std::move(body)};
  frames.envelope = {
      .kind = msg::MessageKind::request,
      .request_id = options.request_id.empty() ? loop_.new_id() : options.request_id,
      .trace_id = trace_of_call(options.trace_id, loop_),
      .sender = link_.name(),
      .to = options.to.empty() ? frames.topic.substr(0, frames.topic.find('.')) : options.to,
      .deadline_unix_ms = loop_.unix_ms() + options.deadline.count(),
      .after_sequence = options.after_sequence,
      .timeout_ms = options.deadline.count()};
  const std::string request_id = frames.envelope.request_id;
  link_.send(frames);
  calls_[request_id] = {std::move(frames),
                        std::move(done),
                        std::move(options.on_sequence),
                        loop_.steady_ms() + options.deadline.count(),
                        loop_.steady_us(),
                        options.ends_if_unavailable};
  loop_.after(std::min(limits_.repeat_interval, options.deadline),
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
  call->second.frames.envelope.timeout_ms = left_ms;
  link_.send(call->second.frames);
  loop_.after(std::min(limits_.repeat_interval, Milliseconds{left_ms}),
              [this, request_id] { repeat_call(request_id); });
}

void Bus::receive(Frames frames) {
  switch (frames.envelope.kind) {
    case msg::MessageKind::request:
      frames.deadline_unix_ms = deadline_here(frames.envelope);
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

/// The clock of the caller's machine may differ from ours.
std::int64_t Bus::deadline_here(const msg::Envelope& envelope) const {
  if (envelope.timeout_ms <= 0) return envelope.deadline_unix_ms;
  return loop_.unix_ms() + std::min(envelope.timeout_ms, timeout_ms_max);
}

Context Bus::context_of(const Frames& frames) const {
  auto envelope = frames.envelope;
  envelope.deadline_unix_ms = frames.deadline_unix_ms;
  return {loop_, std::move(envelope)};
}

void Bus::receive_request(Frames frames) {
  if (frames.deadline_unix_ms < loop_.unix_ms()) return;  // the caller has given up
  const auto handler = requests_.find(frames.topic);
  if (handler == requests_.end())
    return reject(frames, ErrorCode::not_found, "no such request: " + msg::shown(frames.topic));
  if (always_.contains(frames.topic)) return answer_immediately(frames, handler->second);
  if (!is_ready()) return;  // the caller repeats the request
  if (must_wait(frames.envelope)) return hold(std::move(frames));
  const std::string key = key_of(frames.envelope);
  if (in_flight_.contains(key) || answer_from_store(frames, key)) return;
  if (is_draining_) return reject(frames, ErrorCode::unavailable, "takes no new requests");
  if (!has_capacity()) return reject(frames, ErrorCode::unavailable, "too many requests in flight");
  in_flight_[key] = frames.deadline_unix_ms;
  if (metrics_) metrics_->show_in_flight(in_flight_.size());
  run_handler(std::move(frames), key, handler->second);
}

/// Answers with the stored reply or refusal, if there is one.
bool Bus::answer_from_store(const Frames& frames, const std::string& key) {
  if (const auto refused = refused_.find(key);
      refused != refused_.end() &&
      refused->second.deadline_unix_ms == frames.envelope.deadline_unix_ms) {
    answer(frames, std::unexpected(refused->second.error));
    return true;
  }
  const std::string* reply = store_ ? store_->stored_reply(frames.envelope.request_id) : nullptr;
  if (!reply) return false;
  store_->when_durable([this, frames, body = *reply](Result<void> durable) {
    if (durable) answer(frames, body);
  });
  return true;
}

void Bus::run_handler(Frames frames, const std::string& key, const RequestHandler& handler) {
  const std::int64_t started_us = loop_.steady_us();
  const log::Trace trace{frames.envelope.trace_id};
  Context context = context_of(frames);
  const std::string body = std::move(frames.body);
  handler(body, context, [this, frames, key, started_us](Result<std::string> reply) {
    if (!store_) return end_request(frames, key, started_us, reply);
    store_->when_durable(
        [this, frames, key, started_us, reply = std::move(reply)](Result<void> durable) {
          if (durable) return end_request(frames, key, started_us, reply);
          end_request(frames, key, started_us, std::unexpected(durable.error()));
        });
  });
}

void Bus::reject(const Frames& frames, ErrorCode code, std::string reason) {
  const Error error{.code = code, .detail = std::move(reason)};
  // A topic from outside must not become a label: their number is unbounded.
  const bool is_served = requests_.contains(frames.topic);
  if (metrics_) metrics_->count_request(is_served ? frames.topic : "unknown", &error, 0);
  answer(frames, std::unexpected(error));
}

void Bus::answer_immediately(const Frames& frames, const RequestHandler& handler) {
  Context context = context_of(frames);
  handler(frames.body, context,
          [this, &frames](Result<std::string> body) { answer(frames, std::move(body)); });
}

void Bus::end_request(const Frames& request, const std::string& key, std::int64_t started_us,
                      const Result<std::string>& body) {
  in_flight_.erase(key);
  if (metrics_) {
    metrics_->show_in_flight(in_flight_.size());
    metrics_->count_request(request.topic, body ? nullptr : &body.error(),
                            static_cast<double>(loop_.steady_us() - started_us) / 1e6);
  }
  // The caller repeats the request and gets the outcome then.
  if (!body && body.error().code == ErrorCode::unknown_outcome) return;
  // `unavailable` is temporary: a repeated request may be answered differently.
  if (!body && body.error().code != ErrorCode::unavailable)
    store_refusal(key, {body.error(), request.envelope.deadline_unix_ms});
  answer(request, body);
}

void Bus::store_refusal(const std::string& key, const Refusal& refusal) {
  const std::int64_t now_unix_ms = loop_.unix_ms();
  while (!refused_order_.empty() && (refused_order_.front().second < now_unix_ms ||
                                     refused_order_.size() >= limits_.stored_refusals_max)) {
    const auto oldest = refused_.find(refused_order_.front().first);
    if (oldest != refused_.end() &&
        oldest->second.deadline_unix_ms == refused_order_.front().second)
      refused_.erase(oldest);
    refused_order_.pop_front();
  }
  refused_.insert_or_assign(key, refusal);
  refused_order_.emplace_back(key, refusal.deadline_unix_ms);
}

bool Bus::has_capacity() {
  if (in_flight_.size() < limits_.requests_in_flight_max) return true;
  const std::int64_t now_unix_ms = loop_.unix_ms();
  std::erase_if(in_flight_, [&](const auto& request) { return request.second < now_unix_ms; });
  return in_flight_.size() < limits_.requests_in_flight_max;
}

/// True if the caller has seen an event that this process has not handled yet. A process without
/// subscriptions has nothing to catch up on.
bool Bus::must_wait(const msg::Envelope& envelope) const {
  return store_ && has_subscriptions() && envelope.after_sequence > store_->cursor();
}

/// A copy of a held request adds nothing.
void Bus::hold(Frames frames) {
  const HeldId id{frames.envelope.after_sequence, frames.envelope.sender,
                  frames.envelope.request_id};
  if (held_.contains(id)) return;
  if (held_.size() >= limits_.requests_in_flight_max ||
      held_bytes_ + frames.body.size() > limits_.held_bytes_max)
    return answer(frames, refuse(ErrorCode::unavailable, "too many requests in flight"));
  held_bytes_ += frames.body.size();
  held_.emplace(id, std::move(frames));
}

void Bus::release_held() {
  while (!held_.empty() && std::get<0>(held_.begin()->first) <= store_->cursor()) {
    auto frames = std::move(held_.extract(held_.begin()).mapped());
    held_bytes_ -= frames.body.size();
    receive_request(std::move(frames));
  }
  std::erase_if(held_, [this, now = loop_.unix_ms()](const auto& entry) {
    const bool is_over = entry.second.deadline_unix_ms < now;
    if (is_over) held_bytes_ -= entry.second.body.size();
    return is_over;
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
  if (body && body->size() > msg::body_bytes_max)
    body = refuse(ErrorCode::internal, "the reply is over 1 MiB");
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
  if (call == calls_.end()) return;  // already answered, or past its deadline
  const auto& error = frames.envelope.error;
  // The same request is sent again until the deadline.
  const bool is_unavailable = error && error->code == ErrorCode::unavailable;
  if (is_unavailable && !call->second.ends_if_unavailable) return;
  if (error && error->code == ErrorCode::unknown_outcome) return;
  auto ended = std::move(call->second);
  calls_.erase(call);
  if (ended.on_sequence) ended.on_sequence(frames.envelope.sequence);
  if (error) return end_call(std::move(ended), std::unexpected(*error));
  end_call(std::move(ended), frames.body);
}

void Bus::end_call(Call call, Result<std::string> body) {
  if (metrics_)
    metrics_->count_call(call.frames.topic, body ? nullptr : &body.error(),
                         static_cast<double>(loop_.steady_us() - call.started_us) / 1e6);
  const log::Trace trace{call.frames.envelope.trace_id};
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
  if (observer_) observer_(event);
  if (!store_ || !has_subscriptions() || !store_->is_loaded()) return;
  const std::uint64_t sequence = event.sequence;
  if (sequence <= store_->cursor()) return;
  newest_received_ = std::max(newest_received_, sequence);
  if (sequence > store_->cursor() + 1) {
    if (early_events_.size() < limits_.early_events_max)
      early_events_.emplace(sequence, std::move(event));
    schedule_gap_read();
  } else {
    handle_event(event);
    handle_early_events();
  }
  update_event_metrics();
}

/// Handles the early events up to the first gap.
void Bus::handle_early_events() {
  while (!early_events_.empty() && store_->is_loaded() &&
         early_events_.begin()->first <= store_->cursor() + 1) {
    const StoredEvent event = std::move(early_events_.extract(early_events_.begin()).mapped());
    if (event.sequence > store_->cursor()) handle_event(event);
  }
}

void Bus::schedule_gap_read() {
  if (std::exchange(is_gap_read_scheduled_, true)) return;
  loop_.after(limits_.gap_timeout, [this] {
    is_gap_read_scheduled_ = false;
    if (store_->is_loaded() && newest_received_ > store_->cursor()) read_missed_events();
  });
}

std::uint64_t Bus::newest_event() const {
  if (!store_) return newest_seen_;
  return std::max({newest_seen_, store_->last_sequence(), store_->cursor()});
}

void Bus::update_event_metrics() {
  if (metrics_) metrics_->show_events(store_->cursor(), newest_event());
}

void Bus::handle_event(const StoredEvent& event) {
  const auto type = std::string_view(event.topic).substr(event.topic.rfind('/') + 1);
  const log::Trace trace{event.trace_id};
  if (auto handler = events_.find(std::string(type)); handler != events_.end()) {
    Context context(
        loop_, {.trace_id = event.trace_id, .sender = event.sender, .event_id = event.sequence});
    if (auto handled = handler->second(event.body, context); !handled)
      log::error(
          "event_refused",
          {{"topic", event.topic}, {"event", event.sequence}, {"reason", handled.error().detail}});
  }
  if (subscriber_) subscriber_(event);
  if (metrics_) metrics_->count_event();
  if (!store_->is_loaded()) return;
  NUCLEUS_ASSERT(event.sequence == store_->cursor() + 1);
  store_->set_cursor(event.sequence);
  release_held();
}

void Bus::read_missed_events() {
  if (is_reading_events_) return;
  is_reading_events_ = true;
  store_->journal().read_events(
      store_->cursor(), limits_.events_per_read,
      [this, received = newest_received_, started_ms = loop_.steady_ms(),
       was_connected = is_connected_,
       disconnects = disconnect_count_](Result<std::vector<StoredEvent>> read) {
        if (!is_reading_events_ || !store_->is_loaded()) return;
        is_reading_events_ = false;
        if (metrics_) metrics_->show_store_up(read || read.error().code == ErrorCode::wrong_state);
        if (!read) {
          log::error("events_not_read",
                     {{"after", store_->cursor()}, {"reason", read.error().detail}});
          report_completeness(0);
          return;  // the next poll tries again
        }
        for (const auto& event : *read)
          if (event.sequence > store_->cursor() && store_->is_loaded()) handle_event(event);
        handle_early_events();
        update_event_metrics();
        if (read->size() == limits_.events_per_read) return read_missed_events();
        is_catching_up_ = false;
        if (was_connected && disconnects == disconnect_count_) report_completeness(started_ms);
        // Events received during the read may be newer than what it returned.
        if (newest_received_ > std::max(store_->cursor(), received)) schedule_gap_read();
      });
}

void Bus::poll_events() {
  loop_.after(limits_.poll_interval, [this] {
    if (store_->is_loaded()) read_missed_events();
    poll_events();
  });
}

}  // namespace nucleus::core
