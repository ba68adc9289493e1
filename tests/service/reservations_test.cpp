// Reservations on a real bus and Redis: kept through restarts, and acted on when their time comes.
#include "messages/reservations.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/service/scheduler_room.hpp"

namespace nucleus::tests {
namespace {

using msg::ComputesetState;
using msg::ReservationState;

constexpr std::int64_t hour_s = 3600;

class Reservations : public SchedulerRoom {
 protected:
  Reservations() {
    start();
    EXPECT_TRUE(host_.report());
    define("c", 2);
  }
  static std::int64_t now_unix_s() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
  }
  core::Result<msg::Reservation> reserve(const std::string& name, std::int64_t start_s,
                                         std::int64_t end_s, const std::string& request_id = {}) {
    return ask(msg::DefineReservation{.name = name,
                                      .is_new = true,
                                      .project_id = msg::ProjectId{"p"},
                                      .hosts = "h1",
                                      .start_unix_s = now_unix_s() + start_s,
                                      .end_unix_s = now_unix_s() + end_s},
               request_id);
  }
  core::Result<msg::Computeset> start_set(const std::string& reservation = {}) {
    return ask(msg::StartComputeset{
        .cluster_id = {"c"}, .viewer = as_operator, .count = 1, .reservation = reservation});
  }
  std::vector<msg::Reservation> list(const msg::ListReservations& request) {
    const auto listed = ask(request);
    return listed ? listed->reservations : std::vector<msg::Reservation>{};
  }
  Host host_{deployment_, "h1"};
};

TEST_F(Reservations, AreKeptThroughARestartAndCreatedOnceForARepeatedRequest) {
  const auto made = reserve("r", hour_s, 2 * hour_s, "once");
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_EQ(made->reservation_id, 1);
  EXPECT_EQ(made->state, ReservationState::planned);
  restart();
  EXPECT_EQ(reserve("r", hour_s, 2 * hour_s, "once").value_or(msg::Reservation{}), *made);
  EXPECT_EQ(list({.viewer = as_operator}), (std::vector{*made}));
  ASSERT_TRUE(ask(msg::RemoveReservation{.name = "r"}));
  EXPECT_EQ(reserve("r", hour_s, 2 * hour_s)->reservation_id, 2);
}

TEST_F(Reservations, AreListedPageByPageForThoseWhoSeeThem) {
  for (int i = 1; i <= 3; ++i)
    ASSERT_TRUE(reserve("r" + std::to_string(i), i * hour_s, (i + 1) * hour_s));
  const auto first = ask(msg::ListReservations{.viewer = as_operator, .page = {.limit = 2}});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->reservations.size(), 2U);
  EXPECT_EQ(first->next, "2");
  const auto rest =
      ask(msg::ListReservations{.viewer = as_operator, .page = {.after = first->next}});
  ASSERT_TRUE(rest);
  ASSERT_EQ(rest->reservations.size(), 1U);
  EXPECT_EQ(rest->reservations[0].name, "r3");
  EXPECT_EQ(rest->next, "");
  EXPECT_TRUE(list({.viewer = {.projects = {{"q"}}}}).empty());
  EXPECT_EQ(list({.viewer = {.projects = {{"p"}}}}).size(), 3U);
  EXPECT_EQ(list({.viewer = as_operator, .name = "r2"}).size(), 1U);
  EXPECT_EQ(ask(msg::ListReservations{.viewer = {.projects = {{"q"}}}, .name = "r2"}).error().code,
            core::ErrorCode::not_found);
}

TEST_F(Reservations, StartWhatWaitsForThemWhenTheyBegin) {
  ASSERT_TRUE(reserve("r", 1, hour_s));
  const auto waits = start_set("r");
  ASSERT_TRUE(waits) << waits.error().detail;
  EXPECT_EQ(waits->reservation, "r");
  EXPECT_TRUE(eventually(
      [&] { return computeset(waits->computeset_id).state == ComputesetState::running; }));
  EXPECT_EQ(list({.viewer = as_operator})[0].state, ReservationState::active);
  const auto outside = start_set();
  ASSERT_TRUE(outside);
  EXPECT_EQ(outside->reason, "a project's reservation keeps hosts that have room");
}

}  // namespace
}  // namespace nucleus::tests
