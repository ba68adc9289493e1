#include "services/image_store/fetches.hpp"

#include <algorithm>

namespace nucleus::image_store {

Fetches::Fetches(core::Loop& loop, const Config& config, Ended ended)
    : loop_{loop}, config_{config}, ended_{std::move(ended)} {}

Fetches::~Fetches() {
  *self_ = nullptr;
  for (const auto& [upload_id, one] : running_) *one.is_cancelled = true;
}

bool Fetches::has_room_for(const msg::ProjectId& project) const {
  const auto own = std::ranges::count_if(
      running_, [&](const auto& one) { return one.second.project == project; });
  return running_.size() < config_.fetches_max &&
         own < static_cast<std::ptrdiff_t>(std::max<std::uint64_t>(config_.fetches_max / 2, 1));
}

void Fetches::start(const StoredUpload& upload, const std::string& path, std::uint64_t bytes_max,
                    std::shared_ptr<void> lock) {
  FetchRequest request{.url = upload.source_url,
                       .path = path,
                       // Without a digest, nothing would tell that the two parts are of one file.
                       .is_continued = !upload.sha256.empty(),
                       .bytes_max = bytes_max,
                       .allowed = config_.fetch_addresses,
                       .ca_file = config_.fetch_ca_file};
  running_[upload.upload_id] = {owner_of(upload.image_id), request.is_cancelled};
  if (!workers_) workers_ = std::make_unique<core::ThreadWorkers>(config_.fetches_max);
  workers_->submit([&loop = loop_, self = self_, request = std::move(request),
                    id = upload.upload_id, lock = std::move(lock)]() mutable {
    auto fetched = *request.is_cancelled
                       ? core::refuse(core::ErrorCode::unavailable, "the upload was removed")
                       : fetch(request);
    lock.reset();
    loop.post([self, id, fetched = std::move(fetched)] {
      if (*self) (*self)->end(id, fetched);
    });
  });
}

void Fetches::cancel(const std::string& upload_id) {
  const auto found = running_.find(upload_id);
  if (found != running_.end()) *found->second.is_cancelled = true;
}

void Fetches::end(const std::string& upload_id, const core::Result<std::uint64_t>& fetched) {
  running_.erase(upload_id);
  ended_(upload_id, fetched);
}

}  // namespace nucleus::image_store
