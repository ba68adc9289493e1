// What every journal promises, held against Redis and against the simulated one by the same tests.
#include <gtest/gtest.h>

#include "core/loop/posix_loop.hpp"
#include "core/state/redis_journal.hpp"
#include "tests/support/process.hpp"
#include "tests/support/redis_fixture.hpp"
#include "tests/support/sim/world.hpp"

namespace nucleus::tests {
namespace {

/// Where journals come from, and how time passes while they answer.
class JournalWorld {
 public:
  virtual ~JournalWorld() = default;
  virtual std::unique_ptr<core::Journal> open(const std::string& service) = 0;
  virtual void wait(const std::function<bool()>& is_so) = 0;
};

class RedisJournals : public JournalWorld {
 public:
  std::unique_ptr<core::Journal> open(const std::string& service) override {
    return std::make_unique<core::RedisJournal>(
        loop_, service, core::RedisOptions{.socket_path = redis_.socket_path()});
  }
  void wait(const std::function<bool()>& is_so) override {
    const auto end_ms = loop_.steady_ms() + patience.count();
    while (!is_so() && loop_.steady_ms() < end_ms) {
      core::PosixLoop& loop = loop_;
      loop.after(core::Milliseconds{1}, [&loop] { loop.stop(); });
      loop.run();
    }
  }

 private:
  RedisServer redis_ = {};
  core::PosixLoop loop_ = {};
};

class SimJournals : public JournalWorld {
 public:
  std::unique_ptr<core::Journal> open(const std::string& service) override {
    return std::make_unique<SimJournal>(loop_, service);
  }
  void wait(const std::function<bool()>& is_so) override { world_.run_until(is_so, patience); }

 private:
  SimWorld world_{1};
  SimLoop loop_{world_};
};

template <class World>
class JournalContract : public testing::Test {
 protected:
  template <class T, class Ask>
  core::Result<T> ask(Ask begin) {
    std::optional<core::Result<T>> answer;
    begin([&answer](core::Result<T> answered) { answer = std::move(answered); });
    world.wait([&] { return answer.has_value(); });
    if (!answer) return core::refuse(core::ErrorCode::internal, "no answer");
    return std::move(*answer);
  }
  core::Result<core::Snapshot> load(core::Journal& journal) {
    return ask<core::Snapshot>([&](auto done) { journal.load(done); });
  }
  core::Result<std::uint64_t> commit(core::Journal& journal, core::Commit commit) {
    return ask<std::uint64_t>([&](auto done) { journal.commit(std::move(commit), done); });
  }
  core::Result<std::vector<core::StoredEvent>> events(core::Journal& journal, std::uint64_t after,
                                                      std::size_t count) {
    return ask<std::vector<core::StoredEvent>>(
        [&](auto done) { journal.read_events(after, count, done); });
  }

  World world = {};
};

core::StoredEvent event(const std::string& body) {
  return {.topic = "p/c/a.b", .trace_id = "t", .sender = "s", .body = body};
}

using JournalWorlds = testing::Types<RedisJournals, SimJournals>;
TYPED_TEST_SUITE(JournalContract, JournalWorlds);

TYPED_TEST(JournalContract, KeepsRecordsRepliesAndCursor) {
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  const std::string bytes("\0x\r\n", 4);
  ASSERT_TRUE(this->commit(
      *journal,
      {.records = {{"nucleus:a:r:1", 0, bytes}}, .cursor = 7, .request_id = "id", .reply = "yes"}));
  auto again = this->load(*journal);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->records.at("nucleus:a:r:1").bytes, bytes);
  EXPECT_EQ(again->records.at("nucleus:a:r:1").revision, 1U);
  EXPECT_EQ(again->cursor, 7U);
  ASSERT_EQ(again->replies.size(), 1U);
  EXPECT_EQ(again->replies[0], (std::pair<std::string, std::string>{"id", "yes"}));
}

TYPED_TEST(JournalContract, RemovesRecords) {
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  ASSERT_TRUE(this->commit(*journal, {.records = {{"nucleus:a:r:1", 0, "x"}}}));
  ASSERT_TRUE(this->commit(*journal, {.records = {{"nucleus:a:r:1", 1, std::nullopt}}}));
  EXPECT_TRUE(this->load(*journal)->records.empty());
}

TYPED_TEST(JournalContract, LandsNothingWhereARevisionMoved) {
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  ASSERT_TRUE(this->commit(*journal, {.records = {{"nucleus:a:r:1", 0, "x"}}}));
  auto refused = this->commit(
      *journal,
      {.records = {{"nucleus:a:r:2", 0, "y"}, {"nucleus:a:r:1", 0, "z"}}, .events = {event("e")}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::unknown_outcome);
  // Nothing more is written before memory was loaded again.
  EXPECT_FALSE(this->commit(*journal, {.records = {{"nucleus:a:r:3", 0, "y"}}}));
  auto again = this->load(*journal);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->records.size(), 1U);
  EXPECT_EQ(again->last_sequence, 0U);
}

TYPED_TEST(JournalContract, FencesAnEarlierOwner) {
  auto first = this->world.open("a");
  auto second = this->world.open("a");
  ASSERT_TRUE(this->load(*first));
  ASSERT_TRUE(this->load(*second));
  auto refused = this->commit(*first, {.records = {{"nucleus:a:r:1", 0, "x"}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::conflict);
  ASSERT_TRUE(this->commit(*second, {.records = {{"nucleus:a:r:1", 0, "y"}}}));
}

TYPED_TEST(JournalContract, NumbersEventsDenselyOverAllServices) {
  auto first = this->world.open("a");
  auto second = this->world.open("b");
  ASSERT_TRUE(this->load(*first));
  ASSERT_TRUE(this->load(*second));
  EXPECT_EQ(this->commit(*first, {.events = {event("1"), event("2")}}), 2U);
  EXPECT_EQ(this->commit(*second, {.events = {event("3")}}), 3U);
  auto read = this->events(*first, 1, 10);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 2U);
  EXPECT_EQ((*read)[0].sequence, 2U);
  EXPECT_EQ((*read)[1].body, "3");
  EXPECT_EQ((*read)[1].topic, "p/c/a.b");
  EXPECT_EQ(this->events(*first, 0, 1)->size(), 1U);
  EXPECT_TRUE(this->events(*first, 3, 10)->empty());
  EXPECT_EQ(this->load(*second)->last_sequence, 3U);
}

TYPED_TEST(JournalContract, AnswersCommitsInOrder) {
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  std::vector<std::uint64_t> answers;
  for (int i = 0; i < 100; ++i)
    journal->commit({.events = {event("e")}}, [&answers](core::Result<std::uint64_t> last) {
      answers.push_back(last.value_or(0));
    });
  this->world.wait([&] { return answers.size() == 100; });
  ASSERT_EQ(answers.size(), 100U);
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(answers[i], i + 1);
}

}  // namespace
}  // namespace nucleus::tests
