// A fabric in memory behind the driver's interface; the contract suite holds it to OpenSM on ibsim.
// From any thread.
#pragma once

#include <mutex>
#include <utility>

#include "services/network/driver/partition_driver.hpp"

namespace nucleus::tests {

class SimulatedFabric final : public network::PartitionDriver {
 public:
  /// The first port is the subnet manager's.
  explicit SimulatedFabric(std::vector<network::PortGuid> ports) : ports_{std::move(ports)} {
    sweep();
  }

  core::Result<void> apply(const network::Partitions& partitions) override {
    const std::lock_guard lock{mutex_};
    if (auto text = network::partitions_text(partitions); !text)
      return std::unexpected(text.error());
    configured_ = partitions;
    is_foreign_ = false;
    if (!is_manager_up_)
      return core::refuse(core::ErrorCode::unavailable, "there is no subnet manager");
    if (lag_ == 0) sweep();
    reads_to_sweep_ = lag_;
    return {};
  }
  core::Result<std::string> configured_difference(const network::Partitions& partitions) override {
    const std::lock_guard lock{mutex_};
    // A partition without members is not written.
    auto wanted = partitions;
    std::erase_if(wanted, [](const auto& one) { return one.second.empty(); });
    auto found = configured_;
    std::erase_if(found, [](const auto& one) { return one.second.empty(); });
    if (is_foreign_) return std::string("it was written by another program");
    return std::string(found == wanted ? "" : "it has other members");
  }
  core::Result<network::FabricReading> read(const std::set<network::PortGuid>&) override {
    const std::lock_guard lock{mutex_};
    if (!is_manager_up_)
      return core::refuse(core::ErrorCode::unavailable, "there is no subnet manager");
    if (reads_to_sweep_ > 0 && --reads_to_sweep_ == 0) sweep();
    network::FabricReading reading{.manager = ports_.front()};
    for (const auto& [guid, table] : tables_)
      if (!without_link_.contains(guid)) reading.tables[guid] = table;
    return reading;
  }
  core::Result<std::vector<std::string>> unsafe_settings() override {
    const std::lock_guard lock{mutex_};
    return unsafe_;
  }

  /// A file that OpenSM cannot parse, and SIGHUP.
  void write_as_another_program() {
    const std::lock_guard lock{mutex_};
    is_foreign_ = true;
    sweep();
  }
  void set_manager(bool is_up) {
    const std::lock_guard lock{mutex_};
    is_manager_up_ = is_up;
    if (is_up) sweep();
  }
  void set_link(network::PortGuid guid, bool is_up) {
    const std::lock_guard lock{mutex_};
    is_up ? (void)without_link_.erase(guid) : (void)without_link_.insert(guid);
    sweep();
  }
  /// Partitions are in effect in the read of this number after they were applied; 0 = at once.
  void set_lag(int reads) {
    const std::lock_guard lock{mutex_};
    lag_ = reads;
  }
  void set_unsafe(std::vector<std::string> unsafe) {
    const std::lock_guard lock{mutex_};
    unsafe_ = std::move(unsafe);
  }

 private:
  void sweep() {
    if (!is_manager_up_) return;
    for (const auto guid : ports_) {
      if (without_link_.contains(guid)) continue;
      const bool is_open = is_foreign_ || guid == ports_.front();
      tables_[guid] = {is_open ? network::default_full : network::default_limited};
      if (is_foreign_) continue;
      for (const auto& [pkey, members] : configured_)
        if (members.contains(guid))
          tables_[guid].insert(static_cast<std::uint16_t>(pkey | network::full_member));
    }
  }

  std::mutex mutex_ = {};
  const std::vector<network::PortGuid> ports_;
  network::Partitions configured_ = {};
  std::map<network::PortGuid, std::set<std::uint16_t>> tables_ = {};
  std::set<network::PortGuid> without_link_ = {};
  std::vector<std::string> unsafe_ = {};
  int lag_ = 0;
  int reads_to_sweep_ = 0;
  bool is_foreign_ = false;
  bool is_manager_up_ = true;
};

}  // namespace nucleus::tests
