// Keeps connections to servers open between requests: each is used by one thread at a time. Any
// thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "services/provisioner/driver/store_reader.hpp"

namespace nucleus::provisioner {

class ReaderPool {
 public:
  /// Of servers that `take` is not given an authority for, `options.ca_file` verifies them.
  explicit ReaderPool(ReaderOptions options) : options_{std::move(options)} {}
  ReaderPool(const ReaderPool&) = delete;
  ReaderPool& operator=(const ReaderPool&) = delete;

  using Reader = std::unique_ptr<StoreReader, std::function<void(StoreReader*)>>;
  /// Of the server at `url`; it comes back to the pool at its end, which is before the pool's.
  Reader take(const std::string& url, const std::string& authority, const std::string& ticket);

 private:
  using Idle = std::vector<std::unique_ptr<StoreReader>>;

  const ReaderOptions options_;
  std::mutex mutex_ = {};
  std::map<std::pair<std::string, std::string>, Idle> idle_ = {};  // by url and authority
};

}  // namespace nucleus::provisioner
