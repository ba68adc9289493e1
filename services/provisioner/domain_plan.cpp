#include "services/provisioner/domain_plan.hpp"

#include <algorithm>

#include "services/provisioner/driver/domain_xml.hpp"
#include "services/provisioner/driver/memory_files.hpp"
#include "services/provisioner/volume_plan.hpp"

namespace nucleus::provisioner {

namespace {

/// PREFIX-0a0b0c: the last three octets of a MAC address are unique within the deployment.
std::string tap_name(const std::string& prefix, const std::string& mac) {
  std::string tail = mac.size() > 9 ? mac.substr(9) : mac;
  std::erase(tail, ':');
  return prefix + "-" + tail;
}

std::string shared_name(const msg::HostId& host_id, const msg::NodeId& node_id) {
  return host_id.value + "." + node_id.value;
}

}  // namespace

std::string domain_name(const msg::HostId& host_id, const msg::Grant& grant, const Config& config) {
  return config.driver.is_shared_by_hosts ? shared_name(host_id, grant.node_id)
                                          : grant.node_id.value;
}

bool is_domain_of(const msg::HostId& host_id, const std::string& name, const Config& config) {
  return !config.driver.is_shared_by_hosts || name.starts_with(host_id.value + ".");
}

std::string uuid_of_domain(const msg::HostId& host_id, const msg::NodeId& node_id,
                           const Config& config) {
  // A node may be on two hosts of one hypervisor for a while: there each has its own uuid.
  return domain_uuid(config.driver.is_shared_by_hosts ? shared_name(host_id, node_id)
                                                      : node_id.value);
}

std::string seed_path(const msg::Grant& grant, const Config& config) {
  return config.state_directory + "/seeds/" + grant.node_id.value + ".img";
}

std::string memory_directory(const msg::HostId& host_id, const Config& config) {
  return config.state_directory + "/memory/" + host_id.value;
}

std::string memory_path(const StoredGrant& stored, const Config& config) {
  return memory_directory(stored.host_id, config) + "/" +
         memory_file_name(stored.domain_name, stored.grant.hibernation_id);
}

std::string console_directory(const Config& config) {
  return config.state_directory + "/domains";
}

namespace {

/// The volume's files where this host has them.
msg::Volume volume_here(const msg::Volume& volume, const HostVolume& planned) {
  msg::Volume here = volume;
  here.path = planned.disk ? planned.disk->path : "";
  here.format = "qcow2";
  here.kernel = planned.kernel;
  here.initramfs = planned.initramfs;
  here.iso_path = planned.iso;
  return here;
}

}  // namespace

DomainSpec plan_domain(const StoredGrant& stored, const Config& config, Accel accelerator) {
  const auto& grant = stored.grant;
  msg::Volume volume = grant.volume;
  DiskBase base;
  std::vector<std::string> layers;
  if (config.keeps_volumes()) {
    const auto planned = plan_host_volume(volume, config);
    volume = volume_here(volume, planned);
    if (planned.disk && !planned.disk->base_url.empty())
      base = {.socket = base_socket(planned), .format = planned.disk->base_format};
    if (planned.disk)
      for (const auto& layer : planned.disk->layers) layers.push_back(layer.file.path);
  }
  DomainSpec spec{.name = stored.domain_name,
                  .uuid = stored.domain_uuid,
                  .epoch = grant.epoch,
                  .title = grant.cluster_id.value + "/" + grant.node_name,
                  .cpus = grant.cpus,
                  .memory_mb = grant.memory_mb,
                  .accel = accelerator,
                  .kernel = volume.kernel,
                  .initramfs = volume.initramfs,
                  .cmdline = volume.cmdline,
                  .boots_from_network = grant.boots_from_network,
                  .runtime_dir = console_directory(config),
                  .user = config.qemu_user};
  if (!config.driver.has_guests) return spec;
  if (!volume.path.empty())
    spec.disks.push_back(
        {.path = volume.path, .format = volume.format, .layers = layers, .base = base});
  if (volume.firmware == msg::Firmware::uefi && !volume.path.empty() && volume.kernel.empty())
    spec.firmware = {.code = config.uefi_code,
                     .variables = msg::firmware_variables_of(volume.path),
                     .initial = config.uefi_variables};
  spec.disks.push_back({.path = seed_path(grant, config), .format = "raw", .is_read_only = true});
  if (!volume.iso_path.empty())
    spec.disks.push_back(
        {.path = volume.iso_path, .format = "raw", .is_read_only = true, .is_cdrom = true});
  const auto vlan_of = [&](const msg::Port& port) {
    return port.is_public && config.public_vlan != 0 ? config.public_vlan : port.vlan;
  };
  for (const auto& port : grant.ports)
    spec.ports.push_back({.mac = port.mac,
                          .bridge = config.bridge,
                          .vlan = static_cast<std::uint16_t>(vlan_of(port)),
                          .device = tap_name(config.port_prefix, port.mac),
                          .guarded_ip = port.is_public ? port.ip : "",
                          .name_server = port.is_public ? "" : port.name_server});
  spec.adapters = grant.adapters;
  return spec;
}

}  // namespace nucleus::provisioner
