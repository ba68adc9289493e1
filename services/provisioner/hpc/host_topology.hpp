// The processors and memory of a host as libvirt's capabilities describe them. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "services/provisioner/hpc/cpu_set.hpp"

namespace nucleus::provisioner {

inline constexpr std::uint64_t small_page_kib = 2'048;      // the hugepages of x86-64
inline constexpr std::uint64_t large_page_kib = 1'048'576;  // and the larger ones

/// A core and its threads that are online.
struct HostCore {
  std::uint32_t socket = 0;
  std::uint32_t die = 0;
  std::vector<std::uint32_t> cpus = {};  // ascending, at least one
};

/// The hugepages of one size in one cell.
struct PagePool {
  std::uint64_t size_kib = 0;
  std::uint64_t count = 0;
  std::uint64_t free = 0;  // as the kernel counts them; at first, all
};

/// A NUMA node of the host; "node" means a cluster's. It may lack cores, memory or both.
struct HostCell {
  std::uint32_t id = 0;
  std::uint64_t memory_kib = 0;
  std::vector<HostCore> cores = {};  // by socket, die, first CPU
  std::vector<PagePool> pools = {};
  std::map<std::uint32_t, std::uint32_t> distances = {};  // by cell; 10 = its own
};

struct HostTopology {
  std::vector<HostCell> cells = {};  // by id
  bool has_topoext = false;          // AMD: a guest sees threads only if its CPU has this feature
};

/// Reads the XML of virConnectGetCapabilities(). `internal`: it has no topology.
core::Result<HostTopology> parse_topology(const std::string& capabilities);

}  // namespace nucleus::provisioner
