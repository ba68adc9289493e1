#include "services/provisioner/lease.hpp"

#include <algorithm>

#include "core/assert.hpp"
#include "core/log/log.hpp"

namespace nucleus::provisioner {

Leases::Leases(core::Loop& loop, core::Workers& workers, std::shared_ptr<LeaseStore> store,
               const std::vector<msg::HostId>& hosts)
    : loop_{loop}, workers_{workers}, store_{std::move(store)} {
  for (const auto& host_id : hosts)
    hosts_[host_id].lease = store_ ? store_->lease(host_id) : KeptLease{};
  if (!store_) return;
  last_seen_unix_ms_ = store_->last_seen_unix_ms();
  machine_id_ = store_->machine_id();
  if (!machine_id_.empty()) return;
  machine_id_ = loop_.new_id();
  store_->keep_machine_id(machine_id_);
}

const Leases::Host& Leases::at(const msg::HostId& host_id) const {
  const auto found = hosts_.find(host_id);
  NUCLEUS_ASSERT(found != hosts_.end());
  return found->second;
}

bool Leases::may_destroy_ungranted() const {
  return std::ranges::all_of(hosts_, [](const auto& entry) {
    return entry.second.is_complete && !entry.second.lease.is_scheduler_stale;
  });
}

void Leases::begin_boot() {
  for (auto& [host_id, host] : hosts_) {
    host.boot_id = loop_.new_id();
    host.is_complete = false;
  }
}

void Leases::renew(const msg::HostId& host_id, std::int64_t sent_ms, const msg::HostLease& lease) {
  Host& host = hosts_.at(host_id);
  if (lease.unix_ms != 0) head_offset_ms_ = lease.unix_ms - loop_.steady_ms();
  const KeptLease before = host.lease;
  // Counted from the request, so that it never ends later here than at the scheduler. A kept lease
  // may date from before the machine was booted, and is replaced even by a shorter one.
  host.lease.end_ms = sent_ms + lease.lease_ms;
  host.lease.revision = std::max(before.revision, lease.revision);
  if (lease.revision < before.revision && !before.is_scheduler_stale) {
    host.lease.is_scheduler_stale = true;
    core::log::error(
        "scheduler_records_lost",
        {{"host", host_id.value}, {"revision", lease.revision}, {"before", before.revision}});
  }
  end_fence(host_id, host);
  if (host.lease != before) keep(host_id);
}

void Leases::set_complete(const msg::HostId& host_id) {
  Host& host = hosts_.at(host_id);
  host.is_complete = true;
  end_fence(host_id, host);
}

void Leases::end_fence(const msg::HostId& host_id, Host& host) {
  if (!host.is_fenced || !host.is_complete || loop_.steady_ms() > host.lease.end_ms) return;
  host.is_fenced = false;
  core::log::info("host_lease_renewed", {{"host", host_id.value}});
}

std::vector<msg::HostId> Leases::expire() {
  const std::int64_t now_ms = loop_.steady_ms();
  std::vector<msg::HostId> fenced;
  for (auto& [host_id, host] : hosts_) {
    if (host.lease.end_ms != 0 && now_ms > host.lease.end_ms && !host.is_fenced) {
      host.is_fenced = true;
      host.boot_id = loop_.new_id();  // the grants may change meanwhile: ask for the complete list
      host.is_complete = false;
      core::log::error("host_lease_ended", {{"host", host_id.value}});
    }
    if (host.is_fenced) fenced.push_back(host_id);
  }
  return fenced;
}

void Leases::keep(const msg::HostId& host_id) {
  if (!store_) return;
  Writes& writes = lease_writes_[host_id];
  writes.is_due = writes.is_writing;
  if (writes.is_writing) return;
  writes.is_writing = true;
  workers_.submit([this, store = store_, &loop = loop_, host_id, lease = at(host_id).lease] {
    store->keep_lease(host_id, lease);
    loop.post([this, host_id] {
      Writes& written = lease_writes_[host_id];
      written.is_writing = false;
      if (written.is_due) keep(host_id);
    });
  });
}

std::int64_t Leases::head_unix_ms() const {
  return head_offset_ms_ == 0 ? 0 : loop_.steady_ms() + head_offset_ms_;
}

void Leases::keep_last_seen() {
  if (head_offset_ms_ == 0) return;
  last_seen_unix_ms_ = head_unix_ms();
  write_last_seen();
}

void Leases::write_last_seen() {
  if (!store_) return;
  last_seen_writes_.is_due = last_seen_writes_.is_writing;
  if (last_seen_writes_.is_writing) return;
  last_seen_writes_.is_writing = true;
  workers_.submit([this, store = store_, &loop = loop_, at = last_seen_unix_ms_] {
    store->keep_last_seen(at);
    loop.post([this] {
      last_seen_writes_.is_writing = false;
      if (last_seen_writes_.is_due) write_last_seen();
    });
  });
}

void Leases::check() const {
  for (const auto& [host_id, host] : hosts_) {
    NUCLEUS_ASSERT(host.lease.end_ms >= 0);
    NUCLEUS_ASSERT(!host.is_fenced || host.lease.end_ms != 0);
  }
}

}  // namespace nucleus::provisioner
