// A process without a store that asks the services of one deployment and waits for their answers.
// Its bus runs on a loop in a thread of its own.
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

namespace nucleus::op {

class Caller {
 public:
  explicit Caller(core::ZmqLinkOptions link);
  ~Caller();
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  /// Asks and waits for the reply; `deadline_exceeded` at the latest when the deadline says.
  template <class Request>
  core::Result<typename Request::Reply> call(const Request& request,
                                             core::CallOptions options = {}) {
    return begin(request, std::move(options)).get();
  }

  /// Asks; the reply comes through the future.
  template <class Request>
  std::future<core::Result<typename Request::Reply>> begin(const Request& request,
                                                           core::CallOptions options = {}) {
    using Reply = core::Result<typename Request::Reply>;
    auto promise = std::make_shared<std::promise<Reply>>();
    auto reply = promise->get_future();
    loop_.post([this, request, options = std::move(options), promise] {
      bus_.call(request, options,
                [promise](Reply answered) { promise->set_value(std::move(answered)); });
    });
    return reply;
  }

 private:
  core::PosixLoop loop_ = {};
  core::ZmqLink link_;
  core::Bus bus_;
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
    std::ranges::move(page->*entries, std::back_inserter(all));
    request.page.after = page->next;
  } while (!request.page.after.empty());
  return all;
}

/// To the bus of a deployment that `up` has made on this machine.
core::ZmqLinkOptions local_access(const StateDirectory& state);
/// To a bus over tcp, as DIR/settings.yaml and the environment say.
core::Result<core::ZmqLinkOptions> remote_access(const StateDirectory& state);
/// A caller for a command's `--state DIR`, whichever it is; else an error that says what is
/// missing.
core::Result<std::unique_ptr<Caller>> open_caller(const std::string& directory);

}  // namespace nucleus::op
