// What `nucleus verify` compares: the records of the services, as stored, what is found on the
// hosts of this machine, and the jobs of the batch system. No service is asked.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/state/redis_reader.hpp"
#include "services/image_store/records.hpp"
#include "services/network/records.hpp"
#include "services/registry/records.hpp"
#include "services/scheduler/driver/batch_system.hpp"
#include "services/scheduler/records.hpp"

namespace nucleus::operator_ {

/// A host whose hypervisor and switch were read.
struct HostEvidence {
  msg::HostId host_id = {};
  std::string libvirt_uri = {};
  std::string switch_folder = {};                       // OVS_RUNDIR
  std::set<std::string> domains = {};                   // names of those that run: ids of nodes
  std::map<std::string, std::uint32_t> tap_ports = {};  // VLAN by name; 0 = no tag
};

struct Evidence {
  std::vector<registry::StoredCluster> clusters = {};
  std::vector<registry::StoredNode> nodes = {};
  std::vector<scheduler::StoredNode> placed_nodes = {};
  std::vector<scheduler::StoredHost> hosts = {};
  std::vector<scheduler::StoredComputeset> computesets = {};  // not finished
  std::vector<scheduler::StoredComputeset> finished = {};
  std::vector<scheduler::StoredAllocation> allocations = {};
  std::vector<network::StoredNetwork> networks = {};
  std::vector<network::StoredPorts> ports = {};
  std::vector<network::StoredVlanQuarantine> vlan_quarantines = {};
  std::vector<image_store::StoredVolume> volumes = {};
  std::uint64_t last_event = 0;  // number of the newest, as counted; 0 = none
  core::EventExtent events = {};
  std::vector<HostEvidence> read_hosts = {};
  std::int64_t cpu_overcommit = 1;
  bool has_batch_system = false;
  std::vector<scheduler::Job> jobs = {};  // of the batch system, for this deployment
};

}  // namespace nucleus::operator_
