// A hypervisor in memory, for tests and the simulation: no thread, no clock; events are delivered
// within the call that causes them. The contract suite holds it to libvirt's behaviour; faults are
// injected by name.
#pragma once

#include <algorithm>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "services/provisioner/driver/domain_xml.hpp"
#include "services/provisioner/driver/host_setup.hpp"

namespace nucleus::provisioner {

class FakeHypervisor final : public Hypervisor {
 public:
  explicit FakeHypervisor(HostCapacity size = {.cpus = 64, .memory_mb = 256 * 1024})
      : size_{std::move(size)} {
    if (size_.hypervisor.empty()) size_.hypervisor = "fake 1.0.0";
  }

  FoundAccelerator prepare(const HostSetup& setup) override {
    make_state_directories(setup.state_directory);
    if (const auto hold = held(hold_prepare_); hold.valid()) hold.wait();
    return {Accel::tcg, "fake"};
  }

  core::Result<void> create(const DomainSpec& spec) override {
    if (auto broken = check_spec(spec)) return std::unexpected(*broken);
    if (const auto hold = held(hold_creates_); hold.valid()) hold.wait();
    return answered([&]() -> core::Result<DomainSeen> {
      if (auto fault = take_fault()) return std::unexpected(*fault);
      if (const auto there = domains_.find(spec.name); there != domains_.end())
        return match(there->second, spec);
      for (const auto& [name, domain] : domains_)
        if (domain.seen.uuid == spec.uuid)
          return core::refuse(core::ErrorCode::conflict, "domain " + name + " has this uuid");
      const DomainSeen seen{
          .name = spec.name, .uuid = spec.uuid, .state = DomainState::running, .epoch = spec.epoch};
      domains_[spec.name] = {.seen = seen,
                             .spec = spec,
                             .disk_files = disk_files_of(spec),
                             .process = emulator_ ? emulator_(spec) : nullptr};
      return seen;
    });
  }

  core::Result<std::uint64_t> save_memory(const std::string& name,
                                          const std::string& path) override {
    const auto bytes_saved = [&]() -> core::Result<std::uint64_t> {
      const std::scoped_lock lock{mutex_};
      const auto there = memories_.find(path);
      if (there == memories_.end() || there->second.epoch)
        return core::refuse(core::ErrorCode::not_found, "no domain " + msg::shown(name));
      return there->second.bytes;
    };
    if (auto there = must_run(name); !there)
      return there.error().code == core::ErrorCode::not_found
                 ? bytes_saved()
                 : core::Result<std::uint64_t>(std::unexpected(there.error()));
    const auto saved = answered([&]() -> core::Result<DomainSeen> {
      if (auto fault = take_fault()) return std::unexpected(*fault);
      const auto& spec = domains_.at(name).spec;
      memories_[path] = {.uuid = spec.uuid, .bytes = spec.memory_mb << 20};
      return ended(name, DomainState::shutoff, "its memory was saved");
    });
    if (!saved) return std::unexpected(saved.error());
    return bytes_saved();
  }

  core::Result<void> restore(const DomainSpec& spec, const std::string& path) override {
    {
      const std::scoped_lock lock{mutex_};
      if (hung_) return std::unexpected(*hung_);
      const auto running = domains_.find(spec.name);
      const auto there = memories_.find(path);
      if (running == domains_.end()) {
        if (there == memories_.end() || there->second.epoch)
          return core::refuse(core::ErrorCode::not_found, "its memory was used already");
        there->second.epoch = spec.epoch;
        if (std::exchange(there->second.is_damaged, false)) {
          memories_.erase(there);
          return core::refuse(core::ErrorCode::internal, "its saved memory is damaged");
        }
      }
    }
    auto created = create(spec);
    const std::scoped_lock lock{mutex_};
    if (created) {
      ++restores_;
      return created;
    }
    if (created.error().code != core::ErrorCode::unavailable && !domains_.contains(spec.name))
      memories_.erase(path);
    return created;
  }

  core::Result<bool> is_restored(const std::string& path, std::uint64_t epoch) override {
    const std::scoped_lock lock{mutex_};
    const auto there = memories_.find(path);
    return there != memories_.end() && there->second.epoch == epoch;
  }

  core::Result<void> set_clock(const std::string& name) override {
    if (const auto there = must_run(name); !there) return there;
    return core::refuse(core::ErrorCode::unavailable, "the guest has no agent");
  }

  core::Result<void> remove_memories(const std::string& directory,
                                     const std::set<std::string>& kept) override {
    const std::scoped_lock lock{mutex_};
    std::erase_if(memories_, [&](const auto& memory) {
      const auto& path = memory.first;
      return path.starts_with(directory + "/") && !kept.contains(path.substr(directory.size() + 1));
    });
    return {};
  }

  core::Result<void> destroy(const std::string& name) override {
    return answered([&]() -> core::Result<DomainSeen> {
      if (auto fault = take_fault()) return std::unexpected(*fault);
      return ended(name, DomainState::shutoff, "destroyed");
    });
  }

  core::Result<void> release(const std::vector<msg::LeasedAdapter>& adapters) override {
    const std::scoped_lock lock{mutex_};
    if (hung_) return std::unexpected(*hung_);
    if (release_fault_) return std::unexpected(*std::exchange(release_fault_, std::nullopt));
    for (const auto& leased : adapters) released_.push_back(leased.adapter.pci_address);
    return {};
  }

  core::Result<void> shut_down(const std::string& name) override {
    return answered([&]() -> core::Result<DomainSeen> {
      if (auto fault = take_fault()) return std::unexpected(*fault);
      if (are_shutdowns_ignored_) return DomainSeen{};
      return ended(name, DomainState::shutoff, "the guest powered off");
    });
  }

  core::Result<void> reboot(const std::string& name) override { return counted(name, reboots_); }
  core::Result<void> reset(const std::string& name) override { return counted(name, resets_); }

  core::Result<void> resume(const std::string& name) override {
    return answered([&]() -> core::Result<DomainSeen> {
      const auto there = domains_.find(name);
      if (there == domains_.end())
        return core::refuse(core::ErrorCode::not_found, "no such domain: " + name);
      there->second.seen.state = DomainState::running;
      there->second.seen.reason.clear();
      return there->second.seen;
    });
  }

  core::Result<std::vector<DomainSeen>> list() override {
    const std::scoped_lock lock{mutex_};
    if (hung_) return std::unexpected(*hung_);
    std::vector<DomainSeen> all;
    for (const auto& [name, domain] : domains_) all.push_back(domain.seen);
    return all;
  }

  core::Result<std::vector<DomainUsage>> usage() override {
    const std::scoped_lock lock{mutex_};
    if (hung_) return std::unexpected(*hung_);
    std::vector<DomainUsage> all;
    for (const auto& [name, domain] : domains_) {
      all.push_back({.uuid = domain.spec.uuid, .cpus = domain.spec.cpus});
      all.back().cpu_ns = domain.used_cpu_ns;
    }
    return all;
  }

  core::Result<GuestOutput> run_in_guest(const std::string& name,
                                         const GuestCommand& command) override {
    if (const auto there = must_run(name); !there) return std::unexpected(there.error());
    if (!guest_) return core::refuse(core::ErrorCode::unavailable, "the guest has no agent yet");
    return guest_(name, command);
  }

  core::Result<ConsolePaths> console(const std::string& name) override {
    if (const auto there = must_run(name); !there) return std::unexpected(there.error());
    const std::scoped_lock lock{mutex_};
    return console_paths(domains_.at(name).spec);
  }

  core::Result<std::vector<std::string>> disk_files(const std::string& name) override {
    return with_disk(name, [](auto& files) -> core::Result<std::vector<std::string>> {
      return std::vector<std::string>(files.begin(), files.end());
    });
  }

  core::Result<void> add_overlay(const std::string& name, const std::string& overlay) override {
    return with_disk(name, [&](auto& files) -> core::Result<void> {
      if (auto fault = take_fault()) return std::unexpected(*fault);
      files.push_front(overlay);
      return {};
    });
  }

  core::Result<void> merge_overlays(const std::string& name, const OverlayMerge& merge) override {
    return with_disk(name, [&](auto& files) -> core::Result<void> {
      const auto top = std::ranges::find(files, merge.top);
      const auto base = std::ranges::find(files, merge.base);
      if (base == files.end() || top == files.begin())
        return core::refuse(core::ErrorCode::wrong_state,
                            "the domain has no such files below its top");
      if (top < base) files.erase(top, base);
      return {};
    });
  }

  core::Result<void> ping() override {
    const std::scoped_lock lock{mutex_};
    if (hung_) return std::unexpected(*hung_);
    return {};
  }

  core::Result<HostCapacity> capacity() override {
    const std::scoped_lock lock{mutex_};
    if (hung_) return std::unexpected(*hung_);
    return size_;
  }

  void on_event(std::function<void(const DomainSeen&)> handler) override {
    const std::scoped_lock lock{handlers_mutex_};
    on_event_ = std::move(handler);
  }

  void on_link(std::function<void(const core::Result<void>&)> handler) override {
    const std::scoped_lock lock{handlers_mutex_};
    on_link_ = std::move(handler);
  }

  /// The domain's process dies, as by kill -9.
  void crash(const std::string& name) {
    std::ignore = answered([&] {
      return ended(name, DomainState::crashed, "its hypervisor process ended unexpectedly");
    });
  }

  /// The guest powers itself off.
  void power_off(const std::string& name) {
    std::ignore =
        answered([&] { return ended(name, DomainState::shutoff, "the guest powered off"); });
  }

  /// The domain uses so much processor time.
  void use_cpu(const std::string& name, std::uint64_t ns) {
    const std::scoped_lock lock{mutex_};
    domains_.at(name).used_cpu_ns += ns;
  }

  /// The domain ends without an event, as while libvirtd is down; empty = all, as by a power cut.
  void vanish(const std::string& name = {}) {
    const std::scoped_lock lock{mutex_};
    if (name.empty())
      domains_.clear();
    else
      domains_.erase(name);
  }

  /// Every call fails until resume(), as with a stopped libvirtd.
  void hang() {
    notify_link(set_hung(
        core::Error{.code = core::ErrorCode::unavailable, .detail = "libvirtd does not answer"}));
  }
  void resume() { notify_link(set_hung(std::nullopt)); }

  /// The next `create`, `destroy` or `shut_down` fails with this and changes nothing; they queue.
  void fail_next(core::Error error) {
    const std::scoped_lock lock{mutex_};
    faults_.push_back(std::move(error));
  }

  /// The same for the next `release`.
  void fail_next_release(core::Error error) {
    const std::scoped_lock lock{mutex_};
    release_fault_ = std::move(error);
  }

  /// Each `create` from now on blocks until `hold` is ready.
  void hold_creates(std::shared_future<void> hold) {
    const std::scoped_lock lock{mutex_};
    hold_creates_ = std::move(hold);
  }

  /// The same for `prepare`.
  void hold_prepare(std::shared_future<void> hold) {
    const std::scoped_lock lock{mutex_};
    hold_prepare_ = std::move(hold);
  }

  /// Guests ignore shut_down(), as one without an agent or ACPI does.
  void ignore_shutdowns(bool is_ignored) { are_shutdowns_ignored_ = is_ignored; }

  /// Answers commands in guests; empty = no agent.
  void answer_in_guest(
      std::function<core::Result<GuestOutput>(const std::string&, const GuestCommand&)> guest) {
    guest_ = std::move(guest);
  }

  /// What each domain created from now on has as its process: it ends with the domain.
  void emulate_with(std::function<std::shared_ptr<void>(const DomainSpec&)> emulator) {
    const std::scoped_lock lock{mutex_};
    emulator_ = std::move(emulator);
  }

  /// The spec a running domain was created from.
  std::optional<DomainSpec> spec_of(const std::string& name) {
    const std::scoped_lock lock{mutex_};
    const auto there = domains_.find(name);
    return there == domains_.end() ? std::nullopt : std::optional(there->second.spec);
  }

  /// The specs of the running domains, by name.
  std::map<std::string, DomainSpec> specs() {
    const std::scoped_lock lock{mutex_};
    std::map<std::string, DomainSpec> all;
    for (const auto& [name, domain] : domains_) all.emplace(name, domain.spec);
    return all;
  }

  /// The paths of the memory that is kept.
  std::vector<std::string> memories() {
    const std::scoped_lock lock{mutex_};
    std::vector<std::string> paths;
    for (const auto& [path, memory] : memories_) paths.push_back(path);
    return paths;
  }

  /// As a disk that loses bits.
  void damage_memory(const std::string& path) {
    const std::scoped_lock lock{mutex_};
    memories_.at(path).is_damaged = true;
  }

  /// How many domains were restored.
  int restores() {
    const std::scoped_lock lock{mutex_};
    return restores_;
  }

  /// The PCI addresses of the adapters that were released, in this order.
  std::vector<std::string> released() {
    const std::scoped_lock lock{mutex_};
    return released_;
  }

  int reboots_of(const std::string& name) { return reboots_[name]; }
  int resets_of(const std::string& name) { return resets_[name]; }

 private:
  struct Domain {
    DomainSeen seen;
    DomainSpec spec;
    std::uint64_t used_cpu_ns = 0;
    std::deque<std::string> disk_files = {};  // of vda, from the one that is written
    std::shared_ptr<void> process = {};
  };

  struct Memory {
    std::string uuid;
    std::uint64_t bytes = 0;
    std::optional<std::uint64_t> epoch = {};  // that uses it
    bool is_damaged = false;
  };

  static std::deque<std::string> disk_files_of(const DomainSpec& spec) {
    const auto disk = std::ranges::find(spec.disks, false, &DiskSpec::is_cdrom);
    if (disk == spec.disks.end()) return {};
    std::deque<std::string> files{disk->path};
    files.insert(files.end(), disk->layers.rbegin(), disk->layers.rend());
    return files;
  }

  /// Calls `use` with the files of the domain's first disk, under the lock.
  template <class Use>
  auto with_disk(const std::string& name, Use&& use)
      -> decltype(use(std::declval<std::deque<std::string>&>())) {
    if (const auto there = must_run(name); !there) return std::unexpected(there.error());
    const std::scoped_lock lock{mutex_};
    auto& files = domains_.at(name).disk_files;
    if (files.empty())
      return core::refuse(core::ErrorCode::wrong_state, "the domain has no disk of its own");
    return use(files);
  }

  /// Runs `change` under the lock, then delivers its event outside it.
  template <class Change>
  core::Result<void> answered(Change&& change) {
    core::Result<DomainSeen> seen;
    {
      const std::scoped_lock lock{mutex_};
      if (hung_) return std::unexpected(*hung_);
      seen = change();
    }
    if (!seen) return std::unexpected(seen.error());
    const std::scoped_lock lock{handlers_mutex_};
    if (on_event_ && !seen->name.empty()) on_event_(*seen);
    return {};
  }

  core::Result<DomainSeen> ended(const std::string& name, DomainState state, const char* reason) {
    const auto there = domains_.find(name);
    if (there == domains_.end()) return DomainSeen{};
    DomainSeen seen = there->second.seen;
    seen.state = state;
    seen.reason = reason;
    domains_.erase(there);
    return seen;
  }

  core::Result<DomainSeen> match(const Domain& there, const DomainSpec& spec) {
    if (there.seen.uuid == spec.uuid && there.seen.epoch == spec.epoch) return DomainSeen{};
    return core::refuse(core::ErrorCode::conflict, "domain " + spec.name + " runs at epoch " +
                                                       std::to_string(there.seen.epoch));
  }

  core::Result<void> must_run(const std::string& name) {
    const std::scoped_lock lock{mutex_};
    if (hung_) return std::unexpected(*hung_);
    if (domains_.contains(name)) return {};
    return core::refuse(core::ErrorCode::not_found, "no domain " + msg::shown(name));
  }

  core::Result<void> counted(const std::string& name, std::map<std::string, int>& counts) {
    if (const auto there = must_run(name); !there) return there;
    const std::scoped_lock lock{mutex_};
    ++counts[name];
    return {};
  }

  std::shared_future<void> held(const std::shared_future<void>& hold) {
    const std::scoped_lock lock{mutex_};
    return hold;
  }

  std::optional<core::Error> take_fault() {
    if (faults_.empty()) return std::nullopt;
    auto fault = std::move(faults_.front());
    faults_.pop_front();
    return fault;
  }

  core::Result<void> set_hung(std::optional<core::Error> error) {
    const std::scoped_lock lock{mutex_};
    hung_ = std::move(error);
    return hung_ ? core::Result<void>(std::unexpected(*hung_)) : core::Result<void>();
  }

  void notify_link(const core::Result<void>& result) {
    const std::scoped_lock lock{handlers_mutex_};
    if (on_link_) on_link_(result);
  }

  std::mutex mutex_;
  HostCapacity size_;
  std::map<std::string, Domain> domains_;
  std::map<std::string, Memory> memories_ = {};  // by path
  int restores_ = 0;
  std::optional<core::Error> release_fault_;
  std::vector<std::string> released_;
  std::map<std::string, int> reboots_;
  std::map<std::string, int> resets_;
  std::deque<core::Error> faults_;
  std::optional<core::Error> hung_;
  std::function<std::shared_ptr<void>(const DomainSpec&)> emulator_;
  std::shared_future<void> hold_creates_;
  std::shared_future<void> hold_prepare_;
  bool are_shutdowns_ignored_ = false;
  std::function<core::Result<GuestOutput>(const std::string&, const GuestCommand&)> guest_;
  std::mutex handlers_mutex_;  // held while one runs
  std::function<void(const DomainSeen&)> on_event_;
  std::function<void(const core::Result<void>&)> on_link_;
};

}  // namespace nucleus::provisioner
