// What running domains have of the host, read from the XML that libvirt has of them: also of those
// that a provisioner started which has ended since, and of domains that are not ours. Pure.
#pragma once

#include <string>

#include "services/provisioner/hpc/cpu_plan.hpp"

namespace nucleus::provisioner {

/// Adds the CPUs that the domain's vCPUs are pinned to, and its hugepages if their NUMA node is
/// known.
void add_domain_use(HostUse& use, const std::string& domain_xml);

}  // namespace nucleus::provisioner
