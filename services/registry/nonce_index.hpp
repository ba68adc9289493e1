// The stored nonces, counted by API key and ordered by expiry. An index over the nonce records:
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
    by_key_.clear();
  }

  void add(const StoredNonce& nonce) {
    by_expiry_.emplace(nonce.expires_unix_s, nonce);
    ++by_key_[nonce.key_name];
  }

  std::size_t size() const { return by_expiry_.size(); }

  std::size_t count(const std::string& key_name) const {
    const auto found = by_key_.find(key_name);
    return found == by_key_.end() ? 0 : found->second;
  }

  /// Removes and returns up to `most` nonces that expired before `now_unix_s`, oldest first.
  std::vector<StoredNonce> take_expired(std::int64_t now_unix_s, std::size_t most) {
    std::vector<StoredNonce> expired;
    while (!by_expiry_.empty() && by_expiry_.begin()->first < now_unix_s && expired.size() < most) {
      expired.push_back(std::move(by_expiry_.begin()->second));
      by_expiry_.erase(by_expiry_.begin());
      const auto held = by_key_.find(expired.back().key_name);
      if (--held->second == 0) by_key_.erase(held);
    }
    return expired;
  }

 private:
  std::multimap<std::int64_t, StoredNonce> by_expiry_ = {};
  std::unordered_map<std::string, std::size_t> by_key_ = {};
};

}  // namespace nucleus::registry
