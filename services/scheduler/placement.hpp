// Which host for which node: pure. A host's memory is never lent twice; its CPUs are, up to the
// overcommit that the caller has already counted in.
#pragma once

#include <optional>
#include <vector>

#include "messages/common.hpp"

namespace nucleus::scheduler {

/// What a host has left.
struct HostRoom {
  msg::HostId host_id = {};
  std::int64_t cpus_free = 0;  // below zero where it was shrunk
  std::int64_t memory_free_mb = 0;
};

struct Need {
  std::int64_t cpus = 0;
  std::int64_t memory_mb = 0;
  msg::HostId host_id = {};  // this one and no other; empty = any
};

/// A host for each need, in their order, each on the host that then has most CPUs free (the first
/// by name of equals); or nothing, where not all fit. Takes what it gives from `rooms`.
std::optional<std::vector<msg::HostId>> place_together(std::vector<HostRoom>& rooms,
                                                       const std::vector<Need>& needs);

}  // namespace nucleus::scheduler
