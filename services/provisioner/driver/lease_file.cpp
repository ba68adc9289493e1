#include "services/provisioner/driver/lease_file.hpp"

#include <filesystem>
#include <fstream>

#include "core/log/log.hpp"

namespace nucleus::provisioner {

void LeaseFile::keep(const msg::HostId& host_id, const KeptLease& lease) {
  const std::string fresh = path(host_id) + ".new";
  std::error_code fault;
  {
    std::ofstream file(fresh, std::ios::trunc);
    file << lease.end_ms << ' ' << lease.revision << ' ' << lease.is_doubted << '\n';
    file.flush();
    if (!file) fault = std::make_error_code(std::errc::io_error);
  }
  if (!fault) std::filesystem::rename(fresh, path(host_id), fault);
  if (fault)
    core::log::warning("lease_not_kept", {{"host", host_id.value}, {"reason", fault.message()}});
}

KeptLease LeaseFile::kept(const msg::HostId& host_id) {
  std::ifstream file(path(host_id));
  KeptLease lease;
  if (!(file >> lease.end_ms >> lease.revision >> lease.is_doubted) || lease.end_ms < 0) return {};
  return lease;
}

std::string LeaseFile::path(const msg::HostId& host_id) const {
  return directory_ + "/" + host_id.value + ".lease";
}

}  // namespace nucleus::provisioner
