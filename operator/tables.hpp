// Rows that more than one command prints. Pure.
#pragma once

#include <fmt/format.h>

#include <string>

#include "messages/scheduler.hpp"

namespace nucleus::operator_ {

inline std::string host_heading() {
  return fmt::format("{:<22}{:<13}{:>12}{:>20}  {}\n", "host", "state", "cpus", "memory MB",
                     "accelerator");
}

inline std::string host_row(const msg::Host& host) {
  return fmt::format("{:<22}{:<13}{:>12}{:>20}  {} {}\n", host.host_id.value,
                     msg::name_of(host.state), fmt::format("{}/{}", host.cpus_used, host.cpus),
                     fmt::format("{}/{}", host.memory_used_mb, host.memory_mb), host.accelerator,
                     host.reason);
}

}  // namespace nucleus::operator_
