// One HTTP request being handled: the caller, the values in the path, calls to services, and the
// answer in the form of the route's API generation.
#pragma once

#include "core/bus/bus.hpp"
#include "core/http/http.hpp"
#include "gateway/json/json.hpp"
#include "gateway/routing/router.hpp"
#include "messages/registry.hpp"

namespace nucleus::gateway {

/// The file that holds an upload's body; removed with this.
struct Upload {
  std::string path = {};
  msg::Principal who = {};
  ~Upload();
};

struct VerifiedToken;

class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(core::Bus& bus, core::Milliseconds call_deadline, core::http::Request received,
           core::http::Respond respond, std::string id)
      : request{std::move(received)},
        bus_{bus},
        call_deadline_{call_deadline},
        respond_{std::move(respond)},
        id_{std::move(id)} {}

  core::http::Request request;
  msg::Principal who = {};
  msg::Right needs = msg::Right::unknown;              // of the route; `who` has it
  std::shared_ptr<const VerifiedToken> verified = {};  // if `who` was verified by a cached token
  std::map<std::string, std::string> path = {};        // the values of the route's {names}
  std::shared_ptr<Upload> upload = {};
  std::string base_url = {};  // http://HOST:PORT as the client reached the gateway
  /// Services answer only after they have handled events up to here, so that a client reads its own
  /// writes.
  std::uint64_t after_sequence = 0;
  /// Called with the newest event that an answering service knew, before its reply is handled.
  std::function<void(std::uint64_t)> on_sequence = [](std::uint64_t) {};

  bool is_operator() const { return msg::is_operator(who); }
  /// Errors of v1 have their own form (docs/rest-v1.md, Common rules).
  bool is_v1() const;
  /// Problems of the IRI API name the request (docs/rest-iri.md).
  bool is_iri() const;
  const std::string& id() const { return id_; }

  void reply(int status, const Json& body, core::http::Headers headers = {});
  void reply_text(int status, std::string body, const std::string& content_type,
                  core::http::Headers headers = {});
  void reply_nothing() { respond({.status = 204}); }
  void refuse(const core::Error& error);
  void refuse(core::ErrorCode code, const std::string& detail, const std::string& field = {}) {
    refuse(core::Error{.code = code, .detail = detail, .field = field});
  }
  /// 403: the caller's credential lacks the right.
  void refuse_right(msg::Right right) {
    refuse(core::ErrorCode::forbidden, "this needs the right " + std::string(msg::name_of(right)));
  }
  /// A problem of RFC 9457, with its `type`, `title` and `detail`.
  void reply_problem(int status, Json problem, core::http::Headers headers = {});
  /// 429: too many log-ins, or too many failures, of this person or address.
  void refuse_log_in(const core::Error& error);
  /// 405 with the methods that the route has.
  void refuse_method(const std::string& allowed);
  void respond(core::http::Response response);
  /// Calls `see` with the answer before it is sent.
  void before_answer(std::function<void(const core::http::Response&)> see) {
    see_ = std::move(see);
  }
  /// From now on the request ids of calls derive from `name` instead of this exchange. A repeated
  /// exchange of the same name repeats the same calls, which have one effect.
  void name_calls(std::string name) {
    calls_name_ = std::move(name);
    calls_.clear();
  }

  /// Calls a service. A refusal refuses the exchange; a reply goes to `next`, on the loop.
  template <class Request>
  void ask(const Request& message, std::function<void(typename Request::Reply)> next,
           core::CallOptions options = {}) {
    try_ask(
        message,
        [self = shared_from_this(),
         next = std::move(next)](core::Result<typename Request::Reply> answered) {
          if (!answered) return self->refuse(answered.error());
          next(std::move(*answered));
        },
        std::move(options));
  }

  /// As `ask`, but `next` gets a refusal too.
  template <class Request>
  void try_ask(const Request& message,
               std::function<void(core::Result<typename Request::Reply>)> next,
               core::CallOptions options = {}) {
    options.trace_id = id_;
    options.request_id = (calls_name_.empty() ? id_ : calls_name_) + "." +
                         std::string(Request::topic) + "." +
                         std::to_string(++calls_[Request::topic]);
    // The next service first handles the events that the previous one knew: a cluster that one has
    // created exists for the other.
    options.after_sequence = std::max(after_sequence, sequence_);
    options.on_sequence = [self = shared_from_this()](std::uint64_t sequence) {
      self->take_sequence(sequence);
    };
    if (options.deadline == core::CallOptions{}.deadline) options.deadline = call_deadline_;
    bus_.call(message, options, std::move(next));
  }

 private:
  bool is_packable(const core::http::Response& response) const;
  bool is_not_modified(const core::http::Response& response) const;
  void log_change(int status) const;
  void add_own_headers(core::http::Response& response) const;
  void take_sequence(std::uint64_t sequence) {
    sequence_ = std::max(sequence_, sequence);
    on_sequence(sequence);
  }

  core::Bus& bus_;
  core::Milliseconds call_deadline_;
  core::http::Respond respond_;
  std::string id_;
  std::string calls_name_ = {};
  std::map<std::string_view, unsigned> calls_ = {};  // number of calls so far, by topic
  std::function<void(const core::http::Response&)> see_ = {};
  std::uint64_t sequence_ = 0;  // the newest event that an answering service knew
};

using ExchangePtr = std::shared_ptr<Exchange>;

}  // namespace nucleus::gateway
