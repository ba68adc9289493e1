#include "services/provisioner/driver/host_chunks.hpp"

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "core/files/files.hpp"
#include "core/tls/authority.hpp"
#include "services/provisioner/driver/disk_layers.hpp"
#include "services/provisioner/volume_plan.hpp"

namespace nucleus::provisioner {

namespace {

/// The CA of this host alone, and a certificate for its address that it issues at each start.
core::Result<void> make_certificate(const Config& config, ChunkFetcher::Options& fetching,
                                    ChunkServer::Options& serving) {
  const auto directory = config.state_directory + "/chunk-tls";
  std::error_code fault;
  std::filesystem::create_directories(directory, fault);
  std::filesystem::permissions(directory, std::filesystem::perms(0700), fault);
  if (fault) return core::refuse_fault("cannot create a directory for certificates", fault);
  const core::CertificateFiles authority{directory + "/ca.pem", directory + "/ca.key"};
  const core::CertificateFiles own{directory + "/host.pem", directory + "/host.key"};
  const auto& endpoint = *config.chunk_endpoint;
  if (auto made = core::make_authority(authority, "chunks of " + config.hosts.front().value); !made)
    return made;
  if (auto issued = core::issue_certificate(
          authority, {.names = {"chunks"}, .addresses = {endpoint.address}}, own);
      !issued)
    return issued;
  auto certificate = core::Certificate::open(own);
  if (!certificate) return std::unexpected(certificate.error());
  serving.certificate = std::move(*certificate);
  serving.endpoint = endpoint;
  std::ifstream file(authority.certificate, std::ios::binary);
  fetching.self.authority.assign(std::istreambuf_iterator<char>(file), {});
  fetching.self.endpoint = endpoint.text();
  return {};
}

}  // namespace

HostChunks::HostChunks(ChunkFetcher::Options fetching, const ChunkServer::Options& serving,
                       std::uint64_t copy_bytes_per_s_max, prometheus::Registry& registry)
    : metrics_{registry},
      fetcher_{std::move(fetching), metrics_},
      server_{serving, fetcher_, boots_, metrics_},
      copier_{copy_bytes_per_s_max, fetcher_, boots_, metrics_} {}

core::Result<std::shared_ptr<HostChunks>> HostChunks::open(const Config& config, std::string key,
                                                           prometheus::Registry& registry) {
  if (auto made = make_volume_directory(volumes_directory(config)); !made)
    return std::unexpected(made.error());
  ChunkFetcher::Options fetching{
      .store_url = config.image_store_url,
      .ca_file = config.ca_file,
      .cache_directory = config.state_directory + "/chunks",
      .cache_bytes_max = static_cast<std::uint64_t>(config.chunk_cache_mb) << 20,
      .lists_directory = config.state_directory + "/chunk-lists",
      .self = {.key = std::move(key)}};
  ChunkServer::Options serving{.socket_path = chunk_socket(config), .user = config.qemu_user};
  if (config.chunk_endpoint)
    if (auto made = make_certificate(config, fetching, serving); !made)
      return std::unexpected(made.error());
  try {
    const auto copy_bytes_per_s_max = static_cast<std::uint64_t>(config.copy_rate_mb_s) * 1'000'000;
    return std::shared_ptr<HostChunks>(
        new HostChunks(std::move(fetching), serving, copy_bytes_per_s_max, registry));
  } catch (const std::runtime_error& error) {
    return core::refuse(core::ErrorCode::unavailable, error.what());
  }
}

}  // namespace nucleus::provisioner
