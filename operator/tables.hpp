// Rows that more than one command prints. Pure.
#pragma once

#include <fmt/format.h>

#include <string>

#include "messages/scheduler.hpp"

namespace nucleus::operator_ {

inline std::string host_heading() {
  return fmt::format("{:<18}{:<13}{:>7}{:>10}{:>16}  {:<12}{:<9}{:<16}{:>10}  {}\n", "host",
                     "state", "nodes", "cpus", "memory MB", "accelerator", "release", "address",
                     "clock", "reason");
}

inline std::string host_row(const msg::Host& host) {
  return fmt::format(
      "{:<18}{:<13}{:>7}{:>10}{:>16}  {:<12}{:<9}{:<16}{:>+9.1f}s  {}\n", host.host_id.value,
      msg::name_of(host.state), host.node_count, fmt::format("{}/{}", host.cpus_used, host.cpus),
      fmt::format("{}/{}", host.memory_used_mb, host.memory_mb), host.accelerator, host.release,
      host.address, static_cast<double>(host.clock_skew_ms) / 1000, host.reason);
}

}  // namespace nucleus::operator_
