// The bus's Prometheus series.
#pragma once

#include <map>

#include "core/metrics/series.hpp"
#include "services/bus/broker.hpp"

namespace nucleus::bus {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : bytes_{core::counter(registry, "nucleus_bus_bytes_total", "Bytes forwarded.")} {
    using enum BrokerEvent;
    auto& messages = core::counter_family(registry, "nucleus_bus_messages_total",
                                          "Messages forwarded, by kind.");
    auto& refused = core::counter_family(registry, "nucleus_bus_messages_refused_total",
                                         "Messages not forwarded, by reason.");
    auto& handshakes = core::counter_family(registry, "nucleus_bus_handshakes_total",
                                            "TCP handshakes with a key, by outcome.");
    auto& subscriptions = core::counter(registry, "nucleus_bus_subscriptions_refused_total",
                                        "Subscriptions that the peer's key does not allow.");
    auto& connections = core::counter(registry, "nucleus_bus_connections_refused_total",
                                      "TCP connections over a limit, closed before a handshake.");
    counters_ = {{request, &messages.Add({{"kind", "request"}})},
                 {reply, &messages.Add({{"kind", "reply"}})},
                 {event, &messages.Add({{"kind", "event"}})},
                 {callee_unreachable, &refused.Add({{"reason", "callee_unreachable"}})},
                 {malformed, &refused.Add({{"reason", "malformed"}})},
                 {forbidden, &refused.Add({{"reason", "forbidden"}})},
                 {key_accepted, &handshakes.Add({{"outcome", "accepted"}})},
                 {key_refused, &handshakes.Add({{"outcome", "refused"}})},
                 {subscription_refused, &subscriptions},
                 {connection_refused, &connections}};
  }

  /// On the broker's thread.
  void count(BrokerEvent event, std::size_t bytes) {
    counters_.at(event)->Increment();
    bytes_.Increment(static_cast<double>(bytes));
  }

 private:
  prometheus::Counter& bytes_;
  std::map<BrokerEvent, prometheus::Counter*> counters_ = {};
};

}  // namespace nucleus::bus
