// Each call is one or a few of libvirt's, on the caller's thread; events come on libvirt's own.
#include "services/provisioner/driver/libvirt_hypervisor.hpp"

#include <fmt/format.h>
#include <libvirt/virterror.h>

#include <algorithm>
#include <optional>

#include "core/runtime/child_process.hpp"
#include "services/provisioner/driver/guest_agent.hpp"
#include "services/provisioner/driver/guest_files.hpp"
#include "services/provisioner/driver/host_setup.hpp"
#include "services/provisioner/driver/libvirt_disks.hpp"
#include "services/provisioner/driver/libvirt_domains.hpp"
#include "services/provisioner/driver/libvirt_memory.hpp"
#include "services/provisioner/driver/memory_files.hpp"

namespace nucleus::provisioner {

using core::ErrorCode;

namespace {

bool is_gone(const core::Error& error) {
  return error.code == ErrorCode::not_found;
}

/// Whether the domain that has the spec's name is the one that the spec describes.
core::Result<void> match(const DomainSeen& seen, const DomainSpec& spec) {
  if (seen.uuid != spec.uuid)
    return core::refuse(ErrorCode::conflict,
                        fmt::format("domain {} runs with another uuid, {}", spec.name, seen.uuid));
  if (seen.epoch != spec.epoch)
    return core::refuse(ErrorCode::conflict,
                        fmt::format("domain {} runs at epoch {}", spec.name, seen.epoch));
  if (seen.state == DomainState::running || seen.state == DomainState::starting) return {};
  return core::refuse(ErrorCode::wrong_state, fmt::format("domain {} is {}: {}", spec.name,
                                                          msg::name_of(seen.state), seen.reason));
}

/// The result for a domain that has the spec's name already; nothing if there is none.
std::optional<core::Result<void>> match_running(virConnect* connection, const DomainSpec& spec) {
  const auto other = find_domain(connection, spec.name);
  if (!other) return std::nullopt;
  const auto seen = observe_domain(other->get());
  if (seen) return match(*seen, spec);
  if (is_gone(seen.error())) return std::nullopt;
  return core::Result<void>{std::unexpected(seen.error())};
}

}  // namespace

LibvirtHypervisor::LibvirtHypervisor(const std::string& uri, const HostProfile& profile,
                                     HostAdapters adapters)
    : dialect_{uri.starts_with("test:") ? XmlDialect::simulated : XmlDialect::qemu},
      profile_{profile.kind},
      cpu_plans_{profile.host_cpus},
      adapters_{std::move(adapters)},
      link_{uri,
            {.opened = [this](const std::vector<DomainSeen>& running) { reset_epochs(running); },
             .changed = [this](DomainSeen seen) { handle_change(std::move(seen)); },
             .linked = [this](const core::Result<void>& link) { handle_link(link); }}} {}

void LibvirtHypervisor::reset_epochs(const std::vector<DomainSeen>& running) {
  const std::scoped_lock lock{mutex_};
  starting_.clear();
  running_.clear();
  for (const auto& domain : running) running_[domain.uuid] = domain.epoch;
}

void LibvirtHypervisor::handle_change(DomainSeen seen) {
  const bool has_ended = seen.state == DomainState::shutoff || seen.state == DomainState::crashed;
  {
    const std::scoped_lock lock{mutex_};
    if (auto starts = starting_.find(seen.uuid);
        starts != starting_.end() && !running_.contains(seen.uuid)) {
      running_[seen.uuid] = starts->second.front();
      starts->second.pop_front();
      if (starts->second.empty()) starting_.erase(starts);
    }
    if (const auto known = running_.find(seen.uuid); known != running_.end()) {
      seen.epoch = known->second;
      if (has_ended) running_.erase(known);
    }
  }
  const std::scoped_lock lock{handlers_mutex_};
  if (on_event_) on_event_(seen);
}

void LibvirtHypervisor::handle_link(const core::Result<void>& link) {
  const std::scoped_lock lock{handlers_mutex_};
  if (on_link_) on_link_(link);
}

void LibvirtHypervisor::on_event(std::function<void(const DomainSeen&)> handler) {
  const std::scoped_lock lock{handlers_mutex_};
  on_event_ = std::move(handler);
}

void LibvirtHypervisor::on_link(std::function<void(const core::Result<void>&)> handler) {
  const std::scoped_lock lock{handlers_mutex_};
  on_link_ = std::move(handler);
}

void LibvirtHypervisor::forget_start(const DomainSpec& spec) {
  const std::scoped_lock lock{mutex_};
  const auto starts = starting_.find(spec.uuid);
  if (starts == starting_.end()) return;
  auto& epochs = starts->second;
  if (const auto ours = std::ranges::find(epochs, spec.epoch); ours != epochs.end())
    epochs.erase(ours);
  if (epochs.empty()) starting_.erase(starts);
}

FoundAccelerator LibvirtHypervisor::prepare(const HostSetup& setup) {
  make_state_directories(setup.state_directory);
  if (setup.accelerator != Accel::unknown) return {setup.accelerator, "set in the configuration"};
  return find_accelerator(setup.probe_kernel, setup.user);
}

core::Result<void> LibvirtHypervisor::create(const DomainSpec& spec) {
  if (auto broken = check_spec(spec)) return std::unexpected(*broken);
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  return create_with(connection->get(), spec);
}

core::Result<void> LibvirtHypervisor::create_with(virConnect* connection, const DomainSpec& spec) {
  const bool is_simulated = dialect_ == XmlDialect::simulated;
  if (is_simulated || spec.adapters.empty()) return create_on_host(connection, spec);
  return create_with_adapters(connection, spec);
}

core::Result<std::uint64_t> LibvirtHypervisor::save_memory(const std::string& name,
                                                           const std::string& path) {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  return dialect_ == XmlDialect::simulated ? save_simulated_memory(connection->get(), name, path)
                                           : save_memory_of(connection->get(), name, path);
}

core::Result<void> LibvirtHypervisor::restore(const DomainSpec& spec, const std::string& path) {
  if (auto broken = check_spec(spec)) return std::unexpected(*broken);
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  if (const auto running = match_running(connection->get(), spec)) return *running;
  if (auto taken = take_memory(path, spec.epoch); !taken) return taken;
  auto restored = check_memory(path, spec.epoch);
  if (restored) {
    auto resumed = spec;
    resumed.resumed_from = taken_memory(path, spec.epoch);
    restored = create_with(connection->get(), resumed);
  }
  if (restored || restored.error().code == ErrorCode::unavailable) return restored;
  // libvirt was not called: what lacks may be there later.
  if (restored.error().code == ErrorCode::no_capacity) {
    give_memory_back(path, spec.epoch);
    restored.error().code = ErrorCode::unavailable;
    return restored;
  }
  if (match_running(connection->get(), spec) == std::nullopt) forget_memory(path, spec.epoch);
  return restored;
}

core::Result<bool> LibvirtHypervisor::is_restored(const std::string& path, std::uint64_t epoch) {
  return published_bytes(taken_memory(path, epoch)).has_value();
}

core::Result<void> LibvirtHypervisor::set_clock(const std::string& name) {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  const auto domain = find_domain(connection->get(), name);
  if (!domain) return std::unexpected(domain.error());
  if (virDomainSetTime(domain->get(), 0, 0, VIR_DOMAIN_TIME_SYNC) == 0) return {};
  auto error = libvirt_error();
  error.code = ErrorCode::unavailable;
  return std::unexpected(error);
}

core::Result<void> LibvirtHypervisor::remove_memories(const std::string& directory,
                                                      const std::set<std::string>& kept) {
  return remove_memories_in(directory, kept);
}

core::Result<void> LibvirtHypervisor::create_with_adapters(virConnect* connection,
                                                           const DomainSpec& spec) {
  if (const auto running = match_running(connection, spec)) return *running;
  if (auto given = adapters_.begin_start(connection, spec); !given) return given;
  auto created = create_on_host(connection, spec);
  adapters_.end_start(spec);
  return created;
}

core::Result<void> LibvirtHypervisor::create_on_host(virConnect* connection,
                                                     const DomainSpec& spec) {
  if (profile_ == Profile::hpc && !spec.cpu_plan) return create_planned(connection, spec);
  return create_as(connection, spec);
}

core::Result<void> LibvirtHypervisor::release(const std::vector<msg::LeasedAdapter>& adapters) {
  if (adapters.empty() || dialect_ == XmlDialect::simulated) return {};
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  return adapters_.clear(connection->get(), adapters);
}

core::Result<void> LibvirtHypervisor::create_planned(virConnect* connection, DomainSpec spec) {
  // One that runs has its CPUs: they are not free for it again.
  if (const auto running = match_running(connection, spec)) return *running;
  if (spec.accel != Accel::kvm)
    return std::unexpected(lacks_kvm("guests are emulated (tcg) on this host"));
  auto plan = cpu_plans_.begin_start(connection, spec);
  if (!plan) return std::unexpected(plan.error());
  spec.cpu_plan = std::move(*plan);
  auto created = create_as(connection, spec);
  cpu_plans_.end_start(spec.uuid);
  return created;
}

core::Result<void> LibvirtHypervisor::create_as(virConnect* connection, const DomainSpec& spec) {
  const auto xml = build_domain_xml(spec, dialect_);
  if (!xml) return std::unexpected(xml.error());
  if (auto made = make_firmware_variables(spec); !made) return made;
  if (auto given = give_files(spec); !given) return given;
  return start(connection, spec, *xml);
}

/// A libvirtd that was killed in the middle of a start leaves ports. A tap that is made again under
/// the name of such a port gets no packets: Open vSwitch's userspace datapath keeps the old device.
core::Result<void> LibvirtHypervisor::remove_ports_of_failed(const DomainSpec& spec) {
  {
    const std::scoped_lock lock{mutex_};
    if (!failed_.contains(spec.uuid)) return {};
  }
  for (const auto& port : spec.ports) {
    const auto removed = core::must_run_child({.argv = {"ovs-vsctl", "--timeout=5", "--if-exists",
                                                        "del-port", port.bridge, port.device}});
    if (!removed) return std::unexpected(removed.error());
  }
  const std::scoped_lock lock{mutex_};
  failed_.erase(spec.uuid);
  return {};
}

/// Null if it failed; libvirt's error says why. libvirt refuses memory that does not fit the
/// domain.
LibvirtDomain LibvirtHypervisor::begin(virConnect* connection, const DomainSpec& spec,
                                       const std::string& xml) {
  const bool resumes = !spec.resumed_from.empty() && dialect_ == XmlDialect::qemu;
  if (!resumes) return LibvirtDomain{virDomainCreateXML(connection, xml.c_str(), 0)};
  if (virDomainRestoreFlags(connection, spec.resumed_from.c_str(), xml.c_str(),
                            VIR_DOMAIN_SAVE_RUNNING) < 0)
    return {};
  return LibvirtDomain{virDomainLookupByName(connection, spec.name.c_str())};
}

core::Result<void> LibvirtHypervisor::start(virConnect* connection, const DomainSpec& spec,
                                            const std::string& xml) {
  if (auto removed = remove_ports_of_failed(spec); !removed) return removed;
  {
    const std::scoped_lock lock{mutex_};
    starting_[spec.uuid].push_back(spec.epoch);
  }
  const auto domain = begin(connection, spec, xml);
  if (!domain) {
    const auto error = libvirt_error();
    forget_start(spec);
    const auto other = find_domain(connection, spec.name);
    if (!other) {
      const std::scoped_lock lock{mutex_};
      failed_.insert(spec.uuid);
      return std::unexpected(error);
    }
    const auto seen = observe_domain(other->get());
    return seen ? match(*seen, spec) : std::unexpected(error);
  }
  const std::string seen_xml = take_libvirt_text(virDomainGetXMLDesc(domain.get(), 0));
  if (seen_xml.empty()) return {};  // it has ended already, which an event reports
  auto same = verify_domain_xml(seen_xml, spec, dialect_);
  if (!same) virDomainDestroy(domain.get());
  return same;
}

core::Result<void> LibvirtHypervisor::destroy(const std::string& name) {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  const auto domain = find_domain(connection->get(), name);
  if (!domain)
    return is_gone(domain.error()) ? core::Result<void>{} : std::unexpected(domain.error());
  if (virDomainDestroy(domain->get()) == 0) return {};
  const auto error = libvirt_error();
  if (is_gone(error) || !find_domain(connection->get(), name)) return {};
  return std::unexpected(error);
}

core::Result<void> LibvirtHypervisor::shut_down(const std::string& name) {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  const auto domain = find_domain(connection->get(), name);
  if (!domain)
    return is_gone(domain.error()) ? core::Result<void>{} : std::unexpected(domain.error());
  if (virDomainShutdown(domain->get()) == 0) return {};
  const auto error = libvirt_error();
  if (is_gone(error)) return {};
  return std::unexpected(error);
}

core::Result<void> LibvirtHypervisor::reboot(const std::string& name) {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  const auto domain = find_domain(connection->get(), name);
  if (!domain) return std::unexpected(domain.error());
  if (virDomainReboot(domain->get(), 0) == 0) return {};
  return std::unexpected(libvirt_error());
}

core::Result<void> LibvirtHypervisor::reset(const std::string& name) {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  const auto domain = find_domain(connection->get(), name);
  if (!domain) return std::unexpected(domain.error());
  if (virDomainReset(domain->get(), 0) == 0) return {};
  return std::unexpected(libvirt_error());
}

core::Result<void> LibvirtHypervisor::resume(const std::string& name) {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  const auto domain = find_domain(connection->get(), name);
  if (!domain) return std::unexpected(domain.error());
  if (virDomainResume(domain->get()) == 0) return {};
  return std::unexpected(libvirt_error());
}

core::Result<std::vector<DomainSeen>> LibvirtHypervisor::list() {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  return observe_domains(connection->get());
}

core::Result<std::vector<DomainUsage>> LibvirtHypervisor::usage() {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  return usage_of_domains(connection->get());
}

core::Result<GuestOutput> LibvirtHypervisor::run_in_guest(const std::string& name,
                                                          const GuestCommand& command) {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  const auto domain = find_domain(connection->get(), name);
  if (!domain) return std::unexpected(domain.error());
  if (dialect_ == XmlDialect::simulated)
    return core::refuse(ErrorCode::wrong_state, "a simulated domain runs no commands");
  return run_by_agent(domain->get(), command);
}

core::Result<ConsolePaths> LibvirtHypervisor::console(const std::string& name) {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  const auto domain = find_domain(connection->get(), name);
  if (!domain) return std::unexpected(domain.error());
  if (dialect_ == XmlDialect::simulated)
    return core::refuse(ErrorCode::wrong_state, "a simulated domain has no console");
  const std::string xml = take_libvirt_text(virDomainGetXMLDesc(domain->get(), 0));
  if (xml.empty()) return std::unexpected(libvirt_error());
  return consoles_in_xml(xml);
}

core::Result<LibvirtDomain> LibvirtHypervisor::find_with_disks(const std::string& name) {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  auto domain = find_domain(connection->get(), name);
  if (domain && dialect_ == XmlDialect::simulated)
    return core::refuse(ErrorCode::wrong_state, "a simulated domain has no disk");
  return domain;
}

core::Result<std::vector<std::string>> LibvirtHypervisor::disk_files(const std::string& name) {
  const auto domain = find_with_disks(name);
  if (!domain) return std::unexpected(domain.error());
  return disk_files_of(domain->get());
}

core::Result<void> LibvirtHypervisor::add_overlay(const std::string& name,
                                                  const std::string& overlay) {
  const auto domain = find_with_disks(name);
  if (!domain) return std::unexpected(domain.error());
  return add_overlay_to(domain->get(), overlay);
}

core::Result<void> LibvirtHypervisor::merge_overlays(const std::string& name,
                                                     const OverlayMerge& merge) {
  const auto domain = find_with_disks(name);
  if (!domain) return std::unexpected(domain.error());
  return merge_overlays_of(domain->get(), merge);
}

core::Result<void> LibvirtHypervisor::ping() {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  unsigned long version = 0;
  if (virConnectGetLibVersion(connection->get(), &version) == 0) return {};
  return std::unexpected(libvirt_error());
}

/// All of the host's memory. virNodeGetInfo() leaves out memory that was plugged in after boot; it
/// is the fallback for drivers without statistics (test).
static std::optional<std::uint64_t> memory_kib(virConnect* connection) {
  constexpr int all = VIR_NODE_MEMORY_STATS_ALL_CELLS;
  int count = 0;
  if (virNodeGetMemoryStats(connection, all, nullptr, &count, 0) < 0) return std::nullopt;
  std::vector<virNodeMemoryStats> stats(static_cast<std::size_t>(count));
  if (virNodeGetMemoryStats(connection, all, stats.data(), &count, 0) < 0) return std::nullopt;
  for (const auto& one : stats)
    if (std::string_view(one.field) == VIR_NODE_MEMORY_STATS_TOTAL) return one.value;
  return std::nullopt;
}

core::Result<HostCapacity> LibvirtHypervisor::capacity() {
  const auto connection = link_.use();
  if (!connection) return std::unexpected(connection.error());
  virNodeInfo host{};
  unsigned long version = 0;
  if (virNodeGetInfo(connection->get(), &host) < 0 ||
      virConnectGetVersion(connection->get(), &version) < 0)
    return std::unexpected(libvirt_error());
  HostCapacity capacity{
      .cpus = host.cpus,
      .memory_mb = memory_kib(connection->get()).value_or(host.memory) / 1024,
      .hypervisor = fmt::format("{} {}.{}.{}", virConnectGetType(connection->get()),
                                version / 1'000'000, version / 1000 % 1000, version % 1000)};
  if (profile_ == Profile::hpc) {
    auto [cpus, memory_mb, reason] = cpu_plans_.capacity(connection->get());
    capacity.cpus = cpus;
    capacity.memory_mb = memory_mb;
    capacity.profile_fault = std::move(reason);
  }
  return capacity;
}

}  // namespace nucleus::provisioner
