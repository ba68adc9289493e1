#include "services/network/fabrics.hpp"

#include <algorithm>

#include "core/log/log.hpp"
#include "services/network/driver/opensm.hpp"

namespace nucleus::network {

namespace {

constexpr int reads_max = 20;                // of a fabric, until its ports agree
constexpr std::int64_t age_ms_max = 60'000;  // an older check counts as none
constexpr std::size_t faults_logged_max = 10;

const char* const no_driver = "network.fabric_directory is not set: no subnet manager is told";

void log_changes(const std::string& fabric, const FabricCheck& check, const FabricHistory& before) {
  if (!check.overwritten.empty())
    core::log::error("partitions_overwritten", {{"fabric", fabric}, {"reason", check.overwritten}});
  auto seen = check.corrected;
  seen.insert(seen.end(), check.faults.begin(), check.faults.end());
  const bool was_broken = before.check && !before.check->faults.empty();
  const auto excess = std::ranges::count_if(seen, &PartitionFault::is_excess);
  if (excess > 0 && !was_broken)
    for (std::size_t i = 0, logged = 0; i < seen.size() && logged < faults_logged_max; ++i)
      if (seen[i].is_excess && ++logged > 0)
        core::log::error("fabric_isolation_broken", {{"fabric", fabric},
                                                     {"reason", shown(seen[i])},
                                                     {"is_corrected", check.faults.empty()},
                                                     {"fault_count", excess}});
  if (was_broken && check.faults.empty())
    core::log::info("fabric_isolation_restored", {{"fabric", fabric}});
  if (before.check && before.check->reading.manager != check.reading.manager)
    core::log::warning("subnet_manager_changed",
                       {{"fabric", fabric}, {"port", guid_text(check.reading.manager)}});
  if (!check.unsafe.empty() && (!before.check || before.check->unsafe != check.unsafe))
    for (const auto& reason : check.unsafe)
      core::log::warning("subnet_manager_unsafe", {{"fabric", fabric}, {"reason", reason}});
}

/// Reads until the ports agree, `count_max` times at most.
core::Result<void> read_into(FabricCheck& check, PartitionDriver& driver,
                             const Partitions& partitions, const std::set<PortGuid>& now,
                             int count_max) {
  for (int count = 0; count < count_max; ++count) {
    auto reading = driver.read(now);
    if (!reading) return std::unexpected(reading.error());
    check.reading = std::move(*reading);
    check.faults = differences(partitions, check.reading);
    if (check.faults.empty()) break;
  }
  return {};
}

}  // namespace

core::Result<FabricCheck> check_fabric(FabricLink& link, const WantedMembers& wanted) {
  FabricCheck check;
  auto& driver = *link.driver;
  const auto& partitions = wanted.partitions;
  if (link.applied) {
    auto difference = driver.configured_difference(*link.applied);
    if (!difference) return std::unexpected(difference.error());
    check.overwritten = std::move(*difference);
    const int count_max = link.is_settling ? reads_max : 1;
    link.is_settling = false;
    if (auto read = read_into(check, driver, *link.applied, wanted.unsettled, count_max); !read)
      return std::unexpected(read.error());
    check.corrected = check.faults;
  }
  const bool is_right = check.overwritten.empty() && check.corrected.empty();
  if (link.applied != partitions || !is_right) {
    const bool is_change = link.applied && is_right;
    link.applied.reset();
    if (auto told = driver.apply(partitions); !told) return std::unexpected(told.error());
    link.applied = partitions;
    if (auto read = read_into(check, driver, partitions, wanted.unsettled, reads_max); !read)
      return std::unexpected(read.error());
    // A change takes a while: it is a fault if the next check still finds a difference.
    link.is_settling = is_change && !check.faults.empty();
    if (link.is_settling) check.faults.clear();
  }
  auto unsafe = driver.unsafe_settings();
  if (!unsafe) return std::unexpected(unsafe.error());
  check.unsafe = std::move(*unsafe);
  return check;
}

msg::Fabric fabric_state(const std::string& name, const FabricHistory& history,
                         std::int64_t now_ms) {
  msg::Fabric fabric{.name = name, .state = msg::FabricState::unchecked};
  if (!history.check) {
    fabric.reason = history.failure.empty() ? "not checked yet" : history.failure;
    return fabric;
  }
  const auto& check = *history.check;
  fabric.checked_unix_s = history.checked_unix_s;
  fabric.port_count = static_cast<std::uint32_t>(check.reading.tables.size());
  fabric.warnings = check.unsafe;
  for (const auto& fault : check.faults)
    if (fabric.faults.size() < msg::fabric_faults_max) fabric.faults.push_back(shown(fault));
  if (!check.faults.empty()) {
    fabric.state = msg::FabricState::broken;
    fabric.reason = fabric.faults.front();
  } else if (now_ms - history.checked_ms > age_ms_max) {
    fabric.reason = "no complete check for over 60 s: " + history.failure;
  } else {
    fabric.state = msg::FabricState::in_sync;
  }
  return fabric;
}

Fabrics::Fabrics(core::Runtime& runtime, const Config& config, Metrics& metrics,
                 const Drivers& drivers, Calls calls)
    : loop_{runtime.loop}, workers_{runtime.workers}, metrics_{metrics}, calls_{std::move(calls)} {
  for (const auto& [name, settings] : config.fabrics) {
    auto& watched = fabrics_[name];
    auto driver = drivers(name);
    if (driver)
      watched.link = std::make_shared<FabricLink>(FabricLink{.driver = std::move(driver)});
    else
      watched.history.failure = no_driver;
  }
  show_counts();
}

void Fabrics::check_idle() {
  for (auto& [name, watched] : fabrics_)
    if (watched.link && !watched.is_checking) begin(name, watched);
}

void Fabrics::check_changed(const std::string& name) {
  const auto found = fabrics_.find(name);
  if (found == fabrics_.end() || !found->second.link) return;
  if (found->second.is_checking)
    found->second.is_due = true;
  else
    begin(name, found->second);
}

void Fabrics::begin(const std::string& name, Watched& watched) {
  watched.is_checking = true;
  watched.is_due = false;
  auto wanted = calls_.wanted(name);
  const Begun begun{.at_ms = loop_.steady_ms(), .changes = wanted.changes};
  workers_.submit(
      [self = self_, &loop = loop_, name, link = watched.link, wanted = std::move(wanted), begun] {
        auto checked = check_fabric(*link, wanted);
        loop.post([self, name, begun, checked = std::move(checked)] {
          if (*self) (*self)->take(name, begun, checked);
        });
      });
}

void Fabrics::take(const std::string& name, const Begun& begun, core::Result<FabricCheck> checked) {
  auto& watched = fabrics_.at(name);
  watched.is_checking = false;
  watched.changes = begun.changes;
  record(name, watched, begun, std::move(checked));
  show_counts();
  calls_.checked();
  if (watched.is_due && !watched.is_checking) begin(name, watched);
}

void Fabrics::record(const std::string& name, Watched& watched, const Begun& begun,
                     core::Result<FabricCheck> checked) {
  auto& history = watched.history;
  if (!checked) {
    if (history.failure.empty())
      core::log::error("fabric_not_checked",
                       {{"fabric", name}, {"reason", checked.error().detail}});
    history.failure = checked.error().detail;
    return;
  }
  log_changes(name, *checked, history);
  if (!checked->overwritten.empty() || !checked->corrected.empty())
    metrics_.partitions_corrected.Increment();
  history = {.check = std::move(*checked),
             .checked_ms = begun.at_ms,
             .checked_unix_s = loop_.unix_ms() / 1000};
}

msg::Fabric Fabrics::state(const std::string& name) const {
  return fabric_state(name, fabrics_.at(name).history, loop_.steady_ms());
}

std::map<std::string, SeenFabric> Fabrics::seen() const {
  std::map<std::string, SeenFabric> seen;
  for (const auto& [name, watched] : fabrics_) {
    const auto& history = watched.history;
    const bool was_read = history.check && history.failure.empty();
    seen[name] = {.is_managed = watched.link != nullptr,
                  .changes = watched.changes,
                  .reading = was_read ? &history.check->reading : nullptr};
  }
  return seen;
}

void Fabrics::show_counts() {
  std::size_t broken = 0;
  std::size_t unchecked = 0;
  for (const auto& [name, watched] : fabrics_) {
    const auto state = this->state(name).state;
    broken += state == msg::FabricState::broken;
    unchecked += state == msg::FabricState::unchecked;
  }
  metrics_.fabrics_broken.Set(static_cast<double>(broken));
  metrics_.fabrics_unchecked.Set(static_cast<double>(unchecked));
}

Fabrics::Drivers opensm_drivers(const Config& config) {
  return [config](const std::string& name) -> std::unique_ptr<PartitionDriver> {
    if (config.fabric_directory.empty()) return nullptr;
    const auto& settings = config.fabrics.at(name);
    return std::make_unique<OpenSm>(OpenSmOptions{.directory = config.fabric_directory + "/" + name,
                                                  .tools_directory = config.fabric_tools,
                                                  .card = settings.card,
                                                  .port = settings.port});
  };
}

}  // namespace nucleus::network
