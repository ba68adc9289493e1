// ZeroMQ sockets with our limits, and messages as lists of frames. Included only by the link and
// the broker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "messages/common.hpp"

namespace nucleus::core {

constexpr std::int64_t message_bytes_max = 2 << 20;  // a larger frame closes the connection
constexpr int queued_messages_max = 100'000;         // per peer; more messages are dropped
constexpr std::size_t frames_max = 8;
constexpr std::size_t envelope_bytes_max = 16 << 10;

inline void limit(zmq::socket_t& socket) {
  socket.set(zmq::sockopt::linger, 200);
  socket.set(zmq::sockopt::maxmsgsize, message_bytes_max);
  socket.set(zmq::sockopt::sndhwm, queued_messages_max);
  socket.set(zmq::sockopt::rcvhwm, queued_messages_max);
  socket.set(zmq::sockopt::reconnect_ivl, 20);
  socket.set(zmq::sockopt::reconnect_ivl_max, 500);
}

/// Over tcp: closes the connection of a peer that has been silent for 6 s.
inline void enable_heartbeats(zmq::socket_t& socket) {
  socket.set(zmq::sockopt::heartbeat_ivl, 2'000);
  socket.set(zmq::sockopt::heartbeat_timeout, 6'000);
}

/// Over tcp: waits longer between attempts, and each process differently, so that hundreds of hosts
/// do not all come at once when the bus is back. ZeroMQ doubles the first time up to the last.
inline void spread_reconnects(zmq::socket_t& socket, std::uint32_t random) {
  socket.set(zmq::sockopt::reconnect_ivl, static_cast<int>(50 + random % 200));
  socket.set(zmq::sockopt::reconnect_ivl_max, static_cast<int>(1'000 + random % 1'000));
}

/// The user id that the handshake gave to the message's sender, or empty.
inline std::string user_of(const zmq::message_t& part) {
  const char* user = zmq_msg_gets(part.handle(), "User-Id");
  return user ? user : "";
}

/// The next message, or nothing. A message of more than `frames_max` frames is skipped.
inline std::optional<std::vector<std::string>> receive_parts(zmq::socket_t& socket,
                                                             std::string* user = nullptr) {
  while (true) {
    std::vector<std::string> parts;
    zmq::message_t part;
    do {
      if (!socket.recv(part, zmq::recv_flags::dontwait)) return std::nullopt;
      if (parts.size() <= frames_max) parts.emplace_back(part.to_string());
      if (user) *user = user_of(part);
    } while (part.more());
    if (parts.size() <= frames_max) return parts;
  }
}

/// Sends one message; false if the peer's queue is full or the peer is not connected.
inline bool send_parts(zmq::socket_t& socket, const std::vector<std::string>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto flags = i + 1 < parts.size() ? zmq::send_flags::sndmore | zmq::send_flags::dontwait
                                            : zmq::send_flags::dontwait;
    try {
      if (!socket.send(zmq::buffer(parts[i]), flags)) return false;
    } catch (const zmq::error_t& error) {
      if (error.num() == EHOSTUNREACH) return false;
      throw;
    }
  }
  return true;
}

/// The envelope, or nothing if the bytes are not one.
inline std::optional<msg::Envelope> envelope_of(const std::string& bytes) {
  if (bytes.size() > envelope_bytes_max) return std::nullopt;
  try {
    return msg::decode<msg::Envelope>(bytes);
  } catch (const msg::DecodeError&) {
    return std::nullopt;
  }
}

}  // namespace nucleus::core
