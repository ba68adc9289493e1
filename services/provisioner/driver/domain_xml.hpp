// A domain's XML, built as a DOM and parsed back: what libvirt runs is compared with the spec, so
// that no text in a spec can become an element. Pure functions.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// Which libvirt driver reads the XML; `simulated` (test:///) keeps only name, size and metadata.
enum class XmlDialect { qemu, simulated };

/// The same uuid for the same text, in every release.
std::string domain_uuid(std::string_view node_id);

/// The first field of the spec that is invalid, or nothing.
std::optional<core::Error> check_spec(const DomainSpec& spec);

/// The consoles that a domain with this spec has.
ConsolePaths console_paths(const DomainSpec& spec);

/// Whether the BIOS, and what it loads from a card's ROM, write to the serial console too. Not of
/// other domains: a boot loader that uses both shows each line twice.
bool has_bios_on_console(const DomainSpec& spec);

/// The XML of a spec that passed check_spec().
core::Result<std::string> build_domain_xml(const DomainSpec& spec, XmlDialect dialect);

/// Fails, naming the element, if the XML has a device, path or setting that is not in the spec, or
/// lacks one that is. What libvirt adds itself (controllers, inputs, addresses, aliases) is
/// allowed.
core::Result<void> verify_domain_xml(const std::string& xml, const DomainSpec& spec,
                                     XmlDialect dialect);

/// The epoch in our metadata element as libvirt returns it; 0 if it has none.
std::uint64_t epoch_in_metadata(const std::string& xml);

/// The attributes of an address like 0000:81:00.1, as libvirt shows them.
using PciAttributes = std::array<std::pair<const char*, std::string>, 4>;
PciAttributes pci_attributes(std::string_view pci_address);

/// The PCI functions of the host that a domain's XML passes to it, in this form.
std::vector<std::string> functions_in_xml(const std::string& xml);

/// The consoles in a domain's XML.
core::Result<ConsolePaths> consoles_in_xml(const std::string& xml);

/// Namespace of our metadata element.
inline constexpr const char* metadata_uri = "urn:nucleus:domain:1";

}  // namespace nucleus::provisioner
