// What the gateway remembers, for how long, and what ends it.
#include "gateway/memory.hpp"

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

core::StoredEvent an_end_of_credentials(std::uint64_t sequence, const std::string& person) {
  return an_event(sequence, "_/_", msg::CredentialsChanged::topic,
                  msg::encode(msg::CredentialsChanged{{person}}));
}

ReadyAnswerPtr an_answer(const std::string& body) {
  return make_ready(
      {.status = 200, .headers = {{"Content-Type", "application/json"}}, .body = body});
}

/// A memory that has heard all up to event 10.
class MemoryOf : public testing::Test {
 protected:
  explicit MemoryOf(std::size_t bytes_max = 1 << 20) : memory{bytes_max, metrics} {
    memory.begin(10);
    memory.show_hearing(now_ms);
  }
  Memory::AnswerPtr keep(const std::string& name, Reach reach, const std::string& body = "{}") {
    return memory.keep(sha256(name), std::move(reach), an_answer(body), metrics.requests("r", 200));
  }
  bool knows(const std::string& name, std::uint64_t after = 0, std::int64_t at_ms = now_ms) {
    return memory.find(sha256(name), after, at_ms) != nullptr;
  }
  BelievedPtr believe(const std::string& token, const std::string& person,
                      std::int64_t left_ms = for_ever) {
    return memory.believe(sha256(token), {.person_id = {person}}, now_ms, left_ms,
                          memory.credentials_ended());
  }

  prometheus::Registry registry;
  Metrics metrics{registry};
  Memory memory;
};

class Remembered : public MemoryOf {};

class RememberedInFewBytes : public MemoryOf {
 protected:
  RememberedInFewBytes() : MemoryOf{8'000} {}
};

TEST_F(Remembered, IsWhatWasKept) {
  keep("a", {.cluster = "c"}, "{\"a\":1}");
  const auto answer = memory.find(sha256("a"), 10, now_ms);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->ready->response.body, "{\"a\":1}");
  EXPECT_FALSE(knows("b"));
}

TEST_F(Remembered, EndsWithAnEventOfItsClusterAndOfNoOther) {
  keep("a", {.cluster = "c"});
  memory.apply(an_event(11, "p/other"));
  EXPECT_TRUE(knows("a"));
  memory.apply(an_event(12, "p/c"));
  EXPECT_FALSE(knows("a"));
}

TEST_F(Remembered, OfProjectsEndsWithAnEventOfOneOfThem) {
  keep("list", {.projects = {{"p"}, {"q"}}});
  keep("all", {.is_everything = true});
  memory.apply(an_event(11, "r/c"));
  EXPECT_TRUE(knows("list"));
  EXPECT_FALSE(knows("all"));
  memory.apply(an_event(12, "q/c"));
  EXPECT_FALSE(knows("list"));
}

TEST_F(Remembered, EndsWithAnEventThatNobodyCanAttribute) {
  keep("a", {.cluster = "c"});
  memory.apply(an_event(11, "_/_", "new_room.thing-happened"));
  EXPECT_FALSE(knows("a"));
}

TEST_F(Remembered, OutlivesEventsThatShowInNoAnswer) {
  keep("a", {.cluster = "c"});
  memory.apply(an_event(11, "_/_", msg::HostChanged::topic));
  memory.apply(an_event(12, "_/_", msg::VolumePlaced::topic));
  memory.apply(an_end_of_credentials(13, "eve"));
  EXPECT_TRUE(knows("a"));
}

TEST_F(Remembered, IsNotToldWhileAnEventIsThereThatWasNotHeard) {
  keep("a", {.cluster = "c"});
  memory.tell(12);
  EXPECT_FALSE(knows("a"));
  memory.apply(an_event(11, "p/other"));
  EXPECT_FALSE(knows("a"));
  memory.apply(an_event(12, "p/other"));
  EXPECT_TRUE(knows("a"));
}

TEST_F(Remembered, IsNotToldToOneWhoKnowsOfLaterEvents) {
  keep("a", {.cluster = "c"});
  EXPECT_TRUE(knows("a", 10));
  EXPECT_FALSE(knows("a", 11));
}

TEST_F(Remembered, IsNotToldWhereNobodyKnowsThatEventsAreHeard) {
  keep("a", {.cluster = "c"});
  memory.show_hearing(0);
  EXPECT_FALSE(knows("a"));
  memory.show_hearing(now_ms);
  EXPECT_TRUE(knows("a"));
  EXPECT_TRUE(knows("a", 0, now_ms + 1'500));
  EXPECT_FALSE(knows("a", 0, now_ms + 1'501));
}

TEST_F(RememberedInFewBytes, LeavesOutWhatWasUsedLeast) {
  const std::string body(2'000, 'x');
  keep("a", {.cluster = "c"}, body);
  keep("b", {.cluster = "c"}, body);
  EXPECT_TRUE(knows("a"));
  keep("d", {.cluster = "c"}, body);
  EXPECT_TRUE(knows("a"));
  EXPECT_FALSE(knows("b"));
  EXPECT_TRUE(knows("d"));
}

TEST_F(RememberedInFewBytes, KeepsNothingThatTakesMoreThanHalf) {
  EXPECT_FALSE(keep("a", {.cluster = "c"}, std::string(4'000, 'x')));
  EXPECT_FALSE(knows("a"));
}

TEST_F(Remembered, TakesNoBytesOnceAllIsForgotten) {
  keep("a", {.cluster = "c"});
  keep("a", {.cluster = "c"});
  memory.begin(20);
  for (const auto& family : registry.Collect())
    if (family.name == "nucleus_gateway_memory_bytes") {
      EXPECT_EQ(family.metric.front().gauge.value, 0);
    }
  memory.show_hearing(now_ms);
  EXPECT_FALSE(knows("a"));
}

TEST_F(Remembered, CredentialIsBelievedForSomeSecondsAndNotPastItsEnd) {
  ASSERT_TRUE(believe("t", "eve"));
  ASSERT_TRUE(believe("short", "eve", 100));
  EXPECT_FALSE(believe("over", "eve", 0));
  EXPECT_TRUE(memory.find_believed(sha256("t"), now_ms));
  EXPECT_TRUE(memory.find_believed(sha256("short"), now_ms + 99));
  EXPECT_FALSE(memory.find_believed(sha256("short"), now_ms + 100));
  memory.show_hearing(now_ms + 5'000);
  EXPECT_TRUE(memory.find_believed(sha256("t"), now_ms + 4'999));
  EXPECT_FALSE(memory.find_believed(sha256("t"), now_ms + 5'000));
}

TEST_F(Remembered, CredentialsOfOnePersonEndTogether) {
  believe("e1", "eve");
  believe("e2", "eve");
  believe("b", "bob");
  memory.apply(an_end_of_credentials(11, "eve"));
  EXPECT_FALSE(memory.find_believed(sha256("e1"), now_ms));
  EXPECT_FALSE(memory.find_believed(sha256("e2"), now_ms));
  EXPECT_TRUE(memory.find_believed(sha256("b"), now_ms));
}

TEST_F(Remembered, CredentialIsNotBelievedWhereOneEndedWhileItWasChecked) {
  const auto before = memory.credentials_ended();
  memory.apply(an_end_of_credentials(11, "eve"));
  EXPECT_FALSE(memory.believe(sha256("t"), {.person_id = {"eve"}}, now_ms, for_ever, before));
  EXPECT_FALSE(memory.find_believed(sha256("t"), now_ms));
}

TEST_F(Remembered, HeadIsAnsweredAsLongAsBothItsCredentialAndItsAnswerAreGood) {
  const auto head = sha256("GET /v2/clusters/c");
  const auto bind = [&] {
    memory.bind(head, believe("t", "eve"), keep("a", {.cluster = "c"}, "body"), 0);
  };
  bind();
  ASSERT_TRUE(memory.recall(head, now_ms));
  EXPECT_EQ(memory.recall(head, now_ms)->response.body, "body");
  memory.apply(an_event(11, "p/c"));
  EXPECT_FALSE(memory.recall(head, now_ms));
  bind();
  memory.apply(an_end_of_credentials(12, "eve"));
  EXPECT_FALSE(memory.recall(head, now_ms));
  bind();
  memory.tell(13);
  EXPECT_FALSE(memory.recall(head, now_ms));
}

TEST_F(Remembered, HeadThatAsksForLaterEventsIsNotBound) {
  const auto head = sha256("GET /");
  memory.bind(head, believe("t", "eve"), keep("a", {.cluster = "c"}), 11);
  EXPECT_FALSE(memory.recall(head, now_ms));
}

TEST(ReadyAnswer, IsAWholeHeadWithAGapForTheRequestsId) {
  const auto ready = an_answer("{\"a\":1}");
  EXPECT_EQ(ready->before_id + "ID" + ready->after_id,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: ID\r\n"
            "Content-Length: 7\r\n\r\n");
}

TEST(Digest, IsSha256) {
  const auto digest = sha256("abc");
  EXPECT_EQ(digest[0], 0xba);
  EXPECT_EQ(digest[31], 0xad);
}

}  // namespace
}  // namespace nucleus::gateway
