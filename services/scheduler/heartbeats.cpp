#include "services/scheduler/heartbeats.hpp"

namespace nucleus::scheduler {

bool Heartbeats::take(const msg::ReportHost& report, std::int64_t now_ms) {
  Host& host = hosts_[report.host_id];
  host.received_ms = now_ms;
  const bool is_restarted = host.boot_id != report.boot_id;
  host.boot_id = report.boot_id;
  return is_restarted;
}

Heartbeats::Overdue Heartbeats::overdue(std::int64_t now_ms) const {
  Overdue overdue;
  const std::int64_t lease_ms = config_.host_lease_ms + config_.host_lease_margin_ms;
  for (const auto& [id, host] : hosts_) {
    const auto silent_ms = now_ms - host.received_ms;
    const bool is_expired = silent_ms > lease_ms;
    if (is_expired || silent_ms > config_.host_silence_ms) overdue.silent.push_back(id);
    if (is_expired) overdue.expired.push_back(id);
  }
  return overdue;
}

std::string Heartbeats::boot_id(const msg::HostId& id) const {
  const auto host = hosts_.find(id);
  return host == hosts_.end() ? std::string{} : host->second.boot_id;
}

std::int64_t Heartbeats::received_ms(const msg::HostId& id, std::int64_t now_ms) const {
  const auto host = hosts_.find(id);
  return host == hosts_.end() ? now_ms : host->second.received_ms;
}

void Heartbeats::end_call(const msg::HostId& id) {
  const auto host = hosts_.find(id);
  if (host != hosts_.end() && host->second.calls > 0) --host->second.calls;
}

bool Heartbeats::is_called(const msg::HostId& id) const {
  const auto host = hosts_.find(id);
  return host != hosts_.end() && host->second.calls > 0;
}

}  // namespace nucleus::scheduler
