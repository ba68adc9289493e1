// The bus's Prometheus series.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <map>

#include "core/bus/broker.hpp"

namespace nucleus::bus {

class Metrics {
 public:
  explicit Metrics(prometheus::Registry& registry)
      : messages_{family(registry, "nucleus_bus_messages_total", "Messages that passed, by kind.")},
        refused_{family(registry, "nucleus_bus_messages_refused_total",
                        "Messages that did not pass, by reason.")},
        handshakes_{
            family(registry, "nucleus_bus_handshakes_total", "Keys shown over TCP, by outcome.")},
        subscriptions_{family(registry, "nucleus_bus_subscriptions_refused_total",
                              "Subscriptions beyond what the subscriber's key may hear.")},
        bytes_{family(registry, "nucleus_bus_bytes_total", "Bytes of the messages that passed.")
                   .Add({})} {
    using enum core::BrokerDeed;
    deeds_ = {{request, &messages_.Add({{"kind", "request"}})},
              {reply, &messages_.Add({{"kind", "reply"}})},
              {event, &messages_.Add({{"kind", "event"}})},
              {callee_away, &refused_.Add({{"reason", "callee_away"}})},
              {malformed, &refused_.Add({{"reason", "malformed"}})},
              {forbidden, &refused_.Add({{"reason", "forbidden"}})},
              {key_accepted, &handshakes_.Add({{"outcome", "accepted"}})},
              {key_refused, &handshakes_.Add({{"outcome", "refused"}})},
              {subscription_refused, &subscriptions_.Add({})}};
  }

  /// On the broker's thread.
  void count(core::BrokerDeed deed, std::size_t bytes) {
    deeds_.at(deed)->Increment();
    bytes_.Increment(static_cast<double>(bytes));
  }

 private:
  using Counters = prometheus::Family<prometheus::Counter>;
  static Counters& family(prometheus::Registry& registry, const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }

  Counters& messages_;
  Counters& refused_;
  Counters& handshakes_;
  Counters& subscriptions_;
  prometheus::Counter& bytes_;
  std::map<core::BrokerDeed, prometheus::Counter*> deeds_ = {};
};

}  // namespace nucleus::bus
