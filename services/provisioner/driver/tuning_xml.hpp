// The parts of a domain's XML that say how it uses the host's processors and memory. Pure.
#pragma once

#include <optional>
#include <string>

#include "services/provisioner/driver/hypervisor.hpp"
#include "services/provisioner/driver/xml_document.hpp"

namespace nucleus::provisioner {

/// The first field of the plan that does not fit the spec, or nothing.
std::optional<core::Error> check_cpu_plan(const DomainSpec& spec);

/// Number and pins of vCPUs, I/O thread, memory: for the profile hpc as its plan says.
void add_resources(XmlElement& domain, const DomainSpec& spec);

/// Features of the machine, model of the CPU, timers.
void add_processor(XmlElement& domain, const DomainSpec& spec);

/// The I/O thread of a disk, for the attribute; empty = none of its own.
std::string io_thread_of(const DomainSpec& spec, const DiskSpec& disk);

/// The first difference from what the two above make, as a message; for the profile hpc, any
/// element, attribute or text that libvirt does not add by itself.
std::optional<std::string> tuning_differs(const XmlElement& domain, const DomainSpec& spec);

/// The elements of a domain that only the profile hpc has.
bool is_tuning_element(std::string_view name);

}  // namespace nucleus::provisioner
