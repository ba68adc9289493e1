// Builds the XML of a domain: q35, virtio disks and cards, consoles and agent on unix sockets.
#include "services/provisioner/driver/domain_xml.hpp"

#include <fmt/format.h>
#include <libxml/xmlstring.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ranges>
#include <set>

#include "services/provisioner/driver/tuning_xml.hpp"
#include "services/provisioner/driver/xml_document.hpp"

namespace nucleus::provisioner {

namespace {

constexpr std::size_t path_bytes_max = 4095;
constexpr std::size_t socket_path_bytes_max = 107;  // sun_path of a unix socket
constexpr std::size_t cmdline_bytes_max = 2047;     // COMMAND_LINE_SIZE of Linux on x86
constexpr std::size_t device_bytes_max = 15;        // IFNAMSIZ
constexpr std::size_t disks_max = 24;
constexpr std::size_t ports_max = 16;
constexpr const char* network_retry_ms = "5000";  // after all of the boot order failed

bool is_hexadecimal(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool is_patterned(std::string_view text, std::string_view pattern) {
  return std::ranges::equal(text, pattern,
                            [](char c, char p) { return p == 'x' ? is_hexadecimal(c) : c == p; });
}

bool is_plain_text(std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return std::ranges::none_of(text, is_control) &&
         xmlCheckUTF8(reinterpret_cast<const unsigned char*>(std::string(text).c_str()));
}

bool is_path(std::string_view path) {
  return path.starts_with('/') && path.size() <= path_bytes_max && is_plain_text(path);
}

bool is_device(std::string_view name) {
  return msg::is_name(name) && name.size() <= device_bytes_max;
}

std::optional<core::Error> check_boot(const DomainSpec& spec) {
  if (!spec.kernel.empty() && !is_path(spec.kernel))
    return msg::invalid("kernel", "kernel must be an absolute path of plain text");
  if (!spec.initramfs.empty() && !is_path(spec.initramfs))
    return msg::invalid("initramfs", "initramfs must be an absolute path of plain text");
  if (spec.kernel.empty() && !(spec.initramfs.empty() && spec.cmdline.empty()))
    return msg::invalid("kernel", "kernel must be set if initramfs or cmdline is");
  const auto& firmware = spec.firmware;
  if (!firmware.code.empty() && !(is_path(firmware.code) && is_path(firmware.variables)))
    return msg::invalid("firmware", "firmware must be absolute paths of plain text");
  if (spec.cmdline.size() > cmdline_bytes_max || !is_plain_text(spec.cmdline))
    return msg::invalid("cmdline", "cmdline must be plain text of at most 2047 bytes");
  return std::nullopt;
}

std::optional<core::Error> check_disks(const DomainSpec& spec) {
  if (spec.disks.size() > disks_max) return msg::invalid("disks", "disks must be at most 24");
  for (const auto& disk : spec.disks) {
    if (!is_path(disk.path))
      return msg::invalid("disks.path", "disks.path must be an absolute path of plain text");
    if (disk.format != "qcow2" && disk.format != "raw")
      return msg::invalid("disks.format", "disks.format must be qcow2 or raw");
    if (disk.layers.size() > msg::generations_max ||
        (disk.format != "qcow2" && !disk.layers.empty()))
      return msg::invalid("disks.layers", "disks.layers must be at most 16, of a qcow2 disk");
    if (!std::ranges::all_of(disk.layers, is_path))
      return msg::invalid("disks.layers", "disks.layers must be absolute paths of plain text");
    const auto& base = disk.base;
    if (base.socket.empty()) continue;
    if (disk.format != "qcow2" || (base.format != "qcow2" && base.format != "raw"))
      return msg::invalid("disks.base", "disks.base needs a qcow2 disk and a format");
    if (!is_path(base.socket) || base.socket.size() > socket_path_bytes_max)
      return msg::invalid("disks.base", "disks.base must be the path of a unix socket");
  }
  return std::nullopt;
}

std::optional<core::Error> check_ports(const DomainSpec& spec) {
  if (spec.ports.size() > ports_max) return msg::invalid("ports", "ports must be at most 16");
  for (const auto& port : spec.ports) {
    // The lowest bit of the first octet marks a multicast address.
    if (!is_patterned(port.mac, "xx:xx:xx:xx:xx:xx") ||
        !std::string_view("02468ace").contains(port.mac[1]))
      return msg::invalid("ports.mac", "ports.mac must be like 52:54:00:0a:0b:0c");
    if (!is_device(port.bridge))
      return msg::invalid("ports.bridge", "ports.bridge must be a name of 1 to 15 characters");
    if (!is_device(port.device))
      return msg::invalid("ports.device", "ports.device must be a name of 1 to 15 characters");
    if (port.vlan > 4094) return msg::invalid("ports.vlan", "ports.vlan must be 0 to 4094");
  }
  return std::nullopt;
}

std::optional<core::Error> check_adapters(const DomainSpec& spec) {
  if (spec.adapters.size() > msg::host_adapters_max)
    return msg::invalid("adapters", "adapters must be at most 64");
  std::set<std::string_view> addresses;
  for (const auto& [adapter, pkey] : spec.adapters) {
    if (!msg::is_pci_address(adapter.pci_address))
      return msg::invalid("adapters.pci_address", "adapters.pci_address must be like 0000:81:00.1");
    if (!addresses.insert(adapter.pci_address).second)
      return msg::invalid("adapters.pci_address",
                          "adapters.pci_address has " + adapter.pci_address + " twice");
    if (auto broken = msg::check_name("adapters.fabric", adapter.fabric)) return broken;
    if (!msg::is_port_guid(adapter.port_guid))
      return msg::invalid("adapters.port_guid", "adapters.port_guid must be 0x and 16 hex digits");
    if (pkey < 0x0001 || pkey > 0x7ffe)
      return msg::invalid("adapters.pkey", "adapters.pkey must be 0x0001 to 0x7ffe");
  }
  return std::nullopt;
}

void add_header(XmlElement& domain, const DomainSpec& spec) {
  domain.add_text("name", spec.name);
  domain.add_text("uuid", spec.uuid);
  if (!spec.title.empty()) domain.add_text("title", spec.title);
  auto ours = domain.add("metadata").add("domain");
  ours.use_namespace(metadata_uri, "nucleus").set("epoch", std::to_string(spec.epoch));
  domain.add_text("memory", std::to_string(spec.memory_mb)).set("unit", "MiB");
}

void add_machine(XmlElement& domain, const DomainSpec& spec) {
  auto os = domain.add("os");
  os.add_text("type", "hvm").set("arch", "x86_64").set("machine", "q35");
  if (!spec.firmware.code.empty()) {
    os.add_text("loader", spec.firmware.code).set("readonly", "yes").set("type", "pflash");
    os.add_text("nvram", spec.firmware.variables);
  }
  if (!spec.kernel.empty()) {
    os.add_text("kernel", spec.kernel);
    if (!spec.initramfs.empty()) os.add_text("initrd", spec.initramfs);
    if (!spec.cmdline.empty()) os.add_text("cmdline", spec.cmdline);
  }
  if (has_bios_on_console(spec))
    os.add("bios").set("useserial", "yes").set("rebootTimeout", network_retry_ms);
  add_processor(domain, spec);
  // Transient: whatever ends QEMU ends the domain, and an event gives the reason.
  domain.add_text("on_poweroff", "destroy");
  domain.add_text("on_reboot", "restart");
  domain.add_text("on_crash", "destroy");
}

/// Files keep their owners: what several domains read must belong to none of them.
void add_user(XmlElement& domain, const DomainSpec& spec) {
  if (spec.user.uid == 0) return;
  auto label = domain.add("seclabel");
  label.set("type", "static").set("model", "dac").set("relabel", "no");
  label.add_text("label", fmt::format("+{}:+{}", spec.user.uid, spec.user.gid));
}

void add_boot_order(XmlElement& device, const DomainSpec& spec, std::size_t& order) {
  if (spec.kernel.empty()) device.add("boot").set("order", std::to_string(++order));
}

/// Returns the layer, to which the one before it is added.
XmlElement add_layer(XmlElement& above, const std::string& path) {
  auto element = above.add("backingStore");
  element.set("type", "file");
  element.add("format").set("type", "qcow2");
  element.add("source").set("file", path);
  return element;
}

void add_base(XmlElement& above, const DiskBase& base) {
  auto element = above.add("backingStore");
  if (base.socket.empty()) return;  // the end of the chain: libvirt looks for no more
  element.set("type", "network");
  element.add("format").set("type", base.format);
  auto source = element.add("source");
  source.set("protocol", "nbd");
  source.add("host").set("transport", "unix").set("socket", base.socket);
  element.add("backingStore");  // it has none itself
}

/// Each file of the chain is named, from the newest: libvirt guesses none from their headers.
void add_chain(XmlElement& disk, const DiskSpec& spec) {
  if (spec.layers.empty() && spec.base.socket.empty()) return;
  auto above = disk;
  for (const auto& path : spec.layers | std::views::reverse) above = add_layer(above, path);
  add_base(above, spec.base);
}

void add_disk(XmlElement& devices, const DomainSpec& spec, const DiskSpec& disk,
              const std::string& target, std::size_t& order) {
  auto element = devices.add("disk");
  element.set("type", "file").set("device", disk.is_cdrom ? "cdrom" : "disk");
  auto driver = element.add("driver");
  driver.set("name", "qemu").set("type", disk.format);
  if (const auto thread = io_thread_of(spec, disk); !thread.empty()) driver.set("iothread", thread);
  element.add("source").set("file", disk.path);
  if (!disk.base.socket.empty()) {
    // A base that cannot be read stops the guest, which would lose data by an error.
    driver.set("error_policy", "stop").set("rerror_policy", "stop");
    // The first layer keeps what is read of the base. Later ones must have only what is written.
    if (disk.layers.empty()) driver.set("copy_on_read", "on");
  }
  add_chain(element, disk);
  element.add("target").set("dev", target).set("bus", disk.is_cdrom ? "sata" : "virtio");
  if (disk.is_read_only || disk.is_cdrom) element.add("readonly");
  // The seed drive has a boot sector, but no system.
  if (!disk.is_read_only || disk.is_cdrom) add_boot_order(element, spec, order);
}

void add_disks(XmlElement& devices, const DomainSpec& spec, std::size_t& order) {
  for (const bool is_cdrom : {true, false}) {
    std::string target = is_cdrom ? "sda" : "vda";
    for (const auto& disk : spec.disks) {
      if (disk.is_cdrom != is_cdrom) continue;
      add_disk(devices, spec, disk, target, order);
      ++target.back();
    }
  }
}

void add_port(XmlElement& devices, const DomainSpec& spec, const PortSpec& port,
              std::size_t& order) {
  auto element = devices.add("interface");
  element.set("type", "bridge");
  element.add("mac").set("address", port.mac);
  element.add("source").set("bridge", port.bridge);
  element.add("virtualport").set("type", "openvswitch");
  if (port.vlan != 0) element.add("vlan").add("tag").set("id", std::to_string(port.vlan));
  element.add("target").set("dev", port.device);
  element.add("model").set("type", "virtio");
  if (!port.has_offload) {
    auto driver = element.add("driver");
    driver.set("name", "qemu");
    auto host = driver.add("host");
    for (const char* feature : {"csum", "gso", "tso4", "tso6", "ecn", "ufo"})
      host.set(feature, "off");
    auto guest = driver.add("guest");
    for (const char* feature : {"csum", "tso4", "tso6", "ecn", "ufo"}) guest.set(feature, "off");
  }
  add_boot_order(element, spec, order);
}

/// `managed`: libvirt gives the function to vfio-pci for as long as the domain runs. It raises
/// QEMU's limit of locked memory itself.
void add_adapter(XmlElement& devices, const msg::Adapter& adapter) {
  auto element = devices.add("hostdev");
  element.set("mode", "subsystem").set("type", "pci").set("managed", "yes");
  auto address = element.add("source").add("address");
  for (const auto& [name, value] : pci_attributes(adapter.pci_address)) address.set(name, value);
}

void add_consoles(XmlElement& devices, const DomainSpec& spec) {
  const auto paths = console_paths(spec);
  auto serial = devices.add("serial");
  serial.set("type", "unix");
  serial.add("source").set("mode", "bind").set("path", paths.serial_socket);
  serial.add("log").set("file", paths.serial_log).set("append", "on");
  serial.add("target").set("port", "0");

  auto graphics = devices.add("graphics");
  graphics.set("type", "vnc");
  graphics.set("sharePolicy", "force-shared");  // no viewer disconnects the others
  graphics.add("listen").set("type", "socket").set("socket", paths.vnc_socket);
  devices.add("video").add("model").set("type", "vga");
  devices.add("audio").set("id", "1").set("type", "none");

  auto agent = devices.add("channel");
  agent.set("type", "unix");
  agent.add("target").set("type", "virtio").set("name", "org.qemu.guest_agent.0");
}

void add_devices(XmlElement& domain, const DomainSpec& spec) {
  auto devices = domain.add("devices");
  std::size_t order = spec.boots_from_network ? spec.ports.size() : 0;
  add_disks(devices, spec, order);
  if (spec.boots_from_network) order = 0;
  for (const auto& port : spec.ports) add_port(devices, spec, port, order);
  for (const auto& leased : spec.adapters) add_adapter(devices, leased.adapter);
  devices.add("controller").set("type", "usb").set("model", "none");
  add_consoles(devices, spec);
  auto random = devices.add("rng");
  random.set("model", "virtio");
  random.add_text("backend", "/dev/urandom").set("model", "random");
  devices.add("memballoon").set("model", "none");
}

}  // namespace

std::string domain_uuid(std::string_view node_id) {
  std::array<unsigned char, 16> hash{};
  crypto_generichash(hash.data(), hash.size(),
                     reinterpret_cast<const unsigned char*>(node_id.data()), node_id.size(),
                     nullptr, 0);
  hash[6] = static_cast<unsigned char>((hash[6] & 0x0f) | 0x80);  // version 8: ours
  hash[8] = static_cast<unsigned char>((hash[8] & 0x3f) | 0x80);
  std::string uuid;
  for (std::size_t i = 0; i < hash.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) uuid += '-';
    uuid += fmt::format("{:02x}", hash[i]);
  }
  return uuid;
}

PciAttributes pci_attributes(std::string_view pci_address) {
  const auto part = [&](std::size_t first, std::size_t count) {
    return "0x" + std::string(pci_address.substr(first, count));
  };
  return {{{"domain", part(0, 4)},
           {"bus", part(5, 2)},
           {"slot", part(8, 2)},
           {"function", part(11, 1)}}};
}

std::optional<core::Error> check_spec(const DomainSpec& spec) {
  if (auto broken = msg::check_name("name", spec.name)) return broken;
  if (!is_patterned(spec.uuid, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"))
    return msg::invalid("uuid", "uuid must be 36 lower case characters");
  if (spec.title.size() > 255 || !is_plain_text(spec.title))
    return msg::invalid("title", "title must be plain text of at most 255 bytes");
  if (spec.cpus < 1 || spec.cpus > 1024) return msg::invalid("cpus", "cpus must be 1 to 1024");
  if (spec.memory_mb < 16 || spec.memory_mb > (16u << 20))
    return msg::invalid("memory_mb", "memory_mb must be 16 to 16777216");
  if (spec.accel == Accel::unknown) return msg::invalid("accel", "accel must be tcg or kvm");
  if (!is_path(spec.runtime_dir))
    return msg::invalid("runtime_dir", "runtime_dir must be an absolute path of plain text");
  const auto longest = console_paths(spec).serial_socket.size();
  if (longest > socket_path_bytes_max)
    return msg::invalid("runtime_dir",
                        fmt::format("runtime_dir is {} bytes too long for a unix socket",
                                    longest - socket_path_bytes_max));
  if (auto broken = check_boot(spec)) return broken;
  if (auto broken = check_disks(spec)) return broken;
  if (auto broken = check_cpu_plan(spec)) return broken;
  if (auto broken = check_adapters(spec)) return broken;
  return check_ports(spec);
}

ConsolePaths console_paths(const DomainSpec& spec) {
  const std::string stem = spec.runtime_dir + "/" + spec.name;
  return {
      .serial_socket = stem + ".serial", .vnc_socket = stem + ".vnc", .serial_log = stem + ".log"};
}

bool has_bios_on_console(const DomainSpec& spec) {
  return spec.boots_from_network && spec.kernel.empty() && spec.firmware.code.empty();
}

core::Result<std::string> build_domain_xml(const DomainSpec& spec, XmlDialect dialect) {
  if (auto broken = check_spec(spec)) return std::unexpected(*broken);
  XmlDocument document{"domain"};
  auto domain = document.root();
  if (dialect == XmlDialect::simulated) {
    domain.set("type", "test");
    add_header(domain, spec);
    domain.add_text("vcpu", std::to_string(spec.cpus));
    domain.add("os").add_text("type", "hvm");
  } else {
    domain.set("type", spec.accel == Accel::kvm ? "kvm" : "qemu");
    add_header(domain, spec);
    add_resources(domain, spec);
    add_machine(domain, spec);
    add_user(domain, spec);
    add_devices(domain, spec);
  }
  std::string xml = document.serialized();
  if (auto same = verify_domain_xml(xml, spec, dialect); !same)
    return core::refuse(core::ErrorCode::invalid_argument, same.error().detail);
  return xml;
}

std::uint64_t epoch_in_metadata(const std::string& xml) {
  const auto document = XmlDocument::parse(xml);
  if (!document) return 0;
  // libvirt looks the element up by its namespace and returns it without.
  const auto element = document->root();
  const auto uri = element.namespace_uri();
  if (element.name() != "domain" || (!uri.empty() && uri != metadata_uri)) return 0;
  const std::string text = element.attribute("epoch");
  std::uint64_t epoch = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), epoch);
  return fault == std::errc{} && end == text.data() + text.size() ? epoch : 0;
}

std::vector<std::string> functions_in_xml(const std::string& xml) {
  const auto document = XmlDocument::parse(xml);
  const auto devices = document ? document->root().find("devices") : std::nullopt;
  if (!devices) return {};
  std::vector<std::string> functions;
  for (const auto* name : {"hostdev", "interface"})
    for (const auto& device : devices->children(name)) {
      const auto address = device.find("source/address");
      if (!address || address->attribute("bus").size() != 4) continue;
      const auto part = [&](const char* attribute) {
        const auto text = address->attribute(attribute);
        return text.size() > 2 ? text.substr(2) : text;
      };
      functions.push_back(
          fmt::format("{}:{}:{}.{}", part("domain"), part("bus"), part("slot"), part("function")));
    }
  return functions;
}

core::Result<ConsolePaths> consoles_in_xml(const std::string& xml) {
  const auto document = XmlDocument::parse(xml);
  if (!document) return core::refuse(core::ErrorCode::internal, "libvirt returned malformed XML");
  const auto domain = document->root();
  ConsolePaths paths{.serial_socket = domain.attribute_at("devices/serial/source", "path"),
                     .vnc_socket = domain.attribute_at("devices/graphics", "socket"),
                     .serial_log = domain.attribute_at("devices/serial/log", "file")};
  if (paths.vnc_socket.empty())
    paths.vnc_socket = domain.attribute_at("devices/graphics/listen", "socket");
  if (paths.serial_socket.empty())
    return core::refuse(core::ErrorCode::wrong_state, "the domain has no console");
  return paths;
}

}  // namespace nucleus::provisioner
