// Sources of the choices: libvirt's "Domain XML format"; QEMU's "Recommendations for KVM CPU model
// configuration on x86 hosts" and "Hyper-V and paravirtualized features" of its manual; "KVM CPUID
// bits" (KVM_HINTS_REALTIME) of the Linux kernel's documentation; Red Hat's "Virtualization tuning
// and optimization guide" (timers, pinning, NUMA, hugepages).
#include "services/provisioner/driver/tuning_xml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace nucleus::provisioner {

namespace {

constexpr const char* emulated_cpu = "Nehalem";  // x86-64-v2, which distributions require
constexpr const char* io_thread = "1";           // of all disks of a domain

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

CpuSet host_cells(const CpuPlan& plan) {
  CpuSet cells;
  for (const auto& cell : plan.cells) cells.insert(cell.host_cell);
  return cells;
}

/// Page size and NUMA node are those of the plan, or the domain does not start: `strict`. The
/// memory is a memfd, which needs no mount of hugetlbfs for each page size. It is not `locked`:
/// hugepages are never swapped out, and a device that is passed through locks them itself.
void add_memory_backing(XmlElement& domain, const CpuPlan& plan) {
  auto backing = domain.add("memoryBacking");
  backing.add("hugepages").add("page").set("size", number(plan.page_kib)).set("unit", "KiB");
  backing.add("nosharepages");
  backing.add("source").set("type", "memfd");
  auto numa = domain.add("numatune");
  numa.add("memory").set("mode", "strict").set("nodeset", shown_cpu_set(host_cells(plan)));
  for (std::size_t i = 0; i < plan.cells.size(); ++i)
    numa.add("memnode")
        .set("cellid", number(i))
        .set("mode", "strict")
        .set("nodeset", number(plan.cells[i].host_cell));
}

void add_pins(XmlElement& domain, const CpuPlan& plan) {
  domain.add_text("iothreads", "1");
  auto tune = domain.add("cputune");
  for (std::size_t i = 0; i < plan.pins.size(); ++i)
    tune.add("vcpupin").set("vcpu", number(i)).set("cpuset", number(plan.pins[i]));
  const auto others = shown_cpu_set(plan.emulator);
  tune.add("emulatorpin").set("cpuset", others);
  tune.add("iothreadpin").set("iothread", io_thread).set("cpuset", others);
}

void add_guest_cells(XmlElement& cpu, const CpuPlan& plan) {
  cpu.add("topology")
      .set("sockets", number(plan.sockets))
      .set("dies", number(plan.dies))
      .set("cores", number(plan.cores))
      .set("threads", number(plan.threads));
  auto numa = cpu.add("numa");
  std::uint32_t first = 0;
  for (std::size_t i = 0; i < plan.cells.size(); ++i) {
    const auto& cell = plan.cells[i];
    const std::uint32_t last = first + cell.cpus - 1;
    auto element = numa.add("cell");
    element.set("id", number(i))
        .set("cpus", first == last ? number(first) : fmt::format("{}-{}", first, last))
        .set("memory", number(cell.memory_kib))
        .set("unit", "KiB");
    first += cell.cpus;
    if (plan.distances.empty()) continue;
    auto distances = element.add("distances");
    for (std::size_t j = 0; j < plan.distances[i].size(); ++j)
      distances.add("sibling").set("id", number(j)).set("value", number(plan.distances[i][j]));
  }
}

/// The CPU as it is, with its invariant TSC and the caches that its neighbours share: the guest
/// never moves to another host while it runs.
void add_passed_cpu(XmlElement& domain, const CpuPlan& plan) {
  auto cpu = domain.add("cpu");
  cpu.set("mode", "host-passthrough").set("check", "none").set("migratable", "off");
  cpu.add("cache").set("mode", "passthrough");
  if (plan.has_topoext) cpu.add("feature").set("policy", "require").set("name", "topoext");
  add_guest_cells(cpu, plan);
}

void add_cpu(XmlElement& domain, const DomainSpec& spec) {
  if (spec.accel == Accel::kvm && spec.cpu_plan) return add_passed_cpu(domain, *spec.cpu_plan);
  auto cpu = domain.add("cpu");
  if (spec.accel == Accel::kvm) {
    cpu.set("mode", "host-passthrough");
  } else {
    cpu.set("mode", "custom").set("match", "exact");
    cpu.add_text("model", emulated_cpu);
  }
  if (spec.cpu_plan) add_guest_cells(cpu, *spec.cpu_plan);
}

void add_features(XmlElement& domain, const DomainSpec& spec) {
  auto features = domain.add("features");
  features.add("acpi");
  features.add("apic");
  if (!spec.cpu_plan || spec.accel != Accel::kvm) return;
  // No other task runs on its CPUs, so the guest may spin where it would halt or yield.
  features.add("kvm").add("hint-dedicated").set("state", "on");
  features.add("ioapic").set("driver", "kvm");
}

void add_clock(XmlElement& domain, const DomainSpec& spec) {
  auto clock = domain.add("clock");
  clock.set("offset", "utc");
  if (!spec.cpu_plan) return;
  clock.add("timer").set("name", "rtc").set("tickpolicy", "catchup");
  clock.add("timer").set("name", "pit").set("tickpolicy", "delay");
  clock.add("timer").set("name", "hpet").set("present", "no");
}

// What libvirt adds to elements of a domain that runs. Value "": any.
struct AddedAttribute {
  std::string_view element;
  std::string_view name;
  std::string_view value;
};
constexpr std::array added_attributes{
    AddedAttribute{"vcpu", "placement", "static"}, AddedAttribute{"topology", "clusters", "1"},
    AddedAttribute{"cpu", "check", ""}, AddedAttribute{"model", "fallback", ""}};

/// For an emulated CPU, libvirt shows the features as QEMU has them.
bool is_added_child(const XmlElement& parent, const XmlElement& child) {
  return parent.name() == "cpu" && child.name() == "feature" && child.children().empty();
}

std::string shown_element(const XmlElement& element) {
  return std::string(element.name());
}

std::optional<std::string> attributes_differ(const XmlElement& seen, const XmlElement& expected) {
  for (const auto& [name, value] : expected.attributes())
    if (const auto other = seen.attribute(name.c_str()); other != value)
      return fmt::format("{} {} is {}, not {}", shown_element(seen), name, msg::shown(other),
                         msg::shown(value));
  const auto known = expected.attributes();
  for (const auto& [name, value] : seen.attributes()) {
    const auto is_named = [&](const auto& one) { return one.first == name; };
    if (std::ranges::any_of(known, is_named)) continue;
    const auto is_added = [&](const AddedAttribute& added) {
      return added.element == seen.name() && added.name == name &&
             (added.value.empty() || added.value == value);
    };
    if (std::ranges::none_of(added_attributes, is_added))
      return fmt::format("{} has {}", shown_element(seen), msg::shown(name));
  }
  return std::nullopt;
}

std::optional<std::string> element_differs(const XmlElement& seen, const XmlElement& expected);

/// Those with this name are the expected ones, in their order.
std::optional<std::string> named_children_differ(const XmlElement& seen, const XmlElement& expected,
                                                 std::string_view name) {
  const auto wanted = expected.children(name);
  auto there = seen.children(name);
  if (there.size() > wanted.size()) {
    // Ours first, in any place among those that libvirt added.
    std::vector<XmlElement> ours;
    for (const auto& child : there) {
      const bool is_ours =
          ours.size() < wanted.size() && !element_differs(child, wanted[ours.size()]);
      if (is_ours)
        ours.push_back(child);
      else if (!is_added_child(seen, child))
        return fmt::format("{} holds {} too many", shown_element(seen), name);
    }
    there = std::move(ours);
  }
  if (there.size() != wanted.size()) return fmt::format("{} lacks {}", shown_element(seen), name);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (auto difference = element_differs(there[i], wanted[i])) return difference;
  return std::nullopt;
}

std::optional<std::string> element_differs(const XmlElement& seen, const XmlElement& expected) {
  if (!seen.namespace_uri().empty()) return "foreign " + shown_element(seen);
  if (auto difference = attributes_differ(seen, expected)) return difference;
  std::set<std::string_view> names;
  for (const auto& child : expected.children()) names.insert(child.name());
  for (const auto& child : seen.children())
    if (!names.contains(child.name()) && !is_added_child(seen, child))
      return fmt::format("{} holds {}", shown_element(seen), msg::shown(child.name()));
  for (const auto name : names)
    if (auto difference = named_children_differ(seen, expected, name)) return difference;
  if (names.empty() && seen.text() != expected.text())
    return fmt::format("{} is {}, not {}", shown_element(seen), msg::shown(seen.text()),
                       msg::shown(expected.text()));
  return std::nullopt;
}

/// libvirt may name the I/O threads that `iothreads` counts.
bool are_io_threads_plain(const XmlElement& domain) {
  const auto ids = domain.find("iothreadids");
  if (!ids) return true;
  if (domain.children("iothreadids").size() > 1) return false;
  const auto threads = ids->children();
  return threads.size() == 1 && threads.front().name() == "iothread" &&
         threads.front().attribute("id") == io_thread && threads.front().children().empty();
}

std::optional<std::string> io_threads_differ(const XmlElement& domain, const DomainSpec& spec) {
  const auto devices = domain.find("devices");
  if (!devices) return std::nullopt;
  for (const auto& disk : devices->children("disk")) {
    const bool is_cdrom = disk.attribute("device") == "cdrom";
    const auto expected = io_thread_of(spec, {.is_cdrom = is_cdrom});
    if (const auto seen = disk.attribute_at("driver", "iothread"); seen != expected)
      return fmt::format("disk iothread is {}, not {}", msg::shown(seen), msg::shown(expected));
  }
  if (devices->attribute_at("memballoon", "model") != "none") return "there is a memory balloon";
  return std::nullopt;
}

}  // namespace

std::optional<core::Error> check_cpu_plan(const DomainSpec& spec) {
  if (!spec.cpu_plan) return std::nullopt;
  const auto& plan = *spec.cpu_plan;
  if (plan.pins.size() != spec.cpus || plan.emulator.empty() ||
      std::uint64_t{plan.sockets} * plan.dies * plan.cores * plan.threads != spec.cpus)
    return msg::invalid("cpu_plan", "cpu_plan must have the CPUs of the domain");
  std::uint64_t cpus = 0;
  std::uint64_t memory_kib = 0;
  for (const auto& cell : plan.cells) {
    if (cell.cpus == 0 || plan.page_kib == 0 || cell.memory_kib % plan.page_kib != 0)
      return msg::invalid("cpu_plan", "cpu_plan must have CPUs and whole pages in each cell");
    cpus += cell.cpus;
    memory_kib += cell.memory_kib;
  }
  if (cpus != spec.cpus || memory_kib != spec.memory_mb * 1024)
    return msg::invalid("cpu_plan", "cpu_plan must have the size of the domain");
  const auto has_cell_count = [&](const auto& row) { return row.size() == plan.cells.size(); };
  if (!plan.distances.empty() &&
      !(has_cell_count(plan.distances) && std::ranges::all_of(plan.distances, has_cell_count)))
    return msg::invalid("cpu_plan", "cpu_plan must have the distances of all cells");
  return std::nullopt;
}

void add_resources(XmlElement& domain, const DomainSpec& spec) {
  domain.add_text("vcpu", number(spec.cpus));
  if (!spec.cpu_plan) return;
  add_pins(domain, *spec.cpu_plan);
  add_memory_backing(domain, *spec.cpu_plan);
}

void add_processor(XmlElement& domain, const DomainSpec& spec) {
  add_features(domain, spec);
  add_cpu(domain, spec);
  add_clock(domain, spec);
}

std::string io_thread_of(const DomainSpec& spec, const DiskSpec& disk) {
  return spec.cpu_plan && !disk.is_cdrom ? io_thread : "";
}

bool is_tuning_element(std::string_view name) {
  constexpr std::array names{"memoryBacking", "iothreads", "iothreadids", "cputune", "numatune"};
  return std::ranges::find(names, name) != names.end();
}

std::optional<std::string> tuning_differs(const XmlElement& domain, const DomainSpec& spec) {
  if (auto difference = io_threads_differ(domain, spec)) return difference;
  if (!spec.cpu_plan) return std::nullopt;
  XmlDocument document{"domain"};
  auto expected = document.root();
  add_resources(expected, spec);
  add_processor(expected, spec);
  for (const auto& part : expected.children())
    if (auto difference = named_children_differ(domain, expected, part.name())) return difference;
  if (!are_io_threads_plain(domain)) return "iothreadids are not those of the domain";
  return std::nullopt;
}

}  // namespace nucleus::provisioner
