// A provisioner on a real bus and Redis, with a hypervisor in memory and a scheduler that answers
// its heartbeats as the test says.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "services/provisioner/keys.hpp"
#include "services/provisioner/service.hpp"
#include "tests/support/fake_hypervisor.hpp"
#include "tests/support/lease_room.hpp"

namespace nucleus::tests {

using core::ErrorCode;
using msg::DomainState;
using provisioner::FakeHypervisor;

class ProvisionerRoom : public testing::Test {
 protected:
  ProvisionerRoom() {
    config_.driver = provisioner::simulated_driver;  // no seed drive, no files
    config_.hosts = {{"h1"}};
    config_.heartbeat_ms = 20;
    config_.ping_ms = 20;
    config_.retry_ms_max = 500;
  }

  /// Starts the provisioner, after killing the one that runs.
  void start() {
    service_.reset();
    service_ = std::make_unique<Process>(
        deployment_, "provisioner/h1", std::map<std::string, std::string>{},
        [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          const provisioner::WorkerPools pools{.pings = std::make_shared<core::ThreadWorkers>(1),
                                               .stops = std::make_shared<core::ThreadWorkers>(1),
                                               .guests = std::make_shared<core::ThreadWorkers>(2)};
          auto room = std::make_shared<provisioner::Service>(
              runtime, config_, hypervisor_, pools,
              std::make_shared<provisioner::LeaseFile>(folder_.path()), nullptr, volumes_);
          room_ = room.get();
          return room;
        });
  }
  /// The parts of the service keep their invariants.
  void check() {
    service_->on_loop([this] {
      room_->check();
      return true;
    });
  }
  void TearDown() override {
    if (service_) check();
  }
  msg::ReportHost last_report() {
    const std::scoped_lock lock(mutex_);
    return reports_.empty() ? msg::ReportHost{} : reports_.back();
  }
  std::size_t report_count() {
    const std::scoped_lock lock(mutex_);
    return reports_.size();
  }
  std::string boot_id() {
    (void)eventually([&] { return !last_report().boot_id.empty(); });
    return last_report().boot_id;
  }

  static msg::Grant a_grant(const std::string& node, std::uint64_t epoch = 1, bool is_on = true) {
    return tests::a_grant(node, epoch, ++revision_, is_on);
  }
  core::Result<msg::Done> apply(const std::vector<msg::Grant>& grants, bool is_complete = false,
                                const std::string& boot_id = {}) {
    return apply(msg::ApplyGrants{.host_id = {"h1"},
                                  .revision = ++revision_,
                                  .is_complete = is_complete,
                                  .grants = grants,
                                  .boot_id = boot_id});
  }
  core::Result<msg::Done> apply(const msg::ApplyGrants& list) {
    return caller_.call(list, {.to = "provisioner/h1", .deadline = wait_timeout});
  }
  /// A domain that runs before the provisioner is started.
  void leave_domain(const std::string& name, std::uint64_t epoch) {
    ASSERT_TRUE(hypervisor_->create({.name = name,
                                     .uuid = provisioner::domain_uuid(name),
                                     .epoch = epoch,
                                     .cpus = 1,
                                     .memory_mb = 128,
                                     .runtime_dir = "/nowhere"}));
  }
  /// Returns once everything sent before has been handled.
  void pass_barrier() {
    const std::string node = "barrier" + std::to_string(++barriers_);
    ASSERT_TRUE(apply({a_grant(node)}));
    ASSERT_TRUE(reported(node, DomainState::running));
  }
  std::optional<msg::DomainChanged> reported(const std::string& node, DomainState state) {
    return domains_.next(node, state);
  }
  static std::string domain(const std::string& node) { return "h1." + node; }
  bool runs(const std::string& node) { return hypervisor_->spec_of(domain(node)).has_value(); }
  bool is_off(const std::string& node) {
    return eventually([&] { return !runs(node); });
  }

  static inline std::uint64_t revision_ = 1;
  int barriers_ = 0;
  provisioner::Config config_ = {};
  TemporaryFolder folder_ = {};
  std::shared_ptr<FakeHypervisor> hypervisor_ = std::make_shared<FakeHypervisor>();
  std::shared_ptr<provisioner::LocalVolumes> volumes_ = {};
  Deployment deployment_ = {};
  std::atomic<std::int64_t> lease_ms_ = 3'600'000;
  std::atomic<std::uint64_t> lease_revision_ = 1;
  std::mutex mutex_ = {};
  std::vector<msg::ReportHost> reports_ = {};
  DomainReports domains_ = {};
  Process scheduler_{deployment_,
                     "scheduler",
                     {},
                     [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                       return std::make_shared<LeaseRoom>(runtime, lease_ms_, lease_revision_,
                                                          mutex_, reports_, domains_);
                     }};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> service_ = {};
  provisioner::Service* room_ = nullptr;  // of service_
};

}  // namespace nucleus::tests
