// The bus process's inside: routes requests to processes by name and fans events out. It owns no
// state, so it may be restarted at any moment. Two ports: requests (ROUTER) and events (XPUB), on
// ipc for this machine and, with CURVE, on tcp for others. Over tcp a peer is only who its key
// says, asks and tells only what its key allows, and hears its own project's topics alone.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "core/bus/peer_rights.hpp"

namespace nucleus::core {

/// What a broker did with what came to it.
enum class BrokerDeed {
  request,
  reply,
  event,
  callee_away,
  malformed,
  forbidden,
  key_accepted,
  key_refused,
  subscription_refused
};

struct BrokerOptions {
  std::string requests_url = {};      // ipc://…
  std::string events_url = {};        // ipc://…
  std::string tcp_requests_url = {};  // tcp://…; empty = none
  std::string tcp_events_url = {};
  std::string curve_secret = {};  // Z85; needed for tcp
  /// The rights of the peer with this public key (Z85); called at each handshake.
  std::function<PeerRights(const std::string& public_key)> rights_of = {};
  /// Told what became of each message, key and subscription; `bytes` only of messages that passed.
  /// On the broker's thread.
  std::function<void(BrokerDeed deed, std::size_t bytes)> tell = [](BrokerDeed, std::size_t) {};
};

/// Runs the bus until `is_stopping` is set. Throws zmq::error_t where an address cannot be bound.
void run_broker(const BrokerOptions& options, const std::atomic<bool>& is_stopping);

}  // namespace nucleus::core
