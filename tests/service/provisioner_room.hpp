// A provisioner on a real bus and Redis, with a hypervisor in memory and a scheduler that answers
// its heartbeats as the test says.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "services/provisioner/keys.hpp"
#include "services/provisioner/service.hpp"
#include "tests/support/fake_hypervisor.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {

using core::ErrorCode;
using msg::DomainState;
using provisioner::FakeHypervisor;

/// The domain changes that were reported, once each, in order.
class DomainReports {
 public:
  /// The newest number taken.
  std::uint64_t take(const msg::ReportDomains& report) {
    const std::scoped_lock lock(mutex_);
    auto& taken = taken_[report.log_id];
    for (std::size_t i = 0; i < report.changes.size(); ++i)
      if (report.first_number + i == taken + 1) {
        all_.push_back(report.changes[i]);
        ++taken;
      }
    return taken;
  }
  /// False: the reports that are acknowledged are not all there.
  bool has_all(const msg::ReportHost& report) {
    const std::scoped_lock lock(mutex_);
    return report.reported <= taken_[report.log_id];
  }
  /// As a scheduler whose records were lost.
  void lose_all() {
    const std::scoped_lock lock(mutex_);
    taken_.clear();
  }
  std::set<std::string> logs() {
    const std::scoped_lock lock(mutex_);
    std::set<std::string> ids;
    for (const auto& [id, taken] : taken_)
      if (taken > 0) ids.insert(id);
    return ids;
  }
  std::vector<msg::DomainChanged> all() {
    const std::scoped_lock lock(mutex_);
    return all_;
  }
  /// The next change for which `matches`, after the one that the last `next` returned; nothing if
  /// the deadline passes first.
  std::optional<msg::DomainChanged> next(
      const std::function<bool(const msg::DomainChanged&)>& matches) {
    std::optional<msg::DomainChanged> found;
    (void)eventually([&] {
      const std::scoped_lock lock(mutex_);
      for (auto at = at_; at < all_.size() && !found; ++at)
        if (matches(all_[at])) {
          found = all_[at];
          at_ = at + 1;
        }
      return found.has_value();
    });
    return found;
  }

 private:
  std::mutex mutex_ = {};
  std::map<std::string, std::uint64_t> taken_ = {};  // newest number, by log
  std::vector<msg::DomainChanged> all_ = {};
  std::size_t at_ = 0;
};

/// In place of the scheduler: records reports, and answers heartbeats while there is a lease to
/// give.
struct LeaseRoom {
  std::atomic<std::int64_t>& lease_ms;  // 0 = no answer
  std::atomic<std::uint64_t>& revision;
  std::mutex& mutex;
  std::vector<msg::ReportHost>& reports;
  DomainReports& domains;
  LeaseRoom(core::Runtime& runtime, std::atomic<std::int64_t>& lease,
            std::atomic<std::uint64_t>& newest, std::mutex& guard,
            std::vector<msg::ReportHost>& all, DomainReports& changes)
      : lease_ms{lease}, revision{newest}, mutex{guard}, reports{all}, domains{changes} {
    runtime.bus.serve_later<msg::ReportHost>(*this, &LeaseRoom::answer);
    runtime.bus.serve<msg::ReportDomains>(*this, &LeaseRoom::take);
  }
  core::Result<msg::DomainsReported> take(const msg::ReportDomains& report, core::Context&) {
    if (lease_ms == 0) return core::refuse(ErrorCode::unavailable, "the scheduler is away");
    return msg::DomainsReported{.number = domains.take(report)};
  }
  void answer(const msg::ReportHost& report, core::Context&,
              core::Responder<msg::HostLease> respond) {
    {
      const std::scoped_lock lock(mutex);
      reports.push_back(report);
    }
    if (lease_ms > 0)
      respond(msg::HostLease{
          .lease_ms = lease_ms, .revision = revision, .must_report_all = !domains.has_all(report)});
  }
};

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
              std::make_shared<provisioner::LeaseFile>(folder_.path()));
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
    return {.node_id = {node},
            .cluster_id = {"c"},
            .project_id = {"p"},
            .node_name = node,
            .epoch = epoch,
            .revision = ++revision_,
            .is_on = is_on,
            .cpus = 1,
            .memory_mb = 256};
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
    return domains_.next([&](const msg::DomainChanged& changed) {
      return changed.node_id.value == node && changed.state == state;
    });
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
