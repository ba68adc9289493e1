#include "services/provisioner/driver/libvirt_memory.hpp"

#include "core/files/files.hpp"
#include "services/provisioner/driver/libvirt_domains.hpp"
#include "services/provisioner/driver/memory_files.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;

namespace {

constexpr std::uint64_t kibibyte = 1024;

/// Of a domain that does not run: an earlier call may have been cut off after libvirt's. A file
/// that libvirt has not completed says so.
core::Result<std::uint64_t> saved_before(virConnect* connection, const std::string& path,
                                         const core::Error& gone) {
  if (gone.code != ErrorCode::not_found) return std::unexpected(gone);
  if (auto bytes = published_bytes(path)) return bytes;
  const auto partial = partial_memory(path);
  const bool is_complete =
      !take_libvirt_text(virDomainSaveImageGetXMLDesc(connection, partial.c_str(), 0)).empty();
  if (is_complete) return publish_memory(path);
  return std::unexpected(gone);
}

}  // namespace

core::Result<std::uint64_t> save_memory_of(virConnect* connection, const std::string& name,
                                           const std::string& path) {
  const auto domain = find_domain(connection, name);
  if (!domain) return saved_before(connection, path, domain.error());
  virDomainInfo info{};
  if (virDomainGetInfo(domain->get(), &info) < 0) return std::unexpected(libvirt_error());
  const auto bytes_max = static_cast<std::uint64_t>(info.memory) * kibibyte;
  if (auto begun = begin_memory(path, bytes_max); !begun) return std::unexpected(begun.error());
  const auto partial = partial_memory(path);
  if (virDomainSaveFlags(domain->get(), partial.c_str(), nullptr, VIR_DOMAIN_SAVE_RUNNING) < 0) {
    const auto error = libvirt_error();
    if (error.code == ErrorCode::not_found) return saved_before(connection, path, error);
    return std::unexpected(error);
  }
  return publish_memory(path);
}

core::Result<std::uint64_t> save_simulated_memory(virConnect* connection, const std::string& name,
                                                  const std::string& path) {
  const auto domain = find_domain(connection, name);
  if (!domain) {
    if (auto bytes = published_bytes(path)) return bytes;
    return std::unexpected(domain.error());
  }
  if (auto begun = begin_memory(path, 0); !begun) return std::unexpected(begun.error());
  if (auto written = core::replace_file(partial_memory(path), name); !written)
    return std::unexpected(written.error());
  auto bytes = publish_memory(path);
  if (bytes && virDomainDestroy(domain->get()) < 0) return std::unexpected(libvirt_error());
  return bytes;
}

}  // namespace nucleus::provisioner
