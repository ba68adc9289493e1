// The bus process's inside: routes requests to processes by name and fans events out. It owns no
// state, so it may be restarted at any moment. Two ports: requests (ROUTER) and events (XPUB), on
// ipc for this machine and, with CURVE, on tcp for others. A subscriber over tcp hears its own
// project's topics alone.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>

namespace nucleus::core {

/// What a CURVE key allows: to be the process `name` on the bus, and to hear `project` (`*` = all).
struct PeerRights {
  std::string name = {};     // empty = may send no requests
  std::string project = {};  // empty = may hear nothing
};

struct BrokerOptions {
  std::string requests_url = {};      // ipc://…
  std::string events_url = {};        // ipc://…
  std::string tcp_requests_url = {};  // tcp://…; empty = none
  std::string tcp_events_url = {};
  std::string curve_secret = {};  // Z85; needed for tcp
  /// The rights of the peer with this public key (Z85); called at each handshake.
  std::function<PeerRights(const std::string& public_key)> rights_of = {};
};

/// Runs the bus until `is_stopping` is set. Throws zmq::error_t where an address cannot be bound.
void run_broker(const BrokerOptions& options, const std::atomic<bool>& is_stopping);

}  // namespace nucleus::core
