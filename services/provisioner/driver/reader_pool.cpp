#include "services/provisioner/driver/reader_pool.hpp"

namespace nucleus::provisioner {

namespace {
constexpr std::size_t idle_max = 8;       // of one server
constexpr std::size_t servers_max = 256;  // hosts come and go
}  // namespace

ReaderPool::Reader ReaderPool::take(const std::string& url, const std::string& authority,
                                    const std::string& ticket) {
  const std::pair key{url, authority};
  std::unique_ptr<StoreReader> reader;
  {
    const std::scoped_lock lock{mutex_};
    auto& idle = idle_[key];
    if (!idle.empty()) {
      reader = std::move(idle.back());
      idle.pop_back();
    }
  }
  if (reader) {
    reader->set_ticket(ticket);
  } else {
    auto options = options_;
    options.authority = authority;
    reader = std::make_unique<StoreReader>(options, ticket);
  }
  return {reader.release(), [this, key](StoreReader* used) {
            std::unique_ptr<StoreReader> back{used};
            const std::scoped_lock lock{mutex_};
            if (idle_.size() > servers_max) idle_.clear();
            auto& idle = idle_[key];
            if (idle.size() < idle_max) idle.push_back(std::move(back));
          }};
}

}  // namespace nucleus::provisioner
