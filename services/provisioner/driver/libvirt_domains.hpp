// Domains as libvirt reports them, in this driver's terms: states, reasons, epochs, errors.
#pragma once

#include <libvirt/libvirt.h>

#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "services/provisioner/driver/hypervisor.hpp"

namespace nucleus::provisioner {

struct FreeLibvirtDomain {
  void operator()(virDomain* domain) const { virDomainFree(domain); }
};
using LibvirtDomain = std::unique_ptr<virDomain, FreeLibvirtDomain>;

/// The calling thread's last libvirt error, as one of ours.
core::Error libvirt_error();

/// Takes over text that libvirt allocated; empty if it is null.
std::string take_libvirt_text(char* text);

std::string uuid_of(virDomain* domain);

/// `not_found`: it ended meanwhile.
core::Result<DomainSeen> observe_domain(virDomain* domain);

/// All domains that are not shut off.
core::Result<std::vector<DomainSeen>> observe_domains(virConnect* connection);

/// The counters of all that run, but for those that are busy with another call.
core::Result<std::vector<DomainUsage>> usage_of_domains(virConnect* connection);

/// `not_found`: there is no such domain.
core::Result<LibvirtDomain> find_domain(virConnect* connection, const std::string& name);

/// The state that a lifecycle event reports; `unknown` if the event changes none.
DomainSeen seen_in_event(int event, int detail);

}  // namespace nucleus::provisioner
