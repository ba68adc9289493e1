// What clients hold, in all and by client: open connections, bytes of bodies. Used on one thread.
#pragma once

#include <cstddef>
#include <map>

namespace nucleus::core::http {

struct ClientLimits {
  std::size_t all = 0;
  std::size_t per_client = 0;
};

/// `Client` identifies a client, for example by its address.
template <class Client>
class ClientCounter {
 public:
  explicit ClientCounter(ClientLimits limits) : limits_{limits} {}

  /// False, without effect: the client, or all of them, would hold more than the limit.
  bool take(const Client& client, std::size_t amount = 1) {
    const auto known = by_client_.find(client);
    const std::size_t held = known == by_client_.end() ? 0 : known->second;
    if (all_ + amount > limits_.all || held + amount > limits_.per_client) return false;
    all_ += amount;
    by_client_[client] = held + amount;
    return true;
  }

  /// What was taken before.
  void release(const Client& client, std::size_t amount = 1) {
    const auto known = by_client_.find(client);
    all_ -= amount;
    if ((known->second -= amount) == 0) by_client_.erase(known);
  }

 private:
  ClientLimits limits_;
  std::size_t all_ = 0;
  std::map<Client, std::size_t> by_client_ = {};  // never 0
};

}  // namespace nucleus::core::http
