// The broker routes requests and replies to processes by name and publishes events to subscribers.
// It owns no state, so it may be restarted at any time. Requests use a ROUTER socket and events an
// XPUB socket: on ipc for this machine and, with CURVE, on tcp for others. Over tcp, a peer's
// public key decides its name, the topics it may call and the project whose events it may subscribe
// to.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "core/bus/peer_rights.hpp"

namespace nucleus::bus {

/// What the broker did with a message, a key or a subscription.
enum class BrokerEvent {
  request,
  reply,
  event,
  callee_unreachable,
  malformed,
  forbidden,
  key_accepted,
  key_refused,
  subscription_refused,
  connection_refused
};

struct BrokerOptions {
  std::string requests_url = {};      // ipc://…
  std::string events_url = {};        // ipc://…
  std::string tcp_requests_url = {};  // tcp://…; empty = none
  std::string tcp_events_url = {};
  std::string curve_secret = {};  // Z85; needed for tcp
  // Of each tcp socket. More are closed before they show a key.
  std::size_t connections_max = 5'000;
  std::size_t connections_per_address_max = 1'000;
  /// Returns the rights of a public key (Z85). Called at each handshake.
  std::function<core::PeerRights(const std::string& public_key)> find_rights = {};
  /// Whether rights may have changed since the last call: then those of all accepted keys are found
  /// again. Called before each batch of messages, and ten times a second.
  std::function<bool()> have_rights_changed = [] { return false; };
  /// Revokes a key for good: it was replaced, or its time is over.
  std::function<void(const std::string& public_key)> end_key = [](const std::string&) {};
  /// The wall clock, for keys that end at a time.
  std::function<std::int64_t()> unix_s = [] { return std::int64_t{0}; };
  /// Called on the broker's thread for each event; `bytes` is the size of a forwarded message, else
  /// 0.
  std::function<void(BrokerEvent event, std::size_t bytes)> observe = [](BrokerEvent, std::size_t) {
  };
};

/// Runs the broker until `is_stopping` is set. Throws zmq::error_t if an address cannot be bound.
void run_broker(const BrokerOptions& options, const std::atomic<bool>& is_stopping);

}  // namespace nucleus::bus
