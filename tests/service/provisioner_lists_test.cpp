// Lists of grants and leases: what the provisioner revokes, destroys and stops, and when not.
#include "tests/service/provisioner_room.hpp"

namespace nucleus::tests {
namespace {

class ProvisionerLists : public ProvisionerRoom {};

TEST_F(ProvisionerLists, DestroysADomainWithoutAGrantOnlyAfterTheCompleteList) {
  leave_domain(domain("orphan"), 9);
  start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(reported("n1", DomainState::running));
  EXPECT_TRUE(runs("orphan")) << "the complete list has not arrived";
  ASSERT_TRUE(apply({}, true, "another process's"));
  ASSERT_TRUE(apply({a_grant("n2")}));
  ASSERT_TRUE(reported("n2", DomainState::running));
  EXPECT_TRUE(runs("orphan")) << "that list was made before this process began";
  ASSERT_TRUE(apply({a_grant("n2")}, true, boot_id()));
  EXPECT_TRUE(is_off("orphan"));
  EXPECT_TRUE(runs("n2"));
}

// Redis has lost records: the lists that follow name too few grants.
TEST_F(ProvisionerLists, DestroysNothingForASchedulerThatHasLostRecords) {
  leave_domain(domain("orphan"), 9);
  lease_revision_ = revision_ + 1000;
  start();
  ASSERT_TRUE(eventually([&] { return report_count() > 2; }));
  ASSERT_TRUE(apply({}, true, boot_id()));
  pass_barrier();
  EXPECT_TRUE(runs("orphan")) << "the list is older than the lease";
  lease_revision_ = 1;
  const std::size_t before = report_count();
  ASSERT_TRUE(eventually([&] { return report_count() > before + 2; }));
  revision_ += 2000;
  ASSERT_TRUE(apply({}, true, boot_id()));
  pass_barrier();
  EXPECT_TRUE(runs("orphan")) << "nor after its revisions have grown again";
  start();
  ASSERT_TRUE(apply({}, true, boot_id()));
  pass_barrier();
  EXPECT_TRUE(runs("orphan")) << "nor by another process";
}

// Found by a seed of the simulation.
TEST_F(ProvisionerLists, IgnoresAListThatWasOvertakenByALaterOne) {
  start();
  const msg::ApplyGrants early{.host_id = {"h1"},
                               .revision = ++revision_,
                               .is_complete = true,
                               .grants = {a_grant("n1")},
                               .boot_id = boot_id()};
  ASSERT_TRUE(apply(early));
  ASSERT_TRUE(reported("n1", DomainState::running));
  hypervisor_->crash(domain("n1"));
  ASSERT_TRUE(reported("n1", DomainState::crashed));
  ASSERT_TRUE(apply({}, true, boot_id()));
  pass_barrier();
  ASSERT_TRUE(apply(early));
  pass_barrier();
  EXPECT_FALSE(runs("n1")) << "it has ended under this epoch";
}

TEST_F(ProvisionerLists, LeavesDomainsThatAreNotItsOwnAlone) {
  leave_domain("somebody-elses", 0);
  start();
  ASSERT_TRUE(apply({}, true, boot_id()));
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(reported("n1", DomainState::running));
  EXPECT_TRUE(hypervisor_->spec_of("somebody-elses"));
}

TEST_F(ProvisionerLists, RevokesGrantsThatACompleteListDoesNotName) {
  start();
  ASSERT_TRUE(apply({a_grant("n1"), a_grant("n2")}));
  ASSERT_TRUE(eventually([&] { return runs("n1") && runs("n2"); }));
  ASSERT_TRUE(apply({a_grant("n2")}, true, boot_id()));
  EXPECT_TRUE(is_off("n1"));
  EXPECT_TRUE(runs("n2"));
}

TEST_F(ProvisionerLists, StopsItsDomainsWhenItsLeaseIsOverAndResumesWithTheCompleteList) {
  lease_ms_ = 5'000;
  start();
  const auto boot_before = boot_id();
  ASSERT_TRUE(apply({a_grant("n1")}, true, boot_before));
  ASSERT_TRUE(reported("n1", DomainState::running));
  lease_ms_ = 0;
  ASSERT_TRUE(is_off("n1"));
  const auto ended = reported("n1", DomainState::shutoff);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->reason, "its host had no answer from the scheduler for longer than its lease");
  lease_ms_ = 3'600'000;
  ASSERT_TRUE(eventually([&] { return last_report().boot_id != boot_before; }));
  ASSERT_TRUE(apply({a_grant("n2")}));
  EXPECT_FALSE(runs("n2")) << "nothing is started before the complete list";
  ASSERT_TRUE(apply({a_grant("n2")}, true, boot_id()));
  ASSERT_TRUE(reported("n2", DomainState::running));
}

TEST_F(ProvisionerLists, KnowsTheEndOfItsLeaseAfterItWasKilledAndWithoutAnyAnswer) {
  // The lease of an earlier process, long over on the machine's clock.
  provisioner::LeaseFile(folder_.path()).keep_lease({"h1"}, {.end_ms = 1});
  leave_domain(domain("n1"), 1);
  lease_ms_ = 0;
  deployment_.redis.kill();
  start();
  EXPECT_TRUE(is_off("n1")) << "without Redis or the scheduler";
  deployment_.redis.start();
  ASSERT_TRUE(apply({a_grant("n1")}));
  EXPECT_FALSE(runs("n1")) << "its lease is over";
  lease_ms_ = 3'600'000;
  ASSERT_TRUE(apply({a_grant("n1")}, true, boot_id()));
  ASSERT_TRUE(eventually([&] {
    (void)apply({a_grant("n1")}, true, boot_id());
    return runs("n1");
  }));
}

TEST_F(ProvisionerLists, ReplacesALeaseThatDatesFromBeforeTheMachineWasBooted) {
  // The machine's steady clock was far ahead when this was written.
  provisioner::LeaseFile(folder_.path()).keep_lease({"h1"}, {.end_ms = INT64_MAX / 2});
  lease_ms_ = 2'000;
  start();
  ASSERT_TRUE(apply({a_grant("n1")}, true, boot_id()));
  ASSERT_TRUE(reported("n1", DomainState::running));
  lease_ms_ = 0;
  EXPECT_TRUE(is_off("n1"));
}

TEST_F(ProvisionerLists, RefusesGrantsForAnotherHost) {
  start();
  const auto refused = caller_.call(msg::ApplyGrants{.host_id = {"h9"}, .revision = 1},
                                    {.to = "provisioner/h1", .deadline = wait_timeout});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_found);
}

TEST_F(ProvisionerLists, MovesItsRevisionOnlyIfNoneWasMissed) {
  start();
  const std::string boot = boot_id();
  ASSERT_TRUE(apply({}, true, boot));
  const std::uint64_t at = revision_;
  ASSERT_TRUE(eventually([&] { return last_report().revision == at; }));
  ++revision_;  // a list that was lost
  ASSERT_TRUE(apply({a_grant("n1")}));
  ASSERT_TRUE(reported("n1", DomainState::running)) << "it is applied nevertheless";
  EXPECT_EQ(last_report().revision, at);
  ASSERT_TRUE(apply({a_grant("n1")}, true, boot));
  const std::uint64_t now = revision_;
  EXPECT_TRUE(eventually([&] { return last_report().revision == now; }));
}

}  // namespace
}  // namespace nucleus::tests
