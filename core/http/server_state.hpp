// What the connections of one server share. Private to core/http. Used on the server's thread,
// except the mailbox.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/http/client_counter.hpp"
#include "core/http/server.hpp"
#include "core/http/stream_queue.hpp"

namespace nucleus::core::http {

/// Posts to the server's thread from any thread, also after the server's end: then it does nothing.
class Mailbox {
 public:
  explicit Mailbox(boost::asio::io_context& context) : context_{&context} {}
  template <class Action>
  void post(Action action) {
    const std::scoped_lock lock{mutex_};
    if (context_) boost::asio::post(*context_, std::move(action));
  }
  void close() {
    const std::scoped_lock lock{mutex_};
    context_ = nullptr;
  }

 private:
  std::mutex mutex_ = {};
  boost::asio::io_context* context_;
};

/// By address, or by the /64 of an IPv6 address, which one client may own.
using AddressCounter = ClientCounter<boost::asio::ip::address>;

/// What one connection holds, until this ends.
class ClientShare {
 public:
  ClientShare(AddressCounter& counter, const boost::asio::ip::address& address);
  ~ClientShare() { release(); }
  ClientShare(const ClientShare&) = delete;
  ClientShare& operator=(const ClientShare&) = delete;

  /// False: the client, or all of them, would hold more than the limit.
  bool take(std::size_t amount);
  void release();
  const boost::asio::ip::address& client() const { return client_; }

 private:
  AddressCounter& counter_;
  boost::asio::ip::address client_;
  std::size_t held_ = 0;
};

class WebSocketConnection;

struct ServerState {
  ServerState(ServerOptions options_, Server::Handler handler_, Server::NeedsPlan needs_plan_,
              Server::PlanBody plan_body_);

  const ListenOptions& listen_options(std::size_t listener) const {
    return listener == 0 ? options.listen : options.also_listen.at(listener - 1);
  }

  ServerOptions options;
  Server::Handler handler;
  Server::NeedsPlan needs_plan;
  Server::PlanBody plan_body;
  std::vector<AddressCounter> connections;  // by listener: clients of one cannot fill another
  AddressCounter body_bytes;                // of requests that are being received or answered
  std::uint64_t prepared_sent = 0;          // makes the X-Request-Id of each
  std::unordered_map<const WebSocketConnection*, std::weak_ptr<WebSocketConnection>> websockets =
      {};
  std::function<void()> on_websocket_end = [] {};
  // Connections that wait for their handler; nothing else keeps them alive meanwhile.
  std::unordered_map<const void*, std::shared_ptr<void>> waiting = {};
  std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>(context);
  boost::asio::io_context context{1};  // last: destroying it ends connections, which use the rest
};

/// The sending end of a queue. `write` and `cut` run on the server's thread.
class QueuedStream : public Stream {
 public:
  QueuedStream(std::shared_ptr<StreamQueue> queue, std::shared_ptr<Mailbox> mailbox,
               std::function<void()> write, std::function<void()> cut)
      : queue_{std::move(queue)},
        mailbox_{std::move(mailbox)},
        write_{std::move(write)},
        cut_{std::move(cut)} {}

  bool send(std::string text) override;
  bool is_open() const override { return queue_->is_open(); }
  void close() override;
  std::size_t queued_bytes() const override { return queue_->queued_bytes(); }

 private:
  std::shared_ptr<StreamQueue> queue_;
  std::shared_ptr<Mailbox> mailbox_;
  std::function<void()> write_;
  std::function<void()> cut_;
};

/// Serves a connection of one of the server's listeners until it ends.
void serve_connection(ServerState& state, boost::asio::ip::tcp::socket socket,
                      std::unique_ptr<ClientShare> slot, std::size_t listener);

}  // namespace nucleus::core::http
