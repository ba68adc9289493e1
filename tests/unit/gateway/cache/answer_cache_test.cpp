// What the answer cache serves, for how long, and what invalidates it.
#include "gateway/cache/answer_cache.hpp"

#include <gtest/gtest.h>

#include "messages/image_store.hpp"
#include "messages/registry.hpp"
#include "messages/scheduler.hpp"

namespace nucleus::gateway {
namespace {

constexpr std::int64_t now_ms = 1'000'000;
constexpr std::int64_t for_ever = 1LL << 60;

core::StoredEvent an_event(std::uint64_t sequence, const std::string& place,
                           std::string_view type = msg::NodeChanged::topic, std::string body = {}) {
  return {.sequence = sequence, .topic = place + "/" + std::string(type), .body = std::move(body)};
}

core::StoredEvent a_credential_end(std::uint64_t sequence, const std::string& person) {
  return an_event(sequence, "_/_", msg::CredentialsChanged::topic,
                  msg::encode(msg::CredentialsChanged{{person}}));
}

core::http::PreparedResponsePtr an_answer(const std::string& body) {
  return core::http::prepare_response(
      {.status = 200, .headers = {{"Content-Type", "application/json"}}, .body = body});
}

/// A cache that has applied events up to 10.
class CacheOf : public testing::Test {
 protected:
  explicit CacheOf(std::size_t bytes_max = 1 << 20) : cache{bytes_max, metrics} {
    cache.begin(10);
    cache.set_complete_until(now_ms);
  }
  AnswerCache::AnswerPtr keep(const std::string& name, Dependency dependency,
                              const std::string& body = "{}") {
    return cache.keep(core::sha256(name), std::move(dependency), an_answer(body),
                      metrics.requests("r", 200));
  }
  bool knows(const std::string& name, std::uint64_t after = 0, std::int64_t at_ms = now_ms) {
    return cache.find(core::sha256(name), after, at_ms) != nullptr;
  }
  VerifiedTokenPtr keep_token(const std::string& token, const std::string& person,
                              std::int64_t left_ms = for_ever) {
    return cache.keep_token(core::sha256(token), {.person_id = {person}}, now_ms, left_ms,
                            cache.credential_changes());
  }

  prometheus::Registry registry;
  Metrics metrics{registry};
  AnswerCache cache;
};

class CachedAnswer : public CacheOf {};

class CachedInFewBytes : public CacheOf {
 protected:
  CachedInFewBytes() : CacheOf{8'000} {}
};

TEST_F(CachedAnswer, IsFoundByItsKey) {
  keep("a", {.cluster = "c"}, "{\"a\":1}");
  const auto answer = cache.find(core::sha256("a"), 10, now_ms);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->ready->response.body, "{\"a\":1}");
  EXPECT_FALSE(knows("b"));
}

TEST_F(CachedAnswer, IsInvalidatedByAnEventOfItsClusterOnly) {
  keep("a", {.cluster = "c"});
  cache.apply(an_event(11, "p/other"));
  EXPECT_TRUE(knows("a"));
  cache.apply(an_event(12, "p/c"));
  EXPECT_FALSE(knows("a"));
}

TEST_F(CachedAnswer, OfProjectsIsInvalidatedByAnEventOfOneOfThem) {
  keep("list", {.projects = {{"p"}, {"q"}}});
  keep("all", {.is_everything = true});
  cache.apply(an_event(11, "r/c"));
  EXPECT_TRUE(knows("list"));
  EXPECT_FALSE(knows("all"));
  cache.apply(an_event(12, "q/c"));
  EXPECT_FALSE(knows("list"));
}

TEST_F(CachedAnswer, IsInvalidatedByAnEventWithoutAProjectOrCluster) {
  keep("a", {.cluster = "c"});
  cache.apply(an_event(11, "_/_", "new_room.thing-happened"));
  EXPECT_FALSE(knows("a"));
}

TEST_F(CachedAnswer, OutlivesEventsThatChangeNoAnswer) {
  keep("a", {.cluster = "c"});
  cache.apply(an_event(11, "_/_", msg::HostChanged::topic));
  cache.apply(an_event(12, "_/_", msg::VolumePlaced::topic));
  cache.apply(a_credential_end(13, "eve"));
  EXPECT_TRUE(knows("a"));
}

TEST_F(CachedAnswer, IsNotServedWhileAnObservedEventWasNotApplied) {
  keep("a", {.cluster = "c"});
  cache.observe(12);
  EXPECT_FALSE(knows("a"));
  cache.apply(an_event(11, "p/other"));
  EXPECT_FALSE(knows("a"));
  cache.apply(an_event(12, "p/other"));
  EXPECT_TRUE(knows("a"));
}

TEST_F(CachedAnswer, IsNotServedToACallerWhoKnowsLaterEvents) {
  keep("a", {.cluster = "c"});
  EXPECT_TRUE(knows("a", 10));
  EXPECT_FALSE(knows("a", 11));
}

TEST_F(CachedAnswer, IsNotServedWhenEventsMayBeMissing) {
  keep("a", {.cluster = "c"});
  cache.set_complete_until(0);
  EXPECT_FALSE(knows("a"));
  cache.set_complete_until(now_ms);
  EXPECT_TRUE(knows("a"));
  EXPECT_TRUE(knows("a", 0, now_ms + 1'500));
  EXPECT_FALSE(knows("a", 0, now_ms + 1'501));
}

TEST_F(CachedInFewBytes, DropsTheLeastRecentlyUsed) {
  const std::string body(2'000, 'x');
  keep("a", {.cluster = "c"}, body);
  keep("b", {.cluster = "c"}, body);
  EXPECT_TRUE(knows("a"));
  keep("d", {.cluster = "c"}, body);
  EXPECT_TRUE(knows("a"));
  EXPECT_FALSE(knows("b"));
  EXPECT_TRUE(knows("d"));
}

TEST_F(CachedInFewBytes, KeepsNoAnswerThatTakesMoreThanHalf) {
  EXPECT_FALSE(keep("a", {.cluster = "c"}, std::string(4'000, 'x')));
  EXPECT_FALSE(knows("a"));
}

TEST_F(CachedAnswer, TakesNoBytesAfterEverythingWasDropped) {
  keep("a", {.cluster = "c"});
  keep("a", {.cluster = "c"});
  cache.begin(20);
  for (const auto& family : registry.Collect())
    if (family.name == "nucleus_gateway_cache_bytes") {
      EXPECT_EQ(family.metric.front().gauge.value, 0);
    }
  cache.set_complete_until(now_ms);
  EXPECT_FALSE(knows("a"));
}

TEST_F(CachedAnswer, TokenIsValidForFiveSecondsAndNotAfterItExpires) {
  ASSERT_TRUE(keep_token("t", "eve"));
  ASSERT_TRUE(keep_token("short", "eve", 100));
  EXPECT_FALSE(keep_token("over", "eve", 0));
  EXPECT_TRUE(cache.find_token(core::sha256("t"), now_ms));
  EXPECT_TRUE(cache.find_token(core::sha256("short"), now_ms + 99));
  EXPECT_FALSE(cache.find_token(core::sha256("short"), now_ms + 100));
  cache.set_complete_until(now_ms + 5'000);
  EXPECT_TRUE(cache.find_token(core::sha256("t"), now_ms + 4'999));
  EXPECT_FALSE(cache.find_token(core::sha256("t"), now_ms + 5'000));
}

TEST_F(CachedAnswer, TokensOfOnePersonEndTogether) {
  keep_token("e1", "eve");
  keep_token("e2", "eve");
  keep_token("b", "bob");
  cache.apply(a_credential_end(11, "eve"));
  EXPECT_FALSE(cache.find_token(core::sha256("e1"), now_ms));
  EXPECT_FALSE(cache.find_token(core::sha256("e2"), now_ms));
  EXPECT_TRUE(cache.find_token(core::sha256("b"), now_ms));
}

TEST_F(CachedAnswer, TokenIsNotKeptIfACredentialEndedDuringTheCheck) {
  const auto before = cache.credential_changes();
  cache.apply(a_credential_end(11, "eve"));
  EXPECT_FALSE(
      cache.keep_token(core::sha256("t"), {.person_id = {"eve"}}, now_ms, for_ever, before));
  EXPECT_FALSE(cache.find_token(core::sha256("t"), now_ms));
}

TEST_F(CachedAnswer, HeadIsServedWhileItsTokenAndItsAnswerAreValid) {
  const auto head = core::sha256("GET /v2/clusters/c");
  const auto bind = [&] {
    cache.bind(head, keep_token("t", "eve"), keep("a", {.cluster = "c"}, "body"), 0);
  };
  bind();
  ASSERT_TRUE(cache.find_by_head(head, now_ms));
  EXPECT_EQ(cache.find_by_head(head, now_ms)->response.body, "body");
  cache.apply(an_event(11, "p/c"));
  EXPECT_FALSE(cache.find_by_head(head, now_ms));
  bind();
  cache.apply(a_credential_end(12, "eve"));
  EXPECT_FALSE(cache.find_by_head(head, now_ms));
  bind();
  cache.observe(13);
  EXPECT_FALSE(cache.find_by_head(head, now_ms));
}

TEST_F(CachedAnswer, HeadThatAsksForLaterEventsIsNotBound) {
  const auto head = core::sha256("GET /");
  cache.bind(head, keep_token("t", "eve"), keep("a", {.cluster = "c"}), 11);
  EXPECT_FALSE(cache.find_by_head(head, now_ms));
}

}  // namespace
}  // namespace nucleus::gateway
