// A simulated host's hypervisor: the fake one, with steps that may fail halfway and an observer of
// every created domain. It outlives the provisioner's process, like libvirt.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "tests/support/fake_hypervisor.hpp"
#include "tests/support/sim/world.hpp"

namespace nucleus::tests {

/// Chances per thousand.
struct SimHypervisorFaults {
  unsigned fails_before = 0;  // fails without effect
  unsigned fails_after = 0;   // takes effect, and returns an error
  bool refuses_creates = false;
};

class SimHypervisor final : public provisioner::Hypervisor {
 public:
  SimHypervisor(SimWorld& world, provisioner::HostCapacity size)
      : world_{world}, fake_{std::move(size)} {}

  SimHypervisorFaults faults = {};
  /// Called when a domain is created.
  std::function<void(const provisioner::DomainSpec&)> on_created;

  provisioner::FoundAccelerator prepare(const provisioner::HostSetup& setup) override {
    return fake_.prepare(setup);
  }
  core::Result<void> create(const provisioner::DomainSpec& spec) override {
    if (faults.refuses_creates)
      return core::refuse(core::ErrorCode::no_capacity, "no space left on the disk");
    return faulty([&]() -> core::Result<void> {
      const bool is_new = !fake_.spec_of(spec.name).has_value();
      auto done = fake_.create(spec);
      if (done && is_new) {
        if (on_created) on_created(spec);
      }
      return done;
    });
  }
  core::Result<std::uint64_t> save_memory(const std::string& name,
                                          const std::string& path) override {
    return faulty([&] { return fake_.save_memory(name, path); });
  }
  core::Result<void> restore(const provisioner::DomainSpec& spec,
                             const std::string& path) override {
    return faulty([&]() -> core::Result<void> {
      const bool is_new = !fake_.spec_of(spec.name).has_value();
      auto done = fake_.restore(spec, path);
      if (done && is_new && on_created) on_created(spec);
      return done;
    });
  }
  core::Result<bool> is_restored(const std::string& path, std::uint64_t epoch) override {
    return fake_.is_restored(path, epoch);
  }
  core::Result<void> set_clock(const std::string& name) override { return fake_.set_clock(name); }
  core::Result<void> remove_memories(const std::string& directory,
                                     const std::set<std::string>& kept) override {
    return faulty([&] { return fake_.remove_memories(directory, kept); });
  }
  core::Result<void> destroy(const std::string& name) override {
    return faulty([&] { return fake_.destroy(name); });
  }
  core::Result<void> shut_down(const std::string& name) override {
    return faulty([&] { return fake_.shut_down(name); });
  }
  core::Result<void> reboot(const std::string& name) override {
    return faulty([&] { return fake_.reboot(name); });
  }
  core::Result<void> resume(const std::string& name) override {
    return faulty([&] { return fake_.resume(name); });
  }
  core::Result<void> release(const std::vector<msg::LeasedAdapter>& adapters) override {
    return faulty([&] { return fake_.release(adapters); });
  }
  core::Result<void> reset(const std::string& name) override {
    return faulty([&] { return fake_.reset(name); });
  }
  core::Result<std::vector<provisioner::DomainSeen>> list() override { return fake_.list(); }
  core::Result<std::vector<provisioner::DomainUsage>> usage() override { return fake_.usage(); }
  core::Result<provisioner::GuestOutput> run_in_guest(
      const std::string& name, const provisioner::GuestCommand& command) override {
    return fake_.run_in_guest(name, command);
  }
  core::Result<provisioner::ConsolePaths> console(const std::string& name) override {
    return fake_.console(name);
  }
  core::Result<std::vector<std::string>> disk_files(const std::string& name) override {
    return fake_.disk_files(name);
  }
  core::Result<void> add_overlay(const std::string& name, const std::string& overlay) override {
    return faulty([&] { return fake_.add_overlay(name, overlay); });
  }
  core::Result<void> merge_overlays(const std::string& name,
                                    const provisioner::OverlayMerge& merge) override {
    return faulty([&] { return fake_.merge_overlays(name, merge); });
  }
  core::Result<void> ping() override { return fake_.ping(); }
  core::Result<provisioner::HostCapacity> capacity() override { return fake_.capacity(); }
  void on_event(std::function<void(const provisioner::DomainSeen&)> handler) override {
    fake_.on_event(std::move(handler));
  }
  void on_link(std::function<void(const core::Result<void>&)> handler) override {
    fake_.on_link(std::move(handler));
  }

  /// A domain of the host that no grant ever named, as if started by hand.
  void start_by_hand(const std::string& host) {
    const std::string name = host + by_hand;
    (void)fake_.create({.name = name,
                        .uuid = provisioner::domain_uuid(name),
                        .epoch = 1,
                        .memory_mb = 16,
                        .runtime_dir = "/nowhere"});
  }
  static constexpr const char* by_hand = ".by-hand";

  /// The running domains by name, even while the hypervisor hangs.
  std::map<std::string, provisioner::DomainSpec> running() { return fake_.specs(); }
  provisioner::FakeHypervisor& fake() { return fake_; }

 private:
  template <class Step>
  std::invoke_result_t<Step> faulty(Step&& step) {
    if (world_.happens(faults.fails_before))
      return core::refuse(core::ErrorCode::internal, "the driver failed before it began");
    auto done = step();
    if (done && world_.happens(faults.fails_after))
      return core::refuse(core::ErrorCode::internal, "the driver failed after it was done");
    return done;
  }

  SimWorld& world_;
  provisioner::FakeHypervisor fake_;
};

}  // namespace nucleus::tests
