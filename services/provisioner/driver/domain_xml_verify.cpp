// Reads a domain's XML back and holds it against the intent: every device is either meant, or one
// that libvirt adds by itself; every path and setting that a spec can carry is the one it carries.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "services/provisioner/driver/domain_xml.hpp"
#include "services/provisioner/driver/xml_document.hpp"

namespace nucleus::provisioner {

namespace {

using Found = std::optional<std::string>;  // what differs from the intent

constexpr std::array root_elements{
    "name",        "uuid",      "title",    "metadata", "memory",  "currentMemory",
    "vcpu",        "resource",  "os",       "features", "cpu",     "clock",
    "on_poweroff", "on_reboot", "on_crash", "pm",       "devices", "seclabel"};

constexpr std::array os_elements{"type", "kernel", "initrd", "cmdline", "boot"};

// Devices that a spec does not name; how many of each there may be.
struct Implied {
  std::string_view name;
  std::size_t count_max;
};
constexpr std::array implied_devices{
    Implied{"emulator", 1}, Implied{"controller", 64}, Implied{"input", 3},
    Implied{"serial", 1},   Implied{"console", 1},     Implied{"channel", 1},
    Implied{"graphics", 1}, Implied{"video", 1},       Implied{"audio", 1},
    Implied{"rng", 1},      Implied{"memballoon", 1},  Implied{"watchdog", 1}};

template <std::size_t Count>
Found unexpected_child(const XmlElement& element, const std::array<const char*, Count>& allowed) {
  for (const auto& child : element.children())
    if (std::ranges::find(allowed, child.name()) == allowed.end() || !child.namespace_uri().empty())
      return fmt::format("{} holds {}", element.name(), msg::shown(child.name()));
  return std::nullopt;
}

Found differs(std::string_view what, std::string_view seen, std::string_view meant) {
  if (seen == meant) return std::nullopt;
  return fmt::format("{} is {}, not {}", what, msg::shown(seen), msg::shown(meant));
}

/// Memory as a count of MiB, from an element that names its unit.
std::string memory_mb_of(const XmlElement& memory) {
  const std::string text = memory.text();
  std::uint64_t amount = 0;
  std::from_chars(text.data(), text.data() + text.size(), amount);
  const std::string unit = memory.attribute("unit");
  if (unit == "MiB") return std::to_string(amount);
  if (unit == "KiB" && amount % 1024 == 0) return std::to_string(amount / 1024);
  return text + unit;
}

Found header_differs(const XmlElement& domain, const DomainSpec& spec, XmlDialect dialect) {
  const char* type = dialect == XmlDialect::simulated ? "test"
                     : spec.accel == Accel::kvm       ? "kvm"
                                                      : "qemu";
  if (auto found = differs("type", domain.attribute("type"), type)) return found;
  if (auto found = unexpected_child(domain, root_elements)) return found;
  for (const auto& name : root_elements)
    if (domain.children(name).size() > 1 && std::string_view(name) != "seclabel")
      return fmt::format("there are two elements {}", name);
  if (auto found = differs("name", domain.text_at("name"), spec.name)) return found;
  if (auto found = differs("uuid", domain.text_at("uuid"), spec.uuid)) return found;
  if (auto found = differs("title", domain.text_at("title"), spec.title)) return found;
  if (auto found = differs("vcpu", domain.text_at("vcpu"), std::to_string(spec.cpus))) return found;
  const auto memory = domain.find("memory");
  if (!memory) return "memory is missing";
  if (auto found = differs("memory", memory_mb_of(*memory), std::to_string(spec.memory_mb)))
    return found;

  const auto metadata = domain.find("metadata");
  if (!metadata || metadata->children().size() != 1) return "metadata holds not one element";
  const auto ours = metadata->children().front();
  if (ours.namespace_uri() != metadata_uri || !ours.children().empty())
    return "metadata is not ours";
  return differs("epoch", ours.attribute("epoch"), std::to_string(spec.epoch));
}

Found boot_differs(const XmlElement& domain, const DomainSpec& spec) {
  const auto os = domain.find("os");
  if (!os) return "os is missing";
  if (auto found = unexpected_child(*os, os_elements)) return found;
  if (auto found = differs("kernel", os->text_at("kernel"), spec.kernel)) return found;
  if (auto found = differs("initrd", os->text_at("initrd"), spec.initramfs)) return found;
  return differs("cmdline", os->text_at("cmdline"), spec.cmdline);
}

Found disk_differs(const XmlElement& disk, const DiskSpec& meant) {
  if (auto found = differs("disk", disk.attribute("type"), "file")) return found;
  if (auto found = differs("disk", disk.attribute("device"), meant.is_cdrom ? "cdrom" : "disk"))
    return found;
  if (auto found = differs("disk source", disk.attribute_at("source", "file"), meant.path))
    return found;
  if (auto found = differs("disk format", disk.attribute_at("driver", "type"), meant.format))
    return found;
  const bool is_read_only = disk.find("readonly").has_value();
  if (is_read_only != (meant.is_read_only || meant.is_cdrom)) return "disk readonly differs";
  return std::nullopt;
}

Found disks_differ(const XmlElement& devices, const DomainSpec& spec) {
  auto meant = spec.disks;
  std::ranges::stable_partition(meant, [](const DiskSpec& disk) { return disk.is_cdrom; });
  auto seen = devices.children("disk");
  std::ranges::stable_partition(
      seen, [](const XmlElement& disk) { return disk.attribute("device") == "cdrom"; });
  if (seen.size() != meant.size())
    return fmt::format("there are {} disks, not {}", seen.size(), meant.size());
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (auto found = disk_differs(seen[i], meant[i])) return found;
  return std::nullopt;
}

Found port_differs(const XmlElement& port, const PortSpec& meant) {
  if (auto found = differs("interface", port.attribute("type"), "bridge")) return found;
  if (auto found = differs("mac", port.attribute_at("mac", "address"), meant.mac)) return found;
  if (auto found = differs("bridge", port.attribute_at("source", "bridge"), meant.bridge))
    return found;
  if (auto found = differs("device", port.attribute_at("target", "dev"), meant.device))
    return found;
  if (auto found = differs("virtualport", port.attribute_at("virtualport", "type"), "openvswitch"))
    return found;
  const auto vlan = port.find("vlan");
  if (vlan && (vlan->children().size() != 1 || vlan->attribute("trunk") == "yes"))
    return "vlan is not one tag";
  const std::string tag = meant.vlan == 0 ? std::string{} : std::to_string(meant.vlan);
  return differs("vlan", port.attribute_at("vlan/tag", "id"), tag);
}

Found ports_differ(const XmlElement& devices, const DomainSpec& spec) {
  const auto seen = devices.children("interface");
  if (seen.size() != spec.ports.size())
    return fmt::format("there are {} interfaces, not {}", seen.size(), spec.ports.size());
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (auto found = port_differs(seen[i], spec.ports[i])) return found;
  return std::nullopt;
}

Found consoles_differ(const XmlElement& devices, const DomainSpec& spec) {
  const auto meant = console_paths(spec);
  for (const char* name : {"serial", "console"}) {
    const auto element = devices.find(name);
    if (!element && std::string_view(name) == "console") continue;  // libvirt's alias of the serial
    if (!element) return fmt::format("{} is missing", name);
    if (auto found = differs(name, element->attribute("type"), "unix")) return found;
    if (auto found = differs(name, element->attribute_at("source", "path"), meant.serial_socket))
      return found;
    if (auto found = differs(name, element->attribute_at("log", "file"), meant.serial_log))
      return found;
  }
  const auto graphics = devices.find("graphics");
  if (!graphics) return "graphics is missing";
  if (auto found = differs("graphics", graphics->attribute("type"), "vnc")) return found;
  if (auto found = differs("listen", graphics->attribute_at("listen", "type"), "socket"))
    return found;
  if (auto found = differs("vnc", graphics->attribute_at("listen", "socket"), meant.vnc_socket))
    return found;
  const auto channel = devices.find("channel");
  if (!channel) return "channel is missing";
  if (auto found = differs("channel", channel->attribute("type"), "unix")) return found;
  return differs("channel", channel->attribute_at("target", "name"), "org.qemu.guest_agent.0");
}

Found devices_differ(const XmlElement& devices, const DomainSpec& spec) {
  for (const auto& device : devices.children()) {
    if (device.name() == "disk" || device.name() == "interface") continue;
    const auto implied = std::ranges::find(implied_devices, device.name(), &Implied::name);
    if (implied == implied_devices.end() || !device.namespace_uri().empty())
      return fmt::format("there is a device {}", msg::shown(device.name()));
    if (devices.children(device.name()).size() > implied->count_max)
      return fmt::format("there are too many devices {}", implied->name);
  }
  if (auto found = differs("rng", devices.text_at("rng/backend"), "/dev/urandom")) return found;
  if (auto found = disks_differ(devices, spec)) return found;
  if (auto found = ports_differ(devices, spec)) return found;
  return consoles_differ(devices, spec);
}

Found domain_differs(const XmlElement& domain, const DomainSpec& spec, XmlDialect dialect) {
  if (domain.name() != "domain") return "the root is no domain";
  if (auto found = header_differs(domain, spec, dialect)) return found;
  const auto devices = domain.find("devices");
  if (dialect == XmlDialect::simulated) {
    if (devices && !devices->children().empty()) return "a simulated domain has devices";
    return std::nullopt;
  }
  if (auto found = boot_differs(domain, spec)) return found;
  if (!devices) return "devices are missing";
  return devices_differ(*devices, spec);
}

}  // namespace

core::Result<void> verify_domain_xml(const std::string& xml, const DomainSpec& spec,
                                     XmlDialect dialect) {
  const auto document = XmlDocument::parse(xml);
  if (!document) return core::refuse(core::ErrorCode::internal, "domain XML is not well-formed");
  if (auto found = domain_differs(document->root(), spec, dialect))
    return core::refuse(core::ErrorCode::internal, "domain XML is not what was meant: " + *found);
  return {};
}

}  // namespace nucleus::provisioner
