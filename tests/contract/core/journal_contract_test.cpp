// The contract of every journal: the same tests run on those in Redis and in an SQLite file, and on
// the simulated ones of both kinds.
#include <gtest/gtest.h>

#include "core/loop/posix_loop.hpp"
#include "core/state/redis_journal.hpp"
#include "core/state/sqlite_journal.hpp"
#include "tests/support/process.hpp"
#include "tests/support/redis_fixture.hpp"
#include "tests/support/sim/world.hpp"

namespace nucleus::tests {
namespace {

/// Opens journals, and lets time pass until they answer.
class JournalWorld {
 public:
  virtual ~JournalWorld() = default;
  virtual std::unique_ptr<core::Journal> open(const std::string& service) = 0;
  virtual void wait(const std::function<bool()>& condition) = 0;
};

class LoopWorld : public JournalWorld {
 public:
  void wait(const std::function<bool()>& condition) override {
    const auto end_ms = loop_.steady_ms() + wait_timeout.count();
    while (!condition() && loop_.steady_ms() < end_ms) {
      core::PosixLoop& loop = loop_;
      loop.after(core::Milliseconds{1}, [&loop] { loop.stop(); });
      loop.run();
    }
  }

 protected:
  core::PosixLoop loop_ = {};
};

class RedisJournals : public LoopWorld {
 public:
  std::unique_ptr<core::Journal> open(const std::string& service) override {
    return std::make_unique<core::RedisJournal>(
        loop_, service, core::RedisOptions{.socket_path = redis_.socket_path()});
  }

 private:
  RedisServer redis_ = {};
};

class SqliteJournals : public LoopWorld {
 public:
  std::unique_ptr<core::Journal> open(const std::string& service) override {
    return std::make_unique<core::SqliteJournal>(
        loop_, core::SqliteOptions{.path = folder_.file(service + "/journal.db")});
  }

 private:
  TemporaryFolder folder_ = {};
};

template <SimJournal::Place place>
class SimJournals : public JournalWorld {
 public:
  std::unique_ptr<core::Journal> open(const std::string& service) override {
    return std::make_unique<SimJournal>(loop_, service, place);
  }
  void wait(const std::function<bool()>& condition) override {
    world_.run_until(condition, wait_timeout);
  }

 private:
  SimWorld world_{1};
  SimLoop loop_{world_};
};

using SimRedisJournals = SimJournals<SimJournal::Place::redis>;
using SimHostJournals = SimJournals<SimJournal::Place::host>;

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

  core::Result<std::vector<std::string>> archived(core::Journal& journal,
                                                  std::vector<std::string> keys) {
    return ask<std::vector<std::string>>(
        [&](auto done) { journal.read_archived(std::move(keys), done); });
  }

  World world = {};
};

core::StoredEvent event(const std::string& body) {
  return {.topic = "p/c/a.b", .trace_id = "t", .sender = "s", .body = body};
}

using JournalWorlds =
    testing::Types<RedisJournals, SqliteJournals, SimRedisJournals, SimHostJournals>;
TYPED_TEST_SUITE(JournalContract, JournalWorlds);

/// Journals of the head, which number the events of the deployment.
template <class World>
class EventJournalContract : public JournalContract<World> {};
using EventJournalWorlds = testing::Types<RedisJournals, SimRedisJournals>;
TYPED_TEST_SUITE(EventJournalContract, EventJournalWorlds);

/// Journals of hosts.
template <class World>
class HostJournalContract : public JournalContract<World> {};
using HostJournalWorlds = testing::Types<SqliteJournals, SimHostJournals>;
TYPED_TEST_SUITE(HostJournalContract, HostJournalWorlds);

TYPED_TEST(JournalContract, KeepsRecordsRepliesAndTheCursor) {
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

TYPED_TEST(JournalContract, ChangesNothingWhenARevisionDiffers) {
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  ASSERT_TRUE(this->commit(*journal, {.records = {{"nucleus:a:r:1", 0, "x"}}}));
  auto refused =
      this->commit(*journal, {.records = {{"nucleus:a:r:2", 0, "y"}, {"nucleus:a:r:1", 0, "z"}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::unknown_outcome);
  // Every commit fails until the next load.
  EXPECT_FALSE(this->commit(*journal, {.records = {{"nucleus:a:r:3", 0, "y"}}}));
  auto again = this->load(*journal);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->records.size(), 1U);
}

TYPED_TEST(JournalContract, KeepsTheCommitsBeforeTheOneThatFails) {
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  std::vector<bool> answers;
  const auto done = [&answers](const core::Result<std::uint64_t>& answer) {
    answers.push_back(answer.has_value());
  };
  journal->commit({.records = {{"nucleus:a:r:1", 0, "x"}}}, done);
  journal->commit({.records = {{"nucleus:a:r:2", 7, "y"}}}, done);
  journal->commit({.records = {{"nucleus:a:r:3", 0, "z"}}}, done);
  this->world.wait([&] { return answers.size() == 3; });
  EXPECT_EQ(answers, (std::vector{true, false, false}));
  auto again = this->load(*journal);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->records.at("nucleus:a:r:1").bytes, "x");
  EXPECT_FALSE(again->records.contains("nucleus:a:r:2"));  // the third may have taken effect
}

TYPED_TEST(EventJournalContract, EmitsNothingWhenTheCommitFails) {
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  ASSERT_FALSE(
      this->commit(*journal, {.records = {{"nucleus:a:r:1", 7, "y"}}, .events = {event("e")}}));
  auto again = this->load(*journal);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->last_sequence, 0U);
}

TYPED_TEST(HostJournalContract, RefusesEvents) {
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  ASSERT_FALSE(
      this->commit(*journal, {.records = {{"nucleus:a:r:1", 0, "y"}}, .events = {event("e")}}));
  auto again = this->load(*journal);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->records.empty());
  EXPECT_EQ(again->last_sequence, 0U);
  EXPECT_TRUE(this->events(*journal, 0, 10)->empty());
}

TYPED_TEST(JournalContract, FencesThePreviousOwner) {
  auto first = this->world.open("a");
  auto second = this->world.open("a");
  ASSERT_TRUE(this->load(*first));
  ASSERT_TRUE(this->load(*second));
  auto refused = this->commit(*first, {.records = {{"nucleus:a:r:1", 0, "x"}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::conflict);
  ASSERT_TRUE(this->commit(*second, {.records = {{"nucleus:a:r:1", 0, "y"}}}));
}

TYPED_TEST(EventJournalContract, NumbersTheEventsOfAllServicesWithoutGaps) {
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

TYPED_TEST(EventJournalContract, AnswersCommitsInOrder) {
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

TYPED_TEST(JournalContract, MovesARecordToTheArchiveInOneCommit) {
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  ASSERT_TRUE(this->commit(
      *journal, {.records = {{"nucleus:a:r:1", 0, "live"}, {"nucleus:a:r:2", 0, "other"}}}));
  const std::string bytes("\0body\r\n", 7);
  ASSERT_TRUE(this->commit(*journal, {.archived = {{"nucleus:a:r:1", 1, "summary", bytes}}}));
  EXPECT_EQ(this->archived(*journal, {"nucleus:a:r:1"}), std::vector{bytes});
  auto again = this->load(*journal);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->records.size(), 1U);
  EXPECT_TRUE(again->records.contains("nucleus:a:r:2"));
  EXPECT_EQ(again->archived,
            (std::vector<std::pair<std::string, std::string>>{{"nucleus:a:r:1", "summary"}}));
}

TYPED_TEST(JournalContract, ArchivesARecordThatWasNeverLive) {
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  ASSERT_TRUE(this->commit(*journal, {.archived = {{"nucleus:a:r:1", 0, "s", "b"}}}));
  EXPECT_EQ(this->archived(*journal, {"nucleus:a:r:1"}), std::vector<std::string>{"b"});
}

TYPED_TEST(JournalContract, KeepsTheArchiveAndItsOrderWhenTheServiceRestarts) {
  {
    auto journal = this->world.open("a");
    ASSERT_TRUE(this->load(*journal));
    ASSERT_TRUE(this->commit(*journal, {.archived = {{"nucleus:a:r:20", 0, "twenty", "b20"},
                                                     {"nucleus:a:r:10", 0, "ten", "b10"}}}));
    ASSERT_TRUE(this->commit(*journal, {.archived = {{"nucleus:a:r:15", 0, "fifteen", "b15"}}}));
  }
  auto journal = this->world.open("a");
  auto loaded = this->load(*journal);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(
      loaded->archived,
      (std::vector<std::pair<std::string, std::string>>{
          {"nucleus:a:r:10", "ten"}, {"nucleus:a:r:15", "fifteen"}, {"nucleus:a:r:20", "twenty"}}));
  EXPECT_EQ(this->archived(*journal, {"nucleus:a:r:20", "nucleus:a:r:10"}),
            (std::vector<std::string>{"b20", "b10"}));
}

TYPED_TEST(JournalContract, ReadsNothingForAKeyThatIsNotArchived) {
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  ASSERT_TRUE(this->commit(*journal, {.records = {{"nucleus:a:r:2", 0, "live"}},
                                      .archived = {{"nucleus:a:r:1", 0, "s", "b"}}}));
  auto missing = this->archived(*journal, {"nucleus:a:r:1", "nucleus:a:r:2"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, core::ErrorCode::not_found);
  EXPECT_EQ(this->archived(*journal, {}), std::vector<std::string>{});
}

TYPED_TEST(JournalContract, ArchivesNothingWhenTheCommitFails) {
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  ASSERT_TRUE(this->commit(*journal, {.records = {{"nucleus:a:r:1", 0, "live"}}}));
  auto refused = this->commit(
      *journal, {.archived = {{"nucleus:a:r:2", 0, "s", "b"}, {"nucleus:a:r:1", 7, "s", "b"}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::unknown_outcome);
  auto again = this->load(*journal);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->records.contains("nucleus:a:r:1"));
  EXPECT_TRUE(again->archived.empty());
  EXPECT_FALSE(this->archived(*journal, {"nucleus:a:r:2"}));
}

TYPED_TEST(JournalContract, ArchivesNothingForAFencedOwner) {
  auto first = this->world.open("a");
  auto second = this->world.open("a");
  ASSERT_TRUE(this->load(*first));
  ASSERT_TRUE(this->load(*second));
  auto refused = this->commit(*first, {.archived = {{"nucleus:a:r:1", 0, "s", "b"}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::conflict);
  EXPECT_TRUE(this->load(*second)->archived.empty());
}

TYPED_TEST(JournalContract, LoadsTheSummariesOfALargeArchive) {
  constexpr int commits = 20;
  constexpr int records_per_commit = 1000;
  auto journal = this->world.open("a");
  ASSERT_TRUE(this->load(*journal));
  const std::string summary(120, 's');
  const std::string bytes(1500, 'b');
  for (int i = 0; i < commits; ++i) {
    core::Commit commit;
    for (int j = 0; j < records_per_commit; ++j)
      commit.archived.push_back(
          {"nucleus:a:r:" + std::to_string(i * records_per_commit + j), 0, summary, bytes});
    ASSERT_TRUE(this->commit(*journal, std::move(commit)));
  }
  auto loaded = this->load(*journal);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->archived.size(), std::size_t{commits * records_per_commit});
}

TEST(RedisReader, ReadsWhatAnOwnerStoredAndLeavesItTheOwner) {
  RedisServer server;
  core::PosixLoop loop;
  core::RedisConnection connection(server.socket_path(), core::Milliseconds{5'000});
  core::RedisReader reader(connection);
  EXPECT_TRUE(reader.records("a").value().empty());
  EXPECT_EQ(reader.events().value().count, 0u);

  core::RedisJournal owner(loop, "a", {.socket_path = server.socket_path()});
  const auto run = [&loop](const auto& begin) {
    begin([&loop](const auto& answer) {
      EXPECT_TRUE(answer) << answer.error().detail;
      loop.stop();
    });
    loop.run();
  };
  run([&](auto done) { owner.load(done); });
  const auto commit = [&](core::Commit one) {
    run([&](auto done) { owner.commit(std::move(one), done); });
  };
  commit({.records = {{.key = "nucleus:a:kept:1", .bytes = "one"},
                      {.key = "nucleus:a:over:2", .bytes = "two"}},
          .events = {event("x"), event("y")}});
  commit(
      {.archived =
           {{.key = "nucleus:a:over:2", .revision_read = 1, .summary = "short", .bytes = "whole"}},
       .events = {event("z")}});

  const auto records = reader.records("a").value();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records.at("nucleus:a:kept:1").bytes, "one");
  using Summary = std::pair<std::string, std::string>;
  EXPECT_EQ(reader.summaries("a").value(), (std::vector<Summary>{{"nucleus:a:over:2", "short"}}));
  EXPECT_EQ(reader.archived("a").value().at("nucleus:a:over:2"), "whole");
  EXPECT_EQ(reader.last_sequence().value(), 3u);
  const auto events = reader.events().value();
  EXPECT_EQ(events.first, 1u);
  EXPECT_EQ(events.last, 3u);
  EXPECT_EQ(events.count, 3u);
  EXPECT_TRUE(reader.records("b").value().empty()) << "another service";
  commit({.events = {event("still the owner")}});
}

TEST(RedisReader, SaysThatRedisDoesNotAnswer) {
  core::RedisConnection connection("/nowhere.sock", core::Milliseconds{5'000});
  const auto records = core::RedisReader(connection).records("a");
  ASSERT_FALSE(records);
  EXPECT_EQ(records.error().code, core::ErrorCode::unavailable);
  EXPECT_EQ(records.error().detail, "redis: No such file or directory");
}

}  // namespace
}  // namespace nucleus::tests
