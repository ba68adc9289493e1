// All that a host needs to fetch, keep, copy and serve the chunks of images.
#pragma once

#include <memory>
#include <string>

#include "services/provisioner/config.hpp"
#include "services/provisioner/driver/chunk_server.hpp"
#include "services/provisioner/driver/image_copier.hpp"

namespace nucleus::provisioner {

class HostChunks {
 public:
  /// `key` is a secret: 64 hex digits. Makes the certificate for other hosts. An error if a file
  /// cannot be written or an address cannot be listened on. Blocks.
  static core::Result<std::shared_ptr<HostChunks>> open(const Config& config, std::string key,
                                                        prometheus::Registry& registry);

  ChunkFetcher& fetcher() { return fetcher_; }
  BootReads& boots() { return boots_; }
  ImageCopier& copier() { return copier_; }
  const ChunkMetrics& metrics() const { return metrics_; }

 private:
  HostChunks(ChunkFetcher::Options fetching, const ChunkServer::Options& serving,
             std::uint64_t copy_bytes_per_s_max, prometheus::Registry& registry);

  ChunkMetrics metrics_;
  ChunkFetcher fetcher_;
  BootReads boots_ = {};
  ChunkServer server_;
  ImageCopier copier_;
};

}  // namespace nucleus::provisioner
