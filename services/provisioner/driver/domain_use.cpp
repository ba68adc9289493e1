#include "services/provisioner/driver/domain_use.hpp"

#include <charconv>

#include "services/provisioner/driver/xml_document.hpp"

namespace nucleus::provisioner {

namespace {

std::uint64_t amount_in(const std::string& text) {
  std::uint64_t amount = 0;
  std::from_chars(text.data(), text.data() + text.size(), amount);
  return amount;
}

/// In KiB, from a number and its unit as libvirt shows them.
std::uint64_t kib_of(const std::string& amount, const std::string& unit) {
  const std::uint64_t factor = unit == "MiB" ? 1024 : unit == "GiB" ? 1024 * 1024 : 1;
  return amount_in(amount) * factor;
}

/// The CPUs of all vCPUs; nothing if one of them may run on any.
std::optional<CpuSet> pinned_cpus(const XmlElement& domain) {
  const std::string common = domain.attribute_at("vcpu", "cpuset");
  const auto count = amount_in(domain.text_at("vcpu"));
  CpuSet cpus;
  std::uint64_t pinned = 0;
  if (const auto tune = domain.find("cputune"))
    for (const auto& pin : tune->children("vcpupin")) {
      auto set = parse_cpu_set(pin.attribute("cpuset"));
      if (!set || set->empty()) return std::nullopt;
      cpus.merge(*set);
      ++pinned;
    }
  if (pinned >= count) return cpus;
  auto set = parse_cpu_set(common);
  if (!set || set->empty()) return std::nullopt;
  cpus.merge(*set);
  return cpus;
}

/// The host's NUMA node of each guest cell that is bound to exactly one.
std::optional<std::uint32_t> host_cell_of(const XmlElement& domain, const std::string& cell_id) {
  std::string nodes = domain.attribute_at("numatune/memory", "nodeset");
  if (const auto numa = domain.find("numatune"))
    for (const auto& node : numa->children("memnode"))
      if (node.attribute("cellid") == cell_id) nodes = node.attribute("nodeset");
  const auto set = parse_cpu_set(nodes);
  return set && set->size() == 1 ? std::optional(*set->begin()) : std::nullopt;
}

void add_pages(HostUse& use, const XmlElement& domain) {
  const auto pages = domain.find("memoryBacking/hugepages");
  if (!pages) return;
  const auto page = pages->find("page");
  const auto size =
      page ? kib_of(page->attribute("size"), page->attribute("unit")) : small_page_kib;
  if (size == 0) return;
  const auto add = [&](const std::string& cell_id, std::uint64_t memory_kib) {
    if (const auto cell = host_cell_of(domain, cell_id))
      use.pages.push_back({.cell = *cell, .size_kib = size, .count = memory_kib / size});
  };
  const auto numa = domain.find("cpu/numa");
  if (!numa)
    return add("0", kib_of(domain.text_at("memory"), domain.attribute_at("memory", "unit")));
  for (const auto& cell : numa->children("cell"))
    add(cell.attribute("id"), kib_of(cell.attribute("memory"), cell.attribute("unit")));
}

}  // namespace

void add_domain_use(HostUse& use, const std::string& domain_xml) {
  const auto document = XmlDocument::parse(domain_xml);
  if (!document) return;
  const auto domain = document->root();
  if (auto cpus = pinned_cpus(domain))
    use.cpus.merge(*cpus);
  else
    use.unpinned.push_back(domain.text_at("name"));
  add_pages(use, domain);
}

}  // namespace nucleus::provisioner
