// The bus as a service uses it: serve requests, hear events, call others. Runs on the process's
// loop. A request has one effect and one reply however often it arrives; an event is handled once,
// in order, none left out.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/bus/link.hpp"
#include "core/loop/context.hpp"
#include "core/state/store.hpp"

namespace nucleus::core {

class CoreMetrics;

/// How a call is made. Where the callee is away, it is repeated with the same request id until the
/// deadline.
struct CallOptions {
  std::string to = {};          // process name; empty = the service that the topic names
  std::string request_id = {};  // empty = a new one
  std::string trace_id = {};    // empty = a new one
  Milliseconds deadline = Milliseconds{5000};
  std::uint64_t after_sequence = 0;  // the callee answers once it has heard events up to here
  /// Told the event number at which the reply was made, just before the reply itself.
  std::function<void(std::uint64_t)> on_sequence = {};
};

/// Answers a request later than its handler returns, once. Dropped unanswered, the caller's
/// deadline tells it.
template <class Reply>
using Responder = std::function<void(Result<Reply>)>;

struct BusLimits {
  Milliseconds repeat_every = Milliseconds{250};  // an unanswered call is sent again
  Milliseconds poll_events_every = Milliseconds{500};
  // Two publishers' events overtake each other on the way: one that is missing is waited for so
  // long before the stream is read.
  Milliseconds gap_patience = Milliseconds{5};
  std::size_t events_per_read = 1000;
  std::size_t events_ahead_max = 10'000;  // kept while an earlier one is missing
  std::size_t requests_in_flight_max = 100'000;
  std::size_t refusals_kept_max = 100'000;  // each until its request's deadline
};

class Bus {
 public:
  /// `store` may be null: a process that owns no state (gateway, command) can call and listen, not
  /// serve.
  Bus(Loop& loop, Link& link, Store* store, BusLimits limits = {});
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  /// Requests of this type go to `handler`, on the loop. It reads, decides, records, and never
  /// blocks.
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

  /// As `serve`, for what needs a driver or another service first: the handler answers through the
  /// responder.
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

  /// As `serve`, but answered at all times: while the store is not loaded, while it drains. It
  /// records nothing, and its reply is not kept.
  template <class Request, class Room>
  void serve_always(Room& room,
                    Result<typename Request::Reply> (Room::*handler)(const Request&, Context&)) {
    serve<Request>(room, handler);
    always_.insert(std::string(Request::topic));
  }

  /// Every event of this type goes to `handler`, once, in order. A transaction begun with its
  /// context lands with the cursor. An error from it is logged as our own mistake, and the event
  /// counts as heard.
  template <class Event, class Room>
  void subscribe(Room& room, Result<void> (Room::*handler)(const Event&, Context&)) {
    subscribe_raw(std::string(Event::topic),
                  [&room, handler](const std::string& body, Context& context) -> Result<void> {
                    auto event = decoded<Event>(body);
                    if (!event) return std::unexpected(event.error());
                    return (room.*handler)(*event, context);
                  });
  }

  /// Calls `handler` again and again, `interval` after it last returned, while the store is loaded.
  template <class Room>
  void every(Milliseconds interval, Room& room, void (Room::*handler)(Context&)) {
    every_raw(interval, [&room, handler](Context& context) { (room.*handler)(context); });
  }

  /// Asks another service; `done` gets its reply on the loop, or the error, `deadline_exceeded` at
  /// the latest.
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

  /// Every event as it is sent, unordered and perhaps not all: for processes that own no state.
  /// Before `start`.
  void listen(const std::string& prefix, std::function<void(const StoredEvent&)> listener);

  /// Every event of the deployment, in order and none left out, from where the store's cursor
  /// stands on. Before `start`.
  void follow(std::function<void(const StoredEvent&)> follower) { follower_ = std::move(follower); }

  /// Told, again and again, the moment (steady, ms) up to which all events were heard for sure; 0
  /// where it is not sure any more that they come: the line to the bus was lost, or the stream
  /// cannot be read. Before `start`.
  void watch_hearing(std::function<void(std::int64_t sure_ms)> told);

  /// Begins to hear and serve once the store is loaded. Without a store: at once.
  void start();
  /// A context for work that no request or event began.
  Context context();
  Link& link() { return link_; }

  /// From now on new requests are answered `unavailable`; those under way end.
  void drain() { is_draining_ = true; }
  /// From any thread.
  bool is_draining() const { return is_draining_; }
  /// The store is loaded, and the events of before that have had their effect.
  bool is_ready() const { return !store_ || (store_->is_loaded() && !is_catching_up_); }
  std::size_t requests_in_flight() const { return in_flight_.size(); }
  /// The newest event that this process knows of; it need not have heard it yet.
  std::uint64_t newest_event() const;
  /// Tells requests, calls and events to `metrics`, which outlives it. Before `start`.
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
    std::int64_t begun_us;
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
  void receive_request(Frames frames);
  void receive_reply(const Frames& frames);
  void receive_event(Frames frames);
  void turn_away(const Frames& frames, ErrorCode code, std::string why);
  void answer_at_once(const Frames& frames, const RequestHandler& handler);
  bool must_wait(const msg::Envelope& envelope) const;
  void hold(Frames frames);
  void release_held();
  bool has_room_in_flight();
  void remember_refusal(const std::string& key, const Refusal& refusal);
  void answer(const Frames& request, Result<std::string> body);
  void end_request(const Frames& request, const std::string& key, std::int64_t begun_us,
                   const Result<std::string>& body);
  void end_call(Call call, Result<std::string> body);
  void show_events();
  void publish(const StoredEvent& event);
  void hear_event(const StoredEvent& event);
  void hear_ahead();
  void await_gap();
  void read_missed_events();
  void poll_events();
  void take_line(bool is_up);
  void show_hearing(std::int64_t sure_ms);
  bool is_hearing() const { return !events_.empty() || follower_; }
  void repeat_call(const std::string& request_id);

  Loop& loop_;
  Link& link_;
  Store* store_;
  BusLimits limits_;
  std::map<std::string, RequestHandler> requests_ = {};
  std::set<std::string> always_ = {};  // topics that are answered at all times
  std::map<std::string, EventHandler> events_ = {};
  std::function<void(const StoredEvent&)> listener_ = {};
  std::function<void(const StoredEvent&)> follower_ = {};
  std::function<void(std::int64_t)> hearing_told_ = {};
  bool is_line_up_ = true;
  std::uint64_t lines_lost_ = 0;
  // Requests being answered, with their deadlines (Unix ms): one that is never answered counts
  // until then.
  std::unordered_map<std::string, std::int64_t> in_flight_ = {};
  std::multimap<std::uint64_t, Frames> held_ = {};  // until their `after_sequence` was heard
  // What was refused, for copies that come late: a caller that was told no is never told yes. One
  // that asks anew, until another deadline, is heard anew.
  std::unordered_map<std::string, Refusal> refused_ = {};
  std::deque<std::pair<std::string, std::int64_t>> refused_order_ = {};  // with the deadline
  std::unordered_map<std::string, Call> calls_ = {};
  std::map<std::uint64_t, StoredEvent> ahead_ = {};  // came before one that goes before them
  std::uint64_t newest_told_ = 0;                    // of all that came
  bool is_gap_awaited_ = false;
  bool is_reading_events_ = false;
  bool is_catching_up_ = false;  // requests wait for the events of before the start
  std::atomic<bool> is_draining_ = false;
  std::uint64_t newest_seen_ = 0;
  CoreMetrics* metrics_ = nullptr;
};

}  // namespace nucleus::core
