// The stored nonces, counted by person and ordered by expiry. An index over the nonce records:
// rebuilt when the store is loaded, changed with each commit. The caller bounds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "services/registry/records.hpp"

namespace nucleus::registry {

class NonceIndex {
 public:
  void clear() {
    by_expiry_.clear();
    by_person_.clear();
  }

  void add(const StoredNonce& nonce) {
    by_expiry_.emplace(nonce.expires_unix_s, nonce);
    ++by_person_[nonce.person_id];
  }

  std::size_t size() const { return by_expiry_.size(); }

  /// Of the person's present and replaced keys.
  std::size_t count(const msg::PersonId& person_id) const {
    const auto found = by_person_.find(person_id);
    return found == by_person_.end() ? 0 : found->second;
  }

  /// Removes and returns up to `most` nonces that expired before `now_unix_s`, oldest first.
  std::vector<StoredNonce> take_expired(std::int64_t now_unix_s, std::size_t most) {
    std::vector<StoredNonce> expired;
    while (!by_expiry_.empty() && by_expiry_.begin()->first < now_unix_s && expired.size() < most) {
      expired.push_back(std::move(by_expiry_.begin()->second));
      by_expiry_.erase(by_expiry_.begin());
      const auto held = by_person_.find(expired.back().person_id);
      if (--held->second == 0) by_person_.erase(held);
    }
    return expired;
  }

 private:
  std::multimap<std::int64_t, StoredNonce> by_expiry_ = {};
  std::unordered_map<msg::PersonId, std::size_t> by_person_ = {};
};

}  // namespace nucleus::registry
