// Lists of grants: what the provisioner revokes, destroys and stops, and when not.
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

TEST_F(ProvisionerLists, RefusesGrantsOfAnotherMachineWithTheHostsName) {
  start();
  ASSERT_FALSE(boot_id().empty());
  const auto own = last_report().machine_id;
  ASSERT_FALSE(own.empty());
  msg::ApplyGrants list{.host_id = {"h1"},
                        .revision = ++revision_,
                        .grants = {a_grant("n1")},
                        .machine_id = "another"};
  const auto refused = apply(list);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::wrong_state);
  pass_barrier();
  EXPECT_FALSE(runs("n1"));
  start();
  list.machine_id = own;
  list.revision = ++revision_;
  ASSERT_TRUE(apply(list)) << "a provisioner that is started again is the same machine";
  EXPECT_TRUE(reported("n1", DomainState::running));
}

}  // namespace
}  // namespace nucleus::tests
