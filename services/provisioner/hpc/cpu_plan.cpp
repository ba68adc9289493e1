#include "services/provisioner/hpc/cpu_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <tuple>

#include "services/provisioner/hpc/shares.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::uint32_t unknown_distance = 255;  // as the kernel has it for "cannot be reached"

core::Error lacks(const std::string& what) {
  return {.code = core::ErrorCode::no_capacity, .detail = "profile hpc: " + what};
}

/// What a cell has left.
struct FreeCell {
  const HostCell* cell = nullptr;
  std::vector<const HostCore*> cores = {};
  std::map<std::uint64_t, std::uint64_t> pages = {};  // by size
};

bool has_any(const HostCore& core, const CpuSet& cpus) {
  return std::ranges::any_of(core.cpus, [&](auto cpu) { return cpus.contains(cpu); });
}

std::uint64_t free_pages(const HostCell& cell, const PagePool& pool, const HostUse& use) {
  std::uint64_t claimed = 0;
  for (const auto& pages : use.pages)
    if (pages.cell == cell.id && pages.size_kib == pool.size_kib) claimed += pages.count;
  return std::min(pool.free, pool.count - std::min(pool.count, claimed));
}

std::vector<FreeCell> free_cells(const HostTopology& topology, const HostUse& use,
                                 const CpuSet& kept) {
  std::vector<FreeCell> all;
  for (const auto& cell : topology.cells) {
    FreeCell free{.cell = &cell};
    for (const auto& core : cell.cores)
      if (!has_any(core, use.cpus) && !has_any(core, kept)) free.cores.push_back(&core);
    for (const auto& pool : cell.pools) free.pages[pool.size_kib] += free_pages(cell, pool, use);
    if (!free.cores.empty()) all.push_back(std::move(free));
  }
  if (all.size() > plan_cells_max) {
    std::ranges::stable_sort(all, std::ranges::greater{},
                             [](const FreeCell& cell) { return cell.cores.size(); });
    all.resize(plan_cells_max);
    std::ranges::sort(all, {}, [](const FreeCell& cell) { return cell.cell->id; });
  }
  return all;
}

/// One way to cut a node up: its cores with so many threads each, its memory in pages of this size.
struct Cut {
  std::uint32_t threads = 1;
  std::uint32_t cores = 1;
  std::uint64_t page_kib = small_page_kib;
  std::uint64_t pages = 0;
};

std::size_t cores_with(const FreeCell& cell, std::uint32_t threads) {
  return static_cast<std::size_t>(std::ranges::count_if(
      cell.cores, [&](const HostCore* core) { return core->cpus.size() >= threads; }));
}

std::uint64_t pages_of(const FreeCell& cell, std::uint64_t page_kib) {
  const auto found = cell.pages.find(page_kib);
  return found == cell.pages.end() ? 0 : found->second;
}

std::uint32_t threads_max(const HostTopology& topology) {
  std::size_t most = 1;
  for (const auto& cell : topology.cells)
    for (const auto& core : cell.cores) most = std::max(most, core.cpus.size());
  return static_cast<std::uint32_t>(most);
}

/// The best first: large pages, then few cores. All cores of a guest have the same threads, so
/// their number divides that of its vCPUs.
std::vector<Cut> cuts_of(const CpuRequest& request, std::uint32_t threads_most) {
  std::vector<Cut> cuts;
  const std::uint64_t memory_kib = request.memory_mb * 1024;
  for (const auto page_kib : {large_page_kib, small_page_kib}) {
    if (memory_kib == 0 || memory_kib % page_kib != 0) continue;
    for (auto threads = std::min(threads_most, request.cpus); threads > 0; --threads)
      if (request.cpus % threads == 0)
        cuts.push_back({.threads = threads,
                        .cores = request.cpus / threads,
                        .page_kib = page_kib,
                        .pages = memory_kib / page_kib});
  }
  return cuts;
}

std::uint32_t distance(const HostCell& from, const HostCell& to) {
  const auto found = from.distances.find(to.id);
  if (found != from.distances.end()) return found->second;
  return from.id == to.id ? 10 : unknown_distance;
}

/// Cells that hold a node, as a set of bits.
struct Choice {
  std::uint32_t cells = 0;
  std::size_t adapter_cells = 0;  // of those that its adapters are in
  std::uint64_t distance = 0;     // of all pairs
  std::size_t cores = 0;          // free in them: a tight fit leaves room for larger nodes
  auto rank() const {
    return std::tuple{std::popcount(cells), plan_cells_max - adapter_cells, distance, cores};
  }
};

/// Fewest cells; then with the most cells of adapters, close together, tight; then the lowest ids.
std::optional<Choice> best_cells(const std::vector<FreeCell>& free, const Cut& cut,
                                 const std::set<std::uint32_t>& adapter_cells) {
  std::optional<Choice> best;
  std::vector<std::size_t> cores;
  for (const auto& cell : free) cores.push_back(cores_with(cell, cut.threads));
  for (std::uint32_t cells = 1; cells < (1u << free.size()); ++cells) {
    if (best && std::popcount(cells) > std::popcount(best->cells)) continue;
    Choice choice{.cells = cells};
    std::uint64_t pages = 0;
    bool is_each_of_use = true;
    for (std::size_t i = 0; i < free.size(); ++i) {
      if (!(cells >> i & 1)) continue;
      const auto here = pages_of(free[i], cut.page_kib);
      is_each_of_use = is_each_of_use && cores[i] > 0 && here > 0;
      choice.cores += cores[i];
      pages += here;
      if (adapter_cells.contains(free[i].cell->id)) ++choice.adapter_cells;
      for (std::size_t j = 0; j < i; ++j)
        if (cells >> j & 1) choice.distance += distance(*free[j].cell, *free[i].cell);
    }
    const auto count = static_cast<std::uint64_t>(std::popcount(cells));
    if (!is_each_of_use || choice.cores < cut.cores || pages < cut.pages) continue;
    if (cut.cores < count || cut.pages < count) continue;
    if (!best || choice.rank() < best->rank()) best = choice;
  }
  return best;
}

/// The cores taken in one cell.
struct Taken {
  const FreeCell* cell = nullptr;
  std::vector<const HostCore*> cores = {};
  std::uint64_t pages = 0;
};

std::vector<Taken> take(const std::vector<FreeCell>& free, const Cut& cut, std::uint32_t cells) {
  std::vector<Taken> taken;
  std::vector<std::uint64_t> cores_most;
  std::vector<std::uint64_t> pages_most;
  for (std::size_t i = 0; i < free.size(); ++i) {
    if (!(cells >> i & 1)) continue;
    taken.push_back({.cell = &free[i]});
    cores_most.push_back(cores_with(free[i], cut.threads));
    pages_most.push_back(pages_of(free[i], cut.page_kib));
  }
  const auto cores = shares(cut.cores, std::vector<std::uint64_t>(taken.size(), 1), cores_most);
  const auto pages = shares(cut.pages, cores, pages_most);
  for (std::size_t i = 0; i < taken.size(); ++i) {
    for (const auto* core : taken[i].cell->cores)
      if (core->cpus.size() >= cut.threads && taken[i].cores.size() < cores[i])
        taken[i].cores.push_back(core);
    taken[i].pages = pages[i];
  }
  // Cells of one socket follow each other, so that the guest can have sockets as well.
  std::ranges::stable_sort(taken, {}, [](const Taken& cell) { return cell.cores.front()->socket; });
  return taken;
}

/// How many runs of equal keys there are, if all are of the same length and no key returns; else 1.
template <class Key>
std::uint32_t equal_runs(const std::vector<Key>& keys) {
  std::map<Key, std::size_t> counts;
  std::size_t runs = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i == 0 || keys[i] != keys[i - 1]) ++runs;
    ++counts[keys[i]];
  }
  const bool is_even = std::ranges::all_of(
      counts, [&](const auto& count) { return count.second == counts.begin()->second; });
  return is_even && runs == counts.size() ? static_cast<std::uint32_t>(runs) : 1;
}

void set_guest_topology(CpuPlan& plan, const std::vector<Taken>& taken, const Cut& cut) {
  std::vector<std::uint32_t> sockets;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> dies;
  for (const auto& cell : taken)
    for (const auto* core : cell.cores) {
      sockets.push_back(core->socket);
      dies.emplace_back(core->socket, core->die);
    }
  plan.sockets = equal_runs(sockets);
  const auto die_count = equal_runs(dies);
  plan.dies = die_count % plan.sockets == 0 ? die_count / plan.sockets : 1;
  plan.cores = cut.cores / (plan.sockets * plan.dies);
  plan.threads = cut.threads;
}

void set_distances(CpuPlan& plan, const std::vector<Taken>& taken) {
  for (const auto& from : taken) {
    auto& row = plan.distances.emplace_back();
    for (const auto& to : taken) row.push_back(distance(*from.cell->cell, *to.cell->cell));
  }
  // What libvirt and QEMU accept of a guest's table.
  for (std::size_t i = 0; i < taken.size(); ++i)
    for (std::size_t j = 0; j < taken.size(); ++j)
      if (i == j ? plan.distances[i][j] != 10
                 : plan.distances[i][j] <= 10 || plan.distances[i][j] >= unknown_distance)
        return plan.distances.clear();
}

CpuSet kept_in(const HostCell& cell, const CpuSet& kept) {
  CpuSet found;
  for (const auto& core : cell.cores)
    for (const auto cpu : core.cpus)
      if (kept.contains(cpu)) found.insert(cpu);
  return found;
}

/// The host's own CPUs in the node's cells; if there are none, those nearest to its first cell.
CpuSet emulator_cpus(const HostTopology& topology, const std::vector<Taken>& taken,
                     const CpuSet& kept) {
  CpuSet cpus;
  for (const auto& cell : taken) cpus.merge(kept_in(*cell.cell->cell, kept));
  if (!cpus.empty()) return cpus;
  std::uint32_t nearest = unknown_distance + 1;
  for (const auto& cell : topology.cells) {
    auto here = kept_in(cell, kept);
    const auto from_here = distance(*taken.front().cell->cell, cell);
    if (here.empty() || from_here >= nearest) continue;
    nearest = from_here;
    cpus = std::move(here);
  }
  return cpus;
}

CpuPlan plan_of(const HostTopology& topology, const std::vector<Taken>& taken, const Cut& cut,
                const CpuSet& kept) {
  CpuPlan plan{.emulator = emulator_cpus(topology, taken, kept),
               .page_kib = cut.page_kib,
               .has_topoext = topology.has_topoext && cut.threads > 1};
  for (const auto& cell : taken) {
    for (const auto* core : cell.cores)
      plan.pins.insert(plan.pins.end(), core->cpus.begin(), core->cpus.begin() + cut.threads);
    plan.cells.push_back({.host_cell = cell.cell->cell->id,
                          .cpus = static_cast<std::uint32_t>(cell.cores.size()) * cut.threads,
                          .memory_kib = cell.pages * cut.page_kib});
  }
  set_guest_topology(plan, taken, cut);
  set_distances(plan, taken);
  return plan;
}

std::string shown_size(std::uint64_t page_kib) {
  return page_kib == large_page_kib ? "1 GiB" : "2 MiB";
}

/// `3 of 4 hugepages of 1 GiB`.
std::string shown_pages(std::uint64_t free, const Cut& cut) {
  return fmt::format("{} of {} hugepages of {}", std::min(free, cut.pages), cut.pages,
                     shown_size(cut.page_kib));
}

/// What pages lack where the cores are: in the cell that has most of them, or in all.
core::Error pages_lack(const HostTopology& topology, const std::vector<FreeCell>& free,
                       const std::vector<Cut>& cuts) {
  std::string shown;
  CpuSet where;
  for (const auto& cut : cuts) {
    const auto has_pool = [&](const HostCell& cell) {
      return std::ranges::any_of(cell.pools, [&](const PagePool& pool) {
        return pool.size_kib == cut.page_kib && pool.count > 0;
      });
    };
    if (cut.threads != cuts.front().threads || std::ranges::none_of(topology.cells, has_pool))
      continue;
    std::uint64_t pages = 0;
    const FreeCell* best = nullptr;
    for (const auto& cell : free)
      if (cores_with(cell, cut.threads) >= cut.cores &&
          (!best || pages_of(cell, cut.page_kib) > pages_of(*best, cut.page_kib)))
        best = &cell;
    for (const auto& cell : free)
      if (!best || &cell == best) {
        pages += pages_of(cell, cut.page_kib);
        where.insert(cell.cell->id);
      }
    shown += (shown.empty() ? "" : ", ") + shown_pages(pages, cut);
  }
  if (shown.empty()) return lacks("the host has no hugepages");
  return lacks(fmt::format("{} free on NUMA node {}", shown, shown_cpu_set(where)));
}

core::Error reason(const HostTopology& topology, const std::vector<FreeCell>& free,
                   const CpuRequest& request, const std::vector<Cut>& cuts) {
  if (cuts.empty())
    return lacks(fmt::format("{} MiB are not whole hugepages of 2 MiB", request.memory_mb));
  const auto& cut = cuts.front();
  std::size_t cores = 0;
  for (const auto& cell : free) cores += cores_with(cell, cut.threads);
  if (cores < cut.cores)
    return lacks(fmt::format("{} of {} cores free ({} vCPUs, {} threads in a core)", cores,
                             cut.cores, request.cpus, threads_max(topology)));
  return pages_lack(topology, free, cuts);
}

}  // namespace

core::Error lacks_kvm(const std::string& why) {
  return lacks("it needs KVM: " + why);
}

core::Result<CpuSet> housekeeping_cpus(const HostTopology& topology, const CpuSet& setting) {
  CpuSet online;
  CpuSet kept;
  std::map<std::uint32_t, std::vector<const HostCore*>> sockets;
  for (const auto& cell : topology.cells)
    for (const auto& core : cell.cores) {
      online.insert(core.cpus.begin(), core.cpus.end());
      sockets[core.socket].push_back(&core);
      if (has_any(core, setting)) kept.insert(core.cpus.begin(), core.cpus.end());
    }
  for (const auto cpu : setting)
    if (!online.contains(cpu))
      return core::refuse(core::ErrorCode::invalid_argument,
                          fmt::format("profile hpc: CPU {} of hpc_host_cpus is not online", cpu));
  if (!setting.empty()) return kept;
  for (const auto& [socket, cores] : sockets) {
    if (cores.size() == 1 && !kept.empty()) continue;
    const auto first =
        std::ranges::min(cores, {}, [](const HostCore* core) { return core->cpus.front(); });
    kept.insert(first->cpus.begin(), first->cpus.end());
  }
  return kept;
}

core::Result<CpuPlan> plan_cpus(const HostTopology& topology, const HostUse& use,
                                const CpuRequest& request) {
  const auto kept = housekeeping_cpus(topology, request.host_cpus);
  if (!kept) return std::unexpected(kept.error());
  if (!use.unpinned.empty())
    return std::unexpected(
        lacks("domain " + use.unpinned.front() + " runs on any CPU of the host"));
  const auto free = free_cells(topology, use, *kept);
  const auto cuts = cuts_of(request, threads_max(topology));
  std::optional<Choice> best;
  Cut best_cut;
  for (const auto& cut : cuts) {
    const auto choice = best_cells(free, cut, request.adapter_cells);
    // Of equally few cells, the earlier cut is better.
    if (!choice || (best && std::popcount(choice->cells) >= std::popcount(best->cells))) continue;
    best = choice;
    best_cut = cut;
  }
  if (!best) return std::unexpected(reason(topology, free, request, cuts));
  return plan_of(topology, take(free, best_cut, best->cells), best_cut, *kept);
}

HpcCapacity hpc_capacity(const HostTopology& topology, const CpuSet& setting) {
  const auto kept = housekeeping_cpus(topology, setting);
  if (!kept) return {.reason = kept.error().detail};
  HpcCapacity capacity;
  std::uint64_t memory_kib = 0;
  for (const auto& cell : topology.cells) {
    std::size_t cpus = 0;
    for (const auto& core : cell.cores)
      if (!has_any(core, *kept)) cpus += core.cpus.size();
    if (cpus == 0) continue;
    capacity.cpus += static_cast<std::uint32_t>(cpus);
    for (const auto& pool : cell.pools) memory_kib += pool.count * pool.size_kib;
  }
  capacity.memory_mb = memory_kib / 1024;
  if (capacity.cpus == 0)
    capacity.reason = lacks("no core is left besides the host's own").detail;
  else if (capacity.memory_mb == 0)
    capacity.reason = lacks("the host has no hugepages").detail;
  return capacity;
}

}  // namespace nucleus::provisioner
