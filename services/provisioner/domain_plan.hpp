// From a grant to what the hypervisor is asked for: pure.
#pragma once

#include <string>

#include "services/provisioner/config.hpp"
#include "services/provisioner/records.hpp"

namespace nucleus::provisioner {

/// CLUSTER.NODE, as `virsh list` shows it; the node's id where that is too long, or simulated.
std::string domain_name(const msg::HostId& host_id, const msg::Grant& grant, const Config& config);
/// Whether a domain of ours with this name runs on this host of the process's.
bool is_domain_of(const msg::HostId& host_id, const std::string& name, const Config& config);

/// Where the node's seed drive lies.
std::string seed_path(const msg::Grant& grant, const Config& config);

DomainSpec plan_domain(const StoredGrant& stored, const Config& config);

}  // namespace nucleus::provisioner
