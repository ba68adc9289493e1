#include "services/provisioner/driver/given_adapters.hpp"

#include "services/provisioner/driver/domain_xml.hpp"
#include "services/provisioner/driver/libvirt_domains.hpp"

namespace nucleus::provisioner {

core::Result<GivenAdapters::Owners> GivenAdapters::owners(virConnect* connection) const {
  virDomainPtr* domains = nullptr;
  const int count = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);
  if (count < 0) return std::unexpected(libvirt_error());
  const std::vector<LibvirtDomain> owned(domains, domains + count);
  free(domains);
  Owners all;
  for (const auto& [address, start] : starts_) all[address] = start.uuid;
  for (const auto& domain : owned) {
    const std::string xml = take_libvirt_text(virDomainGetXMLDesc(domain.get(), 0));
    for (auto& address : functions_in_xml(xml)) all[std::move(address)] = uuid_of(domain.get());
  }
  return all;
}

core::Result<void> GivenAdapters::begin_start(virConnect* connection, const DomainSpec& spec) {
  const std::scoped_lock lock{mutex_};
  const auto others = owners(connection);
  if (!others) return std::unexpected(others.error());
  for (const auto& leased : spec.adapters) {
    const auto& address = leased.adapter.pci_address;
    const auto owner = others->find(address);
    if (owner != others->end() && owner->second != spec.uuid)
      return core::refuse(core::ErrorCode::unavailable,
                          "its adapter " + address + " is still in use by another domain");
  }
  for (const auto& leased : spec.adapters) {
    // One that this domain has already was set before it started.
    if (others->contains(leased.adapter.pci_address)) continue;
    if (auto same = check_adapter(host_, leased.adapter); !same) return same;
    if (auto set = set_partition(host_, leased); !set) return set;
  }
  for (const auto& leased : spec.adapters) {
    auto& start = starts_[leased.adapter.pci_address];
    start.uuid = spec.uuid;
    ++start.count;
  }
  return {};
}

void GivenAdapters::end_start(const DomainSpec& spec) {
  const std::scoped_lock lock{mutex_};
  for (const auto& leased : spec.adapters) {
    const auto known = starts_.find(leased.adapter.pci_address);
    if (known != starts_.end() && --known->second.count == 0) starts_.erase(known);
  }
}

core::Result<void> GivenAdapters::clear(virConnect* connection,
                                        const std::vector<msg::LeasedAdapter>& adapters) {
  const std::scoped_lock lock{mutex_};
  const auto others = owners(connection);
  if (!others) return std::unexpected(others.error());
  core::Result<void> result;
  for (const auto& leased : adapters) {
    const auto& address = leased.adapter.pci_address;
    if (others->contains(address)) continue;
    if (auto cleared = clear_partitions(host_, address); !cleared && result) result = cleared;
  }
  return result;
}

}  // namespace nucleus::provisioner
