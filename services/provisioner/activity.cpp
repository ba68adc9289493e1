#include "services/provisioner/activity.hpp"

#include <algorithm>

namespace nucleus::provisioner {

namespace {

constexpr std::int64_t forgotten_ms = 600'000;

std::uint64_t bytes_of(const DomainUsage& usage) {
  return usage.read_bytes + usage.written_bytes + usage.received_bytes + usage.sent_bytes;
}

/// A domain's counters never go back while it runs.
bool has_restarted(const DomainUsage& before, const DomainUsage& now) {
  return now.cpu_ns < before.cpu_ns || bytes_of(now) < bytes_of(before);
}

}  // namespace

bool Activity::is_idle(const DomainUsage& before, const DomainUsage& now,
                       std::int64_t elapsed_ms) const {
  constexpr double ns_per_ms = 1e6;
  const double available_ns = static_cast<double>(elapsed_ms) * ns_per_ms * std::max(now.cpus, 1U);
  const double cpu_share = static_cast<double>(now.cpu_ns - before.cpu_ns) / available_ns;
  const double bytes_per_s = static_cast<double>(bytes_of(now) - bytes_of(before)) * 1000 /
                             static_cast<double>(elapsed_ms);
  return cpu_share < limits_.cpu_share && bytes_per_s < static_cast<double>(limits_.bytes_per_s);
}

void Activity::take(const std::vector<DomainUsage>& usage, std::int64_t now_ms) {
  looked_ms_ = now_ms;
  for (const auto& now : usage) {
    const auto [known, is_new] = domains_.try_emplace(now.uuid);
    auto& domain = known->second;
    const auto elapsed_ms = now_ms - domain.seen_ms;
    if (!is_new && elapsed_ms <= 0) continue;
    if (is_new || has_restarted(domain.last, now))
      domain.idle_since_ms = now_ms;
    else if (!is_idle(domain.last, now, elapsed_ms))
      domain.idle_since_ms.reset();
    else if (!domain.idle_since_ms)
      domain.idle_since_ms = domain.seen_ms;
    domain.last = now;
    domain.seen_ms = now_ms;
  }
  std::erase_if(domains_,
                [&](const auto& each) { return now_ms - each.second.seen_ms > forgotten_ms; });
}

std::optional<std::int64_t> Activity::idle_since_ms(const std::string& uuid) const {
  const auto known = domains_.find(uuid);
  if (known == domains_.end() || known->second.seen_ms != looked_ms_) return std::nullopt;
  return known->second.idle_since_ms;
}

}  // namespace nucleus::provisioner
