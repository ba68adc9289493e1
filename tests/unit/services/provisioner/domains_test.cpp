// What is known of domains from events, from lists, and from steps that succeeded.
#include "services/provisioner/domains.hpp"

#include <gtest/gtest.h>

namespace nucleus::provisioner {
namespace {

DomainSeen seen_as(DomainState state, std::uint64_t epoch = 1, const std::string& uuid = "u1") {
  return {.name = "d", .uuid = uuid, .state = state, .epoch = epoch};
}

TEST(Domains, HoldNoneThatIsBeingStarted) {
  Domains domains;
  domains.set_list({seen_as(DomainState::starting)}, domains.begin_list());
  EXPECT_TRUE(domains.is_listed());
  EXPECT_EQ(domains.find("u1"), nullptr) << "its start may fail yet";
  EXPECT_TRUE(domains.observe(seen_as(DomainState::running)));
  ASSERT_NE(domains.find("u1"), nullptr);
  domains.check();
}

TEST(Domains, TakesAListInPlaceOfWhatIsKnown) {
  Domains domains;
  EXPECT_FALSE(domains.is_listed());
  EXPECT_TRUE(domains.observe(seen_as(DomainState::running)));
  domains.set_list({seen_as(DomainState::running, 1, "u2")}, domains.begin_list());
  EXPECT_TRUE(domains.is_listed());
  EXPECT_FALSE(domains.find("u1"));
  EXPECT_TRUE(domains.find("u2"));
  domains.check();
}

TEST(Domains, KeepsWhatHasChangedSinceAListWasBegun) {
  Domains domains;
  domains.set_list({seen_as(DomainState::running, 1, "gone")}, domains.begin_list());
  const auto begun = domains.begin_list();
  domains.add_created(seen_as(DomainState::running, 1, "created"));
  domains.remove("gone");
  domains.set_list({seen_as(DomainState::running, 1, "gone")}, begun);
  EXPECT_TRUE(domains.find("created"));
  EXPECT_FALSE(domains.find("gone"));
}

TEST(Domains, IsNotListedByAListThatWasBegunBeforeEventsWereMissed) {
  Domains domains;
  const auto begun = domains.begin_list();
  domains.set_unlisted();
  domains.set_list({}, begun);
  EXPECT_FALSE(domains.is_listed());
}

TEST(Domains, IgnoresEventsOfEarlierRunsAndOfOtherDomains) {
  Domains domains;
  EXPECT_TRUE(domains.observe(seen_as(DomainState::running, 2)));
  EXPECT_FALSE(domains.observe(seen_as(DomainState::shutoff, 1)));
  EXPECT_FALSE(domains.observe(seen_as(DomainState::running, 0, "not ours")));
  EXPECT_TRUE(domains.find("u1"));
  EXPECT_FALSE(domains.find("not ours"));
}

// Found in review: the guest crashed before the driver returned from creating it.
TEST(Domains, DoesNotAddACreatedDomainThatHasEnded) {
  Domains domains;
  EXPECT_TRUE(domains.observe(seen_as(DomainState::running)));
  const auto crashed = seen_as(DomainState::crashed);
  EXPECT_TRUE(domains.observe(crashed));
  domains.keep_end(crashed);
  domains.add_created(seen_as(DomainState::running));
  EXPECT_FALSE(domains.find("u1"));
}

TEST(Domains, ReturnsTheEndOfARunUnderItsOwnEpochOnly) {
  Domains domains;
  auto crashed = seen_as(DomainState::crashed, 3);
  crashed.reason = "the guest panicked";
  domains.keep_end(crashed);
  EXPECT_FALSE(domains.take_end("u1", 4));
  domains.keep_end(crashed);
  const auto end = domains.take_end("u1", 3);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->state, DomainState::crashed);
  EXPECT_EQ(end->reason, "the guest panicked");
  EXPECT_FALSE(domains.take_end("u1", 3));
}

TEST(DomainWork, DelaysTheNextStepLongerWithEachFailure) {
  DomainWork work;
  const auto fail_at = [&](std::int64_t now_ms) {
    work.begin();
    EXPECT_FALSE(work.may_begin(now_ms)) << "one step at a time";
    work.end_with_failure(now_ms, 1'500);
  };
  fail_at(0);
  EXPECT_FALSE(work.may_begin(499));
  EXPECT_TRUE(work.may_begin(500));
  fail_at(500);
  EXPECT_FALSE(work.may_begin(1'499));
  fail_at(1'500);
  EXPECT_TRUE(work.may_begin(3'000)) << "no longer than the maximum";
  work.begin();
  work.end_with_success();
  EXPECT_TRUE(work.may_begin(3'000));
}

}  // namespace
}  // namespace nucleus::provisioner
