#include "core/bus/key_check.hpp"

#include <cstring>

#include "core/bus/zmq_frames.hpp"

namespace nucleus::core {

KeyAnswer check_key(const CurveKeys& keys, const std::string& events_url, Milliseconds timeout) {
  constexpr const char* monitor_url = "inproc://handshakes";
  zmq::context_t context{1};
  zmq::socket_t socket{context, zmq::socket_type::sub};
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::curve_serverkey, keys.server_public);
  socket.set(zmq::sockopt::curve_publickey, keys.own_public);
  socket.set(zmq::sockopt::curve_secretkey, keys.own_secret);
  if (zmq_socket_monitor(socket.handle(), monitor_url,
                         ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) != 0)
    throw zmq::error_t();
  zmq::socket_t monitor{context, zmq::socket_type::pair};
  monitor.set(zmq::sockopt::linger, 0);
  monitor.set(zmq::sockopt::rcvtimeo, static_cast<int>(timeout.count()));
  monitor.connect(monitor_url);
  socket.connect(events_url);
  zmq::message_t message;
  std::uint16_t event = 0;
  if (!monitor.recv(message) || message.size() < sizeof event) return KeyAnswer::none;
  std::memcpy(&event, message.data(), sizeof event);
  return event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED ? KeyAnswer::accepted : KeyAnswer::refused;
}

}  // namespace nucleus::core
