// 500 hosts of every shape, each filled with nodes until they no longer fit: every plan keeps the
// rules, uses as few NUMA cells as an exhaustive search finds, and is XML that libvirt's schema
// accepts.
#include "services/provisioner/hpc/cpu_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

#include "services/provisioner/driver/domain_use.hpp"
#include "services/provisioner/driver/domain_xml.hpp"
#include "tests/support/domain_schema.hpp"
#include "tests/unit/services/provisioner/hpc/generated_host.hpp"

namespace nucleus::provisioner {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t hosts = 500;
constexpr int nodes_max = 10;                 // on one host
constexpr std::size_t search_cells_max = 10;  // of hosts that are searched exhaustively

DomainSpec spec_of(const CpuRequest& request, const CpuPlan& plan, int number) {
  const std::string name = "n" + std::to_string(number);
  return {.name = name,
          .uuid = domain_uuid(name),
          .epoch = 7,
          .cpus = request.cpus,
          .memory_mb = request.memory_mb,
          .accel = Accel::kvm,
          .disks = {{.path = "/volumes/n.qcow2", .format = "qcow2"},
                    {.path = "/iso", .format = "raw", .is_read_only = true, .is_cdrom = true}},
          .ports = {{.mac = "52:54:00:0a:0b:0c",
                     .bridge = "nucleus0",
                     .vlan = 101,
                     .device = "nuc-0a0b0c"}},
          .runtime_dir = "/state/domains",
          .cpu_plan = plan};
}

/// A host as the table has it, and what is taken of it: nothing of this is the planner's own.
struct Ledger {
  GeneratedHost host = {};
  CpuSet kept = {};                               // of the host itself
  std::map<std::uint32_t, int> core_owners = {};  // by core; 0 = the host itself
  std::map<std::uint32_t, std::map<std::uint64_t, std::uint64_t>> pages_taken = {};

  std::map<std::uint32_t, std::vector<std::uint32_t>> free_cores(std::uint32_t cell) const {
    std::map<std::uint32_t, std::vector<std::uint32_t>> cores;
    for (const auto& [id, cpu] : host.cpus)
      if (cpu.cell == cell && cpu.is_online && !core_owners.contains(cpu.core))
        cores[cpu.core].push_back(id);
    return cores;
  }
  std::uint64_t free_pages(std::uint32_t cell, std::uint64_t size) const {
    const auto pools = host.pages.at(cell);
    const auto pool = pools.find(size);
    if (pool == pools.end()) return 0;
    const auto taken = pages_taken.find(cell);
    if (taken == pages_taken.end() || !taken->second.contains(size)) return pool->second;
    return pool->second - taken->second.at(size);
  }
};

Ledger ledger_of(const GeneratedHost& host) {
  Ledger ledger{.host = host};
  std::map<std::uint32_t, std::map<std::uint32_t, std::uint32_t>> first;  // socket, CPU: core
  std::map<std::uint32_t, std::uint32_t> lowest;                          // CPU by core
  for (const auto& [id, cpu] : host.cpus)
    if (cpu.is_online && lowest.try_emplace(cpu.core, id).second) first[cpu.socket][id] = cpu.core;
  for (const auto& [socket, cores] : first)
    if (cores.size() > 1 || ledger.core_owners.empty())
      ledger.core_owners[cores.begin()->second] = 0;
  for (const auto& [id, cpu] : host.cpus)
    if (cpu.is_online && ledger.core_owners.contains(cpu.core)) ledger.kept.insert(id);
  return ledger;
}

/// Fewest cells and, with those, the largest page; by trying every set of cells.
struct Searched {
  int cells = 0;  // 0 = there is no room
  std::uint64_t page_kib = 0;
};

/// Whether these cells, each of use, hold the node in such cores and pages.
bool is_room_in(const std::vector<std::uint64_t>& cores, const std::vector<std::uint64_t>& pages,
                std::uint32_t set, std::uint64_t cores_wanted, std::uint64_t pages_wanted) {
  const auto count = static_cast<std::uint64_t>(std::popcount(set));
  std::uint64_t cores_there = 0;
  std::uint64_t pages_there = 0;
  for (std::size_t i = 0; i < cores.size(); ++i) {
    if (!(set >> i & 1)) continue;
    if (cores[i] == 0 || pages[i] == 0) return false;
    cores_there += cores[i];
    pages_there += pages[i];
  }
  return cores_there >= cores_wanted && pages_there >= pages_wanted && cores_wanted >= count &&
         pages_wanted >= count;
}

Searched search(const Ledger& ledger, const CpuRequest& request) {
  Searched best;
  for (const auto page_kib : {large_page_kib, small_page_kib})
    for (std::uint32_t threads = 1; threads <= 4; ++threads) {
      if (request.cpus % threads != 0 || request.memory_mb * 1024 % page_kib != 0) continue;
      std::vector<std::uint64_t> cores;
      std::vector<std::uint64_t> pages;
      for (const auto& [cell, pools] : ledger.host.pages) {
        cores.push_back(0);
        for (const auto& [core, cpus] : ledger.free_cores(cell))
          cores.back() += cpus.size() >= threads;
        pages.push_back(ledger.free_pages(cell, page_kib));
      }
      for (std::uint32_t set = 1; set < (1U << cores.size()); ++set) {
        const int count = std::popcount(set);
        const bool is_better = best.cells == 0 || count < best.cells ||
                               (count == best.cells && page_kib > best.page_kib);
        if (is_better && is_room_in(cores, pages, set, request.cpus / threads,
                                    request.memory_mb * 1024 / page_kib))
          best = {.cells = count, .page_kib = page_kib};
      }
    }
  return best;
}

/// Whole cores that nobody else has, and in the guest the cores and sockets that they are.
void check_pins(Ledger& ledger, const CpuRequest& request, const CpuPlan& plan, int owner) {
  ASSERT_EQ(plan.pins.size(), request.cpus);
  ASSERT_EQ(plan.sockets * plan.dies * plan.cores * plan.threads, request.cpus);
  std::map<std::uint32_t, CpuSet> cores;
  for (std::size_t i = 0; i < plan.pins.size(); ++i) {
    ASSERT_TRUE(ledger.host.cpus.contains(plan.pins[i]));
    const auto& cpu = ledger.host.cpus.at(plan.pins[i]);
    EXPECT_TRUE(cpu.is_online);
    EXPECT_TRUE(cores[cpu.core].insert(plan.pins[i]).second) << "two vCPUs on one CPU";
    const auto& core_first = ledger.host.cpus.at(plan.pins[i / plan.threads * plan.threads]);
    EXPECT_EQ(cpu.core, core_first.core) << "a guest's core on two cores";
    const auto per_socket = request.cpus / plan.sockets;
    EXPECT_EQ(cpu.socket, plan.sockets == 1
                              ? cpu.socket
                              : ledger.host.cpus.at(plan.pins[i / per_socket * per_socket]).socket);
  }
  for (const auto& [core, cpus] : cores) {
    EXPECT_EQ(cpus.size(), plan.threads);
    EXPECT_TRUE(ledger.core_owners.try_emplace(core, owner).second) << "a core of two owners";
  }
}

/// Memory of each cell where its vCPUs are, in whole free pages, all together the node's.
void check_cells(Ledger& ledger, const CpuRequest& request, const CpuPlan& plan) {
  std::uint64_t memory_kib = 0;
  std::size_t vcpu = 0;
  CpuSet seen;
  for (const auto& cell : plan.cells) {
    EXPECT_TRUE(seen.insert(cell.host_cell).second);
    EXPECT_GT(cell.cpus, 0U);
    for (std::uint32_t i = 0; i < cell.cpus; ++i, ++vcpu)
      EXPECT_EQ(ledger.host.cpus.at(plan.pins.at(vcpu)).cell, cell.host_cell);
    ASSERT_EQ(cell.memory_kib % plan.page_kib, 0U);
    const auto pages = cell.memory_kib / plan.page_kib;
    EXPECT_GT(pages, 0U);
    EXPECT_LE(pages, ledger.free_pages(cell.host_cell, plan.page_kib));
    ledger.pages_taken[cell.host_cell][plan.page_kib] += pages;
    memory_kib += cell.memory_kib;
  }
  EXPECT_EQ(vcpu, plan.pins.size());
  EXPECT_EQ(memory_kib, request.memory_mb * 1024);
}

/// On the host's own cores; in the node's cells, where the host has some there.
void check_emulator(const Ledger& ledger, const CpuPlan& plan) {
  EXPECT_FALSE(plan.emulator.empty());
  CpuSet near;
  for (const auto cpu : ledger.kept)
    for (const auto& cell : plan.cells)
      if (ledger.host.cpus.at(cpu).cell == cell.host_cell) near.insert(cpu);
  const auto& allowed = near.empty() ? ledger.kept : near;
  EXPECT_TRUE(std::ranges::includes(allowed, plan.emulator));
}

/// What libvirt would have of the domain is all that the next plan knows of it.
void start(const DomainSchema& schema, HostUse& use, const DomainSpec& spec) {
  const auto xml = build_domain_xml(spec, XmlDialect::qemu);
  ASSERT_TRUE(xml) << xml.error().detail;
  EXPECT_TRUE(schema.accepts(*xml)) << *xml;
  const auto same = verify_domain_xml(*xml, spec, XmlDialect::qemu);
  EXPECT_TRUE(same) << same.error().detail;
  HostUse alone;
  add_domain_use(alone, *xml);
  EXPECT_EQ(alone.cpus, CpuSet(spec.cpu_plan->pins.begin(), spec.cpu_plan->pins.end()));
  EXPECT_EQ(alone.pages.size(), spec.cpu_plan->cells.size());
  add_domain_use(use, *xml);
}

struct Tally {
  int planned = 0;
  int refused = 0;
  int searched = 0;
  int of_many_cells = 0;
};

void fill_host(const DomainSchema& schema, std::uint64_t seed, Tally& tally) {
  HostGenerator generator{seed};
  const auto host = generator.host();
  const auto topology = parse_topology(host.capabilities());
  ASSERT_TRUE(topology) << topology.error().detail;
  Ledger ledger = ledger_of(host);
  const auto kept = housekeeping_cpus(*topology, {});
  ASSERT_TRUE(kept);
  EXPECT_EQ(*kept, ledger.kept);
  HostUse use;
  for (int node = 1; node <= nodes_max; ++node) {
    const auto request = generator.request();
    const bool is_searched = host.pages.size() <= search_cells_max;
    const auto expected = is_searched ? search(ledger, request) : Searched{};
    const auto plan = plan_cpus(*topology, use, request);
    tally.searched += is_searched;
    if (!plan) {
      ++tally.refused;
      EXPECT_EQ(plan.error().code, core::ErrorCode::no_capacity);
      EXPECT_THAT(plan.error().detail, HasSubstr("profile hpc: "));
      EXPECT_EQ(expected.cells, 0) << plan.error().detail;
      continue;
    }
    ++tally.planned;
    tally.of_many_cells += plan->cells.size() > 1;
    if (is_searched) {
      EXPECT_EQ(static_cast<int>(plan->cells.size()), expected.cells);
      EXPECT_EQ(plan->page_kib, expected.page_kib);
    }
    check_pins(ledger, request, *plan, node);
    check_cells(ledger, request, *plan);
    check_emulator(ledger, *plan);
    start(schema, use, spec_of(request, *plan, node));
  }
}

TEST(CpuPlan, KeepsItsRulesOnHostsOfEveryShape) {
  const DomainSchema schema;
  ASSERT_TRUE(schema.is_loaded()) << "libvirt's schemas are not installed";
  Tally tally;
  for (std::uint64_t seed = 1; seed <= hosts; ++seed) {
    SCOPED_TRACE(testing::Message() << "host " << seed);
    fill_host(schema, seed, tally);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
  EXPECT_GT(tally.planned, 1'000);
  EXPECT_GT(tally.refused, 1'000);
  EXPECT_GT(tally.of_many_cells, 50);
  RecordProperty("planned", tally.planned);
  RecordProperty("refused", tally.refused);
  RecordProperty("of_many_cells", tally.of_many_cells);
}

/// Two sockets of four cores with two threads: socket 0 has CPUs 0-3 and 8-11.
HostTopology two_sockets(std::uint64_t large_pages, std::uint64_t small_pages) {
  HostTopology topology;
  for (std::uint32_t cell = 0; cell < 2; ++cell) {
    HostCell one{.id = cell, .distances = {{0, cell == 0 ? 10 : 21}, {1, cell == 1 ? 10 : 21}}};
    for (std::uint32_t core = 0; core < 4; ++core) {
      const auto first = cell * 4 + core;
      one.cores.push_back({.socket = cell, .cpus = {first, first + 8}});
    }
    one.pools = {{large_page_kib, large_pages, large_pages},
                 {small_page_kib, small_pages, small_pages}};
    topology.cells.push_back(std::move(one));
  }
  return topology;
}

std::string reason_of(const core::Result<CpuPlan>& plan) {
  return plan ? "" : plan.error().detail;
}

TEST(CpuPlan, PutsTheThreadsOfACoreNextToEachOther) {
  const auto plan = plan_cpus(two_sockets(8, 0), {}, {.cpus = 4, .memory_mb = 4096});
  ASSERT_TRUE(plan) << plan.error().detail;
  EXPECT_EQ(plan->pins, (std::vector<std::uint32_t>{1, 9, 2, 10})) << "core 0 is the host's";
  EXPECT_EQ(plan->emulator, (CpuSet{0, 8}));
  EXPECT_EQ(plan->threads, 2U);
  EXPECT_EQ(plan->cores, 2U);
  EXPECT_EQ(plan->page_kib, large_page_kib);
}

TEST(CpuPlan, GivesANodeOfTwoSocketsBothAndTheMemoryBeside) {
  const auto plan = plan_cpus(two_sockets(8, 0), {}, {.cpus = 12, .memory_mb = 8192});
  ASSERT_TRUE(plan) << plan.error().detail;
  EXPECT_EQ(plan->sockets, 2U);
  EXPECT_EQ(plan->cores, 3U);
  EXPECT_EQ(plan->cells, (std::vector<GuestCell>{{0, 6, 4 << 20}, {1, 6, 4 << 20}}));
  EXPECT_EQ(plan->distances, (std::vector<std::vector<std::uint32_t>>{{10, 21}, {21, 10}}));
}

TEST(CpuPlan, TakesAWholeCoreForEachOfAnOddNumber) {
  const auto plan = plan_cpus(two_sockets(8, 0), {}, {.cpus = 3, .memory_mb = 2048});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->pins, (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_EQ(plan->threads, 1U);
  EXPECT_EQ(reason_of(plan_cpus(two_sockets(8, 0), {}, {.cpus = 7, .memory_mb = 2048})),
            "profile hpc: 6 of 7 cores free (7 vCPUs, 2 threads in a core)");
}

TEST(CpuPlan, PrefersTheCellOfTheAdapters) {
  CpuRequest request{.cpus = 2, .memory_mb = 1024};
  EXPECT_EQ(plan_cpus(two_sockets(8, 0), {}, request)->cells.front().host_cell, 0U);
  request.adapter_cells = {1};
  EXPECT_EQ(plan_cpus(two_sockets(8, 0), {}, request)->cells.front().host_cell, 1U);
  request.adapter_cells = {0, 1};
  EXPECT_EQ(plan_cpus(two_sockets(8, 0), {}, request)->cells.size(), 1U) << "no cell more for it";
}

TEST(CpuPlan, UsesSmallPagesWhereLargeOnesDoNotFit) {
  const auto plan = plan_cpus(two_sockets(1, 2048), {}, {.cpus = 2, .memory_mb = 2048});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->page_kib, small_page_kib);
}

TEST(CpuPlan, SaysWhatLacks) {
  const CpuRequest request{.cpus = 6, .memory_mb = 4096};
  EXPECT_EQ(reason_of(plan_cpus(two_sockets(0, 0), {}, request)),
            "profile hpc: the host has no hugepages");
  HostUse use{.cpus = {1, 2, 3}, .pages = {{1, large_page_kib, 1}}};
  EXPECT_EQ(reason_of(plan_cpus(two_sockets(4, 0), use, request)),
            "profile hpc: 3 of 4 hugepages of 1 GiB free on NUMA node 1");
  use.cpus.insert(4);
  use.cpus.insert(5);
  EXPECT_EQ(reason_of(plan_cpus(two_sockets(4, 0), use, request)),
            "profile hpc: 2 of 3 cores free (6 vCPUs, 2 threads in a core)");
  EXPECT_EQ(reason_of(plan_cpus(two_sockets(4, 0), {}, {.cpus = 2, .memory_mb = 1023})),
            "profile hpc: 1023 MiB are not whole hugepages of 2 MiB");
  EXPECT_EQ(reason_of(plan_cpus(two_sockets(4, 0), {.unpinned = {"other"}}, request)),
            "profile hpc: domain other runs on any CPU of the host");
}

TEST(CpuPlan, KeepsTheCoresOfTheSettingForTheHost) {
  const auto host = two_sockets(8, 0);
  EXPECT_EQ(*housekeeping_cpus(host, {}), (CpuSet{0, 4, 8, 12}));
  EXPECT_EQ(*housekeeping_cpus(host, {9}), (CpuSet{1, 9})) << "the whole core";
  EXPECT_EQ(housekeeping_cpus(host, {16}).error().detail,
            "profile hpc: CPU 16 of hpc_host_cpus is not online");
  const auto plan = plan_cpus(host, {}, {.cpus = 2, .memory_mb = 1024, .host_cpus = {7}});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->pins, (std::vector<std::uint32_t>{4, 12})) << "the tighter cell";
  EXPECT_EQ(plan->emulator, (CpuSet{7, 15}));
}

TEST(CpuPlan, CountsWhatNodesCanHaveOfTheHost) {
  const auto capacity = hpc_capacity(two_sockets(4, 512), {});
  EXPECT_EQ(capacity.cpus, 12U);
  EXPECT_EQ(capacity.memory_mb, 10U * 1024);
  EXPECT_EQ(capacity.reason, "");
  EXPECT_EQ(hpc_capacity(two_sockets(0, 0), {}).reason, "profile hpc: the host has no hugepages");
  HostTopology small;
  small.cells.push_back({.cores = {{.cpus = {0}}}, .pools = {{large_page_kib, 4, 4}}});
  EXPECT_EQ(hpc_capacity(small, {}).reason, "profile hpc: no core is left besides the host's own");
}

TEST(CpuSet, IsReadAndShownAsLinuxDoes) {
  EXPECT_EQ(*parse_cpu_set("0-2,8"), (CpuSet{0, 1, 2, 8}));
  EXPECT_EQ(*parse_cpu_set(""), CpuSet{});
  EXPECT_EQ(shown_cpu_set({0, 1, 2, 4, 6, 7}), "0-2,4,6-7");
  for (const char* wrong : {"a", "1-", "-1", "3-1", "1,", ",1", "1 2", "65536", "0-4294967295"})
    EXPECT_FALSE(parse_cpu_set(wrong)) << wrong;
}

}  // namespace
}  // namespace nucleus::provisioner
