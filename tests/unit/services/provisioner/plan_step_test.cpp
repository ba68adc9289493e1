// The step that follows from a grant and what is observed: every case, and that every path ends.
#include "services/provisioner/plan_step.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nucleus::provisioner {
namespace {

constexpr std::int64_t now_ms = 1'000'000;

StoredGrant a_stored_grant(bool is_on = true) {
  StoredGrant stored;
  stored.grant.epoch = 5;
  stored.grant.is_on = is_on;
  return stored;
}

using Epoch = std::optional<std::uint64_t>;  // of the domain that runs
constexpr std::uint64_t own = 5;

struct Now {
  bool is_fenced = false;
  bool is_shutdown_sent = false;
  bool is_being_created = false;
  bool has_adapters = false;
};

Step step(const StoredGrant& stored, Epoch epoch, Now now = {}) {
  return plan_step(stored, {.epoch = epoch,
                            .is_fenced = now.is_fenced,
                            .is_being_created = now.is_being_created,
                            .is_shutdown_sent = now.is_shutdown_sent,
                            .has_adapters = now.has_adapters,
                            .now_unix_ms = now_ms});
}

TEST(PlanStep, CreatesADomainThatHasNotRun) {
  EXPECT_EQ(step(a_stored_grant(), std::nullopt), Step::create);
}

TEST(PlanStep, RecordsADomainThatRunsAlready) {
  EXPECT_EQ(step(a_stored_grant(), own), Step::record_running);
}

TEST(PlanStep, DoesNothingIfTheDomainRunsAsGranted) {
  auto stored = a_stored_grant();
  stored.phase = GrantPhase::running;
  EXPECT_EQ(step(stored, own), Step::none);
}

TEST(PlanStep, NeverStartsADomainAgainUnderItsEpoch) {
  auto stored = a_stored_grant();
  stored.phase = GrantPhase::running;
  EXPECT_EQ(step(stored, std::nullopt), Step::record_end);
  stored.phase = GrantPhase::ended;
  EXPECT_EQ(step(stored, std::nullopt), Step::none);
  EXPECT_EQ(step(stored, own), Step::destroy);
}

TEST(PlanStep, DestroysADomainOfAnotherEpochFirst) {
  for (const bool is_on : {true, false})
    for (const std::uint64_t epoch : {4, 6}) {
      EXPECT_EQ(step(a_stored_grant(is_on), epoch), Step::destroy);
      EXPECT_EQ(step(a_stored_grant(is_on), epoch, {.is_fenced = true}), Step::destroy);
    }
}

TEST(PlanStep, EndsNoGrantWhileACallToCreateItsDomainHasNotReturned) {
  for (const bool is_on : {true, false})
    EXPECT_EQ(step(a_stored_grant(is_on), std::nullopt, {.is_being_created = true}), Step::none);
  auto stored = a_stored_grant();
  stored.is_revoked = true;
  EXPECT_EQ(step(stored, std::nullopt, {.is_being_created = true}), Step::none);
  EXPECT_EQ(step(stored, own, {.is_being_created = true}), Step::destroy) << "it was created";
}

TEST(PlanStep, CreatesNothingOnceTheLeaseIsOver) {
  auto stored = a_stored_grant();
  EXPECT_EQ(step(stored, std::nullopt, {.is_fenced = true}), Step::none);
  stored.phase = GrantPhase::running;
  EXPECT_EQ(step(stored, own, {.is_fenced = true}), Step::destroy);
  EXPECT_EQ(step(stored, std::nullopt, {.is_fenced = true}), Step::record_end);
}

TEST(PlanStep, DestroysARevokedGrantsDomainAndThenForgetsTheGrant) {
  auto stored = a_stored_grant();
  stored.is_revoked = true;
  EXPECT_EQ(step(stored, own), Step::destroy);
  EXPECT_EQ(step(stored, std::nullopt), Step::forget);
}

TEST(PlanStep, DestroysADomainThatIsNotToStopGracefully) {
  EXPECT_EQ(step(a_stored_grant(false), own), Step::destroy);
  EXPECT_EQ(step(a_stored_grant(false), std::nullopt), Step::record_end);
}

TEST(PlanStep, ShutsTheGuestDownOnceAndDestroysItAtItsDeadline) {
  auto stored = a_stored_grant(false);
  stored.grant.is_graceful = true;
  stored.grant.stop_by_unix_ms = now_ms + 1;
  EXPECT_EQ(step(stored, own), Step::shut_down);
  EXPECT_EQ(step(stored, own, {.is_shutdown_sent = true}), Step::none);
  stored.grant.stop_by_unix_ms = now_ms;
  EXPECT_EQ(step(stored, own, {.is_shutdown_sent = true}), Step::destroy);
}

TEST(PlanStep, ResetsBeforeItReboots) {
  auto stored = a_stored_grant();
  stored.phase = GrantPhase::running;
  stored.grant.resets = 1;
  stored.grant.reboots = 1;
  EXPECT_EQ(step(stored, own), Step::reset);
  stored.resets_done = 1;
  EXPECT_EQ(step(stored, own), Step::reboot);
  stored.reboots_done = 1;
  EXPECT_EQ(step(stored, own), Step::none);
}

TEST(PlanStep, SavesTheMemoryOfADomainThatHasRunOnce) {
  auto stored = a_stored_grant(false);
  stored.grant.hibernation_id = "46-5";
  stored.grant.is_graceful = true;
  stored.grant.stop_by_unix_ms = now_ms + 1;
  EXPECT_EQ(step(stored, own), Step::record_running);
  EXPECT_EQ(step(stored, std::nullopt), Step::record_end) << "it has no memory";
  stored.phase = GrantPhase::running;
  EXPECT_EQ(step(stored, own), Step::save);
  EXPECT_EQ(step(stored, std::nullopt), Step::save) << "it may be saved already";
  stored.hibernation = msg::HibernationOutcome::saved;
  EXPECT_EQ(step(stored, own), Step::destroy) << "saved memory must not run as well";
  EXPECT_EQ(step(stored, std::nullopt), Step::record_end);
  stored.hibernation = msg::HibernationOutcome::failed;
  EXPECT_EQ(step(stored, own), Step::shut_down);
}

TEST(PlanStep, ResumesADomainOnceAndThenBootsIt) {
  auto stored = a_stored_grant();
  stored.grant.hibernation_id = "46-4";
  EXPECT_EQ(step(stored, std::nullopt), Step::resume);
  EXPECT_EQ(step(stored, std::nullopt, {.is_fenced = true}), Step::none);
  stored.hibernation = msg::HibernationOutcome::failed;
  EXPECT_EQ(step(stored, std::nullopt), Step::create);
  stored.hibernation = msg::HibernationOutcome::unknown;
  stored.phase = GrantPhase::running;
  EXPECT_EQ(step(stored, own), Step::settle);
  stored.hibernation = msg::HibernationOutcome::resumed;
  EXPECT_EQ(step(stored, own), Step::none);
  EXPECT_EQ(step(stored, std::nullopt), Step::record_end) << "it does not resume again";
}

/// A grant and its domain, and the effect of a step that succeeds.
struct Life {
  StoredGrant stored;
  Epoch epoch;
  Now now;
  bool is_forgotten = false;

  void take(Step taken) {
    switch (taken) {
      case Step::unknown:
      case Step::none:
        return;
      case Step::create:
      case Step::resume:
        epoch = stored.grant.epoch;
        return;
      case Step::save:
        stored.hibernation =
            epoch ? msg::HibernationOutcome::saved : msg::HibernationOutcome::failed;
        epoch.reset();
        return;
      case Step::settle:
        stored.hibernation = msg::HibernationOutcome::resumed;
        return;
      case Step::destroy:
        epoch.reset();
        return;
      case Step::shut_down:
        now.is_shutdown_sent = true;
        return;
      case Step::reboot:
        ++stored.reboots_done;
        return;
      case Step::reset:
        ++stored.resets_done;
        return;
      case Step::record_running:
        stored = advanced(stored, GrantPhase::running);
        return;
      case Step::record_end:
        stored = advanced(stored, GrantPhase::ended);
        return;
      case Step::release:
        now.has_adapters = false;
        return;
      case Step::forget:
        is_forgotten = true;
    }
  }
};

/// Every combination of what may be stored, observed and known: 18,432 lives.
std::vector<Life> all_lives() {
  std::vector<Life> lives;
  for (int bits = 0; bits < 2048; ++bits)
    for (const auto phase : {GrantPhase::pending, GrantPhase::running, GrantPhase::ended})
      for (const Epoch epoch : {Epoch{}, Epoch{own}, Epoch{own - 1}}) {
        Life life{.stored = a_stored_grant((bits & 1) != 0), .epoch = epoch, .now = {}};
        life.stored.phase = phase;
        life.stored.is_revoked = bits & 2;
        life.stored.grant.is_graceful = bits & 4;
        life.stored.grant.stop_by_unix_ms = bits & 8 ? now_ms + 1 : now_ms;
        life.stored.grant.resets = bits & 16 ? 1 : 0;
        life.now.is_fenced = bits & 32;
        life.now.is_shutdown_sent = bits & 64;
        life.now.is_being_created = bits & 128;
        life.now.has_adapters = bits & 256;
        if (bits & 512) life.stored.grant.hibernation_id = "46-5";
        if (bits & 1024) life.stored.hibernation = msg::HibernationOutcome::failed;
        lives.push_back(std::move(life));
      }
  return lives;
}

TEST(PlanStep, EndsAfterAFewStepsFromEveryState) {
  constexpr int steps_max = 8;
  for (auto life : all_lives()) {
    int steps = 0;
    Step taken = Step::create;
    while (!life.is_forgotten && steps++ < steps_max) {
      taken = step(life.stored, life.epoch, life.now);
      if (taken == Step::none) break;
      life.take(taken);
    }
    ASSERT_LT(steps, steps_max) << "never ends";
  }
}

TEST(PlanStep, EndsNoGrantBeforeItsAdaptersAreReleased) {
  for (auto life : all_lives()) {
    life.now.has_adapters = false;
    const Step without = step(life.stored, life.epoch, life.now);
    const bool is_end = without == Step::record_end || without == Step::forget;
    life.now.has_adapters = true;
    EXPECT_EQ(step(life.stored, life.epoch, life.now), is_end ? Step::release : without);
  }
}

TEST(PlanStep, NeverCreatesADomainThatMustNotRun) {
  for (const auto& life : all_lives()) {
    const Step taken = step(life.stored, life.epoch, life.now);
    if (taken != Step::create && taken != Step::resume) continue;
    EXPECT_TRUE(life.stored.grant.is_on);
    EXPECT_FALSE(life.stored.is_revoked);
    EXPECT_EQ(life.stored.phase, GrantPhase::pending);
    EXPECT_FALSE(life.now.is_fenced);
    EXPECT_FALSE(life.now.is_being_created);
    EXPECT_FALSE(life.epoch.has_value());
  }
}

}  // namespace
}  // namespace nucleus::provisioner
