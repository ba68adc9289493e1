// A client of the bus without a store: calls the services of one deployment and waits for their
// replies. The bus runs on an event loop in a thread of its own.
#pragma once

#include <algorithm>
#include <future>
#include <iterator>
#include <memory>
#include <thread>

#include "core/bus/bus.hpp"
#include "core/bus/zmq_link.hpp"
#include "core/loop/posix_loop.hpp"
#include "operator/state_directory.hpp"

namespace nucleus::operator_ {

class Caller {
 public:
  explicit Caller(core::ZmqLinkOptions link);
  ~Caller();
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  /// Sends the request and waits for the reply, at most until the deadline: `deadline_exceeded`.
  /// The callee first handles the events that answered calls of this caller knew.
  template <class Request>
  core::Result<typename Request::Reply> call(const Request& request,
                                             core::CallOptions options = {}) {
    return call_async(request, std::move(options)).get();
  }

  /// Sends the request; the future receives the reply.
  template <class Request>
  std::future<core::Result<typename Request::Reply>> call_async(const Request& request,
                                                                core::CallOptions options = {}) {
    using Reply = core::Result<typename Request::Reply>;
    auto promise = std::make_shared<std::promise<Reply>>();
    auto future = promise->get_future();
    loop_.post([this, request, options = std::move(options), promise]() mutable {
      options.after_sequence = std::max(options.after_sequence, sequence_);
      options.on_sequence = [this](std::uint64_t sequence) {
        sequence_ = std::max(sequence_, sequence);
      };
      bus_.call(request, options, [promise](Reply reply) { promise->set_value(std::move(reply)); });
    });
    return future;
  }

 private:
  core::PosixLoop loop_ = {};
  core::ZmqLink link_;
  core::Bus bus_;
  std::uint64_t sequence_ = 0;  // the newest event that an answering service knew; of the loop
  std::jthread thread_ = {};
};

/// Every entry of a list, page after page.
template <class Request, class Entry>
core::Result<std::vector<Entry>> call_all_pages(Caller& caller, Request request,
                                                std::vector<Entry> Request::Reply::*entries) {
  std::vector<Entry> all;
  request.page.limit = msg::page_entries_max;
  do {
    auto page = caller.call(request);
    if (!page) return std::unexpected(page.error());
    std::ranges::move((*page).*entries, std::back_inserter(all));
    request.page.after = page->next;
  } while (!request.page.after.empty());
  return all;
}

/// To the bus of a deployment that `up` created on this machine.
core::ZmqLinkOptions local_link_options(const StateDirectory& state);
/// To a bus over TCP, from DIR/settings.yaml and the environment.
core::Result<core::ZmqLinkOptions> remote_link_options(const StateDirectory& state);
/// A caller for the deployment of `--state DIR`, local or remote; `not_found` if there is neither.
core::Result<std::unique_ptr<Caller>> open_caller(const std::string& directory);

}  // namespace nucleus::operator_
