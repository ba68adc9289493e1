// What a host keeps of its lease: a provisioner that was killed and is started again while nobody
// can be reached still knows when its domains must stop; and one whose scheduler comes back knowing
// less than before can tell. The time is the machine's steady one, so it means nothing once the
// machine was started again; no domain runs then, and the first answer takes its place.
#pragma once

#include <cstdint>
#include <string>

#include "messages/common.hpp"

namespace nucleus::provisioner {

struct KeptLease {
  std::int64_t end_ms = 0;     // 0 = never answered
  std::uint64_t revision = 0;  // of the host's grants, the newest that the scheduler told
  bool is_doubted = false;     // it told of an older one later: its records went back
  bool operator==(const KeptLease&) const = default;
};

class LeaseMemory {
 public:
  virtual ~LeaseMemory() = default;
  /// Blocks for as long as a small file takes; a fault is logged, and what was kept before stays.
  virtual void keep(const msg::HostId& host_id, const KeptLease& lease) = 0;
  /// The default where nothing was kept.
  virtual KeptLease kept(const msg::HostId& host_id) = 0;
};

/// DIRECTORY/HOST.lease: three numbers. Not synced: it need outlive the process, not the machine.
class LeaseFile final : public LeaseMemory {
 public:
  explicit LeaseFile(std::string directory) : directory_{std::move(directory)} {}
  void keep(const msg::HostId& host_id, const KeptLease& lease) override;
  KeptLease kept(const msg::HostId& host_id) override;

 private:
  std::string path(const msg::HostId& host_id) const;

  std::string directory_;
};

}  // namespace nucleus::provisioner
