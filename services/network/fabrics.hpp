// Keeps each fabric's partitions as they were leased: has its subnet manager told, reads its ports
// back again and again, and keeps what was found. Runs on the service's loop; the driver on a
// worker, one call at a time for each fabric.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/runtime/runtime.hpp"
#include "messages/fabric_states.hpp"
#include "services/network/config.hpp"
#include "services/network/driver/partition_driver.hpp"
#include "services/network/metrics.hpp"

namespace nucleus::network {

/// What one check of a fabric found.
struct FabricCheck {
  FabricReading reading = {};
  std::vector<PartitionFault> faults = {};     // that remain
  std::vector<PartitionFault> corrected = {};  // that were there before the partitions were applied
  std::string overwritten = {};  // the subnet manager was given other partitions by someone else
  std::vector<std::string> unsafe = {};
};

/// A fabric's driver, and what it was last told.
struct FabricLink {
  std::unique_ptr<PartitionDriver> driver = {};
  std::optional<Partitions> applied = {};  // nothing = not since the start, or it failed
};

/// Applies the partitions if they are not those that were applied last, if another program changed
/// them, or if a port differs; then reads until the ports agree, a few times at most. Blocks.
core::Result<FabricCheck> check_fabric(FabricLink& link, const Partitions& wanted);

/// The state of a fabric at `now_ms`, from its last complete check and what failed since. Pure.
struct FabricHistory {
  std::optional<FabricCheck> check = {};
  std::int64_t checked_ms = 0;      // steady: when that check began
  std::int64_t checked_unix_s = 0;  // the same
  std::string failure = {};         // of the last attempt; empty = it succeeded
};
msg::Fabric fabric_state(const std::string& name, const FabricHistory& history,
                         std::int64_t now_ms);

class Fabrics {
 public:
  /// The driver of a fabric; null = no subnet manager is told.
  using Drivers = std::function<std::unique_ptr<PartitionDriver>(const std::string& name)>;

  Fabrics(core::Runtime& runtime, const Config& config, Metrics& metrics, const Drivers& drivers);
  ~Fabrics() { *self_ = nullptr; }
  Fabrics(const Fabrics&) = delete;
  Fabrics& operator=(const Fabrics&) = delete;

  /// Begins a check of each fabric that is not being checked.
  void check(const std::function<Partitions(const std::string& fabric)>& wanted);
  msg::Fabric state(const std::string& name) const;

 private:
  struct Watched {
    std::shared_ptr<FabricLink> link = {};  // null = no driver; of the worker while it is checked
    FabricHistory history = {};
    bool is_checking = false;
  };

  void take(const std::string& name, std::int64_t began_ms, core::Result<FabricCheck> checked);
  void show_counts();

  core::Loop& loop_;
  core::Workers& workers_;
  Metrics& metrics_;
  std::map<std::string, Watched> fabrics_ = {};
  std::shared_ptr<Fabrics*> self_ = std::make_shared<Fabrics*>(this);
};

/// OpenSM for each fabric, if the settings have a directory.
Fabrics::Drivers opensm_drivers(const Config& config);

}  // namespace nucleus::network
