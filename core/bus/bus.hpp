// The bus as a service uses it: serve requests, call other services, subscribe to events. Runs on
// the process's loop. A request has one effect and one reply however often it arrives: replies are
// stored under the request id. A subscriber handles every event exactly once, in order.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "core/bus/link.hpp"
#include "core/loop/context.hpp"
#include "core/state/store.hpp"

namespace nucleus::core {

class CoreMetrics;

/// A call without a reply, or answered as `unavailable`, is repeated with the same request id until
/// the deadline.
struct CallOptions {
  std::string to = {};          // process name; empty = the service named by the topic
  std::string request_id = {};  // empty = a new one
  std::string trace_id = {};    // empty = a new one
  Milliseconds deadline = Milliseconds{5000};
  std::uint64_t after_sequence = 0;  // the callee first handles the events up to here
  bool ends_if_unavailable = false;  // for example, if no process of this name is connected
  /// Called just before the reply with the callee's newest event number at that time.
  std::function<void(std::uint64_t)> on_sequence = {};
};

/// Sends the reply to a request, at most once. If it is dropped, the call ends at its deadline.
template <class Reply>
using Responder = std::function<void(Result<Reply>)>;

struct BusLimits {
  Milliseconds repeat_interval = Milliseconds{250};  // between copies of an unanswered request
  Milliseconds poll_interval = Milliseconds{500};    // between reads of the event stream
  // Events of two publishers may arrive out of order: the stream is read if an event is still
  // missing after this time.
  Milliseconds gap_timeout = Milliseconds{5};
  std::size_t events_per_read = 1000;
  std::size_t early_events_max = 10'000;  // buffered while an earlier event is missing
  std::size_t requests_in_flight_max = 100'000;
  std::size_t held_bytes_max = 64 << 20;      // of requests that wait for events
  std::size_t stored_refusals_max = 100'000;  // each until its request's deadline
};

class Bus {
 public:
  /// `store` may be null for a process without state, such as a command: it can call, observe
  /// events and `serve_always`.
  Bus(Loop& loop, Link& link, Store* store, BusLimits limits = {});
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  /// Calls `handler` on the loop with requests of this type. It must not block.
  template <class Request, class Room>
  void serve(Room& room,
             Result<typename Request::Reply> (Room::*handler)(const Request&, Context&)) {
    serve_raw(std::string(Request::topic),
              [&room, handler](const std::string& body, Context& context, const Respond& respond) {
                auto request = decoded<Request>(body);
                if (!request) return respond(std::unexpected(request.error()));
                auto reply = (room.*handler)(*request, context);
                if (!reply) return respond(std::unexpected(reply.error()));
                respond(msg::encode(*reply));
              });
  }

  /// Like `serve`, but the handler replies later through the responder, for example after a driver
  /// or another service has answered.
  template <class Request, class Room>
  void serve_later(Room& room, void (Room::*handler)(const Request&, Context&,
                                                     Responder<typename Request::Reply>)) {
    serve_raw(std::string(Request::topic),
              [&room, handler](const std::string& body, Context& context, const Respond& respond) {
                auto request = decoded<Request>(body);
                if (!request) return respond(std::unexpected(request.error()));
                (room.*handler)(*request, context,
                                [respond](Result<typename Request::Reply> reply) {
                                  if (!reply) return respond(std::unexpected(reply.error()));
                                  respond(msg::encode(*reply));
                                });
              });
  }

  /// Like `serve`, but also while the store is not loaded or the process drains. The handler must
  /// not write records; its reply is not stored.
  template <class Request, class Room>
  void serve_always(Room& room,
                    Result<typename Request::Reply> (Room::*handler)(const Request&, Context&)) {
    serve<Request>(room, handler);
    always_.insert(std::string(Request::topic));
  }

  /// Calls `handler` with every event of this type, once, in order. A transaction begun with its
  /// context advances the cursor in the same commit. An error is logged as an internal error, and
  /// the event counts as handled.
  template <class Event, class Room>
  void subscribe(Room& room, Result<void> (Room::*handler)(const Event&, Context&)) {
    subscribe_raw(std::string(Event::topic),
                  [&room, handler](const std::string& body, Context& context) -> Result<void> {
                    auto event = decoded<Event>(body);
                    if (!event) return std::unexpected(event.error());
                    return (room.*handler)(*event, context);
                  });
  }

  /// Calls `handler` repeatedly, `interval` after it last returned, while the process is ready.
  template <class Room>
  void every(Milliseconds interval, Room& room, void (Room::*handler)(Context&)) {
    every_raw(interval, [&room, handler](Context& context) { (room.*handler)(context); });
  }

  /// Calls another service. `done` receives the reply or the error on the loop, at the deadline at
  /// the latest (`deadline_exceeded`).
  template <class Request>
  void call(const Request& request, CallOptions options,
            std::function<void(Result<typename Request::Reply>)> done) {
    call_raw(std::string(Request::topic), msg::encode(request), std::move(options),
             [done = std::move(done)](Result<std::string> body) {
               if (!body) return done(std::unexpected(body.error()));
               auto reply = decoded<typename Request::Reply>(*body);
               // The caller's request was valid: an unreadable reply is a fault of the service.
               if (!reply) return done(refuse(ErrorCode::internal, reply.error().detail));
               done(std::move(reply));
             });
  }

  /// Calls `observer` with published events as they arrive: unordered, and some may be missing.
  /// Call before `start`.
  void observe(const std::string& prefix, std::function<void(const StoredEvent&)> observer);

  /// Calls `subscriber` with every event of the deployment after the store's cursor, once, in
  /// order. Call before `start`.
  void subscribe_all(std::function<void(const StoredEvent&)> subscriber) {
    subscriber_ = std::move(subscriber);
  }

  /// Reports regularly the time (steady clock, ms) up to which no event can be missing; 0 if events
  /// may be missing, because the connection to the bus was lost or the stream cannot be read. Call
  /// before `start`.
  void watch_completeness(std::function<void(std::int64_t complete_ms)> watcher);

  /// Starts to serve and to handle events once the store is loaded; without a store, immediately.
  void start();
  /// A context for work that was not started by a request or an event.
  Context context();
  Link& link() { return link_; }

  /// Refuses new requests as `unavailable` from now on; requests in flight are completed.
  void drain() { is_draining_ = true; }
  /// From any thread.
  bool is_draining() const { return is_draining_; }
  /// True once the store is loaded and all earlier events have been handled.
  bool is_ready() const { return !store_ || (store_->is_loaded() && !is_catching_up_); }
  std::size_t requests_in_flight() const { return in_flight_.size(); }
  /// The newest event that this process knows of; it may not have been handled yet.
  std::uint64_t newest_event() const;
  /// Counts requests, calls and events in `metrics`, which must outlive the bus. Call before
  /// `start`.
  void measure(CoreMetrics& metrics) { metrics_ = &metrics; }

 private:
  using Respond = std::function<void(Result<std::string>)>;
  using RequestHandler = std::function<void(const std::string&, Context&, const Respond&)>;
  using EventHandler = std::function<Result<void>(const std::string&, Context&)>;
  struct Call {
    Frames frames;
    std::function<void(Result<std::string>)> done;
    std::function<void(std::uint64_t)> on_sequence;
    std::int64_t deadline_steady_ms;
    std::int64_t started_us;
    bool ends_if_unavailable;
  };
  struct Refusal {
    Error error;
    std::int64_t deadline_unix_ms;
  };

  template <class T>
  static Result<T> decoded(const std::string& body) {
    try {
      return msg::decode<T>(body);
    } catch (const msg::DecodeError& error) {
      return refuse(ErrorCode::invalid_argument, error.what());
    }
  }

  void serve_raw(std::string topic, RequestHandler handler);
  void subscribe_raw(std::string topic, EventHandler handler);
  void every_raw(Milliseconds interval, std::function<void(Context&)> handler);
  void call_raw(std::string topic, std::string body, CallOptions options,
                std::function<void(Result<std::string>)> done);
  void receive(Frames frames);
  std::int64_t deadline_here(const msg::Envelope& envelope) const;
  Context context_of(const Frames& frames) const;
  void receive_request(Frames frames);
  void receive_reply(const Frames& frames);
  void receive_event(Frames frames);
  void reject(const Frames& frames, ErrorCode code, std::string reason);
  void run_handler(Frames frames, const std::string& key, const RequestHandler& handler);
  void answer_immediately(const Frames& frames, const RequestHandler& handler);
  bool answer_from_store(const Frames& frames, const std::string& key);
  bool must_wait(const msg::Envelope& envelope) const;
  void hold(Frames frames);
  void release_held();
  bool has_capacity();
  void store_refusal(const std::string& key, const Refusal& refusal);
  void answer(const Frames& request, Result<std::string> body);
  void end_request(const Frames& request, const std::string& key, std::int64_t started_us,
                   const Result<std::string>& body);
  void end_call(Call call, Result<std::string> body);
  void repeat_call(const std::string& request_id);
  void publish(const StoredEvent& event);
  void handle_event(const StoredEvent& event);
  void handle_early_events();
  void schedule_gap_read();
  void read_missed_events();
  void poll_events();
  void update_event_metrics();
  void handle_connection_change(bool is_connected);
  void report_completeness(std::int64_t complete_ms);
  bool has_subscriptions() const { return !events_.empty() || subscriber_; }

  Loop& loop_;
  Link& link_;
  Store* store_;
  BusLimits limits_;
  std::map<std::string, RequestHandler> requests_ = {};  // by topic
  std::set<std::string> always_ = {};                    // topics of serve_always
  std::map<std::string, EventHandler> events_ = {};      // by topic
  std::function<void(const StoredEvent&)> observer_ = {};
  std::function<void(const StoredEvent&)> subscriber_ = {};
  std::function<void(std::int64_t)> completeness_watcher_ = {};
  bool is_connected_ = true;  // only while completeness is watched
  std::uint64_t disconnect_count_ = 0;
  // Deadlines (Unix ms) of the requests in flight, by sender and request id. A request whose
  // handler never answers counts until its deadline.
  std::unordered_map<std::string, std::int64_t> in_flight_ = {};
  using HeldId = std::tuple<std::uint64_t, std::string, std::string>;  // sequence, sender, request
  std::map<HeldId, Frames> held_ = {};  // until events up to the sequence were handled
  std::size_t held_bytes_ = 0;          // of their bodies
  // Stored refusals, by sender and request id: a late copy of a refused request gets the same
  // answer. A request repeated under another deadline is a new attempt and is handled again.
  std::unordered_map<std::string, Refusal> refused_ = {};
  std::deque<std::pair<std::string, std::int64_t>> refused_order_ = {};  // key, deadline
  std::unordered_map<std::string, Call> calls_ = {};                     // by request id
  std::map<std::uint64_t, StoredEvent> early_events_ = {};  // received before an earlier one
  std::uint64_t newest_received_ = 0;                       // since the store was loaded
  std::uint64_t newest_seen_ = 0;                           // since the process started
  bool is_gap_read_scheduled_ = false;
  bool is_reading_events_ = false;
  bool is_catching_up_ = false;  // with the events of before the start; requests wait for it
  std::atomic<bool> is_draining_ = false;
  CoreMetrics* metrics_ = nullptr;
};

}  // namespace nucleus::core
