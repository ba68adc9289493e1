// Plain ZeroMQ sockets connected to a broker, for messages that no correct process sends.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "core/bus/curve.hpp"
#include "messages/common.hpp"

namespace nucleus::tests {

/// The CURVE keys of a socket; without a server key it does not use CURVE.
struct WireKeys {
  std::string server_public = {};
  core::CurvePair own = {};
};

class Wire {
 public:
  using Parts = std::vector<std::string>;

  Wire(zmq::socket_type type, const std::string& url, const std::string& name = {},
       const WireKeys& keys = {})
      : socket_{context_, type} {
    socket_.set(zmq::sockopt::linger, 0);
    socket_.set(zmq::sockopt::sndtimeo, 2000);
    if (!name.empty()) socket_.set(zmq::sockopt::routing_id, name);
    if (!keys.server_public.empty()) {
      socket_.set(zmq::sockopt::curve_serverkey, keys.server_public);
      socket_.set(zmq::sockopt::curve_publickey, keys.own.public_key);
      socket_.set(zmq::sockopt::curve_secretkey, keys.own.secret_key);
    }
    socket_.connect(url);
  }

  void subscribe(const std::string& prefix) { socket_.set(zmq::sockopt::subscribe, prefix); }

  bool send(const Parts& parts) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto flags = i + 1 < parts.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
      if (!socket_.send(zmq::buffer(parts[i]), flags)) return false;
    }
    return true;
  }

  /// The next message, or nothing if none arrives in time.
  std::optional<Parts> receive(std::chrono::milliseconds wait) {
    socket_.set(zmq::sockopt::rcvtimeo, static_cast<int>(wait.count()));
    Parts parts;
    zmq::message_t part;
    do {
      if (!socket_.recv(part)) return std::nullopt;
      parts.push_back(part.to_string());
    } while (part.more());
    return parts;
  }

 private:
  zmq::context_t context_{1};
  zmq::socket_t socket_;
};

/// The three frames of a request.
inline Wire::Parts a_request(const std::string& from, const std::string& to,
                             const std::string& topic, const std::string& body,
                             const std::string& request_id = "r1") {
  const msg::Envelope envelope{.kind = msg::MessageKind::request,
                               .request_id = request_id,
                               .trace_id = "t1",
                               .sender = from,
                               .to = to,
                               .deadline_unix_ms = INT64_MAX};
  return {topic, msg::encode(envelope), body};
}

}  // namespace nucleus::tests
