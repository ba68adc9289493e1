// One host and its scheduler: when the host is up, and how it reports its domains.
#include <gtest/gtest.h>

#include "services/provisioner/service.hpp"
#include "services/scheduler/service.hpp"
#include "tests/support/fake_hypervisor.hpp"
#include "tests/support/lease_room.hpp"
#include "tests/support/sim/process.hpp"

namespace nucleus::tests {
namespace {

using std::chrono::seconds;
using Settings = std::map<std::string, std::string>;
using Built = core::Result<std::shared_ptr<void>>;

struct HostWorld {
  explicit HostWorld(bool is_hung = false) {
    if (is_hung) hypervisor->hang();
    world.on_sent = [this](const std::string&, const core::Frames& frames) {
      if (frames.envelope.kind != msg::MessageKind::request) return;
      if (frames.topic == msg::ReportHost::topic)
        heartbeat = msg::decode<msg::ReportHost>(frames.body);
      if (frames.topic != msg::ReportDomains::topic) return;
      for (auto& change : msg::decode<msg::ReportDomains>(frames.body).changes)
        changes.push_back(std::move(change));
    };
    scheduler = std::make_unique<SimProcess>(
        world, "scheduler", Settings{}, [](core::Runtime& runtime) -> Built {
          return std::make_shared<scheduler::Service>(runtime,
                                                      *scheduler::Config::from(runtime.settings));
        });
    start_provisioner();
  }
  void start_provisioner() {
    provisioner::Config config;
    config.hosts = {{"h0"}};
    config.driver = provisioner::simulated_driver;
    provisioner.reset();
    provisioner = std::make_unique<SimProcess>(
        world, "provisioner/h0", Settings{}, [this, config](core::Runtime& runtime) -> Built {
          return std::make_shared<provisioner::Service>(runtime, config, hypervisor);
        });
  }

  std::optional<msg::Host> host() {
    const auto listed = admin.call(msg::ListHosts{});
    if (!listed || listed->hosts.empty()) return std::nullopt;
    return listed->hosts.front();
  }

  SimWorld world{1};
  std::shared_ptr<provisioner::FakeHypervisor> hypervisor =
      std::make_shared<provisioner::FakeHypervisor>(
          provisioner::HostCapacity{.cpus = 4, .memory_mb = 4096});
  std::vector<msg::DomainChanged> changes = {};   // as sent, repeated ones included
  std::optional<msg::ReportHost> heartbeat = {};  // the last
  std::unique_ptr<SimProcess> scheduler = {};
  std::unique_ptr<SimProcess> provisioner = {};
  SimProcess admin{world, "admin"};
};

TEST(Hosts, AreUpOnlyWhenTheirSizeIsKnown) {
  HostWorld deployment(true);
  deployment.world.run_for(seconds{5});
  ASSERT_TRUE(deployment.host());
  EXPECT_EQ(deployment.host()->state, msg::HostState::unreachable);
  deployment.hypervisor->resume();
  std::optional<msg::Host> host;
  ASSERT_TRUE(deployment.world.run_until(
      [&] {
        host = deployment.host();
        return host && host->state == msg::HostState::up;
      },
      seconds{10}));
  EXPECT_EQ(host->cpus, 4U);
  EXPECT_EQ(host->memory_mb, 4096U);
}

// The answer was no change once the records were loaded, so the host waited for the next heartbeat.
TEST(Hosts, ReportAtOnceThatTheHypervisorAnsweredBeforeTheRecordsWereLoaded) {
  HostWorld deployment;
  auto& world = deployment.world;
  world.run_for(seconds{5});
  world.faults.commit_ms_max = 100'000;
  deployment.start_provisioner();
  deployment.heartbeat.reset();
  world.run_for(seconds{1});
  ASSERT_FALSE(deployment.heartbeat) << "the records are not loaded";
  ASSERT_TRUE(world.run_until([&] { return deployment.provisioner->store().is_loaded(); },
                              std::chrono::minutes{2}));
  ASSERT_TRUE(
      world.run_until([&] { return deployment.heartbeat.has_value(); }, core::Milliseconds{50}));
  EXPECT_TRUE(deployment.heartbeat->is_reachable);
}

// Redis became unreachable during a commit: the domain existed before its grant was recorded.
TEST(Hosts, ReportADomainWhoseGrantWasLostAndSentAgain) {
  HostWorld deployment;
  auto& world = deployment.world;
  world.run_for(seconds{5});
  world.faults.work_ms_max = 0;
  world.faults.commit_lost = 1000;
  const msg::ApplyGrants grants{
      .host_id = {"h0"}, .revision = 1, .is_complete = true, .grants = {a_grant("n0", 1, 1)}};
  bool is_applied = false;
  deployment.admin.bus().call(grants, {.to = "provisioner/h0"},
                              [&](const core::Result<msg::Done>& done) { is_applied = !!done; });
  ASSERT_TRUE(world.run_until([&] { return !deployment.hypervisor->list()->empty(); }, seconds{1}));
  world.run_for(core::Milliseconds{20});
  world.faults.commit_lost = 0;
  ASSERT_TRUE(world.run_until([&] { return is_applied; }, seconds{5}));
  EXPECT_TRUE(world.run_until([&] { return !deployment.changes.empty(); }, seconds{5}));
  ASSERT_FALSE(deployment.changes.empty());
  EXPECT_EQ(deployment.changes.front().state, msg::DomainState::running);
}

}  // namespace
}  // namespace nucleus::tests
