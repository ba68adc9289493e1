// Rows that more than one command prints. Pure.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "messages/allocations.hpp"
#include "messages/reservations.hpp"
#include "messages/scheduler.hpp"
#include "messages/text.hpp"

namespace nucleus::operator_ {

inline std::string host_heading() {
  return fmt::format(
      "{:<18}{:<13}{:>7}{:>10}{:>16}  {:<12}{:<9}{:<16}{:>10}{:>13}  {:<12}{:<10}{}\n", "host",
      "state", "nodes", "cpus", "memory MB", "accelerator", "release", "address", "clock",
      "heartbeat", "class", "rack", "reason");
}

/// `0.4 s ago`, `3 min ago`; `never` for time 0.
inline std::string shown_age(std::int64_t unix_ms, std::int64_t now_unix_ms) {
  if (unix_ms == 0) return "never";
  const auto age_ms = std::max<std::int64_t>(now_unix_ms - unix_ms, 0);
  if (age_ms < 60'000) return fmt::format("{:.1f} s ago", static_cast<double>(age_ms) / 1000);
  if (age_ms < 3'600'000) return fmt::format("{} min ago", age_ms / 60'000);
  return fmt::format("{} h ago", age_ms / 3'600'000);
}

/// Why it is not up; of one that is, what it lacks for its profile,
/// which adapters it does not offer, or what the batch system says.
inline std::string host_remark(const msg::Host& host) {
  if (!host.reason.empty()) return host.reason;
  if (!host.profile_reason.empty()) return host.profile_reason;
  if (!host.adapters_reason.empty()) return host.adapters_reason;
  if (host.batch_state.empty()) return "";
  return "batch system: " + host.batch_state;
}

/// `kvm`; with another profile than the standard one, `kvm, hpc`.
inline std::string shown_accelerator(const msg::Host& host) {
  if (host.profile.empty() || host.profile == "standard") return host.accelerator;
  return host.accelerator + ", " + host.profile;
}

inline std::string host_row(const msg::Host& host, std::int64_t now_unix_ms) {
  return fmt::format(
      "{:<18}{:<13}{:>7}{:>10}{:>16}  {:<12}{:<9}{:<16}{:>+9.1f}s{:>13}  {:<12}{:<10}{}\n",
      host.host_id.value, msg::name_of(host.state), host.node_count,
      fmt::format("{}/{}", host.cpus_used, host.cpus),
      fmt::format("{}/{}", host.memory_used_mb, host.memory_mb), shown_accelerator(host),
      host.release, host.address, static_cast<double>(host.clock_skew_ms) / 1000,
      shown_age(host.last_heartbeat_unix_ms, now_unix_ms), host.host_class, host.rack,
      host_remark(host));
}

inline std::string reservation_heading() {
  return fmt::format("{:<18}{:<9}{:<16}{:<21}{:<21}{:<24}  {}\n", "reservation", "state", "project",
                     "start", "end", "hosts", "reason");
}

inline std::string reservation_row(const msg::Reservation& reservation) {
  const auto& project = reservation.project_id.value;
  return fmt::format("{:<18}{:<9}{:<16}{:<21}{:<21}{:<24}  {}\n", reservation.name,
                     msg::name_of(reservation.state), project.empty() ? "(maintenance)" : project,
                     msg::utc_text(reservation.start_unix_s), msg::utc_text(reservation.end_unix_s),
                     reservation.hosts, reservation.reason);
}

inline std::string allocation_heading() {
  return fmt::format("{:<18}{:<16}{:>14}{:>14}{:>8}  {:<21}{:<21}{}\n", "allocation", "project",
                     "used core h", "limit core h", "shares", "start", "end", "budget");
}

inline std::string allocation_row(const msg::Allocation& allocation) {
  const auto core_hours = [](std::int64_t core_s) {
    return fmt::format("{:.2f}", static_cast<double>(core_s) / 3600);
  };
  std::string budget;
  for (const auto& step : allocation.budget)
    budget +=
        fmt::format("{}{}={}{}", budget.empty() ? "" : ",", step.percent, msg::name_of(step.action),
                    step.percent <= allocation.percent_reached ? " (reached)" : "");
  return fmt::format(
      "{:<18}{:<16}{:>14}{:>14}{:>8}  {:<21}{:<21}{}\n", allocation.allocation_id.value,
      allocation.project_id.value, core_hours(allocation.used_core_s),
      allocation.is_closed           ? "closed"
      : allocation.limit_core_s == 0 ? "none"
                                     : core_hours(allocation.limit_core_s),
      allocation.shares, allocation.start_unix_s == 0 ? "" : msg::utc_text(allocation.start_unix_s),
      allocation.end_unix_s == 0 ? "" : msg::utc_text(allocation.end_unix_s), budget);
}

}  // namespace nucleus::operator_
