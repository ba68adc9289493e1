// What a host keeps of its lease: a provisioner that was killed and is started again while nobody
// can be reached still knows when its domains must stop; and one whose scheduler comes back knowing
// less than before can tell. And when it was that somebody last looked at its domains. A lease's
// time is the machine's steady one, so it means nothing once the machine was started again; no
// domain runs then, and the first answer takes its place.
#pragma once

#include <atomic>
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
  /// Blocks for as long as a small file takes, on any thread; the first of faults in a row is
  /// logged, and what was kept before stays.
  virtual void keep(const msg::HostId& host_id, const KeptLease& lease) = 0;
  /// The default where nothing was kept.
  virtual KeptLease kept(const msg::HostId& host_id) = 0;
  /// The process saw all its domains at this moment (Unix ms); as `keep`.
  virtual void keep_watched(std::int64_t unix_ms) = 0;
  /// 0 = never.
  virtual std::int64_t watched_unix_ms() = 0;
};

/// DIRECTORY/HOST.lease: three numbers; DIRECTORY/watched: one. Not synced: they need outlive the
/// process, not the machine.
class LeaseFile final : public LeaseMemory {
 public:
  /// Domains that end with the process need no lease that outlives it.
  enum class Keeps : std::uint8_t { all, watched_alone };

  explicit LeaseFile(std::string directory, Keeps keeps = Keeps::all)
      : directory_{std::move(directory)}, keeps_{keeps} {}
  void keep(const msg::HostId& host_id, const KeptLease& lease) override;
  KeptLease kept(const msg::HostId& host_id) override;
  void keep_watched(std::int64_t unix_ms) override;
  std::int64_t watched_unix_ms() override;

 private:
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void write(const std::string& name, const std::string& text);

  std::string directory_;
  Keeps keeps_;
  std::atomic<bool> has_failed_ = false;  // and that was logged
};

}  // namespace nucleus::provisioner
