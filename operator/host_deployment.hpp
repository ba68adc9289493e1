// A host: its switch, hypervisor and provisioner, as a part of a deployment on one machine, or
// joined to the head of another. A joined one is stored in DIR/host.yaml.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "operator/children.hpp"
#include "operator/yaml_map.hpp"

namespace nucleus::operator_ {

struct HostDeployment {
  std::string host_id = {};
  std::string short_id = {};           // 4 hex digits, in the names of interfaces
  std::string network_namespace = {};  // of the switch, the taps and the domains
  std::string uplink = {};             // interface in it, for the tenants' VLANs; empty = none
  std::string public_uplink = {};      // for the public network, untagged; empty = as a VLAN
  /// Where the provisioner runs, and so how it reaches the head; empty = the machine's own.
  std::string provisioner_namespace = {};
  std::string metrics_listen = {};   // ADDRESS:PORT of the provisioner
  std::string image_folder = {};     // that domains read images from
  std::string volume_folder = {};    // of the domains' disks
  std::string console_address = {};  // ADDRESS:PORT of the console service, for hosts
  std::string image_store_url = {};  // https://ADDRESS:PORT; empty = shares the head's files
  std::string ca_file = {};          // verifies these two
  bool is_simulated = false;         // no hypervisor, switch or network
  std::string libvirt_uri = {};      // of the machine's own libvirtd; empty = a private one
  std::string ovs_directory = {};    // of the machine's own Open vSwitch; empty = a private one
  std::string chunk_endpoint = {};   // where other hosts reach it for chunks; empty = nowhere
  std::string mpi_launcher = {};     // of ranks on other hosts; empty = ssh
  TextMap bus = {};                  // the provisioner's `bus.*` settings
};

/// The options that name interfaces of the machine, and what was given.
std::vector<std::pair<std::string, std::string>> uplinks_of(const HostDeployment& host);
/// Interface names are global in a namespace, so each host has its own.
std::string bridge_of(const HostDeployment& host);
/// Refuses what is not a URI of a libvirtd of this machine, or a directory.
core::Result<void> check_own_services(const HostDeployment& host);
std::string libvirt_uri(const StateDirectory& state, const HostDeployment& host = {});
/// Where the host's libvirtd has the pid files of its QEMU processes.
std::string emulator_folder(const StateDirectory& state, const HostDeployment& host);
/// With the sockets of the host's switch: OVS_RUNDIR.
std::string switch_folder(const StateDirectory& state, const HostDeployment& host);

/// Database, switch and libvirtd, unless the machine's own are used, and, last, the provisioner,
/// with their files in `state`.
std::vector<Child> plan_host_children(const StateDirectory& state, const HostDeployment& host,
                                      const std::string& programs);

bool is_host(const StateDirectory& state);
core::Result<HostDeployment> load_host(const StateDirectory& state);
core::Result<void> save_host(const StateDirectory& state, const HostDeployment& host);

/// Creates the host's network namespace, without what an earlier one of this name had, and moves
/// the uplinks into it. With the machine's own switch: adds a bridge to it, with the uplinks.
core::Result<void> make_host_network(const StateDirectory& state, const HostDeployment& host);
/// Removes the namespace with its bridge and taps, or the bridge alone; physical uplinks return to
/// the machine.
void remove_host_network(const HostDeployment& host);
void remove_network_namespace(const std::string& name);

/// Starts what does not run of a joined host whose network exists, and returns when its provisioner
/// is connected to the head.
core::Result<void> start_host(const StateDirectory& state, const HostDeployment& host);

/// Lets the running provisioner of `before` use the keys and addresses of `host`, without a
/// restart. Returns when it does, and the head has ended the earlier key. Changes nothing if the
/// head does not accept the new one.
core::Result<void> renew_host(const StateDirectory& state, const HostDeployment& before,
                              const HostDeployment& host);

}  // namespace nucleus::operator_
