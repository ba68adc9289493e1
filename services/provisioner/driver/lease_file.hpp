// What a host keeps of its lease beside its records: a provisioner that is killed and started again
// while the scheduler and Redis are unreachable still knows when its domains must stop; and it
// notices if the scheduler comes back with older records. It also keeps when all domains were last
// seen, and what names the machine. A lease's time is on the machine's steady clock, so it means
// nothing after a reboot: no domain runs then, and the first answer replaces it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "messages/common.hpp"

namespace nucleus::provisioner {

struct KeptLease {
  std::int64_t end_ms = 0;          // 0 = the scheduler never answered
  std::uint64_t revision = 0;       // of the host's grants, the newest the scheduler reported
  bool is_scheduler_stale = false;  // it reported an older one later
  bool operator==(const KeptLease&) const = default;
};

class LeaseStore {
 public:
  virtual ~LeaseStore() = default;
  /// Blocks while a small file is written. On failure the previous content stays; the first failure
  /// in a row is logged. From any thread, for one host by one thread at a time.
  virtual void keep_lease(const msg::HostId& host_id, const KeptLease& lease) = 0;
  /// The default if none was kept.
  virtual KeptLease lease(const msg::HostId& host_id) = 0;
  /// All domains were seen at this time. Blocks as `keep_lease`.
  virtual void keep_last_seen(std::int64_t unix_ms) = 0;
  /// 0 = never.
  virtual std::int64_t last_seen_unix_ms() = 0;
  /// What names this machine. Blocks as `keep_lease`.
  virtual void keep_machine_id(const std::string& id) = 0;
  /// Empty if none was kept.
  virtual std::string machine_id() = 0;
};

/// DIRECTORY/HOST.lease holds three numbers, DIRECTORY/last-seen one, DIRECTORY/machine-id a word.
/// None is synced: they must survive the process, not the machine.
class LeaseFile final : public LeaseStore {
 public:
  /// Without `keeps_leases` only the last-seen time is kept: for domains that end with the process.
  explicit LeaseFile(std::string directory, bool keeps_leases = true)
      : directory_{std::move(directory)}, keeps_leases_{keeps_leases} {}
  void keep_lease(const msg::HostId& host_id, const KeptLease& lease) override;
  KeptLease lease(const msg::HostId& host_id) override;
  void keep_last_seen(std::int64_t unix_ms) override;
  std::int64_t last_seen_unix_ms() override;
  void keep_machine_id(const std::string& id) override;
  std::string machine_id() override;

 private:
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void write(const std::string& name, const std::string& text);

  const std::string directory_;
  const bool keeps_leases_;
  std::atomic<bool> has_failed_ = false;  // the last write
};

}  // namespace nucleus::provisioner
