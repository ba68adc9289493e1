// A provisioner whose scheduler answers as the test says, on the virtual clock: what it stops when
// its lease is over, and when it resumes.
#include <gtest/gtest.h>

#include <algorithm>

#include "services/provisioner/service.hpp"
#include "tests/support/fake_hypervisor.hpp"
#include "tests/support/lease_room.hpp"
#include "tests/support/sim/process.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::tests {
namespace {

using msg::DomainState;
using provisioner::LeaseFile;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using Built = core::Result<std::shared_ptr<void>>;
using Settings = std::map<std::string, std::string>;

class Leases : public testing::Test {
 protected:
  void start() {
    provisioner::Config config;
    config.hosts = {{"h1"}};
    config.driver = provisioner::simulated_driver;
    service_ = std::make_unique<SimProcess>(
        world_, "provisioner/h1", Settings{}, [this, config](core::Runtime& runtime) -> Built {
          auto room = std::make_shared<provisioner::Service>(
              runtime, config, hypervisor_, provisioner::WorkerPools{},
              std::make_shared<LeaseFile>(folder_.path()));
          room_ = room.get();
          return room;
        });
  }
  void TearDown() override { room_->check(); }

  bool eventually(const std::function<bool()>& condition) {
    return world_.run_until(condition, minutes{5});
  }
  std::string boot_id() {
    (void)eventually([&] { return !reports_.empty() && !reports_.back().boot_id.empty(); });
    return reports_.empty() ? "" : reports_.back().boot_id;
  }
  core::Result<msg::Done> apply(const std::string& node, bool is_complete = false,
                                const std::string& boot_id = {}) {
    ++revision_;
    return caller_.call(msg::ApplyGrants{.host_id = {"h1"},
                                         .revision = revision_,
                                         .is_complete = is_complete,
                                         .grants = {a_grant(node, 1, revision_)},
                                         .boot_id = boot_id},
                        {.to = "provisioner/h1", .deadline = minutes{1}});
  }
  std::optional<msg::DomainChanged> reported(const std::string& node, DomainState state) {
    std::optional<msg::DomainChanged> found;
    (void)eventually([&] {
      for (auto& change : domains_.all())
        if (change.node_id.value == node && change.state == state) found = std::move(change);
      return found.has_value();
    });
    return found;
  }
  bool runs(const std::string& node) { return hypervisor_->spec_of("h1." + node).has_value(); }
  bool is_off(const std::string& node) {
    return eventually([&] { return !runs(node); });
  }

  std::uint64_t revision_ = 1;
  SimWorld world_{1};
  TemporaryFolder folder_ = {};
  std::shared_ptr<provisioner::FakeHypervisor> hypervisor_ =
      std::make_shared<provisioner::FakeHypervisor>();
  std::atomic<std::int64_t> lease_ms_ = 3'600'000;
  std::atomic<std::uint64_t> lease_revision_ = 1;
  std::mutex mutex_ = {};
  std::vector<msg::ReportHost> reports_ = {};
  DomainReports domains_ = {};
  SimProcess scheduler_{world_, "scheduler", Settings{}, [this](core::Runtime& runtime) -> Built {
                          return std::make_shared<LeaseRoom>(runtime, lease_ms_, lease_revision_,
                                                             mutex_, reports_, domains_);
                        }};
  SimProcess caller_{world_, "caller"};
  std::unique_ptr<SimProcess> service_ = {};
  provisioner::Service* room_ = nullptr;  // of service_
};

TEST_F(Leases, StopTheDomainsWhenTheyAreOverUntilTheNextAndItsCompleteList) {
  lease_ms_ = 5'000;
  start();
  const auto boot_before = boot_id();
  ASSERT_TRUE(apply("n1", true, boot_before));
  ASSERT_TRUE(reported("n1", DomainState::running));
  lease_ms_ = 0;
  world_.run_for(seconds{3});
  EXPECT_TRUE(runs("n1")) << "the lease lasts";
  world_.run_for(seconds{4});
  EXPECT_FALSE(runs("n1"));
  lease_ms_ = 3'600'000;
  const auto ended = reported("n1", DomainState::shutoff);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->reason, "its host had no answer from the scheduler for longer than its lease");
  ASSERT_TRUE(eventually([&] { return reports_.back().boot_id != boot_before; }));
  ASSERT_TRUE(apply("n2"));
  world_.run_for(minutes{1});
  EXPECT_FALSE(runs("n2")) << "nothing is started before the complete list";
  ASSERT_TRUE(apply("n2", true, boot_id()));
  ASSERT_TRUE(reported("n2", DomainState::running));
}

TEST_F(Leases, AreKnownAfterAKillAndWithoutAnyAnswer) {
  // The lease of an earlier process, long over on the machine's clock.
  LeaseFile(folder_.path()).keep_lease({"h1"}, {.end_ms = 1});
  world_.run_for(hours{1});
  ASSERT_TRUE(hypervisor_->create({.name = "h1.n1",
                                   .uuid = provisioner::domain_uuid("h1.n1"),
                                   .epoch = 1,
                                   .memory_mb = 128,
                                   .runtime_dir = "/nowhere"}));
  lease_ms_ = 0;
  world_.take_redis_away(true);
  start();
  EXPECT_TRUE(is_off("n1")) << "without Redis or the scheduler";
  world_.take_redis_away(false);
  ASSERT_TRUE(apply("n1"));
  world_.run_for(minutes{1});
  EXPECT_FALSE(runs("n1")) << "its lease is over";
  lease_ms_ = 3'600'000;
  ASSERT_TRUE(apply("n1", true, boot_id()));
  EXPECT_TRUE(eventually([&] { return runs("n1"); }));
}

TEST_F(Leases, ReplaceOneThatDatesFromBeforeTheMachineWasBooted) {
  // The machine's steady clock was far ahead when this was written.
  LeaseFile(folder_.path()).keep_lease({"h1"}, {.end_ms = INT64_MAX / 2});
  lease_ms_ = 2'000;
  start();
  ASSERT_TRUE(apply("n1", true, boot_id()));
  ASSERT_TRUE(reported("n1", DomainState::running));
  lease_ms_ = 0;
  EXPECT_TRUE(is_off("n1"));
}

}  // namespace
}  // namespace nucleus::tests
