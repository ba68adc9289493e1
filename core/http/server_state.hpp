// What the connections of one server share. Private to core/http. Used on the server's thread,
// except the mailbox.
#pragma once

#include <utility>
// Boost 1.74's asio needs <utility> before it with g++ 12.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

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

/// Counts open connections, in all and by client.
class ConnectionCounter {
 public:
  using Address = boost::asio::ip::address;
  struct Limits {
    std::size_t all = 0;
    std::size_t per_address = 0;
  };

  explicit ConnectionCounter(Limits limits) : limits_{limits} {}
  bool has_room(const Address& address) const;
  void add(const Address& address);
  void remove(const Address& address);

 private:
  Limits limits_;
  std::size_t all_ = 0;
  std::map<Address, std::size_t> by_client_ = {};
};

/// A connection's place in the counter, held as long as the connection is open.
class ConnectionSlot {
 public:
  ConnectionSlot(ConnectionCounter& counter, ConnectionCounter::Address address)
      : counter_{counter}, address_{std::move(address)} {
    counter_.add(address_);
  }
  ~ConnectionSlot() { counter_.remove(address_); }
  ConnectionSlot(const ConnectionSlot&) = delete;
  ConnectionSlot& operator=(const ConnectionSlot&) = delete;

 private:
  ConnectionCounter& counter_;
  ConnectionCounter::Address address_;
};

class WebSocketConnection;

struct ServerState {
  ServerState(ServerOptions options_, Server::Handler handler_, Server::NeedsPlan needs_plan_,
              Server::PlanBody plan_body_);

  ServerOptions options;
  Server::Handler handler;
  Server::NeedsPlan needs_plan;
  Server::PlanBody plan_body;
  ConnectionCounter counter;
  std::uint64_t prepared_sent = 0;  // makes the X-Request-Id of each
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

/// Serves a connection until it ends.
void serve_connection(ServerState& state, boost::asio::ip::tcp::socket socket,
                      std::unique_ptr<ConnectionSlot> slot);

}  // namespace nucleus::core::http
