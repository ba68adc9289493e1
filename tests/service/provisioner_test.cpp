// The provisioner's README, on a real bus and Redis: what is started, what is never started again,
// and what is reported.
#include <gmock/gmock.h>

#include "tests/service/provisioner_room.hpp"

namespace nucleus::tests {
namespace {

class Provisioner : public ProvisionerRoom {};

TEST_F(Provisioner, CreatesADomainAndReportsItOnce) {
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  const auto running = reported("n1", DomainState::running);
  ASSERT_TRUE(running);
  EXPECT_EQ(running->epoch, 1U);
  EXPECT_EQ(running->host_id.value, "h1");
  EXPECT_EQ(running->project_id.value, "p");
  EXPECT_TRUE(runs("n1"));
  EXPECT_EQ(domains_.all().size(), 1U);
}

TEST_F(Provisioner, ReportsWhyADomainEndedAndNeverStartsItAgainUnderItsEpoch) {
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(reported("n1", DomainState::running));
  hypervisor_->crash(domain("n1"));
  const auto crashed = reported("n1", DomainState::crashed);
  ASSERT_TRUE(crashed);
  EXPECT_EQ(crashed->reason, "its hypervisor process ended unexpectedly");
  auto again = a_grant("n1");
  ASSERT_TRUE(apply({again}));
  ASSERT_TRUE(apply({a_grant("barrier")}));
  ASSERT_TRUE(reported("barrier", DomainState::running));
  EXPECT_FALSE(runs("n1"));
  start();
  ASSERT_TRUE(apply({a_grant("after")}));
  ASSERT_TRUE(reported("after", DomainState::running));
  EXPECT_FALSE(runs("n1")) << "nor by another process";
  ASSERT_TRUE(apply({a_grant("n1", 2)}));
  const auto again_running = reported("n1", DomainState::running);
  ASSERT_TRUE(again_running);
  EXPECT_EQ(again_running->epoch, 2U);
}

TEST_F(Provisioner, DestroysADomainOfAnotherEpochFirst) {
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(reported("n1", DomainState::running));
  ASSERT_TRUE(apply({a_grant("n1", 2)}));
  ASSERT_TRUE(eventually([&] {
    const auto spec = hypervisor_->spec_of(domain("n1"));
    return spec && spec->epoch == 2;
  }));
}

TEST_F(Provisioner, IgnoresAGrantThatIsOlderThanTheKnownOne) {
  start();
  auto old = a_grant("n1", 1, false);
  ASSERT_TRUE(apply({a_grant("n1", 2)}));
  ASSERT_TRUE(reported("n1", DomainState::running));
  ASSERT_TRUE(apply({old}));
  auto early = a_grant("n1", 2, false);
  early.revision = 1;
  ASSERT_TRUE(apply({early}));
  ASSERT_TRUE(apply({a_grant("barrier")}));
  ASSERT_TRUE(reported("barrier", DomainState::running));
  EXPECT_TRUE(runs("n1"));
  EXPECT_EQ(hypervisor_->spec_of(domain("n1"))->epoch, 2U);
}

TEST_F(Provisioner, ShutsGuestsDownAndDestroysOneThatIgnoresItAtItsDeadline) {
  start();
  ASSERT_TRUE(apply({a_grant("n1"), a_grant("n2")}));
  ASSERT_TRUE(eventually([&] { return runs("n1") && runs("n2"); }));
  auto gentle = a_grant("n1", 1, false);
  gentle.is_graceful = true;
  gentle.stop_by_unix_ms = INT64_MAX;
  ASSERT_TRUE(apply({gentle}));
  ASSERT_TRUE(reported("n1", DomainState::shutoff));
  hypervisor_->ignore_shutdowns(true);
  auto deaf = a_grant("n2", 1, false);
  deaf.is_graceful = true;
  deaf.stop_by_unix_ms = service_->on_loop([&] { return service_->loop().unix_ms(); }) + 300;
  ASSERT_TRUE(apply({deaf}));
  ASSERT_TRUE(reported("n2", DomainState::shutoff));
  EXPECT_GE(service_->on_loop([&] { return service_->loop().unix_ms(); }), deaf.stop_by_unix_ms);
}

TEST_F(Provisioner, RebootsAndResetsAsOftenAsRequested) {
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(reported("n1", DomainState::running));
  auto again = a_grant("n1");
  again.reboots = 2;
  again.resets = 1;
  ASSERT_TRUE(apply({again}));
  ASSERT_TRUE(eventually([&] {
    return hypervisor_->reboots_of(domain("n1")) == 2 && hypervisor_->resets_of(domain("n1")) == 1;
  }));
  ASSERT_TRUE(apply({again}));
  ASSERT_TRUE(apply({a_grant("barrier")}));
  ASSERT_TRUE(reported("barrier", DomainState::running));
  EXPECT_EQ(hypervisor_->reboots_of(domain("n1")), 2);
}

TEST_F(Provisioner, ReportsWhyAStepFailedAndRetriesIt) {
  start();
  ASSERT_TRUE(eventually([&] { return last_report().is_reachable; }));
  hypervisor_->fail_next({.code = ErrorCode::no_capacity, .detail = "no memory left"});
  hypervisor_->fail_next({.code = ErrorCode::no_capacity, .detail = "no memory left"});
  ASSERT_TRUE(apply({a_grant("n1")}));
  const auto failed = reported("n1", DomainState::absent);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, "cannot be started: no memory left");
  ASSERT_TRUE(reported("n1", DomainState::running));
  EXPECT_EQ(metric(*service_, "nucleus_provisioner_steps_failed_total"), 2);
  EXPECT_EQ(domains_.all().size(), 2U) << "the same reason is reported once";
}

TEST_F(Provisioner, ReportsThatItPreparesANodeWhileWhatItNeedsIsNotAvailable) {
  start();
  ASSERT_TRUE(eventually([&] { return last_report().is_reachable; }));
  hypervisor_->fail_next({.code = ErrorCode::unavailable, .detail = "its image is being copied"});
  ASSERT_TRUE(apply({a_grant("n1")}));
  const auto waits = reported("n1", DomainState::absent);
  ASSERT_TRUE(waits);
  EXPECT_EQ(waits->reason, "waits: its image is being copied");
  EXPECT_TRUE(waits->is_preparing);
  const auto runs = reported("n1", DomainState::running);
  ASSERT_TRUE(runs);
  EXPECT_FALSE(runs->is_preparing);
}

TEST_F(Provisioner, ReleasesTheAdaptersOfAGrantBeforeItReportsItsEnd) {
  start();
  const auto with_adapter = [](const std::string& node, const std::string& pci_address,
                               bool is_on = true) {
    auto grant = a_grant(node, 1, is_on);
    grant.adapters = {{.adapter = {.pci_address = pci_address,
                                   .fabric = "ib0",
                                   .port_guid = "0x0014050000000001"},
                       .pkey = 0x0101}};
    return grant;
  };
  ASSERT_TRUE(apply({with_adapter("n1", "0000:81:00.1"), with_adapter("n2", "0000:81:00.2")}));
  ASSERT_TRUE(reported("n1", DomainState::running));
  ASSERT_TRUE(reported("n2", DomainState::running));
  EXPECT_THAT(hypervisor_->released(), testing::IsEmpty());
  hypervisor_->power_off(domain("n1"));
  ASSERT_TRUE(reported("n1", DomainState::shutoff));
  EXPECT_THAT(hypervisor_->released(), testing::ElementsAre("0000:81:00.1"));

  // What cannot be cleared does not hold the node: the next start sets it.
  hypervisor_->fail_next_release({.code = ErrorCode::internal, .detail = "Input/output error"});
  hypervisor_->power_off(domain("n2"));
  ASSERT_TRUE(reported("n2", DomainState::shutoff));
  EXPECT_THAT(hypervisor_->released(), testing::ElementsAre("0000:81:00.1"));
  ASSERT_TRUE(apply({with_adapter("n3", "0000:81:00.3")}));
  ASSERT_TRUE(reported("n3", DomainState::running));
  ASSERT_TRUE(apply({}, true));
  ASSERT_TRUE(is_off("n3"));
  EXPECT_TRUE(eventually([&] { return hypervisor_->released().size() == 2; }))
      << "a revoked grant is forgotten after that";
}

TEST_F(Provisioner, ReportsNoEndWhileACreateThatTimedOutMayStillSucceed) {
  config_.step_timeout_ms = 200;
  start();
  ASSERT_TRUE(eventually([&] { return last_report().is_reachable; }));
  std::promise<void> release;
  hypervisor_->hold_creates(release.get_future().share());
  ASSERT_TRUE(apply({a_grant("n1")}));
  const auto failed = reported("n1", DomainState::absent);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, "cannot be started: the driver did not answer in time");
  ASSERT_TRUE(apply({a_grant("n1", 1, false)}));
  // A grant that never ran ends at once: what was sent before it was handled by then.
  ASSERT_TRUE(apply({a_grant("barrier", 1, false)}));
  ASSERT_TRUE(reported("barrier", DomainState::shutoff));
  EXPECT_EQ(domains_.all().size(), 2U) << "the end of n1 is not reported yet";
  release.set_value();
  ASSERT_TRUE(reported("n1", DomainState::shutoff));
  EXPECT_TRUE(is_off("n1"));
}

TEST_F(Provisioner, AdoptsRunningDomainsWhenItIsStartedAgain) {
  start();
  ASSERT_TRUE(apply({a_grant("n1"), a_grant("n2")}));
  ASSERT_TRUE(eventually([&] { return domains_.all().size() == 2; }));
  // Two heartbeats later the time at which both ran has been kept.
  const std::int64_t begun_unix_ms = caller_.loop().unix_ms();
  const std::size_t before = report_count();
  ASSERT_TRUE(eventually([&] { return report_count() > before + 2; }));
  service_.reset();
  const std::int64_t stopped_unix_ms = caller_.loop().unix_ms();
  hypervisor_->crash(domain("n2"));
  start();
  const auto gone = reported("n2", DomainState::shutoff);
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->reason, "it ended while the provisioner was not watching");
  EXPECT_GE(gone->last_seen_unix_ms, begun_unix_ms);
  EXPECT_LE(gone->last_seen_unix_ms, stopped_unix_ms);
  ASSERT_TRUE(apply({a_grant("barrier")}));
  ASSERT_TRUE(reported("barrier", DomainState::running));
  EXPECT_TRUE(runs("n1"));
  EXPECT_EQ(domains_.all().size(), 4U) << "nothing to report of n1";
}

TEST_F(Provisioner, ReportsThatItsHypervisorDoesNotAnswer) {
  start();
  ASSERT_TRUE(eventually([&] { return last_report().is_reachable; }));
  hypervisor_->hang();
  ASSERT_TRUE(eventually([&] { return !last_report().is_reachable; }));
  EXPECT_EQ(last_report().reason, "libvirtd does not answer");
  ASSERT_TRUE(apply({a_grant("n1")})) << "a grant is accepted all the same";
  hypervisor_->resume();
  ASSERT_TRUE(reported("n1", DomainState::running));
  EXPECT_TRUE(eventually([&] { return last_report().is_reachable; }));
}

TEST_F(Provisioner, StaysReachableWhileEveryWorkerCreatesADomain) {
  std::promise<void> release;
  hypervisor_->hold_creates(release.get_future().share());
  start();
  ASSERT_TRUE(eventually([&] { return last_report().is_reachable; }));
  std::vector<msg::Grant> grants;
  for (int i = 0; i < 8; ++i) grants.push_back(a_grant("n" + std::to_string(i)));
  ASSERT_TRUE(apply(grants));
  // Longer than a ping's timeout: pings that wait behind the creates would have failed by then.
  constexpr std::size_t needed = 2 * 1'000 / 20;
  const std::size_t first = report_count();
  ASSERT_TRUE(eventually([&] { return report_count() >= first + needed; }));
  release.set_value();
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = first; i < reports_.size(); ++i)
    EXPECT_TRUE(reports_[i].is_reachable) << reports_[i].reason;
}

TEST_F(Provisioner, ReportsSizeAndDriverOfAHost) {
  start();
  ASSERT_TRUE(eventually([&] { return last_report().memory_mb > 0; }));
  const auto report = last_report();
  EXPECT_EQ(report.process, "provisioner/h1");
  EXPECT_EQ(report.cpus, 64U);
  EXPECT_EQ(report.memory_mb, 256U * 1024);
  EXPECT_EQ(report.driver, "simulated");
  EXPECT_EQ(report.profile, "standard");
  EXPECT_EQ(report.profile_reason, "");
}

TEST_F(Provisioner, ReportsNoMemoryWhereItsHostCannotGiveItsProfile) {
  config_.profile.kind = provisioner::Profile::hpc;
  start();
  ASSERT_TRUE(eventually([&] { return !last_report().profile_reason.empty(); }));
  const auto report = last_report();
  EXPECT_EQ(report.profile, "hpc");
  EXPECT_EQ(report.profile_reason, "profile hpc: it needs KVM: the host is simulated");
  EXPECT_EQ(report.memory_mb, 0U) << "the scheduler places nothing there";
  EXPECT_TRUE(report.is_reachable);
}

TEST_F(Provisioner, ReportsWhyADomainDoesNotGetItsProfile) {
  hypervisor_->fail_next({.code = ErrorCode::no_capacity,
                          .detail = "profile hpc: 3 of 4 hugepages of 1 GiB free on NUMA node 1"});
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  const auto report = reported("n1", DomainState::absent);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->reason,
            "cannot be started: profile hpc: 3 of 4 hugepages of 1 GiB free on NUMA node 1");
  EXPECT_FALSE(report->is_preparing) << "the scheduler tries another host";
}

TEST_F(Provisioner, FindsTheConsolesOfRunningNodesOnly) {
  config_.console_service.emplace();
  start();
  const auto check = [&](msg::ConsoleKind kind) {
    return caller_.call(msg::CheckConsole{.node_id = {"n1"}, .kind = kind},
                        {.to = "provisioner/h1", .deadline = wait_timeout});
  };
  EXPECT_EQ(check(msg::ConsoleKind::serial).error().detail, "The VM is not running");
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(reported("n1", DomainState::running));
  EXPECT_TRUE(check(msg::ConsoleKind::serial));
  EXPECT_TRUE(check(msg::ConsoleKind::vnc));
}

TEST_F(Provisioner, NeverSaysThatANodeDoesNotRunBeforeItHasListedTheDomains) {
  config_.console_service.emplace();
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(reported("n1", DomainState::running));
  hypervisor_->hang();
  start();
  const auto check = [&] {
    return caller_.call(msg::CheckConsole{.node_id = {"n1"}, .kind = msg::ConsoleKind::serial},
                        {.to = "provisioner/h1", .deadline = core::Milliseconds{500}});
  };
  const auto early = check();  // it ran before: its console may be opened
  EXPECT_TRUE(early || early.error().code != ErrorCode::wrong_state);
  hypervisor_->resume();
  EXPECT_TRUE(eventually([&] { return check().has_value(); }));
}

TEST_F(Provisioner, OpensNoConsoleWithoutAWayToTheConsoleService) {
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(reported("n1", DomainState::running));
  const auto opened = caller_.call(
      msg::StreamConsole{.node_id = {"n1"}, .kind = msg::ConsoleKind::serial, .token = "t"},
      {.to = "provisioner/h1", .deadline = wait_timeout});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().detail, "the host has no address of the console service");
}

TEST_F(Provisioner, LeavesADomainAloneWhoseNameAnEndedGrantOfAnotherNodeHas) {
  config_.driver.is_shared_by_hosts = false;  // domains are named by their node
  start();
  auto old = a_grant("n-old", 3);
  old.node_name = "n1";
  ASSERT_TRUE(apply({old}));
  ASSERT_TRUE(reported("n-old", DomainState::running));
  hypervisor_->power_off("n-old");
  ASSERT_TRUE(reported("n-old", DomainState::shutoff));
  auto fresh = a_grant("n-new", 1);
  fresh.node_name = "n1";
  ASSERT_TRUE(apply({fresh}));
  ASSERT_TRUE(reported("n-new", DomainState::running));
  pass_barrier();
  const auto spec = hypervisor_->spec_of("n-new");
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->uuid, provisioner::domain_uuid("n-new"));
  EXPECT_FALSE(hypervisor_->spec_of("n-old"));
}

TEST_F(Provisioner, DestroysADomainWhileItsGuestHoldsAProbeAndEveryWorkerCreates) {
  std::promise<void> release;
  const auto held = release.get_future().share();
  start();
  ASSERT_TRUE(apply({a_grant("n1"), a_grant("n2")}));
  ASSERT_TRUE(eventually([&] { return runs("n1") && runs("n2"); }));
  const auto command_count = std::make_shared<std::atomic<int>>(0);
  hypervisor_->answer_in_guest(
      [held, command_count](
          const std::string&,
          const provisioner::GuestCommand&) -> core::Result<provisioner::GuestOutput> {
        ++*command_count;
        held.wait();
        return provisioner::GuestOutput{};
      });
  hypervisor_->hold_creates(held);
  const auto probe = [&](const std::string& node) {
    return caller_.call(msg::ProbeNode{.node_id = {node}, .probe = msg::Probe::ping},
                        {.to = "provisioner/h1", .deadline = core::Milliseconds{300}});
  };
  EXPECT_FALSE(probe("n1"));
  EXPECT_FALSE(probe("n1"));
  EXPECT_FALSE(probe("n2"));
  EXPECT_EQ(*command_count, 2) << "one probe at a time in a guest";
  std::vector<msg::Grant> grants;
  for (int i = 10; i < 18; ++i) grants.push_back(a_grant("n" + std::to_string(i)));
  ASSERT_TRUE(apply(grants));
  ASSERT_TRUE(apply({a_grant("n1", 1, false)}));
  EXPECT_TRUE(reported("n1", DomainState::shutoff));
  release.set_value();
}

TEST_F(Provisioner, TellsPeopleInAGuestByItsAgent) {
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(eventually([&] { return runs("n1"); }));
  const auto notify = [&](const std::string& node, const std::string& text) {
    return caller_.call(msg::NotifyNode{.node_id = {node}, .text = text},
                        {.to = "provisioner/h1", .deadline = core::Milliseconds{2'000}});
  };
  EXPECT_FALSE(notify("n1", "it ends")) << "there is no agent";
  EXPECT_EQ(notify("n1", "").error().field, "text");
  EXPECT_EQ(notify("n1", "two\nlines").error().field, "text");
  const auto commands = std::make_shared<std::vector<std::string>>();
  hypervisor_->answer_in_guest(
      [commands](
          const std::string&,
          const provisioner::GuestCommand& command) -> core::Result<provisioner::GuestOutput> {
        commands->push_back(command.argv.front() + ": " + command.input);
        return provisioner::GuestOutput{};
      });
  ASSERT_TRUE(notify("n1", "it ends"));
  EXPECT_EQ(*commands,
            (std::vector<std::string>{"/usr/bin/tee: it ends\n", "/usr/bin/wall: it ends\n"}));
}

TEST_F(Provisioner, IsUnreachableUntilItsAcceleratorIsKnown) {
  std::promise<void> release;
  hypervisor_->hold_prepare(release.get_future().share());
  config_.driver.has_guests = true;
  config_.state_directory = folder_.path();
  start();
  ASSERT_TRUE(eventually([&] { return last_report().reason == "probing the accelerator"; }));
  EXPECT_FALSE(last_report().is_reachable);
  EXPECT_EQ(last_report().accelerator, "");
  release.set_value();
  ASSERT_TRUE(eventually([&] { return last_report().is_reachable; }));
  EXPECT_EQ(last_report().accelerator, "tcg");
  EXPECT_EQ(last_report().reason, "");
}

}  // namespace
}  // namespace nucleus::tests
