// The partitions of a VF of mlx4: its guest sees a table of pkeys that the PF's driver keeps, and
// each entry of it is an index into the table of the PF's port. Reads and writes sysfs, so it
// belongs on a worker. Only files of the VF itself are written.
#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"
#include "services/provisioner/driver/adapters.hpp"

namespace nucleus::provisioner {

/// Where the adapters of a host are looked up.
struct HostAdapters {
  std::string sysfs = "/sys";
  AdapterFunctions functions = {};
};

/// Fails, with what differs, if the host does not have this adapter now.
core::Result<void> check_adapter(const HostAdapters& host, const msg::Adapter& adapter);

/// What the table of a guest is to contain, as `pkey_idx` has it: the index of the full member's
/// pkey, that of the limited member's default partition, and no other entry. `port_pkeys` are the
/// lines of the port's table. `unavailable`: the port does not have both pkeys yet. Pure.
core::Result<std::vector<std::string>> plan_guest_pkeys(const std::vector<std::string>& port_pkeys,
                                                        std::size_t entry_count,
                                                        const msg::LeasedAdapter& leased);

/// Gives the adapter's guest its partition and nothing else, and reads it back. An adapter that is
/// no VF needs nothing: its port has the table. May be repeated after it was cut off anywhere.
core::Result<void> set_partition(const HostAdapters& host, const msg::LeasedAdapter& leased);

/// Takes all partitions from the guest of a VF. Succeeds if the function has none to take.
core::Result<void> clear_partitions(const HostAdapters& host, const std::string& pci_address);

}  // namespace nucleus::provisioner
