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
#include "services/network/member_plan.hpp"
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
  bool is_settling = false;                // the ports did not have the last change yet
};

/// What a fabric should have.
struct WantedMembers {
  Partitions partitions = {};
  std::set<PortGuid> unsettled = {};  // ports whose own tables must be read in this check
  std::uint64_t changes = 0;          // View::member_changes
};

/// Applies the partitions if they are not those that were applied last, if another program changed
/// them, or if a port differs; then reads until the ports agree, a few times at most. Ports that
/// lag behind a change are faults from the next check on. Blocks.
core::Result<FabricCheck> check_fabric(FabricLink& link, const WantedMembers& wanted);

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
  struct Calls {
    std::function<WantedMembers(const std::string& name)> wanted = {};
    std::function<void()> checked = {};  // after each check, also one that failed
  };

  Fabrics(core::Runtime& runtime, const Config& config, Metrics& metrics, const Drivers& drivers,
          Calls calls);
  ~Fabrics() { *self_ = nullptr; }
  Fabrics(const Fabrics&) = delete;
  Fabrics& operator=(const Fabrics&) = delete;

  /// Begins a check of each fabric that is not being checked.
  void check_idle();
  /// Begins a check with what is wanted now: at once, or after the one that runs.
  void check_changed(const std::string& name);
  msg::Fabric state(const std::string& name) const;
  /// By name. The readings are valid until the next check ends.
  std::map<std::string, SeenFabric> seen() const;

 private:
  struct Watched {
    std::shared_ptr<FabricLink> link = {};  // null = no driver; of the worker while it is checked
    FabricHistory history = {};
    std::uint64_t changes = 0;  // of the last check
    bool is_checking = false;
    bool is_due = false;  // after the check that runs
  };
  struct Begun {
    std::int64_t at_ms = 0;  // steady
    std::uint64_t changes = 0;
  };

  void begin(const std::string& name, Watched& watched);
  void take(const std::string& name, const Begun& begun, core::Result<FabricCheck> checked);
  void record(const std::string& name, Watched& watched, const Begun& begun,
              core::Result<FabricCheck> checked);
  void show_counts();

  core::Loop& loop_;
  core::Workers& workers_;
  Metrics& metrics_;
  Calls calls_;
  std::map<std::string, Watched> fabrics_ = {};
  std::shared_ptr<Fabrics*> self_ = std::make_shared<Fabrics*>(this);
};

/// OpenSM for each fabric, if the settings have a directory.
Fabrics::Drivers opensm_drivers(const Config& config);

}  // namespace nucleus::network
