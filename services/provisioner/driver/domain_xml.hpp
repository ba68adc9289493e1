// A domain's XML, built as a DOM and parsed back: what libvirt runs is compared with what was
// meant, so that no text in a spec becomes an element. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

/// Which driver of libvirt reads the XML; `simulated` (test:///) keeps only name, size and
/// metadata.
enum class XmlDialect { qemu, simulated };

/// The same uuid for the same text, for ever.
std::string domain_uuid(std::string_view node_id);

/// Nothing, or the first field of the spec that no domain can be made of.
std::optional<core::Error> check_spec(const DomainSpec& spec);

/// Where the consoles of a domain with this spec will be.
ConsolePaths console_paths(const DomainSpec& spec);

/// The XML of a spec that passed check_spec().
core::Result<std::string> build_domain_xml(const DomainSpec& spec, XmlDialect dialect);

/// Fails, naming the element, where the XML has a device, path or setting that the spec has not, or
/// lacks one. What libvirt adds by itself (controllers, inputs, addresses, aliases) is allowed.
core::Result<void> verify_domain_xml(const std::string& xml, const DomainSpec& spec,
                                     XmlDialect dialect);

/// The epoch in our metadata element, as libvirt hands that out; 0 where it bears none.
std::uint64_t epoch_in_metadata(const std::string& xml);

/// Where the consoles are according to a domain's XML.
core::Result<ConsolePaths> consoles_in_xml(const std::string& xml);

/// Namespace of our metadata element.
inline constexpr const char* metadata_uri = "urn:nucleus:domain:1";

}  // namespace nucleus::provisioner
