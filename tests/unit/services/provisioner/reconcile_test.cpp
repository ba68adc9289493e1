// The step that follows from a grant and what is seen: every case, and that each way ends.
#include "services/provisioner/reconcile.hpp"

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

DomainSeen a_domain(std::uint64_t epoch = 5) {
  return {.name = "d", .state = DomainState::running, .epoch = epoch};
}

struct Now {
  bool is_fenced = false;
  bool is_asked = false;
};

Step step(const StoredGrant& stored, const std::optional<DomainSeen>& seen, Now now = {}) {
  return next_step(stored, seen, now.is_fenced, now.is_asked, now_ms);
}

TEST(Reconcile, CreatesADomainThatNeverRan) {
  EXPECT_EQ(step(a_stored_grant(), std::nullopt), Step::create);
}

TEST(Reconcile, RecordsADomainThatWasSeenBeforeItsGrantWasKnown) {
  EXPECT_EQ(step(a_stored_grant(), a_domain()), Step::record);
}

TEST(Reconcile, LeavesADomainAloneThatRunsAsGranted) {
  auto stored = a_stored_grant();
  stored.has_run = true;
  EXPECT_EQ(step(stored, a_domain()), Step::none);
}

TEST(Reconcile, NeverBeginsAgainWhatHasRunUnderItsEpoch) {
  auto stored = a_stored_grant();
  stored.has_run = true;
  EXPECT_EQ(step(stored, std::nullopt), Step::end);
  stored.is_ended = true;
  EXPECT_EQ(step(stored, std::nullopt), Step::none);
  EXPECT_EQ(step(stored, a_domain()), Step::destroy);
}

TEST(Reconcile, EndsALeftoverOfAnotherEpochFirst) {
  for (const bool is_on : {true, false})
    for (const std::uint64_t epoch : {4, 6}) {
      EXPECT_EQ(step(a_stored_grant(is_on), a_domain(epoch)), Step::destroy);
      EXPECT_EQ(step(a_stored_grant(is_on), a_domain(epoch), {.is_fenced = true}), Step::destroy);
    }
}

TEST(Reconcile, BeginsNothingOnceTheLeaseIsOver) {
  auto stored = a_stored_grant();
  EXPECT_EQ(step(stored, std::nullopt, {.is_fenced = true}), Step::none);
  stored.has_run = true;
  EXPECT_EQ(step(stored, a_domain(), {.is_fenced = true}), Step::destroy);
  EXPECT_EQ(step(stored, std::nullopt, {.is_fenced = true}), Step::end);
}

TEST(Reconcile, EndsAVoidGrantsDomainAndThenForgetsIt) {
  auto stored = a_stored_grant();
  stored.is_void = true;
  EXPECT_EQ(step(stored, a_domain()), Step::destroy);
  EXPECT_EQ(step(stored, std::nullopt), Step::forget);
}

TEST(Reconcile, StopsByForceWhatIsNotAskedGracefully) {
  EXPECT_EQ(step(a_stored_grant(false), a_domain()), Step::destroy);
  EXPECT_EQ(step(a_stored_grant(false), std::nullopt), Step::end);
}

TEST(Reconcile, AsksTheGuestOnceAndStopsItByForceAtItsTime) {
  auto stored = a_stored_grant(false);
  stored.grant.is_graceful = true;
  stored.grant.stop_by_unix_ms = now_ms + 1;
  EXPECT_EQ(step(stored, a_domain()), Step::shut_down);
  EXPECT_EQ(step(stored, a_domain(), {.is_asked = true}), Step::none);
  stored.grant.stop_by_unix_ms = now_ms;
  EXPECT_EQ(step(stored, a_domain(), {.is_asked = true}), Step::destroy);
}

TEST(Reconcile, ResetsBeforeItReboots) {
  auto stored = a_stored_grant();
  stored.has_run = true;
  stored.grant.resets = 1;
  stored.grant.reboots = 1;
  EXPECT_EQ(step(stored, a_domain()), Step::reset);
  stored.resets_done = 1;
  EXPECT_EQ(step(stored, a_domain()), Step::reboot);
  stored.reboots_done = 1;
  EXPECT_EQ(step(stored, a_domain()), Step::none);
}

/// A grant and its domain, and what a step makes of them where it succeeds.
struct Life {
  StoredGrant stored;
  std::optional<DomainSeen> seen;
  Now now;
  bool is_forgotten = false;

  void take(Step taken) {
    switch (taken) {
      case Step::none:
        return;
      case Step::create:
        seen = a_domain(stored.grant.epoch);
        return;
      case Step::destroy:
        seen.reset();
        return;
      case Step::shut_down:
        now.is_asked = true;
        return;
      case Step::reboot:
        ++stored.reboots_done;
        return;
      case Step::reset:
        ++stored.resets_done;
        return;
      case Step::record:
        stored.has_run = true;
        return;
      case Step::end:
        stored.is_ended = true;
        return;
      case Step::forget:
        is_forgotten = true;
    }
  }
};

/// Every combination of what may be stored, seen and known: 1,536 lives.
std::vector<Life> all_lives() {
  std::vector<Life> lives;
  for (int bits = 0; bits < 512; ++bits)
    for (const int domain : {0, 1, 2}) {  // none, its own, a leftover
      Life life{.stored = a_stored_grant((bits & 1) != 0), .seen = std::nullopt, .now = {}};
      life.stored.is_void = bits & 2;
      life.stored.has_run = bits & 4;
      life.stored.is_ended = bits & 8;
      life.stored.grant.is_graceful = bits & 16;
      life.stored.grant.stop_by_unix_ms = bits & 32 ? now_ms + 1 : now_ms;
      life.stored.grant.resets = bits & 64 ? 1 : 0;
      life.now.is_fenced = bits & 128;
      life.now.is_asked = bits & 256;
      if (domain > 0) life.seen = a_domain(domain == 1 ? 5 : 4);
      lives.push_back(std::move(life));
    }
  return lives;
}

TEST(Reconcile, EndsInAFewStepsWhereverItBegins) {
  constexpr int steps_max = 8;
  for (auto life : all_lives()) {
    int steps = 0;
    Step taken = Step::create;
    while (!life.is_forgotten && steps++ < steps_max) {
      taken = step(life.stored, life.seen, life.now);
      if (taken == Step::none) break;
      life.take(taken);
    }
    ASSERT_LT(steps, steps_max) << "goes on for ever";
  }
}

TEST(Reconcile, NeverCreatesWhatMayNotRun) {
  for (const auto& life : all_lives()) {
    if (step(life.stored, life.seen, life.now) != Step::create) continue;
    EXPECT_TRUE(life.stored.grant.is_on);
    EXPECT_FALSE(life.stored.is_void || life.stored.is_ended || life.stored.has_run);
    EXPECT_FALSE(life.now.is_fenced);
    EXPECT_FALSE(life.seen.has_value());
  }
}

}  // namespace
}  // namespace nucleus::provisioner
