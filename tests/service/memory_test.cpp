// The memory of domains on a provisioner's host: saved, used once, and deleted when it is void,
// whatever is killed in between.
#include <gmock/gmock.h>

#include "messages/hibernation.hpp"
#include "tests/service/provisioner_room.hpp"

namespace nucleus::tests {
namespace {

using msg::HibernationOutcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Memory : public ProvisionerRoom {
 protected:
  static constexpr const char* id = "46-1";
  static constexpr const char* path = "/memory/h1/h1.n1.46-1.memory";

  Memory() { config_.state_directory.clear(); }

  static msg::Grant a_save() {
    auto grant = a_grant("n1", 1, false);
    grant.is_graceful = true;
    grant.stop_by_unix_ms = INT64_MAX / 2;
    grant.hibernation_id = id;
    return grant;
  }
  static msg::Grant a_resume() {
    auto grant = a_grant("n1", 2);
    grant.hibernation_id = id;
    return grant;
  }
  void run() {
    start();
    ASSERT_TRUE(apply({a_grant("n1")}));
    ASSERT_TRUE(reported("n1", DomainState::running));
  }
  void save() {
    run();
    ASSERT_TRUE(apply({a_save()}));
    ASSERT_TRUE(reported("n1", DomainState::shutoff));
  }
  /// The next report of what became of it.
  std::optional<msg::DomainChanged> outcome(DomainState state) {
    while (true) {
      auto change = reported("n1", state);
      if (!change || change->hibernation != HibernationOutcome::unknown) return change;
    }
  }
  /// Of what was reported so far.
  core::Result<msg::Done> keep(const std::vector<msg::SavedMemory>& memories) {
    const auto logs = domains_.logs();
    return caller_.call(msg::KeepMemories{.host_id = {"h1"},
                                          .log_id = logs.empty() ? "" : *logs.begin(),
                                          .reported = domains_.all().size(),
                                          .memories = memories},
                        {.to = "provisioner/h1", .deadline = wait_timeout});
  }
};

TEST_F(Memory, IsSavedAndReportedWithItsSize) {
  run();
  ASSERT_TRUE(apply({a_save()}));
  const auto off = reported("n1", DomainState::shutoff);
  ASSERT_TRUE(off);
  EXPECT_EQ(off->hibernation, HibernationOutcome::saved);
  EXPECT_GT(off->memory_bytes, 0U);
  EXPECT_EQ(off->reason, "its memory is saved");
  EXPECT_THAT(hypervisor_->memories(), ElementsAre(path));
  EXPECT_FALSE(runs("n1"));
}

TEST_F(Memory, OfAProvisionerThatIsKilledBeforeItSavesIsSavedByTheNext) {
  run();
  service_.reset();
  start();
  ASSERT_TRUE(apply({a_save()}));
  EXPECT_EQ(outcome(DomainState::shutoff)->hibernation, HibernationOutcome::saved);
}

TEST_F(Memory, ThatWasSavedBeforeAKillIsFoundAndReported) {
  run();
  hypervisor_->hang();
  ASSERT_TRUE(apply({a_save()}));
  service_.reset();
  hypervisor_->resume();
  ASSERT_TRUE(hypervisor_->save_memory(domain("n1"), path));  // the call went on
  start();
  const auto off = outcome(DomainState::shutoff);
  ASSERT_TRUE(off);
  EXPECT_EQ(off->hibernation, HibernationOutcome::saved);
  EXPECT_GT(off->memory_bytes, 0U);
}

TEST_F(Memory, ThatCannotBeSavedLetsTheNodeShutDownAndSaysWhy) {
  run();
  hypervisor_->fail_next({.code = ErrorCode::internal, .detail = "no space left"});
  ASSERT_TRUE(apply({a_save()}));
  const auto off = outcome(DomainState::shutoff);
  ASSERT_TRUE(off);
  EXPECT_EQ(off->hibernation, HibernationOutcome::failed);
  EXPECT_EQ(off->reason, "its memory could not be saved: no space left");
  EXPECT_THAT(hypervisor_->memories(), IsEmpty());
}

TEST_F(Memory, IsResumedUnderTheNextEpochOnce) {
  save();
  ASSERT_TRUE(apply({a_resume()}));
  const auto on = outcome(DomainState::running);
  ASSERT_TRUE(on);
  EXPECT_EQ(on->hibernation, HibernationOutcome::resumed);
  EXPECT_EQ(on->epoch, 2U);
  EXPECT_EQ(hypervisor_->restores(), 1);
  start();
  pass_barrier();
  EXPECT_EQ(hypervisor_->restores(), 1) << "nor by another process";
}

TEST_F(Memory, ThatWasUsedBeforeAKillIsReportedAsResumedAndNotUsedAgain) {
  save();
  hypervisor_->hang();
  ASSERT_TRUE(apply({a_resume()}));
  service_.reset();
  hypervisor_->resume();
  ASSERT_TRUE(hypervisor_->restore({.name = domain("n1"),
                                    .uuid = provisioner::domain_uuid(domain("n1")),
                                    .epoch = 2,
                                    .cpus = 1,
                                    .memory_mb = 128,
                                    .runtime_dir = "/nowhere"},
                                   path));
  start();
  EXPECT_EQ(outcome(DomainState::running)->hibernation, HibernationOutcome::resumed);
  EXPECT_EQ(hypervisor_->restores(), 1);
}

TEST_F(Memory, ThatIsDamagedLetsTheNodeBootAndSaysWhy) {
  save();
  hypervisor_->damage_memory(path);
  ASSERT_TRUE(apply({a_resume()}));
  const auto on = outcome(DomainState::running);
  ASSERT_TRUE(on);
  EXPECT_EQ(on->hibernation, HibernationOutcome::failed);
  EXPECT_EQ(on->reason, "its memory could not be used: its saved memory is damaged");
  EXPECT_EQ(on->epoch, 2U);
  EXPECT_EQ(hypervisor_->restores(), 0);
}

TEST_F(Memory, OfAnotherHibernationUnderTheSameEpochIsSavedAnew) {
  save();
  ASSERT_TRUE(apply({a_resume()}));
  ASSERT_EQ(outcome(DomainState::running)->hibernation, HibernationOutcome::resumed);
  auto again = a_save();
  again.epoch = 2;
  again.hibernation_id = "46-2";
  ASSERT_TRUE(apply({again}));
  const auto off = outcome(DomainState::shutoff);
  ASSERT_TRUE(off);
  EXPECT_EQ(off->hibernation, HibernationOutcome::saved);
  EXPECT_THAT(hypervisor_->memories(), ElementsAre(path, "/memory/h1/h1.n1.46-2.memory"));
  EXPECT_TRUE(keep({{{"n1"}, "46-2"}}));
  EXPECT_THAT(hypervisor_->memories(), ElementsAre("/memory/h1/h1.n1.46-2.memory"));
}

TEST_F(Memory, IsDeletedWhenTheSchedulerDoesNotNameIt) {
  save();
  EXPECT_TRUE(keep({{{"n1"}, id}}));
  EXPECT_THAT(hypervisor_->memories(), ElementsAre(path));
  EXPECT_TRUE(keep({}));
  EXPECT_THAT(hypervisor_->memories(), IsEmpty());
}

TEST_F(Memory, IsKeptIfAReportIsNewerThanTheList) {
  save();
  const auto refused = caller_.call(
      msg::KeepMemories{
          .host_id = {"h1"}, .log_id = *domains_.logs().begin(), .reported = 1, .memories = {}},
      {.to = "provisioner/h1", .deadline = wait_timeout});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::wrong_state);
  EXPECT_THAT(hypervisor_->memories(), ElementsAre(path));
}

TEST_F(Memory, OfAListWithAPathIsRefused) {
  start();
  const auto refused = keep({{{"n1"}, "../46"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "hibernation_id");
}

}  // namespace
}  // namespace nucleus::tests
