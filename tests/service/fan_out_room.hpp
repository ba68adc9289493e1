// Hosts that fetch the chunks of images, and the image store's real server with TLS, which is
// stopped and started again; all on loopback.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <random>

#include "services/image_store/driver/file_server.hpp"
#include "services/provisioner/driver/host_chunks.hpp"
#include "tests/support/authority.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {

class FanOutRoom : public testing::Test {
 protected:
  static constexpr std::uint64_t mebibyte = 1 << 20;

  FanOutRoom() { start_store(); }

  /// A host with its chunks, or what is left of it on its disk.
  struct Host {
    provisioner::Config config = {};
    prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
    std::shared_ptr<provisioner::HostChunks> chunks = {};

    provisioner::ChunkFetcher& fetcher() const { return chunks->fetcher(); }
    const provisioner::ChunkMetrics& metrics() const { return chunks->metrics(); }
    std::string cache() const { return config.state_directory + "/chunks"; }
  };

  void start_store() {
    store_ = std::make_unique<image_store::FileServer>(
        core::http::ServerOptions{
            .listen = {.endpoint = listen_, .certificate = authority_.certificate()}},
        metrics_,
        [this](const image_store::FileRequest& request,
               const std::function<void(core::Result<std::string>)>& done) {
          if (request.ticket != "secret")
            return done(core::refuse(core::ErrorCode::unauthenticated, "no such ticket"));
          if (request.part == image_store::FilePartKind::chunk) {
            const std::scoped_lock lock{asked_mutex_};
            asked_.push_back(request.number);
          }
          done(folder_.file(request.content_id));
        },
        nullptr);
    listen_ = store_->endpoint();
  }
  void stop_store() { store_.reset(); }

  /// Random bytes, in which every third MiB is zero.
  std::string make_content(const std::string& name, std::size_t bytes, unsigned seed = 1) {
    std::string content(bytes, '\0');
    std::mt19937 random{seed};
    for (std::size_t i = 0; i < bytes; ++i)
      if (i / mebibyte % 3 != 2) content[i] = static_cast<char>(random());
    put_content(name, content);
    return content;
  }
  void put_content(const std::string& name, const std::string& content) {
    std::ofstream(folder_.file(name), std::ios::binary) << content;
  }

  std::unique_ptr<Host> a_host(const std::string& name, bool has_peers = true) {
    auto host = std::make_unique<Host>();
    host->config.hosts = {{name}};
    host->config.state_directory = folder_.file(name);
    host->config.image_store_url = "https://" + listen_.text();
    host->config.ca_file = authority_.ca_file();
    if (has_peers)
      host->config.chunk_endpoint = core::Endpoint{.port = static_cast<std::uint16_t>(free_port())};
    open(*host);
    return host;
  }
  /// As another provisioner does after the first was killed.
  static void open(Host& host) {
    host.chunks.reset();
    auto opened = provisioner::HostChunks::open(
        host.config, core::sha256_hex(host.config.state_directory), host.registry);
    ASSERT_TRUE(opened) << opened.error().detail;
    host.chunks = std::move(*opened);
    for (const auto* content : {"x", "y"}) host.fetcher().add_needed(content, "secret");
  }

  /// All of a content; else the reason.
  static std::string read_all(const Host& host, const std::string& content) {
    const auto size = host.fetcher().size_bytes(content);
    if (!size) return size.error().detail;
    auto bytes = host.fetcher().read(content, 0, *size);
    return bytes ? *bytes : bytes.error().detail;
  }
  double chunks_sent() const { return metrics_.chunks_sent.Value(); }
  /// The chunks that the store was asked for, in order.
  std::vector<std::uint64_t> asked() const {
    const std::scoped_lock lock{asked_mutex_};
    return asked_;
  }

  TemporaryFolder folder_ = {};
  Authority authority_ = {};
  prometheus::Registry registry_;
  image_store::Metrics metrics_{registry_};
  core::Endpoint listen_ = {};
  mutable std::mutex asked_mutex_ = {};
  std::vector<std::uint64_t> asked_ = {};
  std::unique_ptr<image_store::FileServer> store_ = {};
};

}  // namespace nucleus::tests
