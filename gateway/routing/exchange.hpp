// One request on its way to its answer: who asks, what the route says, calls to services, and the
// answer in the form that the route's generation of clients reads.
#pragma once

#include "core/bus/bus.hpp"
#include "gateway/http.hpp"
#include "gateway/json/json.hpp"
#include "gateway/routing/router.hpp"
#include "messages/registry.hpp"

namespace nucleus::gateway {

/// A file that an upload's body went to; removed with it.
struct Upload {
  std::string path = {};
  msg::Principal who = {};
  ~Upload();
};

struct VerifiedToken;

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(core::Bus& bus, core::Milliseconds call_deadline, HttpRequest received, Respond respond,
           std::string id)
      : request{std::move(received)},
        bus_{bus},
        call_deadline_{call_deadline},
        respond_{std::move(respond)},
        id_{std::move(id)} {}

  HttpRequest request;
  msg::Principal who = {};
  std::shared_ptr<const VerifiedToken> verified = {};  // where `who` may be remembered
  std::map<std::string, std::string> path = {};        // the route's {names}
  std::shared_ptr<Upload> upload = {};
  std::string base_url = {};  // http://HOST:PORT as the client reached us
  /// Services answer once they have heard events up to here, so that a client reads its own writes.
  std::uint64_t after_sequence = 0;
  /// Told the newest event that an answering service knew of, before its reply is looked at.
  std::function<void(std::uint64_t)> on_sequence = [](std::uint64_t) {};

  bool is_operator() const { return msg::is_operator(who); }
  /// Old clients' routes answer errors in another form than ours (compat section 1.10).
  bool is_v1() const;
  const std::string& id() const { return id_; }

  void reply(int status, const Json& body, Headers headers = {});
  void reply_text(int status, std::string body, const std::string& content_type,
                  Headers headers = {});
  void reply_nothing() { respond({.status = 204}); }
  void refuse(const core::Error& error);
  void refuse(core::ErrorCode code, const std::string& detail, const std::string& field = {}) {
    refuse(core::Error{.code = code, .detail = detail, .field = field});
  }
  /// A problem of RFC 9457, with its `type`, `title` and `detail`.
  void reply_problem(int status, Json problem, Headers headers = {});
  /// 429: too many log-ins, or too many failed ones, of this person or address.
  void refuse_log_in(const core::Error& error);
  /// 405, with the methods that there are.
  void refuse_method(const std::string& allowed);
  void respond(HttpResponse response);
  /// The answer is shown to `see` before it leaves.
  void before_answer(std::function<void(const HttpResponse&)> see) { see_ = std::move(see); }
  /// From here on calls are named after `name`, not after this exchange: whoever repeats the
  /// exchange under that name repeats its calls, which then have one effect.
  void name_calls(std::string name) {
    calls_name_ = std::move(name);
    calls_.clear();
  }

  /// Asks a service; where it refuses, so do we. `next` runs on the loop.
  template <class Request>
  void ask(const Request& message, std::function<void(typename Request::Reply)> next,
           core::CallOptions options = {}) {
    options.trace_id = id_;
    options.request_id = (calls_name_.empty() ? id_ : calls_name_) + "." +
                         std::string(Request::topic) + "." +
                         std::to_string(++calls_[Request::topic]);
    // Who is asked next knows at least what was told before: a cluster that one service has made is
    // there for the other.
    options.after_sequence = std::max(after_sequence, sequence_);
    options.on_sequence = [self = shared_from_this()](std::uint64_t sequence) {
      self->take_sequence(sequence);
    };
    if (options.deadline == core::CallOptions{}.deadline) options.deadline = call_deadline_;
    bus_.call(message, options,
              [self = shared_from_this(),
               next = std::move(next)](core::Result<typename Request::Reply> answered) {
                if (!answered) return self->refuse(answered.error());
                next(std::move(*answered));
              });
  }

  /// As `ask`, but a refusal is for `next` to tell.
  template <class Request>
  void try_ask(const Request& message,
               std::function<void(core::Result<typename Request::Reply>)> next) {
    bus_.call(message,
              {.request_id = id_ + ".try",
               .trace_id = id_,
               .deadline = call_deadline_,
               .on_sequence = [self = shared_from_this()](
                                  std::uint64_t sequence) { self->take_sequence(sequence); }},
              [self = shared_from_this(), next = std::move(next)](
                  core::Result<typename Request::Reply> answered) { next(std::move(answered)); });
  }

 private:
  void take_sequence(std::uint64_t sequence) {
    sequence_ = std::max(sequence_, sequence);
    on_sequence(sequence);
  }

  core::Bus& bus_;
  core::Milliseconds call_deadline_;
  Respond respond_;
  std::string id_;
  std::string calls_name_ = {};
  std::map<std::string_view, unsigned> calls_ = {};  // made so far, by topic
  std::function<void(const HttpResponse&)> see_ = {};
  std::uint64_t sequence_ = 0;  // the newest event that an answering service knew of
};

using ExchangePtr = std::shared_ptr<Exchange>;

}  // namespace nucleus::gateway
