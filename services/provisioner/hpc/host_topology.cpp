#include "services/provisioner/hpc/host_topology.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "services/provisioner/driver/xml_document.hpp"

namespace nucleus::provisioner {

namespace {

template <class Number>
std::optional<Number> number_in(const std::string& text) {
  Number number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::uint32_t> id_in(const XmlElement& element, const char* attribute) {
  const auto id = number_in<std::uint32_t>(element.attribute(attribute));
  return id && *id <= cpu_id_max ? id : std::nullopt;
}

/// libvirt gives a CPU that is offline nothing but its id.
bool is_online(const XmlElement& cpu) {
  return !cpu.attribute("siblings").empty();
}

/// The threads of a core share a list of siblings, whose lowest id names the core. Core ids alone
/// do not: they are repeated in each die, and on some machines in each cluster of a die.
std::optional<std::vector<HostCore>> cores_in(const XmlElement& cell) {
  std::map<std::uint32_t, HostCore> cores;
  const auto list = cell.find("cpus");
  if (!list) return std::vector<HostCore>{};
  for (const auto& cpu : list->children("cpu")) {
    const auto id = id_in(cpu, "id");
    if (!id) return std::nullopt;
    if (!is_online(cpu)) continue;
    auto siblings = parse_cpu_set(cpu.attribute("siblings"));
    const auto socket = id_in(cpu, "socket_id");
    if (!siblings || !socket) return std::nullopt;
    siblings->insert(*id);
    HostCore& core = cores[*siblings->begin()];
    core.socket = *socket;
    core.die = id_in(cpu, "die_id").value_or(0);
    core.cpus.push_back(*id);
  }
  std::vector<HostCore> sorted;
  for (auto& [first, core] : cores) {
    std::ranges::sort(core.cpus);
    sorted.push_back(std::move(core));
  }
  std::ranges::sort(sorted, {}, [](const HostCore& core) {
    return std::tuple{core.socket, core.die, core.cpus.front()};
  });
  return sorted;
}

std::optional<HostCell> cell_in(const XmlElement& element) {
  const auto id = id_in(element, "id");
  auto cores = cores_in(element);
  if (!id || !cores) return std::nullopt;
  HostCell cell{.id = *id, .cores = std::move(*cores)};
  cell.memory_kib = number_in<std::uint64_t>(element.text_at("memory")).value_or(0);
  for (const auto& pages : element.children("pages")) {
    const auto size = number_in<std::uint64_t>(pages.attribute("size"));
    const auto count = number_in<std::uint64_t>(pages.text());
    if (!size || !count || pages.attribute("unit") != "KiB") return std::nullopt;
    if (*size == small_page_kib || *size == large_page_kib)
      cell.pools.push_back({.size_kib = *size, .count = *count, .free = *count});
  }
  if (const auto distances = element.find("distances"))
    for (const auto& sibling : distances->children("sibling")) {
      const auto other = id_in(sibling, "id");
      const auto value = id_in(sibling, "value");
      if (other && value) cell.distances[*other] = *value;
    }
  return cell;
}

bool has_topoext(const XmlElement& root) {
  const auto cpu = root.find("host/cpu");
  if (!cpu) return false;
  return std::ranges::any_of(cpu->children("feature"), [](const XmlElement& feature) {
    return feature.attribute("name") == "topoext";
  });
}

}  // namespace

core::Result<HostTopology> parse_topology(const std::string& capabilities) {
  const auto unusable = [](const char* why) {
    return core::refuse(core::ErrorCode::internal, std::string("libvirt's capabilities ") + why);
  };
  const auto document = XmlDocument::parse(capabilities);
  if (!document) return unusable("are not well-formed");
  const auto root = document->root();
  const auto cells = root.find("host/topology/cells");
  if (!cells) return unusable("have no topology");
  HostTopology topology{.has_topoext = has_topoext(root)};
  for (const auto& element : cells->children("cell")) {
    auto cell = cell_in(element);
    if (!cell) return unusable("have a cell that cannot be read");
    topology.cells.push_back(std::move(*cell));
  }
  std::ranges::sort(topology.cells, {}, &HostCell::id);
  return topology;
}

}  // namespace nucleus::provisioner
