// The InfiniBand adapters of a host that nodes can be given, as sysfs shows them. Reads files, so
// it belongs on a worker.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "messages/fabrics.hpp"

namespace nucleus::provisioner {

/// PFs by PCI address, with the fabric that each is on.
using AdapterFunctions = std::map<std::string, std::string>;

/// From `0000:81:00.0=ib0 0000:c1:00.0=ib1`.
core::Result<AdapterFunctions> parse_adapter_functions(const std::string& text);

struct FoundAdapters {
  std::vector<msg::Adapter> adapters = {};  // by PCI address, at most 64
  std::string reason = {};                  // why some are not among them, one line
  friend bool operator==(const FoundAdapters&, const FoundAdapters&) = default;
};

/// The directory of a PF's InfiniBand device; empty if it has none.
std::string infiniband_device(const std::string& sysfs, const std::string& pf);

/// Of a PF of mlx4: its VFs that have an alias GUID, or the whole PF if it has no VFs. Of any other
/// card the whole PF: OpenSM manages no GUIDs of their VFs. Below `sysfs` are `bus` and `class`.
FoundAdapters find_adapters(const std::string& sysfs, const AdapterFunctions& functions);

}  // namespace nucleus::provisioner
