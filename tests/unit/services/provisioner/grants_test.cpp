// Which grants of a list are applied, which are revoked, and how far the host's revision moves.
#include "services/provisioner/grants.hpp"

#include <gmock/gmock.h>

namespace nucleus::provisioner {
namespace {

using testing::ElementsAre;

const msg::HostId host_id{"h1"};

Config a_host_config() {
  Config config;
  config.driver = simulated_driver;
  config.hosts = {host_id};
  return config;
}

msg::Grant a_revised_grant(const std::string& node, std::uint64_t epoch, std::uint64_t revision) {
  return {.node_id = {node}, .epoch = epoch, .revision = revision, .is_on = true};
}

class PlanGrants : public testing::Test {
 protected:
  /// The host knows this grant, applied at its revision.
  void know(const msg::Grant& grant, GrantPhase phase = GrantPhase::running,
            bool is_domain_present = true) {
    auto& stored = stored_[grant.node_id];
    stored = {.host_id = host_id, .grant = grant, .domain_name = "old-name", .phase = phase};
    view_.known[grant.node_id] = {&stored, is_domain_present};
  }
  GrantsPlan plan(std::uint64_t revision, std::vector<msg::Grant> grants,
                  bool is_complete = false) {
    return plan_grants(view_,
                       {.host_id = host_id,
                        .revision = revision,
                        .is_complete = is_complete,
                        .grants = std::move(grants),
                        .boot_id = "boot"},
                       config_);
  }

  const Config config_ = a_host_config();
  std::map<msg::NodeId, StoredGrant> stored_ = {};
  GrantsView view_{.applied_revision = 5, .boot_id = "boot", .lease_revision = 5};
};

TEST_F(PlanGrants, TakesANewGrantAsPending) {
  const auto made = plan(6, {a_revised_grant("n", 1, 6)});
  ASSERT_EQ(made.writes.size(), 1U);
  EXPECT_EQ(made.writes[0].phase, GrantPhase::pending);
  EXPECT_EQ(made.writes[0].domain_name, "h1.n");
  EXPECT_THAT(made.new_epochs, ElementsAre(msg::NodeId{"n"}));
  EXPECT_EQ(made.revision, 6U);
}

TEST_F(PlanGrants, KeepsThePhaseWithinAnEpochAndNotBeyond) {
  know(a_revised_grant("n", 2, 5), GrantPhase::ended);
  EXPECT_EQ(plan(6, {a_revised_grant("n", 2, 6)}).writes.at(0).phase, GrantPhase::ended);
  EXPECT_EQ(plan(6, {a_revised_grant("n", 3, 6)}).writes.at(0).phase, GrantPhase::pending);
}

TEST_F(PlanGrants, KeepsTheAddressModeWithinAnEpochAndNotBeyond) {
  const auto granted = [](std::uint64_t epoch, std::uint64_t revision, const char* name_server) {
    auto grant = a_revised_grant("n", epoch, revision);
    grant.ports = {{.mac = "52:54:00:00:00:01", .ip = "10.0.0.2", .name_server = name_server}};
    return grant;
  };
  know(granted(2, 5, ""));
  const auto name_server = [&](const msg::Grant& grant) {
    return plan(6, {grant}).writes.at(0).grant.ports.at(0).name_server;
  };
  EXPECT_EQ(name_server(granted(2, 6, "10.0.0.254")), "");
  EXPECT_EQ(name_server(granted(3, 6, "10.0.0.254")), "10.0.0.254");
  know(granted(2, 5, "10.0.0.254"));
  EXPECT_EQ(name_server(granted(2, 6, "")), "10.0.0.254");
}

TEST_F(PlanGrants, KeepsTheNameOfADomainThatStillRunsUnderTheLastEpoch) {
  know(a_revised_grant("n", 2, 5));
  EXPECT_EQ(plan(6, {a_revised_grant("n", 3, 6)}).writes.at(0).domain_name, "old-name");
  view_.known.at({"n"}).is_domain_present = false;
  EXPECT_EQ(plan(6, {a_revised_grant("n", 3, 6)}).writes.at(0).domain_name, "h1.n");
}

TEST_F(PlanGrants, IgnoresAnOlderEpochOrRevision) {
  know(a_revised_grant("n", 2, 5));
  EXPECT_TRUE(plan(6, {a_revised_grant("n", 1, 6)}).writes.empty());
  EXPECT_TRUE(plan(6, {a_revised_grant("n", 2, 4)}).writes.empty());
}

TEST_F(PlanGrants, IgnoresAListThatWasOvertaken) {
  EXPECT_TRUE(plan(4, {a_revised_grant("n", 1, 4)}, true).is_outdated);
  EXPECT_TRUE(plan(5, {a_revised_grant("n", 1, 5)}).is_outdated);
  EXPECT_FALSE(plan(5, {a_revised_grant("n", 1, 5)}, true).is_outdated)
      << "a complete one may be repeated";
}

TEST_F(PlanGrants, MovesTheRevisionOnlyIfNoneWasMissed) {
  EXPECT_EQ(plan(6, {}).revision, 6U);
  EXPECT_EQ(plan(7, {}).revision, std::nullopt);
  EXPECT_EQ(plan(9, {}, true).revision, 9U);
}

TEST_F(PlanGrants, RevokesWhatACompleteListDoesNotName) {
  know(a_revised_grant("n", 2, 5));
  know(a_revised_grant("m", 2, 5));
  const auto made = plan(6, {a_revised_grant("m", 2, 5)}, true);
  EXPECT_TRUE(made.is_complete);
  std::vector<std::string> revoked;
  for (const auto& stored : made.writes)
    if (stored.is_revoked) revoked.push_back(stored.grant.node_id.value);
  EXPECT_THAT(revoked, ElementsAre("n"));
}

TEST_F(PlanGrants, RevokesNoGrantThatIsNewerThanTheList) {
  know(a_revised_grant("n", 2, 8));
  EXPECT_TRUE(plan(6, {}, true).writes.empty());
}

TEST_F(PlanGrants, IsNotCompleteByAListForAnotherBoot) {
  view_.boot_id = "another boot";
  EXPECT_FALSE(plan(6, {}, true).is_complete);
}

TEST_F(PlanGrants, RevokesNothingForASchedulerThatHasLostRecords) {
  know(a_revised_grant("n", 2, 5));
  view_.is_scheduler_trusted = false;
  auto made = plan(6, {}, true);
  EXPECT_TRUE(made.writes.empty());
  EXPECT_FALSE(made.is_complete);
  view_.is_scheduler_trusted = true;
  view_.lease_revision = 7;
  made = plan(6, {}, true);
  EXPECT_TRUE(made.writes.empty());
  EXPECT_FALSE(made.is_complete);
}

}  // namespace
}  // namespace nucleus::provisioner
