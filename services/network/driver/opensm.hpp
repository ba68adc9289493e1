// OpenSM: its partitions file, SIGHUP, and the programs of infiniband-diags to read the fabric.
#pragma once

#include <string>

#include "services/network/driver/partition_driver.hpp"
#include "services/network/driver/port_rotation.hpp"

namespace nucleus::network {

struct OpenSmOptions {
  /// Has `partitions.conf`, which this driver alone writes and OpenSM reads (-P); `opensm.pid`, its
  /// process id; and, if OpenSM is given one (-F), `opensm.conf`.
  std::string directory = {};
  std::string tools_directory = {};  // of ibnetdiscover, smpquery and sminfo; empty = PATH
  std::string card = {};             // of this machine, on the fabric: mlx5_0; empty = the first
  std::uint32_t port = 0;            // of that card; 0 = the first with a link
};

class OpenSm final : public PartitionDriver {
 public:
  explicit OpenSm(OpenSmOptions options) : options_{std::move(options)} {}

  core::Result<void> apply(const Partitions& partitions) override;
  core::Result<std::string> configured_difference(const Partitions& partitions) override;
  core::Result<FabricReading> read(const std::set<PortGuid>& now) override;
  core::Result<std::vector<std::string>> unsafe_settings() override;

 private:
  std::string file(const char* name) const { return options_.directory + "/" + name; }
  core::Result<std::string> run(const char* tool, std::vector<std::string> arguments) const;

  OpenSmOptions options_;
  Partitions applied_ = {};     // last, or tried to
  PortRotation rotation_ = {};  // of `read`
};

}  // namespace nucleus::network
