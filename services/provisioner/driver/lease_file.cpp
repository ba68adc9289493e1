#include "services/provisioner/driver/lease_file.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "core/log/log.hpp"

namespace nucleus::provisioner {

namespace {
constexpr const char* last_seen_file = "last-seen";
constexpr const char* machine_id_file = "machine-id";
constexpr const char* lease_ending = ".lease";
}  // namespace

void LeaseFile::keep_lease(const msg::HostId& host_id, const KeptLease& lease) {
  if (!keeps_leases_) return;
  write(host_id.value + lease_ending,
        fmt::format("{} {} {:d}\n", lease.end_ms, lease.revision, lease.is_scheduler_stale));
}

KeptLease LeaseFile::lease(const msg::HostId& host_id) {
  if (!keeps_leases_) return {};
  std::ifstream file(path(host_id.value + lease_ending));
  KeptLease lease;
  if (!(file >> lease.end_ms >> lease.revision >> lease.is_scheduler_stale) || lease.end_ms < 0)
    return {};
  return lease;
}

void LeaseFile::keep_last_seen(std::int64_t unix_ms) {
  write(last_seen_file, fmt::format("{}\n", unix_ms));
}

std::int64_t LeaseFile::last_seen_unix_ms() {
  std::ifstream file(path(last_seen_file));
  std::int64_t unix_ms = 0;
  return file >> unix_ms && unix_ms > 0 ? unix_ms : 0;
}

void LeaseFile::keep_machine_id(const std::string& id) {
  write(machine_id_file, id + "\n");
}

std::string LeaseFile::machine_id() {
  std::ifstream file(path(machine_id_file));
  std::string id;
  return file >> id ? id : std::string{};
}

void LeaseFile::write(const std::string& name, const std::string& text) {
  const std::string fresh = path(name) + ".new";
  std::error_code fault;
  std::filesystem::create_directories(directory_, fault);
  {
    std::ofstream file(fresh, std::ios::trunc);
    file << text;
    file.flush();
    if (!file) fault = std::make_error_code(std::errc::io_error);
  }
  if (!fault) std::filesystem::rename(fresh, path(name), fault);
  if (fault && !has_failed_)
    core::log::warning("lease_not_kept", {{"file", name}, {"reason", fault.message()}});
  has_failed_ = static_cast<bool>(fault);
}

}  // namespace nucleus::provisioner
