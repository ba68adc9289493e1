// The leases of this process's hosts: how long their domains may run without another answer from
// the scheduler, and what follows when that time is over. Runs on the service's loop.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/loop/loop.hpp"
#include "messages/scheduler.hpp"
#include "services/provisioner/driver/lease_file.hpp"

namespace nucleus::provisioner {

/// A host is fenced once its lease is over: its domains are stopped, because the scheduler may
/// place their nodes elsewhere. The fence ends when the lease runs again and the host has its
/// complete list of grants, in whichever order.
class Leases {
 public:
  /// Without `store`, a new process has no lease until its first answer. Reads it: at start only.
  Leases(core::Loop& loop, core::Workers& workers, std::shared_ptr<LeaseStore> store,
         const std::vector<msg::HostId>& hosts);

  /// Names the machine: a process that is started there again has the same. Empty without `store`.
  const std::string& machine_id() const { return machine_id_; }
  bool contains(const msg::HostId& host_id) const { return hosts_.contains(host_id); }
  /// Names this boot of the host in heartbeats; a new one makes the scheduler send a complete list.
  const std::string& boot_id(const msg::HostId& host_id) const { return at(host_id).boot_id; }
  bool is_fenced(const msg::HostId& host_id) const { return at(host_id).is_fenced; }
  bool has_complete_list(const msg::HostId& host_id) const { return at(host_id).is_complete; }
  /// False once the scheduler has reported an older revision than before: its records went back.
  bool is_scheduler_trusted(const msg::HostId& host_id) const {
    return !at(host_id).lease.is_scheduler_stale;
  }
  std::uint64_t revision(const msg::HostId& host_id) const { return at(host_id).lease.revision; }
  /// Whether domains without a grant may be destroyed: every host has a complete, trusted list.
  bool may_destroy_ungranted() const;

  /// The records were loaded: each host needs its complete list again.
  void begin_boot();
  /// The scheduler answered a heartbeat that was sent at `sent_ms`.
  void renew(const msg::HostId& host_id, std::int64_t sent_ms, const msg::HostLease& lease);
  void set_complete(const msg::HostId& host_id);
  /// Fences the hosts whose lease is over. The hosts that are fenced now.
  std::vector<msg::HostId> expire();

  /// The time on the scheduler's clock, whatever this machine's says; 0 = it has not answered yet.
  std::int64_t head_unix_ms() const;
  /// Keeps now, if known, as the time of the last look at all domains, for the next process.
  void keep_last_seen();
  /// When all domains were last seen, by this process or one before it, on the scheduler's clock; 0
  /// = never.
  std::int64_t last_seen_unix_ms() const { return last_seen_unix_ms_; }

  /// Asserts what the class promises of every host.
  void check() const;

 private:
  struct Host {
    std::string boot_id = {};
    KeptLease lease = {};
    bool is_complete = false;
    bool is_fenced = false;
  };
  /// One write at a time, the newest last: a slow disk must not let an older one overwrite it.
  struct Writes {
    bool is_writing = false;
    bool is_due = false;
  };

  const Host& at(const msg::HostId& host_id) const;
  void end_fence(const msg::HostId& host_id, Host& host);
  void keep(const msg::HostId& host_id);
  void write_last_seen();

  core::Loop& loop_;
  core::Workers& workers_;
  std::shared_ptr<LeaseStore> store_;  // may be null
  std::map<msg::HostId, Host> hosts_ = {};
  std::map<msg::HostId, Writes> lease_writes_ = {};
  std::string machine_id_ = {};
  std::int64_t last_seen_unix_ms_ = 0;
  std::int64_t head_offset_ms_ = 0;  // of the scheduler's clock from our steady one; 0 = unknown
  Writes last_seen_writes_ = {};
};

}  // namespace nucleus::provisioner
