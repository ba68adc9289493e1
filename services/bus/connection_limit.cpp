#include "services/bus/connection_limit.hpp"

#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <optional>

namespace nucleus::bus {

namespace {

std::optional<in_addr_t> address_of(int connection) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (getpeername(connection, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      address.sin_family != AF_INET)
    return std::nullopt;
  return address.sin_addr.s_addr;
}

}  // namespace

void ConnectionLimit::watch(zmq::context_t& context, zmq::socket_t& socket) {
  stop();
  static std::atomic<int> count = 0;
  const std::string name = "inproc://connections-" + std::to_string(++count);
  if (zmq_socket_monitor(socket.handle(), name.c_str(),
                         ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED) != 0)
    throw zmq::error_t();
  watched_ = socket.handle();
  changes_ = zmq::socket_t(context, zmq::socket_type::pair);
  changes_.set(zmq::sockopt::rcvhwm, 0);  // a full queue would block all of the context's sockets
  changes_.connect(name);
  connections_.clear();
  by_address_ = core::http::ClientCounter<in_addr_t>{limits_};
}

void ConnectionLimit::stop() {
  if (watched_) zmq_socket_monitor(watched_, nullptr, 0);
  watched_ = nullptr;
}

void ConnectionLimit::take_changes() {
  zmq::message_t change;
  while (changes_.recv(change, zmq::recv_flags::dontwait)) {
    std::uint16_t kind = 0;
    std::int32_t connection = -1;
    const auto* bytes = static_cast<const std::byte*>(change.data());
    if (change.size() == sizeof kind + sizeof connection) {
      std::memcpy(&kind, bytes, sizeof kind);
      std::memcpy(&connection, bytes + sizeof kind, sizeof connection);
    }
    zmq::message_t own_address;
    if (change.more()) (void)changes_.recv(own_address);
    if (kind == ZMQ_EVENT_ACCEPTED) add(connection);
    if (kind == ZMQ_EVENT_DISCONNECTED) remove(connection);
  }
}

void ConnectionLimit::add(int connection) {
  const auto address = address_of(connection);
  if (!address) return;  // closed meanwhile
  if (by_address_.take(*address)) {
    connections_[connection] = *address;
    return;
  }
  shutdown(connection, SHUT_RDWR);  // ZeroMQ finds it closed, and closes its end
  observe_refused_();
}

void ConnectionLimit::remove(int connection) {
  const auto closed = connections_.extract(connection);
  if (closed) by_address_.release(closed.mapped());
}

}  // namespace nucleus::bus
