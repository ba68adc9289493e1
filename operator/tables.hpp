// Rows that more than one command prints. Pure.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "messages/scheduler.hpp"

namespace nucleus::operator_ {

inline std::string host_heading() {
  return fmt::format("{:<18}{:<13}{:>7}{:>10}{:>16}  {:<12}{:<9}{:<16}{:>10}{:>13}  {}\n", "host",
                     "state", "nodes", "cpus", "memory MB", "accelerator", "release", "address",
                     "clock", "heartbeat", "reason");
}

/// `0.4 s ago`, `3 min ago`; `never` for time 0.
inline std::string shown_age(std::int64_t unix_ms, std::int64_t now_unix_ms) {
  if (unix_ms == 0) return "never";
  const auto age_ms = std::max<std::int64_t>(now_unix_ms - unix_ms, 0);
  if (age_ms < 60'000) return fmt::format("{:.1f} s ago", static_cast<double>(age_ms) / 1000);
  if (age_ms < 3'600'000) return fmt::format("{} min ago", age_ms / 60'000);
  return fmt::format("{} h ago", age_ms / 3'600'000);
}

inline std::string host_row(const msg::Host& host, std::int64_t now_unix_ms) {
  return fmt::format("{:<18}{:<13}{:>7}{:>10}{:>16}  {:<12}{:<9}{:<16}{:>+9.1f}s{:>13}  {}\n",
                     host.host_id.value, msg::name_of(host.state), host.node_count,
                     fmt::format("{}/{}", host.cpus_used, host.cpus),
                     fmt::format("{}/{}", host.memory_used_mb, host.memory_mb), host.accelerator,
                     host.release, host.address, static_cast<double>(host.clock_skew_ms) / 1000,
                     shown_age(host.last_heartbeat_unix_ms, now_unix_ms), host.reason);
}

}  // namespace nucleus::operator_
