// The provisioner room's README, kept on a real bus and Redis with a hypervisor in memory: what is
// begun, what is never begun again, who ends what and when.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "services/provisioner/service.hpp"
#include "tests/support/fake_hypervisor.hpp"
#include "tests/support/rooms.hpp"

namespace nucleus::tests {
namespace {

using core::ErrorCode;
using msg::DomainState;
using provisioner::FakeHypervisor;

/// Stands for the scheduler: answers heartbeats while it is told to.
struct LeaseRoom {
  std::atomic<std::int64_t>& lease_ms;  // 0 = no answer
  std::atomic<std::uint64_t>& revision;
  std::mutex& mutex;
  std::vector<msg::ReportHost>& reports;
  LeaseRoom(core::Runtime& runtime, std::atomic<std::int64_t>& lease,
            std::atomic<std::uint64_t>& newest, std::mutex& guard,
            std::vector<msg::ReportHost>& all)
      : lease_ms{lease}, revision{newest}, mutex{guard}, reports{all} {
    runtime.bus.serve_later<msg::ReportHost>(*this, &LeaseRoom::answer);
  }
  void answer(const msg::ReportHost& report, core::Context&,
              core::Responder<msg::HostLease> respond) {
    {
      const std::scoped_lock lock(mutex);
      reports.push_back(report);
    }
    if (lease_ms > 0) respond(msg::HostLease{.lease_ms = lease_ms, .revision = revision});
  }
};

class Provisioner : public testing::Test {
 protected:
  void start() {
    service_.reset();
    provisioner::Config config;
    config.hosts = {{"h1"}};
    config.is_simulated = true;  // no seed drive, no files
    config.heartbeat_ms = 20;
    config.ping_ms = 20;
    config.retry_ms_max = 500;
    service_ = std::make_unique<Process>(
        deployment_, "provisioner/h1", std::map<std::string, std::string>{},
        [this, config](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          return std::make_shared<provisioner::Service>(
              runtime, config, hypervisor_, std::make_shared<core::ThreadWorkers>(1),
              std::make_shared<provisioner::LeaseFile>(folder_.path()));
        });
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
    (void)comes_to_be([&] { return !last_report().boot_id.empty(); });
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
    return caller_.call(list, {.to = "provisioner/h1", .deadline = patience});
  }
  /// A domain that runs already when the provisioner is started.
  void leave_domain(const std::string& name, std::uint64_t epoch) {
    ASSERT_TRUE(hypervisor_->create({.name = name,
                                     .uuid = provisioner::domain_uuid(name),
                                     .epoch = epoch,
                                     .cpus = 1,
                                     .memory_mb = 128,
                                     .runtime_dir = "/nowhere"}));
  }
  /// What was sent before has been taken, whatever came of it.
  void pass_barrier() {
    const std::string node = "barrier" + std::to_string(++barriers_);
    ASSERT_TRUE(apply({a_grant(node)}));
    ASSERT_TRUE(told(node, DomainState::running));
  }
  std::optional<msg::DomainChanged> told(const std::string& node, DomainState state) {
    return events_.next<msg::DomainChanged>([&](const msg::DomainChanged& changed) {
      return changed.node_id.value == node && changed.state == state;
    });
  }
  static std::string domain(const std::string& node) { return "h1." + node; }
  bool runs(const std::string& node) { return hypervisor_->spec_of(domain(node)).has_value(); }
  bool is_off(const std::string& node) {
    return comes_to_be([&] { return !runs(node); });
  }

  static inline std::uint64_t revision_ = 1;
  int barriers_ = 0;
  TemporaryFolder folder_ = {};
  std::shared_ptr<FakeHypervisor> hypervisor_ = std::make_shared<FakeHypervisor>();
  Deployment deployment_ = {};
  Events events_{deployment_};
  std::atomic<std::int64_t> lease_ms_ = 3'600'000;
  std::atomic<std::uint64_t> lease_revision_ = 1;
  std::mutex mutex_ = {};
  std::vector<msg::ReportHost> reports_ = {};
  Process scheduler_{deployment_,
                     "scheduler",
                     {},
                     [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
                       return std::make_shared<LeaseRoom>(runtime, lease_ms_, lease_revision_,
                                                          mutex_, reports_);
                     }};
  Process caller_{deployment_, "caller"};
  std::unique_ptr<Process> service_ = {};
};

TEST_F(Provisioner, BringsADomainToRunAndTellsItOnce) {
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  const auto running = told("n1", DomainState::running);
  ASSERT_TRUE(running);
  EXPECT_EQ(running->epoch, 1U);
  EXPECT_EQ(running->host_id.value, "h1");
  EXPECT_EQ(running->project_id.value, "p");
  EXPECT_TRUE(runs("n1"));
  EXPECT_EQ(events_.all<msg::DomainChanged>().size(), 1U);
}

TEST_F(Provisioner, TellsWhyADomainEndedAndNeverBeginsItAgainUnderItsEpoch) {
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(told("n1", DomainState::running));
  hypervisor_->crash(domain("n1"));
  const auto crashed = told("n1", DomainState::crashed);
  ASSERT_TRUE(crashed);
  EXPECT_EQ(crashed->reason, "its hypervisor process ended unexpectedly");
  auto again = a_grant("n1");
  ASSERT_TRUE(apply({again}));
  ASSERT_TRUE(apply({a_grant("barrier")}));
  ASSERT_TRUE(told("barrier", DomainState::running));
  EXPECT_FALSE(runs("n1"));
  start();
  ASSERT_TRUE(apply({a_grant("after")}));
  ASSERT_TRUE(told("after", DomainState::running));
  EXPECT_FALSE(runs("n1")) << "not even by another process";
  ASSERT_TRUE(apply({a_grant("n1", 2)}));
  const auto anew = told("n1", DomainState::running);
  ASSERT_TRUE(anew);
  EXPECT_EQ(anew->epoch, 2U);
}

TEST_F(Provisioner, EndsADomainThatRunsUnderAnotherEpochFirst) {
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(told("n1", DomainState::running));
  ASSERT_TRUE(apply({a_grant("n1", 2)}));
  ASSERT_TRUE(comes_to_be([&] {
    const auto spec = hypervisor_->spec_of(domain("n1"));
    return spec && spec->epoch == 2;
  }));
}

TEST_F(Provisioner, IgnoresAGrantThatIsOlderThanWhatItKnows) {
  start();
  auto old = a_grant("n1", 1, false);
  ASSERT_TRUE(apply({a_grant("n1", 2)}));
  ASSERT_TRUE(told("n1", DomainState::running));
  ASSERT_TRUE(apply({old}));
  auto early = a_grant("n1", 2, false);
  early.revision = 1;
  ASSERT_TRUE(apply({early}));
  ASSERT_TRUE(apply({a_grant("barrier")}));
  ASSERT_TRUE(told("barrier", DomainState::running));
  EXPECT_TRUE(runs("n1"));
  EXPECT_EQ(hypervisor_->spec_of(domain("n1"))->epoch, 2U);
}

TEST_F(Provisioner, AsksTheGuestToStopAndStopsADeafOneByForceAtItsTime) {
  start();
  ASSERT_TRUE(apply({a_grant("n1"), a_grant("n2")}));
  ASSERT_TRUE(comes_to_be([&] { return runs("n1") && runs("n2"); }));
  auto gentle = a_grant("n1", 1, false);
  gentle.is_graceful = true;
  gentle.stop_by_unix_ms = INT64_MAX;
  ASSERT_TRUE(apply({gentle}));
  ASSERT_TRUE(told("n1", DomainState::shutoff));
  hypervisor_->make_guests_deaf(true);
  auto deaf = a_grant("n2", 1, false);
  deaf.is_graceful = true;
  deaf.stop_by_unix_ms = service_->on_loop([&] { return service_->loop().unix_ms(); }) + 300;
  ASSERT_TRUE(apply({deaf}));
  ASSERT_TRUE(told("n2", DomainState::shutoff));
  EXPECT_GE(service_->on_loop([&] { return service_->loop().unix_ms(); }), deaf.stop_by_unix_ms);
}

TEST_F(Provisioner, RebootsAndResetsAsOftenAsIsAsked) {
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(told("n1", DomainState::running));
  auto again = a_grant("n1");
  again.reboots = 2;
  again.resets = 1;
  ASSERT_TRUE(apply({again}));
  ASSERT_TRUE(comes_to_be([&] {
    return hypervisor_->reboots_of(domain("n1")) == 2 && hypervisor_->resets_of(domain("n1")) == 1;
  }));
  ASSERT_TRUE(apply({again}));
  ASSERT_TRUE(apply({a_grant("barrier")}));
  ASSERT_TRUE(told("barrier", DomainState::running));
  EXPECT_EQ(hypervisor_->reboots_of(domain("n1")), 2);
}

TEST_F(Provisioner, TellsWhyAStepFailedAndTriesItAgain) {
  start();
  ASSERT_TRUE(comes_to_be([&] { return last_report().is_reachable; }));
  hypervisor_->fail_next({.code = ErrorCode::no_capacity, .detail = "no memory left"});
  hypervisor_->fail_next({.code = ErrorCode::no_capacity, .detail = "no memory left"});
  ASSERT_TRUE(apply({a_grant("n1")}));
  const auto failed = told("n1", DomainState::absent);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, "cannot be started: no memory left");
  ASSERT_TRUE(told("n1", DomainState::running));
  EXPECT_EQ(metric(*service_, "nucleus_provisioner_steps_failed_total"), 2);
  EXPECT_EQ(events_.all<msg::DomainChanged>().size(), 2U) << "the same reason is told once";
}

TEST_F(Provisioner, AdoptsDomainsThatRunWhenItIsStartedAgain) {
  start();
  ASSERT_TRUE(apply({a_grant("n1"), a_grant("n2")}));
  ASSERT_TRUE(comes_to_be([&] { return events_.all<msg::DomainChanged>().size() == 2; }));
  // Two heartbeats later both have been seen, and that was kept.
  const std::int64_t begun_unix_ms = caller_.loop().unix_ms();
  const std::size_t before = report_count();
  ASSERT_TRUE(comes_to_be([&] { return report_count() > before + 2; }));
  service_.reset();
  const std::int64_t stopped_unix_ms = caller_.loop().unix_ms();
  hypervisor_->crash(domain("n2"));
  start();
  const auto gone = told("n2", DomainState::shutoff);
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->reason, "it ended while nobody watched");
  EXPECT_GE(gone->seen_unix_ms, begun_unix_ms);
  EXPECT_LE(gone->seen_unix_ms, stopped_unix_ms);
  ASSERT_TRUE(apply({a_grant("barrier")}));
  ASSERT_TRUE(told("barrier", DomainState::running));
  EXPECT_TRUE(runs("n1"));
  EXPECT_EQ(events_.all<msg::DomainChanged>().size(), 4U) << "n1 is no news";
}

TEST_F(Provisioner, EndsADomainNobodyGrantedOnlyAfterItsCompleteList) {
  leave_domain(domain("orphan"), 9);
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(told("n1", DomainState::running));
  EXPECT_TRUE(runs("orphan")) << "nobody said yet that it is nobody's";
  ASSERT_TRUE(apply({}, true, "another process's"));
  ASSERT_TRUE(apply({a_grant("n2")}));
  ASSERT_TRUE(told("n2", DomainState::running));
  EXPECT_TRUE(runs("orphan")) << "that list was made before this process began";
  ASSERT_TRUE(apply({a_grant("n2")}, true, boot_id()));
  EXPECT_TRUE(is_off("orphan"));
  EXPECT_TRUE(runs("n2"));
}

// Redis came back with less than it held: the lists that follow name too little.
TEST_F(Provisioner, EndsNothingByTheWordOfASchedulerThatHasForgotten) {
  leave_domain(domain("orphan"), 9);
  lease_revision_ = revision_ + 1000;
  start();
  ASSERT_TRUE(comes_to_be([&] { return report_count() > 2; }));
  ASSERT_TRUE(apply({}, true, boot_id()));
  pass_barrier();
  EXPECT_TRUE(runs("orphan")) << "the list knows of less than the lease did";
  lease_revision_ = 1;
  const std::size_t before = report_count();
  ASSERT_TRUE(comes_to_be([&] { return report_count() > before + 2; }));
  revision_ += 2000;
  ASSERT_TRUE(apply({}, true, boot_id()));
  pass_barrier();
  EXPECT_TRUE(runs("orphan")) << "nor is one believed once its numbers have grown again";
  start();
  ASSERT_TRUE(apply({}, true, boot_id()));
  pass_barrier();
  EXPECT_TRUE(runs("orphan")) << "not even by another process";
}

// Found by a seed of the simulation.
TEST_F(Provisioner, IsNotMisledByAListThatWasOvertakenByALaterOne) {
  start();
  const msg::ApplyGrants early{.host_id = {"h1"},
                               .revision = ++revision_,
                               .is_complete = true,
                               .grants = {a_grant("n1")},
                               .boot_id = boot_id()};
  ASSERT_TRUE(apply(early));
  ASSERT_TRUE(told("n1", DomainState::running));
  hypervisor_->crash(domain("n1"));
  ASSERT_TRUE(told("n1", DomainState::crashed));
  ASSERT_TRUE(apply({}, true, boot_id()));
  pass_barrier();
  ASSERT_TRUE(apply(early));
  pass_barrier();
  EXPECT_FALSE(runs("n1")) << "it was forgotten, and it ended under this epoch";
}

TEST_F(Provisioner, LeavesAStrangersDomainAlone) {
  leave_domain("somebody-elses", 0);
  start();
  ASSERT_TRUE(apply({}, true, boot_id()));
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(told("n1", DomainState::running));
  EXPECT_TRUE(hypervisor_->spec_of("somebody-elses"));
}

TEST_F(Provisioner, VoidsWhatACompleteListDoesNotName) {
  start();
  ASSERT_TRUE(apply({a_grant("n1"), a_grant("n2")}));
  ASSERT_TRUE(comes_to_be([&] { return runs("n1") && runs("n2"); }));
  ASSERT_TRUE(apply({a_grant("n2")}, true, boot_id()));
  EXPECT_TRUE(is_off("n1"));
  EXPECT_TRUE(runs("n2"));
}

TEST_F(Provisioner, StopsItsDomainsWhenItsLeaseIsOverAndGoesOnOnceItHasItsList) {
  lease_ms_ = 5'000;
  start();
  const auto boot_before = boot_id();
  ASSERT_TRUE(apply({a_grant("n1")}, true, boot_before));
  ASSERT_TRUE(told("n1", DomainState::running));
  lease_ms_ = 0;
  ASSERT_TRUE(is_off("n1"));
  const auto ended = told("n1", DomainState::shutoff);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->reason, "its host had no answer from the scheduler for longer than its lease");
  lease_ms_ = 3'600'000;
  ASSERT_TRUE(comes_to_be([&] { return last_report().boot_id != boot_before; }));
  ASSERT_TRUE(apply({a_grant("n2")}));
  EXPECT_FALSE(runs("n2")) << "nothing is begun before the complete list";
  ASSERT_TRUE(apply({a_grant("n2")}, true, boot_id()));
  ASSERT_TRUE(told("n2", DomainState::running));
}

TEST_F(Provisioner, KnowsTheEndOfItsLeaseThoughItWasKilledAndNobodyAnswers) {
  // The lease of the process before ended long ago in the machine's time.
  provisioner::LeaseFile(folder_.path()).keep({"h1"}, {.end_ms = 1});
  leave_domain(domain("n1"), 1);
  lease_ms_ = 0;
  deployment_.redis.kill();
  start();
  EXPECT_TRUE(is_off("n1")) << "without Redis, without the scheduler";
  deployment_.redis.start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  EXPECT_FALSE(runs("n1")) << "its lease is over";
  lease_ms_ = 3'600'000;
  ASSERT_TRUE(apply({a_grant("n1")}, true, boot_id()));
  ASSERT_TRUE(comes_to_be([&] {
    (void)apply({a_grant("n1")}, true, boot_id());
    return runs("n1");
  }));
}

TEST_F(Provisioner, TakesNoLeaseFromBeforeTheMachineWasStartedForItsOwn) {
  // The machine's steady time was later then than it is for years now.
  provisioner::LeaseFile(folder_.path()).keep({"h1"}, {.end_ms = INT64_MAX / 2});
  lease_ms_ = 2'000;
  start();
  ASSERT_TRUE(apply({a_grant("n1")}, true, boot_id()));
  ASSERT_TRUE(told("n1", DomainState::running));
  lease_ms_ = 0;
  EXPECT_TRUE(is_off("n1"));
}

TEST_F(Provisioner, TellsTheSchedulerThatItsHypervisorDoesNotAnswer) {
  start();
  ASSERT_TRUE(comes_to_be([&] { return last_report().is_reachable; }));
  hypervisor_->hang();
  ASSERT_TRUE(comes_to_be([&] { return !last_report().is_reachable; }));
  EXPECT_EQ(last_report().reason, "libvirtd does not answer");
  ASSERT_TRUE(apply({a_grant("n1")})) << "a grant is taken all the same";
  hypervisor_->resume();
  ASSERT_TRUE(told("n1", DomainState::running));
  EXPECT_TRUE(comes_to_be([&] { return last_report().is_reachable; }));
}

TEST_F(Provisioner, StaysReachableWhileEveryWorkerCreatesADomain) {
  std::promise<void> let_go;
  hypervisor_->hold_creates(let_go.get_future().share());
  start();
  ASSERT_TRUE(comes_to_be([&] { return last_report().is_reachable; }));
  std::vector<msg::Grant> grants;
  for (int i = 0; i < 8; ++i) grants.push_back(a_grant("n" + std::to_string(i)));
  ASSERT_TRUE(apply(grants));
  // Longer than a ping may take: those that wait behind the creates would have failed by then.
  constexpr std::size_t needed = 2 * 1'000 / 20;
  const std::size_t first = report_count();
  ASSERT_TRUE(comes_to_be([&] { return report_count() >= first + needed; }));
  let_go.set_value();
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = first; i < reports_.size(); ++i)
    EXPECT_TRUE(reports_[i].is_reachable) << reports_[i].reason;
}

TEST_F(Provisioner, SaysWhatAHostIs) {
  start();
  ASSERT_TRUE(comes_to_be([&] { return last_report().memory_mb > 0; }));
  const auto report = last_report();
  EXPECT_EQ(report.process, "provisioner/h1");
  EXPECT_EQ(report.cpus, 64U);
  EXPECT_EQ(report.memory_mb, 256U * 1024);
  EXPECT_TRUE(report.is_simulated);
}

TEST_F(Provisioner, OpensTheConsoleOfARunningNodeAlone) {
  start();
  const auto open = [&](const std::string& node, msg::ConsoleKind kind) {
    return caller_.call(msg::OpenConsole{.node_id = {node}, .kind = kind},
                        {.to = "provisioner/h1", .deadline = patience});
  };
  EXPECT_EQ(open("n1", msg::ConsoleKind::serial).error().code, ErrorCode::wrong_state);
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(told("n1", DomainState::running));
  const auto serial = open("n1", msg::ConsoleKind::serial);
  ASSERT_TRUE(serial) << serial.error().detail;
  EXPECT_TRUE(serial->socket_path.ends_with(".serial"));
  EXPECT_FALSE(serial->log_path.empty());
  const auto vnc = open("n1", msg::ConsoleKind::vnc);
  ASSERT_TRUE(vnc);
  EXPECT_TRUE(vnc->socket_path.ends_with(".vnc"));
  EXPECT_TRUE(vnc->log_path.empty());
}

TEST_F(Provisioner, RefusesGrantsForAHostThatIsNotItsOwn) {
  start();
  const auto refused = caller_.call(msg::ApplyGrants{.host_id = {"h9"}, .revision = 1},
                                    {.to = "provisioner/h1", .deadline = patience});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_found);
}

TEST_F(Provisioner, MovesItsRevisionOnlyWhereNoneWasMissed) {
  start();
  const std::string boot = boot_id();
  ASSERT_TRUE(apply({}, true, boot));
  const std::uint64_t at = revision_;
  ASSERT_TRUE(comes_to_be([&] { return last_report().revision == at; }));
  ++revision_;  // one that was lost
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(told("n1", DomainState::running)) << "taken, though";
  EXPECT_EQ(last_report().revision, at);
  ASSERT_TRUE(apply({a_grant("n1")}, true, boot));
  const std::uint64_t now = revision_;
  EXPECT_TRUE(comes_to_be([&] { return last_report().revision == now; }));
}

}  // namespace
}  // namespace nucleus::tests
