#include "services/provisioner/driver/cpu_plans.hpp"

#include <libvirt/virterror.h>

#include "services/provisioner/driver/domain_use.hpp"
#include "services/provisioner/driver/libvirt_domains.hpp"

namespace nucleus::provisioner {

namespace {

/// A cell that libvirt cannot count has all its pages free, as far as is known.
void read_free_pages(virConnect* connection, HostCell& cell) {
  for (auto& pool : cell.pools) {
    if (pool.count == 0) continue;
    unsigned int size = static_cast<unsigned int>(pool.size_kib);
    unsigned long long free = 0;
    if (virNodeGetFreePages(connection, 1, &size, static_cast<int>(cell.id), 1, &free, 0) > 0)
      pool.free = free;
  }
}

/// What a plan that has not become a domain yet takes.
void add_plan(HostUse& use, const CpuPlan& plan) {
  use.cpus.insert(plan.pins.begin(), plan.pins.end());
  for (const auto& cell : plan.cells)
    use.pages.push_back({.cell = cell.host_cell,
                         .size_kib = plan.page_kib,
                         .count = cell.memory_kib / plan.page_kib});
}

}  // namespace

core::Result<HostTopology> read_topology(virConnect* connection) {
  const std::string capabilities = take_libvirt_text(virConnectGetCapabilities(connection));
  if (capabilities.empty()) return std::unexpected(libvirt_error());
  auto topology = parse_topology(capabilities);
  if (!topology) return topology;
  for (auto& cell : topology->cells) read_free_pages(connection, cell);
  return topology;
}

core::Result<HostUse> CpuPlans::use_by_others(virConnect* connection) const {
  virDomainPtr* domains = nullptr;
  const int count = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
  if (count < 0) return std::unexpected(libvirt_error());
  const std::vector<LibvirtDomain> owned(domains, domains + count);
  free(domains);
  HostUse use;
  for (const auto& domain : owned) {
    if (starts_.contains(uuid_of(domain.get()))) continue;
    const std::string xml = take_libvirt_text(virDomainGetXMLDesc(domain.get(), 0));
    if (!xml.empty()) add_domain_use(use, xml);  // else it has ended
  }
  return use;
}

core::Result<CpuPlan> CpuPlans::begin_start(virConnect* connection, const DomainSpec& spec) {
  const std::scoped_lock lock{mutex_};
  if (const auto known = starts_.find(spec.uuid); known != starts_.end()) {
    ++known->second.count;
    return known->second.plan;
  }
  auto topology = read_topology(connection);
  if (!topology) return std::unexpected(topology.error());
  auto use = use_by_others(connection);
  if (!use) return std::unexpected(use.error());
  // Domains that are starting have taken an unknown part of their pages from the free ones.
  if (!starts_.empty())
    for (auto& cell : topology->cells)
      for (auto& pool : cell.pools) pool.free = pool.count;
  for (const auto& [uuid, start] : starts_) add_plan(*use, start.plan);
  CpuRequest request{.cpus = spec.cpus, .memory_mb = spec.memory_mb, .host_cpus = host_cpus_};
  for (const auto& leased : spec.adapters)
    if (leased.adapter.numa_node >= 0)
      request.adapter_cells.insert(static_cast<std::uint32_t>(leased.adapter.numa_node));
  auto plan = plan_cpus(*topology, *use, request);
  if (plan) starts_[spec.uuid] = {.plan = *plan, .count = 1};
  return plan;
}

void CpuPlans::end_start(const std::string& uuid) {
  const std::scoped_lock lock{mutex_};
  const auto known = starts_.find(uuid);
  if (known != starts_.end() && --known->second.count == 0) starts_.erase(known);
}

HpcCapacity CpuPlans::capacity(virConnect* connection) const {
  const auto topology = read_topology(connection);
  if (!topology) return {.reason = topology.error().detail};
  return hpc_capacity(*topology, host_cpus_);
}

}  // namespace nucleus::provisioner
