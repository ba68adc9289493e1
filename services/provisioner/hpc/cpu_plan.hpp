// Which CPUs and hugepages of its host a node gets under the profile hpc, or why it cannot have
// them. Pure.
//
// A node takes whole cores: threads of a core are never shared by two nodes, nor by a node and the
// host. It gets as few NUMA cells as possible, and in each the memory beside its cores. The host
// keeps cores of its own, on which the emulator and the I/O threads of all nodes run.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "services/provisioner/hpc/host_topology.hpp"

namespace nucleus::provisioner {

/// What running domains of the host have, whoever started them.
struct HostUse {
  struct Pages {
    std::uint32_t cell = 0;
    std::uint64_t size_kib = 0;
    std::uint64_t count = 0;
  };
  CpuSet cpus = {};                        // that vCPUs are pinned to
  std::vector<Pages> pages = {};           // that their memory is made of
  std::vector<std::string> unpinned = {};  // domains with vCPUs that may run on any CPU
};

struct CpuRequest {
  std::uint32_t cpus = 1;
  std::uint64_t memory_mb = 0;
  CpuSet host_cpus = {};                       // kept for the host; empty = the default
  std::set<std::uint32_t> adapter_cells = {};  // of its InfiniBand adapters: preferred
};

/// A NUMA cell of the guest. Its vCPUs follow those of the cell before it.
struct GuestCell {
  std::uint32_t host_cell = 0;
  std::uint32_t cpus = 0;
  std::uint64_t memory_kib = 0;
  friend bool operator==(const GuestCell&, const GuestCell&) = default;
};

struct CpuPlan {
  std::vector<std::uint32_t> pins = {};  // the CPU of each vCPU
  CpuSet emulator = {};                  // and of the I/O threads
  std::uint32_t sockets = 1;             // of the guest, as the four below
  std::uint32_t dies = 1;                // of each socket
  std::uint32_t cores = 1;               // of each die
  std::uint32_t threads = 1;             // of each core
  std::vector<GuestCell> cells = {};
  std::vector<std::vector<std::uint32_t>> distances = {};  // between cells; empty = not known
  std::uint64_t page_kib = 0;
  bool has_topoext = false;
  friend bool operator==(const CpuPlan&, const CpuPlan&) = default;
};

inline constexpr std::size_t plan_cells_max = 16;  // of more, those with most cores are looked at

/// The CPUs that the host keeps: whole cores. By default the first core of each socket, where the
/// kernel's own work is when `isolcpus` lists the others; of single-core sockets only the first.
/// `invalid_argument`: a CPU of the setting is not online.
core::Result<CpuSet> housekeeping_cpus(const HostTopology& topology, const CpuSet& setting);

/// The error of a host without KVM, which cannot provide the profile; `why` it has none.
core::Error lacks_kvm(const std::string& why);

/// `no_capacity`, with what lacks; the host can give nothing less instead.
core::Result<CpuPlan> plan_cpus(const HostTopology& topology, const HostUse& use,
                                const CpuRequest& request);

/// What nodes can have of the host together.
struct HpcCapacity {
  std::uint32_t cpus = 0;
  std::uint64_t memory_mb = 0;  // hugepages
  std::string reason = {};      // why no node can have anything; else empty
};

HpcCapacity hpc_capacity(const HostTopology& topology, const CpuSet& setting);

}  // namespace nucleus::provisioner
