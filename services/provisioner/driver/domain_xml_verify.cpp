// Compares a domain's XML with its spec: every device is either in the spec or one that libvirt
// adds itself; every path and setting that a spec can contain is the one it contains.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ranges>

#include "services/provisioner/driver/domain_xml.hpp"
#include "services/provisioner/driver/tuning_xml.hpp"
#include "services/provisioner/driver/xml_document.hpp"

namespace nucleus::provisioner {

namespace {

using Difference = std::optional<std::string>;  // from the spec, as a message

constexpr std::array root_elements{
    "name",        "uuid",      "title",    "metadata", "memory",  "currentMemory",
    "vcpu",        "resource",  "os",       "features", "cpu",     "clock",
    "on_poweroff", "on_reboot", "on_crash", "pm",       "devices", "seclabel"};

constexpr std::array os_elements{"type",   "loader",  "nvram", "kernel",
                                 "initrd", "cmdline", "boot",  "bios"};

constexpr std::array spec_devices{"disk", "interface", "hostdev"};

// Devices that are not in a spec, and how many of each are allowed. libvirt adds a controller for
// each PCI device.
struct Implied {
  std::string_view name;
  std::size_t count_max;
};
constexpr std::array implied_devices{
    Implied{"emulator", 1}, Implied{"controller", 128}, Implied{"input", 3},
    Implied{"serial", 1},   Implied{"console", 1},      Implied{"channel", 1},
    Implied{"graphics", 1}, Implied{"video", 1},        Implied{"audio", 1},
    Implied{"rng", 1},      Implied{"memballoon", 1},   Implied{"watchdog", 1}};

template <std::size_t Count>
Difference unexpected_child(const XmlElement& element,
                            const std::array<const char*, Count>& allowed) {
  for (const auto& child : element.children())
    if (std::ranges::find(allowed, child.name()) == allowed.end() || !child.namespace_uri().empty())
      return fmt::format("{} holds {}", element.name(), msg::shown(child.name()));
  return std::nullopt;
}

Difference differs(std::string_view what, std::string_view seen, std::string_view expected) {
  if (seen == expected) return std::nullopt;
  return fmt::format("{} is {}, not {}", what, msg::shown(seen), msg::shown(expected));
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

Difference header_differs(const XmlElement& domain, const DomainSpec& spec, XmlDialect dialect) {
  const char* type = dialect == XmlDialect::simulated ? "test"
                     : spec.accel == Accel::kvm       ? "kvm"
                                                      : "qemu";
  if (auto difference = differs("type", domain.attribute("type"), type)) return difference;
  for (const auto& child : domain.children()) {
    const bool is_expected =
        std::ranges::find(root_elements, child.name()) != root_elements.end() ||
        (spec.cpu_plan && dialect == XmlDialect::qemu && is_tuning_element(child.name()));
    if (!is_expected || !child.namespace_uri().empty())
      return fmt::format("domain holds {}", msg::shown(child.name()));
  }
  for (const auto& name : root_elements)
    if (domain.children(name).size() > 1 && std::string_view(name) != "seclabel")
      return fmt::format("there are two {} elements", name);
  if (auto difference = differs("name", domain.text_at("name"), spec.name)) return difference;
  if (auto difference = differs("uuid", domain.text_at("uuid"), spec.uuid)) return difference;
  if (auto difference = differs("title", domain.text_at("title"), spec.title)) return difference;
  if (auto difference = differs("vcpu", domain.text_at("vcpu"), std::to_string(spec.cpus)))
    return difference;
  const auto memory = domain.find("memory");
  if (!memory) return "memory is missing";
  if (auto difference = differs("memory", memory_mb_of(*memory), std::to_string(spec.memory_mb)))
    return difference;

  const auto metadata = domain.find("metadata");
  if (!metadata || metadata->children().size() != 1) return "metadata must hold one element";
  const auto ours = metadata->children().front();
  if (ours.namespace_uri() != metadata_uri || !ours.children().empty())
    return "metadata is not ours";
  return differs("epoch", ours.attribute("epoch"), std::to_string(spec.epoch));
}

/// QEMU must not run as another user than the spec's; other security models add their own labels.
Difference user_differs(const XmlElement& domain, const DomainSpec& spec) {
  if (spec.user.uid == 0) return std::nullopt;
  for (const auto& label : domain.children("seclabel"))
    if (label.attribute("model") == "dac")
      return differs("user", label.text_at("label"),
                     fmt::format("+{}:+{}", spec.user.uid, spec.user.gid));
  return "user is not set";
}

Difference boot_differs(const XmlElement& domain, const DomainSpec& spec) {
  const auto os = domain.find("os");
  if (!os) return "os is missing";
  if (auto difference = unexpected_child(*os, os_elements)) return difference;
  if (auto difference = differs("loader", os->text_at("loader"), spec.firmware.code))
    return difference;
  if (auto difference = differs("nvram", os->text_at("nvram"), spec.firmware.variables))
    return difference;
  if (auto difference = differs("bios on the console", os->attribute_at("bios", "useserial"),
                                has_bios_on_console(spec) ? "yes" : ""))
    return difference;
  if (auto difference = differs("kernel", os->text_at("kernel"), spec.kernel)) return difference;
  if (auto difference = differs("initrd", os->text_at("initrd"), spec.initramfs)) return difference;
  return differs("cmdline", os->text_at("cmdline"), spec.cmdline);
}

Difference base_differs(const XmlElement& above, const DiskBase& expected) {
  if (auto difference = differs("disk base", above.attribute_at("backingStore", "type"), "network"))
    return difference;
  if (auto difference = differs("disk base format",
                                above.attribute_at("backingStore/format", "type"), expected.format))
    return difference;
  if (auto difference = differs("disk base protocol",
                                above.attribute_at("backingStore/source", "protocol"), "nbd"))
    return difference;
  if (auto difference = differs(
          "disk base", above.attribute_at("backingStore/source/host", "socket"), expected.socket))
    return difference;
  return differs("base of the disk base", above.attribute_at("backingStore/backingStore", "type"),
                 "");
}

/// libvirt shows the base of a local file by itself, if the spec names no layer; over a network
/// there is only the spec's.
Difference chain_differs(const XmlElement& disk, const DiskSpec& expected) {
  auto above = disk;
  for (const auto& path : expected.layers | std::views::reverse) {
    const auto layer = above.find("backingStore");
    if (!layer) return "a disk layer is missing";
    if (auto difference = differs("disk layer", layer->attribute("type"), "file"))
      return difference;
    if (auto difference =
            differs("disk layer format", layer->attribute_at("format", "type"), "qcow2"))
      return difference;
    if (auto difference = differs("disk layer", layer->attribute_at("source", "file"), path))
      return difference;
    above = *layer;
  }
  if (!expected.base.socket.empty()) return base_differs(above, expected.base);
  const std::string type = above.attribute_at("backingStore", "type");
  if (!expected.layers.empty()) return differs("base of the oldest disk layer", type, "");
  return type == "network" ? Difference{"disk has a base on a network"} : std::nullopt;
}

Difference disk_differs(const XmlElement& disk, const DiskSpec& expected) {
  if (auto difference = differs("disk", disk.attribute("type"), "file")) return difference;
  if (auto difference =
          differs("disk", disk.attribute("device"), expected.is_cdrom ? "cdrom" : "disk"))
    return difference;
  if (auto difference = differs("disk source", disk.attribute_at("source", "file"), expected.path))
    return difference;
  if (auto difference =
          differs("disk format", disk.attribute_at("driver", "type"), expected.format))
    return difference;
  if (auto difference = chain_differs(disk, expected)) return difference;
  const bool is_read_only = disk.find("readonly").has_value();
  if (is_read_only != (expected.is_read_only || expected.is_cdrom)) return "disk readonly differs";
  return std::nullopt;
}

Difference disks_differ(const XmlElement& devices, const DomainSpec& spec) {
  auto expected = spec.disks;
  std::ranges::stable_partition(expected, [](const DiskSpec& disk) { return disk.is_cdrom; });
  auto seen = devices.children("disk");
  std::ranges::stable_partition(
      seen, [](const XmlElement& disk) { return disk.attribute("device") == "cdrom"; });
  if (seen.size() != expected.size())
    return fmt::format("there are {} disks, not {}", seen.size(), expected.size());
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (auto difference = disk_differs(seen[i], expected[i])) return difference;
  return std::nullopt;
}

Difference port_differs(const XmlElement& port, const PortSpec& expected) {
  if (auto difference = differs("interface", port.attribute("type"), "bridge")) return difference;
  if (auto difference = differs("mac", port.attribute_at("mac", "address"), expected.mac))
    return difference;
  if (auto difference = differs("bridge", port.attribute_at("source", "bridge"), expected.bridge))
    return difference;
  if (auto difference = differs("device", port.attribute_at("target", "dev"), expected.device))
    return difference;
  if (auto difference =
          differs("virtualport", port.attribute_at("virtualport", "type"), "openvswitch"))
    return difference;
  const auto vlan = port.find("vlan");
  if (vlan && (vlan->children().size() != 1 || vlan->attribute("trunk") == "yes"))
    return "vlan is not one tag";
  const std::string tag = expected.vlan == 0 ? std::string{} : std::to_string(expected.vlan);
  return differs("vlan", port.attribute_at("vlan/tag", "id"), tag);
}

Difference ports_differ(const XmlElement& devices, const DomainSpec& spec) {
  const auto seen = devices.children("interface");
  if (seen.size() != spec.ports.size())
    return fmt::format("there are {} interfaces, not {}", seen.size(), spec.ports.size());
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (auto difference = port_differs(seen[i], spec.ports[i])) return difference;
  return std::nullopt;
}

/// One function and nothing else: no ROM, no other driver, no place in the order of boot.
Difference adapter_differs(const XmlElement& device, const msg::Adapter& expected) {
  constexpr std::array hostdev_elements{"source", "driver", "alias", "address"};
  if (auto difference = unexpected_child(device, hostdev_elements)) return difference;
  for (const auto& name : hostdev_elements)
    if (device.children(name).size() > 1) return fmt::format("hostdev holds two {}", name);
  for (const auto& [name, value] :
       {std::pair{"mode", "subsystem"}, {"type", "pci"}, {"managed", "yes"}})
    if (auto difference = differs(fmt::format("hostdev {}", name), device.attribute(name), value))
      return difference;
  if (device.find("driver") && device.attribute_at("driver", "name") != "vfio")
    return "hostdev driver is not vfio";
  const auto source = device.find("source");
  if (!source || source->children().size() != 1 || !source->find("address") ||
      !source->attributes().empty())
    return "hostdev source is not one address";
  if (device.attributes().size() != 3 || source->find("address")->attributes().size() != 4)
    return "hostdev has an attribute too many";
  for (const auto& [name, value] : pci_attributes(expected.pci_address))
    if (auto difference = differs(fmt::format("hostdev {}", name),
                                  device.attribute_at("source/address", name), value))
      return difference;
  return std::nullopt;
}

Difference adapters_differ(const XmlElement& devices, const DomainSpec& spec) {
  const auto seen = devices.children("hostdev");
  if (seen.size() != spec.adapters.size())
    return fmt::format("there are {} hostdevs, not {}", seen.size(), spec.adapters.size());
  for (std::size_t i = 0; i < seen.size(); ++i)
    if (auto difference = adapter_differs(seen[i], spec.adapters[i].adapter)) return difference;
  return std::nullopt;
}

Difference consoles_differ(const XmlElement& devices, const DomainSpec& spec) {
  const auto expected = console_paths(spec);
  for (const char* name : {"serial", "console"}) {
    const auto element = devices.find(name);
    if (!element && std::string_view(name) == "console") continue;  // libvirt's alias of the serial
    if (!element) return fmt::format("{} is missing", name);
    if (auto difference = differs(name, element->attribute("type"), "unix")) return difference;
    if (auto difference =
            differs(name, element->attribute_at("source", "path"), expected.serial_socket))
      return difference;
    if (auto difference = differs(name, element->attribute_at("log", "file"), expected.serial_log))
      return difference;
  }
  const auto graphics = devices.find("graphics");
  if (!graphics) return "graphics is missing";
  if (auto difference = differs("graphics", graphics->attribute("type"), "vnc")) return difference;
  if (auto difference = differs("share", graphics->attribute("sharePolicy"), "force-shared"))
    return difference;
  if (auto difference = differs("listen", graphics->attribute_at("listen", "type"), "socket"))
    return difference;
  if (auto difference =
          differs("vnc", graphics->attribute_at("listen", "socket"), expected.vnc_socket))
    return difference;
  const auto channel = devices.find("channel");
  if (!channel) return "channel is missing";
  if (auto difference = differs("channel", channel->attribute("type"), "unix")) return difference;
  return differs("channel", channel->attribute_at("target", "name"), "org.qemu.guest_agent.0");
}

Difference devices_differ(const XmlElement& devices, const DomainSpec& spec) {
  for (const auto& device : devices.children()) {
    if (std::ranges::find(spec_devices, device.name()) != spec_devices.end() &&
        device.namespace_uri().empty())
      continue;
    const auto implied = std::ranges::find(implied_devices, device.name(), &Implied::name);
    if (implied == implied_devices.end() || !device.namespace_uri().empty())
      return fmt::format("unexpected device {}", msg::shown(device.name()));
    if (devices.children(device.name()).size() > implied->count_max)
      return fmt::format("too many {} devices", implied->name);
  }
  if (auto difference = differs("rng", devices.text_at("rng/backend"), "/dev/urandom"))
    return difference;
  if (auto difference = disks_differ(devices, spec)) return difference;
  if (auto difference = ports_differ(devices, spec)) return difference;
  if (auto difference = adapters_differ(devices, spec)) return difference;
  return consoles_differ(devices, spec);
}

Difference domain_differs(const XmlElement& domain, const DomainSpec& spec, XmlDialect dialect) {
  if (domain.name() != "domain") return "the root element is not domain";
  if (auto difference = header_differs(domain, spec, dialect)) return difference;
  const auto devices = domain.find("devices");
  if (dialect == XmlDialect::simulated) {
    if (devices && !devices->children().empty()) return "a simulated domain has devices";
    return std::nullopt;
  }
  if (auto difference = user_differs(domain, spec)) return difference;
  if (auto difference = boot_differs(domain, spec)) return difference;
  if (auto difference = tuning_differs(domain, spec)) return difference;
  if (!devices) return "devices are missing";
  return devices_differ(*devices, spec);
}

}  // namespace

core::Result<void> verify_domain_xml(const std::string& xml, const DomainSpec& spec,
                                     XmlDialect dialect) {
  const auto document = XmlDocument::parse(xml);
  if (!document) return core::refuse(core::ErrorCode::internal, "domain XML is not well-formed");
  if (auto difference = domain_differs(document->root(), spec, dialect))
    return core::refuse(core::ErrorCode::internal,
                        "domain XML does not match its spec: " + *difference);
  return {};
}

}  // namespace nucleus::provisioner
