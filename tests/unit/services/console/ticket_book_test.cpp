// Tickets open once and not after they expire, and their number is limited; in virtual time, with
// kills and failed commits between any two steps.
#include "services/console/ticket_book.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "core/digest/digest.hpp"
#include "services/console/keys.hpp"
#include "services/console/secrets.hpp"
#include "tests/support/sim/process.hpp"

namespace nucleus::console {
namespace {

using core::ErrorCode;
using tests::SimProcess;
using tests::SimWorld;

constexpr core::Milliseconds wait_timeout{10'000};

/// The console's ticket book in a process that can be killed.
class Desk {
 public:
  explicit Desk(SimWorld& world, TicketLimits limits = {}) : world_{world}, limits_{limits} {
    restart();
  }

  void restart() {
    process_.reset();
    process_ = std::make_unique<SimProcess>(
        world_, "console", std::map<std::string, std::string>{},
        [this](core::Runtime& runtime) -> core::Result<std::shared_ptr<void>> {
          auto book = std::make_shared<TicketBook>(runtime.store, limits_);
          book_ = book.get();
          return book;
        });
    world_.run_until([this] { return store().is_loaded(); }, wait_timeout);
  }

  core::Result<TicketBook::Written> write(const std::string& person = "ada") {
    auto written = book_->write({.node_id = {"n1"},
                                 .kind = msg::ConsoleKind::serial,
                                 .host_id = {"h1"},
                                 .person_id = {person}},
                                7, process_->bus().context());
    std::optional<core::Result<void>> durable;
    store().when_durable([&](core::Result<void> landed) { durable = std::move(landed); });
    world_.run_until([&] { return durable.has_value(); }, wait_timeout);
    if (written && !*durable) return std::unexpected(durable->error());
    return written;
  }

  void begin_take(const std::string& ticket, std::function<void(core::Result<StoredTicket>)> done) {
    book_->take(ticket, {.session_id = "s1"}, process_->bus().context(), std::move(done));
  }

  core::Result<StoredTicket> take(const std::string& ticket) {
    auto taken = std::make_shared<std::optional<core::Result<StoredTicket>>>();
    begin_take(ticket, [taken](core::Result<StoredTicket> answer) { *taken = std::move(answer); });
    world_.run_until([&] { return taken->has_value(); }, wait_timeout);
    return taken->has_value() ? **taken : core::refuse(ErrorCode::internal, "no answer");
  }

  void sweep() { book_->drop_expired(process_->bus().context()); }
  TicketBook& book() { return *book_; }
  core::Store& store() { return process_->store(); }

 private:
  SimWorld& world_;
  TicketLimits limits_;
  TicketBook* book_ = nullptr;
  std::unique_ptr<SimProcess> process_ = {};
};

TEST(TicketBook, OpensItsConsoleOnce) {
  SimWorld world{1};
  Desk desk(world);
  const auto written = desk.write();
  ASSERT_TRUE(written);
  const auto taken = desk.take(written->ticket);
  ASSERT_TRUE(taken) << taken.error().detail;
  EXPECT_EQ(taken->node_id.value, "n1");
  EXPECT_EQ(taken->host_id.value, "h1");
  const auto again = desk.take(written->ticket);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::forbidden);
}

TEST(TicketBook, RefusesASecondUseWhileTheFirstIsNotYetDurable) {
  SimWorld world{1};
  Desk desk(world);
  const auto written = desk.write();
  ASSERT_TRUE(written);
  bool is_first_done = false;
  desk.begin_take(written->ticket, [&](const auto& taken) { is_first_done = taken.has_value(); });
  ASSERT_FALSE(is_first_done);
  EXPECT_FALSE(desk.take(written->ticket));
  EXPECT_TRUE(world.run_until([&] { return is_first_done; }, wait_timeout));
}

TEST(TicketBook, RefusesTicketsItNeverWrote) {
  SimWorld world{1};
  Desk desk(world);
  ASSERT_TRUE(desk.write());
  for (const std::string& unknown : {new_ticket(), std::string(), std::string(5000, 'x')}) {
    const auto taken = desk.take(unknown);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, ErrorCode::forbidden);
  }
}

TEST(TicketBook, RefusesAnExpiredTicket) {
  SimWorld world{1};
  Desk desk(world, {.life_s = 60});
  const auto began_unix_ms = tests::SimLoop::unix_epoch_ms + world.now_ms();
  const auto early = desk.write();
  const auto late = desk.write();
  ASSERT_TRUE(early && late);
  EXPECT_GE(early->expires_unix_ms, began_unix_ms + 60'000);
  const auto end_ms = early->expires_unix_ms - tests::SimLoop::unix_epoch_ms;
  world.run_for(core::Milliseconds{end_ms - 1 - world.now_ms()});
  EXPECT_TRUE(desk.take(early->ticket));
  world.run_for(core::Milliseconds{1000});
  EXPECT_FALSE(desk.take(late->ticket));
  desk.restart();
  EXPECT_FALSE(desk.take(late->ticket));
}

TEST(TicketBook, LimitsUnusedTicketsUntilSomeAreUsedOrExpire) {
  SimWorld world{1};
  Desk desk(world, {.life_s = 60, .unused_max = 2});
  const auto first = desk.write();
  ASSERT_TRUE(first && desk.write());
  const auto third = desk.write();
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::no_capacity);
  ASSERT_TRUE(desk.take(first->ticket));
  ASSERT_TRUE(desk.write());
  ASSERT_FALSE(desk.write());
  desk.restart();
  EXPECT_EQ(desk.book().unused(), 2U);
  ASSERT_FALSE(desk.write());
  world.run_for(core::Milliseconds{60'000});
  desk.sweep();
  EXPECT_EQ(desk.book().unused(), 0U);
  EXPECT_TRUE(desk.write());
}

TEST(TicketBook, LimitsTheUnusedTicketsOfOnePersonAndServesOthers) {
  SimWorld world{1};
  Desk desk(world, {.life_s = 60, .unused_per_person_max = 2});
  const auto first = desk.write("eve");
  ASSERT_TRUE(first && desk.write("eve"));
  for (const bool is_restarted : {false, true}) {
    if (is_restarted) desk.restart();
    const auto third = desk.write("eve");
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().code, ErrorCode::no_capacity);
    EXPECT_TRUE(desk.write("ada"));
  }
  ASSERT_TRUE(desk.take(first->ticket));
  EXPECT_TRUE(desk.write("eve"));
  EXPECT_FALSE(desk.write("eve"));
  world.run_for(core::Milliseconds{60'000});
  desk.sweep();
  EXPECT_TRUE(desk.write("eve"));
}

TEST(TicketBook, StoresOnlyTheHashOfATicket) {
  SimWorld world{1};
  Desk desk(world);
  const auto written = desk.write();
  ASSERT_TRUE(written);
  EXPECT_EQ(written->ticket.size(), 43U);
  EXPECT_EQ(written->ticket.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                              "0123456789-_"),
            std::string::npos);
  std::size_t count = 0;
  desk.store().for_each<StoredTicket>(keys::tickets(), [&](const StoredTicket& stored) {
    ++count;
    EXPECT_EQ(stored.hash, core::sha256_hex(written->ticket));
    EXPECT_EQ(msg::encode(stored).find(written->ticket), std::string::npos);
  });
  EXPECT_EQ(count, 1U);
}

TEST(TicketBook, OpensAtMostOnceWheneverTheProcessIsKilled) {
  int opened_in_all = 0;
  int opened_after_the_kill = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SimWorld world{seed};
    Desk desk(world);
    const auto written = desk.write();
    ASSERT_TRUE(written);
    world.faults.commit_lost = 150;
    world.faults.answer_lost = 150;
    int opened = 0;
    const auto count = [&opened](const core::Result<StoredTicket>& taken) {
      if (taken) ++opened;
    };
    desk.begin_take(written->ticket, count);
    for (auto steps = world.pick(4); steps > 0; --steps) world.step();
    desk.restart();
    const int before = opened;
    for (int tries = 0; tries < 3; ++tries) {
      desk.begin_take(written->ticket, count);
      world.run_for(core::Milliseconds{2000});
    }
    ASSERT_LE(opened, 1) << "seed " << seed;
    opened_in_all += opened;
    opened_after_the_kill += opened - before;
  }
  // The seeds cover both cases: opened before the kill, and only after it.
  EXPECT_GT(opened_after_the_kill, 0);
  EXPECT_GT(opened_in_all, opened_after_the_kill);
}

}  // namespace
}  // namespace nucleus::console
