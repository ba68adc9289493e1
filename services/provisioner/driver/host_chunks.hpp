// All that a host needs to fetch, keep and serve the chunks of images.
#pragma once

#include <memory>
#include <string>

#include "services/provisioner/config.hpp"
#include "services/provisioner/driver/chunk_server.hpp"

namespace nucleus::provisioner {

class HostChunks {
 public:
  /// `key` is a secret: 64 hex digits. Makes the certificate for other hosts. An error if a file
  /// cannot be written or an address cannot be listened on. Blocks.
  static core::Result<std::shared_ptr<HostChunks>> open(const Config& config, std::string key,
                                                        prometheus::Registry& registry);

  ChunkFetcher& fetcher() { return fetcher_; }
  const ChunkMetrics& metrics() const { return metrics_; }

 private:
  HostChunks(ChunkFetcher::Options fetching, const ChunkServer::Options& serving,
             prometheus::Registry& registry);

  ChunkMetrics metrics_;
  ChunkFetcher fetcher_;
  ChunkServer server_;
};

}  // namespace nucleus::provisioner
