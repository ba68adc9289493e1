#include "services/provisioner/domain_plan.hpp"

#include <algorithm>

#include "services/provisioner/driver/domain_xml.hpp"

namespace nucleus::provisioner {

namespace {

/// PREFIX-0a0b0c: the last three octets are the deployment's own count.
std::string tap_name(const std::string& prefix, const std::string& mac) {
  std::string tail = mac.size() > 9 ? mac.substr(9) : mac;
  std::erase(tail, ':');
  return prefix + "-" + tail;
}

}  // namespace

std::string domain_name(const msg::HostId& host_id, const msg::Grant& grant, const Config& config) {
  // Simulated hosts share one hypervisor, so a node's domains on two of them need two names.
  if (config.is_simulated) return host_id.value + "." + grant.node_id.value;
  const std::string name = grant.cluster_id.value + "." + grant.node_name;
  return msg::is_name(name) ? name : grant.node_id.value;
}

bool is_domain_of(const msg::HostId& host_id, const std::string& name, const Config& config) {
  return !config.is_simulated || name.starts_with(host_id.value + ".");
}

std::string seed_path(const msg::Grant& grant, const Config& config) {
  return config.state_directory + "/seeds/" + grant.node_id.value + ".img";
}

DomainSpec plan_domain(const StoredGrant& stored, const Config& config) {
  const auto& grant = stored.grant;
  DomainSpec spec{
      .name = stored.domain_name,
      .uuid = domain_uuid(config.is_simulated ? stored.domain_name : grant.node_id.value),
      .epoch = grant.epoch,
      .title = grant.cluster_id.value + "/" + grant.node_name,
      .cpus = grant.cpus,
      .memory_mb = grant.memory_mb,
      .accel = config.accelerator,
      .kernel = grant.volume.kernel,
      .initramfs = grant.volume.initramfs,
      .cmdline = grant.volume.cmdline,
      .runtime_dir = config.state_directory + "/domains"};
  if (config.is_simulated) return spec;
  if (!grant.volume.path.empty())
    spec.disks.push_back({.path = grant.volume.path, .format = grant.volume.format});
  spec.disks.push_back({.path = seed_path(grant, config), .format = "raw", .is_read_only = true});
  if (!grant.volume.iso_path.empty())
    spec.disks.push_back(
        {.path = grant.volume.iso_path, .format = "raw", .is_read_only = true, .is_cdrom = true});
  for (const auto& port : grant.ports)
    spec.ports.push_back({.mac = port.mac,
                          .bridge = config.bridge,
                          .vlan = static_cast<std::uint16_t>(port.vlan),
                          .device = tap_name(config.port_prefix, port.mac)});
  return spec;
}

}  // namespace nucleus::provisioner
