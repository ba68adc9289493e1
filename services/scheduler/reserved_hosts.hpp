// The hosts of a reservation, which names them as a hostlist.
#pragma once

#include <vector>

#include "core/hostlist/hostlist.hpp"
#include "services/scheduler/records.hpp"

namespace nucleus::scheduler {

/// Of a reservation that was accepted: its hostlist is valid.
inline std::vector<msg::HostId> reserved_hosts(const msg::Reservation& reservation) {
  std::vector<msg::HostId> hosts;
  const auto names = core::hostlist::expand(reservation.hosts, msg::reserved_hosts_max);
  if (names)
    for (const auto& name : *names) hosts.push_back({name});
  return hosts;
}

}  // namespace nucleus::scheduler
