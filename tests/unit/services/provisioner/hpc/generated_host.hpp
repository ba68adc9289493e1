// Hosts of every shape, from a seed: what libvirt's capabilities say of them, and the same as a
// table that the tests check plans against.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "services/provisioner/hpc/cpu_plan.hpp"

namespace nucleus::provisioner {

struct GeneratedCpu {
  std::uint32_t socket = 0;
  std::uint32_t die = 0;
  std::uint32_t core = 0;  // unique on the host
  std::uint32_t cell = 0;
  bool is_online = true;
};

struct GeneratedHost {
  std::map<std::uint32_t, GeneratedCpu> cpus = {};                             // by id
  std::map<std::uint32_t, std::map<std::uint64_t, std::uint64_t>> pages = {};  // by cell, size
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> distances = {};
  bool has_distances = true;
  bool has_topoext = false;

  std::string capabilities() const;
};

class HostGenerator {
 public:
  explicit HostGenerator(std::uint64_t seed) : random_{seed} {}

  std::uint32_t pick(std::uint32_t least, std::uint32_t most) {
    return std::uniform_int_distribution<std::uint32_t>{least, most}(random_);
  }
  bool chance(std::uint32_t percent) { return pick(1, 100) <= percent; }

  GeneratedHost host() {
    GeneratedHost host;
    host.has_topoext = chance(30);
    host.has_distances = chance(85);
    add_cpus(host);
    const std::uint32_t without_cpus = chance(25) ? pick(1, 2) : 0;
    const std::uint32_t cell_step = chance(20) ? pick(2, 9) : 1;  // sparse ids of cells
    std::uint32_t cell_count = 0;
    for (auto& [id, cpu] : host.cpus) {
      cell_count = std::max(cell_count, cpu.cell + 1);
      cpu.cell *= cell_step;
    }
    for (std::uint32_t cell = 0; cell < cell_count + without_cpus; ++cell)
      add_memory(host, cell * cell_step);
    set_distances(host);
    return host;
  }

  CpuRequest request() {
    static constexpr std::uint64_t sizes_mb[] = {512, 1024, 2048, 3072, 4096, 8192, 16384, 65536};
    CpuRequest wanted{.cpus = chance(70) ? 1U << pick(0, 6) : pick(1, 40),
                      .memory_mb = sizes_mb[pick(0, 7)]};
    if (chance(20)) wanted.memory_mb += 2ULL * pick(0, 500);  // no multiple of 1 GiB
    if (chance(3)) wanted.memory_mb += 1;                     // nor of 2 MiB
    return wanted;
  }

 private:
  /// Cores in the order of sockets and dies; their threads are next to each other, or come after
  /// all first threads, as most firmware has it.
  void add_cpus(GeneratedHost& host) {
    const auto sockets = chance(60) ? pick(1, 2) : pick(1, 8);
    const auto dies = chance(70) ? 1 : pick(2, 4);
    const auto cores = sockets > 2 ? pick(1, 6) : pick(1, 24);  // of a die
    const auto threads = std::array{1U, 2U, 2U, 4U}[pick(0, 3)];
    const bool is_adjacent = chance(40);
    const auto step = chance(20) ? pick(2, 5) : 1;  // sparse ids of CPUs
    const auto offline_percent = std::array{0U, 0U, 10U, 40U}[pick(0, 3)];
    const auto core_count = sockets * dies * cores;
    const auto split = pick(0, 4);
    for (std::uint32_t core = 0; core < core_count; ++core) {
      const auto die = core / cores % dies;
      const auto socket = core / cores / dies;
      std::uint32_t cell = 0;
      if (split == 1 || split == 2) cell = socket;            // one for each socket
      if (split == 3) cell = socket * dies + die;             // one for each die
      if (split == 4) cell = core % 5 == 0 ? 0 : pick(0, 2);  // uneven, across sockets
      for (std::uint32_t thread = 0; thread < threads; ++thread) {
        const auto place = is_adjacent ? core * threads + thread : thread * core_count + core;
        host.cpus[place * step] = {.socket = socket,
                                   .die = die,
                                   .core = core,
                                   .cell = cell,
                                   .is_online = !chance(offline_percent)};
      }
    }
  }

  void add_memory(GeneratedHost& host, std::uint32_t cell) {
    auto& pages = host.pages[cell];
    const auto kind = pick(0, 9);
    if (kind == 0) return;  // no memory at all
    if (kind <= 6) pages[large_page_kib] = pick(0, 40);
    if (kind >= 5) pages[small_page_kib] = pick(0, 8'000);
  }

  void set_distances(GeneratedHost& host) {
    for (const auto& [from, pages] : host.pages)
      for (const auto& [to, others] : host.pages)
        if (from < to)
          host.distances[{from, to}] = host.distances[{to, from}] = chance(2) ? 255 : pick(11, 40);
        else if (from == to)
          host.distances[{from, to}] = 10;
  }

  std::mt19937_64 random_;
};

inline std::string GeneratedHost::capabilities() const {
  std::map<std::uint32_t, CpuSet> siblings;  // by core, those online: as the kernel lists them
  for (const auto& [id, cpu] : cpus)
    if (cpu.is_online) siblings[cpu.core].insert(id);
  std::string xml = "<capabilities><host><cpu><arch>x86_64</arch>";
  if (has_topoext) xml += "<feature name='topoext'/>";
  xml += fmt::format("</cpu><topology><cells num='{}'>", pages.size());
  for (const auto& [cell, pools] : pages) {
    xml += fmt::format("<cell id='{}'><memory unit='KiB'>{}</memory>", cell, 1 << 26);
    xml += "<pages unit='KiB' size='4'>1000</pages>";
    for (const auto& [size, count] : pools)
      xml += fmt::format("<pages unit='KiB' size='{}'>{}</pages>", size, count);
    if (has_distances) {
      xml += "<distances>";
      for (const auto& [pair, value] : distances)
        if (pair.first == cell)
          xml += fmt::format("<sibling id='{}' value='{}'/>", pair.second, value);
      xml += "</distances>";
    }
    xml += "<cpus num='0'>";
    for (const auto& [id, cpu] : cpus) {
      if (cpu.cell != cell) continue;
      xml += cpu.is_online
                 ? fmt::format(
                       "<cpu id='{}' socket_id='{}' die_id='{}' core_id='{}' siblings='{}'/>", id,
                       cpu.socket, cpu.die, cpu.core % 7, shown_cpu_set(siblings[cpu.core]))
                 : fmt::format("<cpu id='{}'/>", id);
    }
    xml += "</cpus></cell>";
  }
  return xml + "</cells></topology></host></capabilities>";
}

}  // namespace nucleus::provisioner
