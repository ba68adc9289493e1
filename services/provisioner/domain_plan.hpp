// From a grant to a domain: its name, uuid and description for the driver. Pure.
#pragma once

#include <string>

#include "services/provisioner/config.hpp"
#include "services/provisioner/records.hpp"

namespace nucleus::provisioner {

/// CLUSTER.NODE, as `virsh list` shows it; the node's id if that is not a name. Where hosts share a
/// hypervisor: HOST.NODE_ID.
std::string domain_name(const msg::HostId& host_id, const msg::Grant& grant, const Config& config);

/// Whether a domain of ours with this name belongs to this host.
bool is_domain_of(const msg::HostId& host_id, const std::string& name, const Config& config);

/// Of the node's domain on this host, under every epoch and name.
std::string uuid_of_domain(const msg::HostId& host_id, const msg::NodeId& node_id,
                           const Config& config);

std::string seed_path(const msg::Grant& grant, const Config& config);

/// Where a host keeps the memory of its domains, and that of one of them.
std::string memory_directory(const msg::HostId& host_id, const Config& config);
std::string memory_path(const StoredGrant& stored, const Config& config);

/// Where consoles and their logs are.
std::string console_directory(const Config& config);

DomainSpec plan_domain(const StoredGrant& stored, const Config& config, Accel accelerator);

}  // namespace nucleus::provisioner
