#include "services/scheduler/heartbeats.hpp"

#include <algorithm>
#include <cstdlib>

#include "core/log/log.hpp"

namespace nucleus::scheduler {

namespace {

constexpr std::int64_t skew_ms_max = 2'000;  // more is worth a warning

}  // namespace

bool Heartbeats::take(const msg::ReportHost& report, std::int64_t now_ms,
                      std::int64_t now_unix_ms) {
  Host& host = hosts_[report.host_id];
  const auto skew_ms = report.unix_ms == 0 ? 0 : report.unix_ms - now_unix_ms;
  if (std::abs(skew_ms) > skew_ms_max && std::abs(host.clock_skew_ms) <= skew_ms_max)
    core::log::warning("host_clock_differs",
                       {{"host", report.host_id.value}, {"skew_ms", skew_ms}});
  host.clock_skew_ms = skew_ms;
  host.release = report.release;
  host.address = report.address;
  host.metrics_address = report.metrics_address;
  host.received_ms = now_ms;
  const auto age_ms = report.isolation.checked_age_ms;
  host.checked_unix_s = age_ms < 0 ? 0 : (now_unix_ms - age_ms) / 1000;
  host.idle.clear();
  for (const auto& node : report.idle_nodes)
    host.idle[node.node_id] = {.epoch = node.epoch,
                               .since_unix_s = now_unix_ms / 1000 - node.idle_s};
  host.image_copies.clear();
  for (const auto& copy : report.image_copies) host.image_copies[copy.node_id] = copy;
  const bool is_restarted = host.boot_id != report.boot_id;
  host.boot_id = report.boot_id;
  return is_restarted;
}

std::vector<msg::NodeId> Heartbeats::begun_copies(const msg::ReportHost& report) const {
  std::vector<msg::NodeId> begun;
  for (const auto& copy : report.image_copies)
    if (!image_copy(report.host_id, copy.node_id)) begun.push_back(copy.node_id);
  return begun;
}

std::optional<msg::ImageCopy> Heartbeats::image_copy(const msg::HostId& id,
                                                     const msg::NodeId& node_id) const {
  const auto host = hosts_.find(id);
  if (host == hosts_.end()) return std::nullopt;
  const auto copy = host->second.image_copies.find(node_id);
  if (copy == host->second.image_copies.end()) return std::nullopt;
  return copy->second;
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

void Heartbeats::describe(msg::Host& host) const {
  const auto known = hosts_.find(host.host_id);
  if (known == hosts_.end()) return;
  host.release = known->second.release;
  host.address = known->second.address;
  host.metrics_address = known->second.metrics_address;
  host.clock_skew_ms = known->second.clock_skew_ms;
  host.isolation_checked_unix_s = known->second.checked_unix_s;
}

std::int64_t Heartbeats::checked_unix_s(const std::set<msg::HostId>& hosts) const {
  std::optional<std::int64_t> oldest;
  for (const auto& id : hosts) {
    const auto known = hosts_.find(id);
    const auto checked_unix_s = known == hosts_.end() ? 0 : known->second.checked_unix_s;
    oldest = std::min(oldest.value_or(checked_unix_s), checked_unix_s);
  }
  return oldest.value_or(0);
}

bool Heartbeats::has_reported(const msg::HostId& id) const {
  return !boot_id(id).empty();
}

std::optional<std::int64_t> Heartbeats::idle_since_unix_s(const msg::HostId& id,
                                                          const msg::NodeId& node_id,
                                                          std::uint64_t epoch) const {
  const auto host = hosts_.find(id);
  if (host == hosts_.end()) return std::nullopt;
  const auto node = host->second.idle.find(node_id);
  if (node == host->second.idle.end() || node->second.epoch != epoch) return std::nullopt;
  return node->second.since_unix_s;
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
