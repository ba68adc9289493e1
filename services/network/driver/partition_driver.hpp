// A fabric's subnet manager, which puts ports into partitions. Every call blocks, and is made on a
// worker thread, one at a time for each fabric.
#pragma once

#include <vector>

#include "core/result.hpp"
#include "services/network/driver/partitions.hpp"

namespace nucleus::network {

class PartitionDriver {
 public:
  virtual ~PartitionDriver() = default;

  /// Has the subnet manager make these the partitions, and no others. May be repeated. It is in
  /// effect only once `read` shows no difference. `unavailable` if there is no subnet manager.
  virtual core::Result<void> apply(const Partitions& partitions) = 0;

  /// Whether the subnet manager is still configured with these partitions. Of another content, the
  /// reason, as one line; empty = it is.
  virtual core::Result<std::string> configured_difference(const Partitions& partitions) = 0;

  /// The pkey tables of the ports themselves, whatever the subnet manager believes. Those of `now`
  /// are read in this call; of the others, those of ports that were as they should be may be a few
  /// turns old. `unavailable` if one does not answer.
  virtual core::Result<FabricReading> read(const std::set<PortGuid>& now) = 0;

  /// The settings of the subnet manager that are not safe, one line each.
  virtual core::Result<std::vector<std::string>> unsafe_settings() = 0;
};

}  // namespace nucleus::network
