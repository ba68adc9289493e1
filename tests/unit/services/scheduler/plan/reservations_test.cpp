// Reservations: what may be reserved, what runs there, and what happens at their start and end.
#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using msg::ComputesetState;
using msg::PowerAction;
using msg::ReservationState;

constexpr std::int64_t hour_s = 3600;

/// Clusters `c` and `d` of two computes each, and hosts h1, h2 with room for two nodes each.
struct Reservations : testing::Test {
  Reservations() {
    for (const char* host : {"h1", "h2"}) small.add_host(host, 2);
    for (const char* cluster : {"c", "d"}) small.add_cluster(cluster, 2);
  }
  const msg::Reservation& reservation(const std::string& name) {
    return small.view.reservation_named(name)->reservation;
  }
  ComputesetState state(msg::ComputesetId id) {
    return small.view.computeset(id)->computeset.state;
  }
  core::Result<msg::ComputesetId> start_in(const std::string& name, std::uint32_t count = 1,
                                           std::int64_t walltime_mins = 60) {
    return small.start(
        {.cluster_id = {"c"}, .count = count, .walltime_mins = walltime_mins, .reservation = name});
  }
  static core::Error error(const auto& result) { return result ? core::Error{} : result.error(); }
  SmallDeployment small = {};
};

TEST_F(Reservations, BeginAndEndAtTheirTimesAndAreForgottenLater) {
  ASSERT_TRUE(small.reserve("r", "h[1-2]", {hour_s, 2 * hour_s}));
  EXPECT_EQ(reservation("r").state, ReservationState::planned);
  small.pass_time_s(hour_s - 1);
  small.sweep();
  EXPECT_EQ(reservation("r").state, ReservationState::planned);
  small.pass_time_s(1);
  small.sweep();
  EXPECT_EQ(reservation("r").state, ReservationState::active);
  small.pass_time_s(hour_s);
  small.sweep();
  EXPECT_EQ(reservation("r").state, ReservationState::ended);
  small.pass_time_s(small.view.config().reservation_keep_s);
  small.sweep();
  EXPECT_FALSE(small.view.reservation_named("r"));
  ASSERT_TRUE(small.reserve("r", "h1", {0, hour_s}));
  EXPECT_EQ(reservation("r").reservation_id, 2) << "an id is not used twice";
}

TEST_F(Reservations, OfATimeThatPassedWhileNobodySweptEndAtOnce) {
  ASSERT_TRUE(small.reserve("r", "h1", {hour_s, 2 * hour_s}));
  small.pass_time_s(3 * hour_s);
  small.sweep();
  EXPECT_EQ(reservation("r").state, ReservationState::ended);
}

TEST_F(Reservations, AreRefusedWithTheFieldThatIsWrong) {
  ASSERT_TRUE(small.reserve("r", "h1", {hour_s, 2 * hour_s}));
  const auto refused = [&](const std::string& name, const std::string& hosts,
                           SmallDeployment::Times times, const std::string& project = "p") {
    const auto result = error(small.reserve(name, hosts, times, project));
    return result.field + ": " + result.detail;
  };
  EXPECT_EQ(refused("r", "h2", {0, 1}), "name: reservation r exists and has not ended");
  EXPECT_EQ(refused("s", "h[1-3]", {0, 1}), "hosts: no such host: h3");
  EXPECT_EQ(refused("s", "", {0, 1}), "hosts: hosts must not be empty");
  EXPECT_EQ(refused("s", "h1", {hour_s + 1, hour_s + 2}),
            "hosts: host h1 is in reservation r at that time");
  EXPECT_EQ(refused("s", "h1", {0, -1}), "end_unix_s: end_unix_s must be in the future");
  EXPECT_EQ(refused("s", "h1", {2, 1}), "end_unix_s: end_unix_s must be later than start_unix_s");
  EXPECT_EQ(refused("s", "h1", {0, 1}, "none"), "project_id: no such project: none");
  EXPECT_EQ(error(small.define_reservation({.name = "s"})).detail, "no such reservation: s");
  EXPECT_EQ(error(small.remove_reservation("s")).code, ErrorCode::not_found);
  EXPECT_EQ(small.view.reservations().size(), 1U);
  EXPECT_TRUE(small.reserve("s", "h1", {2 * hour_s, 3 * hour_s})) << "one after the other";
}

TEST_F(Reservations, KeepTheirHostsForComputesetsThatNameThem) {
  ASSERT_TRUE(small.reserve("r", "h1", {0, hour_s}));
  const auto others = small.start("d", 2);
  EXPECT_EQ(small.host_of("d-1"), "h2");
  EXPECT_EQ(small.host_of("d-2"), "h2");
  const auto inside = start_in("r", 2);
  ASSERT_TRUE(inside) << inside.error().detail;
  EXPECT_EQ(state(*inside), ComputesetState::running);
  EXPECT_EQ(small.host_of("c-1"), "h1");
  EXPECT_EQ(small.host_of("c-2"), "h1");
  EXPECT_EQ(small.computeset(*inside).computeset.reservation, "r");
  EXPECT_EQ(state(others), ComputesetState::running);
}

TEST_F(Reservations, AreNamedByWhatWaitsForTheirHosts) {
  ASSERT_TRUE(small.reserve("r", "h1", {0, hour_s}));
  small.start("d", 2);
  const auto waits = small.start("c", 1);
  EXPECT_EQ(small.computeset(waits).wait, (Wait{.reason = WaitReason::reserved}));
  EXPECT_EQ(small.computeset(waits).computeset.reason,
            "a project's reservation keeps hosts that have room");
  const auto frontend = error(small.power("c-0", PowerAction::poweron));
  EXPECT_EQ(frontend.detail, "a project's reservation keeps hosts that have room");
  small.pass_time_s(hour_s);
  small.sweep();
  EXPECT_EQ(state(waits), ComputesetState::running) << "its end frees the hosts";
  EXPECT_EQ(small.host_of("c-1"), "h1");
}

TEST_F(Reservations, LetNothingInWhoseWalltimeReachesIntoThem) {
  ASSERT_TRUE(small.reserve("r", "h[1-2]", {hour_s, 2 * hour_s}));
  const auto fits = small.start("d", 1);  // 60 minutes
  EXPECT_EQ(state(fits), ComputesetState::running);
  const auto reaches = small.start({.cluster_id = {"c"}, .count = 1, .walltime_mins = 61});
  ASSERT_TRUE(reaches);
  EXPECT_EQ(small.computeset(*reaches).wait, (Wait{.reason = WaitReason::reserved}));
  // A node without an end is placed as long as the reservation is far.
  small.pass_time_s(1);
  EXPECT_EQ(error(small.power("c-0", PowerAction::poweron)).detail,
            "a project's reservation keeps hosts that have room");
}

TEST_F(Reservations, MakeComputesetsWaitForTheirStart) {
  ASSERT_TRUE(small.reserve("r", "h2", {hour_s, 2 * hour_s}));
  const auto waits = start_in("r", 1, 0);
  ASSERT_TRUE(waits) << waits.error().detail;
  EXPECT_EQ(small.computeset(*waits).computeset.walltime_mins, 60) << "up to its end";
  EXPECT_EQ(small.computeset(*waits).computeset.reason, "waits until reservation r begins");
  small.pass_time_s(hour_s);
  small.sweep();
  EXPECT_EQ(state(*waits), ComputesetState::running);
  EXPECT_EQ(small.host_of("c-1"), "h2");
}

TEST_F(Reservations, EndWhatRunsInThemAndCancelWhatWaits) {
  ASSERT_TRUE(small.reserve("r", "h1", {0, hour_s}));
  const auto runs = start_in("r", 2, 600);
  small.add_cluster("e", 1);
  const auto waits = small.start({.cluster_id = {"e"}, .count = 1, .reservation = "r"});
  ASSERT_TRUE(runs && waits);
  EXPECT_EQ(small.computeset(*waits).wait,
            (Wait{.reason = WaitReason::reservation_full, .subject = "r"}));
  small.pass_time_s(hour_s);
  small.sweep();
  EXPECT_EQ(state(*runs), ComputesetState::ending);
  EXPECT_EQ(small.computeset(*runs).computeset.reason, "reservation r has ended");
  EXPECT_TRUE(small.node("c-1").is_graceful);
  EXPECT_EQ(small.view.finished().find(*waits)->state, ComputesetState::cancelled);
  const auto late = error(small.start({.cluster_id = {"d"}, .count = 1, .reservation = "r"}));
  EXPECT_EQ(late.detail, "reservation r has ended");
}

TEST_F(Reservations, ForMaintenanceEndComputesetsAndMoveFrontendsAtTheirStart) {
  ASSERT_TRUE(small.power("d-0", PowerAction::poweron));
  ASSERT_EQ(small.host_of("d-0"), "h1");
  small.observe("d-0", msg::DomainState::running);
  const auto runs = small.start({.cluster_id = {"c"}, .names = {"vm-c-1"}, .hosts = {{"h1"}}});
  ASSERT_TRUE(runs);
  ASSERT_TRUE(small.reserve("fans", "h1", {10, hour_s}, ""));
  EXPECT_EQ(state(*runs), ComputesetState::running) << "until its start";
  small.pass_time_s(10);
  small.sweep();
  EXPECT_EQ(state(*runs), ComputesetState::ending);
  EXPECT_EQ(small.computeset(*runs).computeset.reason, "maintenance window fans begins on host h1");
  EXPECT_TRUE(small.node("d-0").is_graceful);
  EXPECT_EQ(small.node("d-0").reason, "leaves its host, where reservation fans begins");
  small.end_stopping();
  small.sweep();
  EXPECT_EQ(small.used("h1"), Resources{});
  EXPECT_EQ(small.host_of("d-0"), "h2") << "a frontend goes elsewhere";
  small.pass_time_s(hour_s);
  small.sweep();
  const auto after = small.start({.cluster_id = {"c"}, .names = {"vm-c-2"}, .hosts = {{"h1"}}});
  EXPECT_TRUE(after && state(*after) == ComputesetState::running) << "its end frees the host";
}

TEST_F(Reservations, KeepAFrontendOffAHostThatHasItsDiskUntilTheyEnd) {
  small.add_host_with_volumes("h3", 1);
  small.drain("h1");
  small.drain("h2");
  small.give_disk({"c-0"});
  ASSERT_TRUE(small.power("c-0", PowerAction::poweron));
  ASSERT_EQ(small.host_of("c-0"), "h3");
  ASSERT_TRUE(small.reserve("fans", "h3", {0, hour_s}, ""));
  small.end_stopping();
  small.sweep();
  EXPECT_EQ(small.node("c-0").reason,
            "its disk is on host h3, where reservation fans keeps its room");
  small.pass_time_s(hour_s);
  small.sweep();
  EXPECT_EQ(small.host_of("c-0"), "h3");
}

TEST_F(Reservations, OfAProjectDoNotEndWhatRunsAlready) {
  const auto runs = small.start({.cluster_id = {"c"}, .names = {"vm-c-1"}, .hosts = {{"h1"}}});
  ASSERT_TRUE(runs);  // for 2880 minutes
  const auto refused = error(small.reserve("r", "h1", {hour_s, 2 * hour_s}));
  EXPECT_EQ(refused.code, ErrorCode::wrong_state);
  EXPECT_EQ(refused.detail, "computeset 1 may run on host h1 after its start");
  EXPECT_TRUE(small.reserve("r", "h1", {2880 * 60, 2881 * 60})) << "it is over by then";
}

TEST_F(Reservations, AreNotChangedSoThatWhatRunsThereWouldEnd) {
  ASSERT_TRUE(small.reserve("r", "h[1-2]", {0, 2 * hour_s}));
  ASSERT_TRUE(start_in("r", 1, 60));
  ASSERT_EQ(small.host_of("c-1"), "h1");
  const auto changed = [&](msg::DefineReservation request) {
    request.name = "r";
    return error(small.define_reservation(request)).field;
  };
  EXPECT_EQ(changed({.hosts = "h2"}), "hosts");
  EXPECT_EQ(changed({.end_unix_s = small.now_unix_s() + hour_s - 1}), "end_unix_s");
  EXPECT_EQ(changed({.project_id = msg::ProjectId{""}}), "project_id");
  EXPECT_EQ(changed({.start_unix_s = small.now_unix_s() + 1}), "start_unix_s");
  EXPECT_EQ(error(small.remove_reservation("r")).detail, "computeset 1 runs in it: end it first");
  EXPECT_EQ(
      changed({.hosts = "h1", .end_unix_s = small.now_unix_s() + hour_s, .reason = "a course"}),
      "");
  EXPECT_EQ(reservation("r").reason, "a course");
  const auto other = small.start("d", 2);
  EXPECT_EQ(small.host_of("d-1"), "h2") << "h2 is free again";
  EXPECT_EQ(state(other), ComputesetState::running);
}

TEST_F(Reservations, CanBeChangedAfterAHostOfTheirsWasRemoved) {
  small.add_host("h3", 2);
  ASSERT_TRUE(small.reserve("r", "h[1,3]", {hour_s, 2 * hour_s}));
  small.lose("h3");
  const auto removed = plan_remove_host(small.view, {.host_id = {"h3"}}, small.now_unix_ms);
  ASSERT_TRUE(removed) << removed.error().detail;
  small.apply(*removed);
  const auto changed = small.define_reservation({.name = "r", .reason = "a course"});
  ASSERT_TRUE(changed) << changed.error().detail;
  EXPECT_EQ(reservation("r").reason, "a course");
  EXPECT_EQ(error(small.define_reservation({.name = "r", .hosts = "h[1,3]"})).detail,
            "no such host: h3");
}

TEST_F(Reservations, LimitTheWalltimeToTheirEndAndSoWhatIsCharged) {
  small.apply(plan_allocation(small.view,
                              {.allocation_id = {"a"}, .project_id = {"p"}, .limit_core_s = hour_s},
                              small.now_unix_ms)
                  .value());
  ASSERT_TRUE(small.reserve("r", "h1", {0, hour_s}));
  const auto runs = start_in("r", 1, 600);
  ASSERT_TRUE(runs) << runs.error().detail;
  EXPECT_EQ(small.computeset(*runs).computeset.walltime_mins, 60);
}

TEST_F(Reservations, HaveReasonsOfOneLine) {
  ASSERT_TRUE(small.reserve("r", "h1", {hour_s, 2 * hour_s}));
  for (const char* reason : {"two\nlines", "\x1b[31mred"})
    EXPECT_EQ(error(small.define_reservation({.name = "r", .reason = reason})).field, "reason");
  EXPECT_TRUE(small.define_reservation({.name = "r", .reason = "caf\xC3\xA9"}));
}

TEST_F(Reservations, AreRemovedWithWhatWaitsForThem) {
  ASSERT_TRUE(small.reserve("r", "h[1-2]", {hour_s, 2 * hour_s}));
  const auto waits = start_in("r");
  ASSERT_TRUE(waits && small.remove_reservation("r"));
  EXPECT_EQ(small.view.finished().find(*waits)->state, ComputesetState::cancelled);
  EXPECT_EQ(error(start_in("r")).detail, "no such reservation: r");
  small.apply(plan_project_defined(small.view, {{"p"}}, small.now_unix_ms));
  ASSERT_TRUE(small.reserve("s", "h1", {hour_s, 2 * hour_s}));
  small.apply(plan_project_removed(small.view, {{"p"}}, small.now_unix_ms));
  EXPECT_FALSE(small.view.reservation_named("s")) << "it would become a maintenance window";
}

TEST_F(Reservations, RefuseAComputesetThatTheyCannotHold) {
  small.apply(plan_project_defined(small.view, {{"q"}}, small.now_unix_ms));
  ASSERT_TRUE(small.reserve("r", "h1", {hour_s, 2 * hour_s}));
  ASSERT_TRUE(small.reserve("q", "h2", {hour_s, 2 * hour_s}, "q"));
  ASSERT_TRUE(small.reserve("fans", "h2", {3 * hour_s, 4 * hour_s}, ""));
  small.add_cluster("e", 3);
  const auto refused = [&](msg::StartComputeset request) {
    const auto result = error(small.start(request));
    return result.field + ": " + result.detail;
  };
  EXPECT_EQ(refused({.cluster_id = {"c"}, .count = 1, .reservation = "none"}),
            "reservation: no such reservation: none");
  EXPECT_EQ(refused({.cluster_id = {"c"}, .count = 1, .reservation = "q"}),
            "reservation: reservation q belongs to project q");
  EXPECT_EQ(refused({.cluster_id = {"c"}, .count = 1, .reservation = "fans"}),
            "reservation: fans is a maintenance window");
  EXPECT_EQ(refused({.cluster_id = {"e"}, .count = 3, .reservation = "r"}),
            "reservation: the hosts of reservation r are too small for the nodes");
  EXPECT_EQ(
      refused({.cluster_id = {"c"}, .names = {"vm-c-1"}, .hosts = {{"h2"}}, .reservation = "r"}),
      "hosts: host h2 is not in reservation r");
  const auto plan = plan_start(
      small.view, small.backend,
      {.cluster_id = {"c"}, .viewer = {.projects = {{"p"}}}, .count = 1, .reservation = "q"},
      small.now_unix_ms);
  EXPECT_EQ(error(plan).detail, "no such reservation: q") << "another project's is not shown";
}

TEST_F(Reservations, GiveANodeThatIsPoweredOnAgainOneOfTheirHosts) {
  ASSERT_TRUE(small.reserve("r", "h1", {0, hour_s}));
  ASSERT_TRUE(start_in("r", 1));
  ASSERT_TRUE(small.power("c-1", PowerAction::poweroff));
  small.observe("c-1", msg::DomainState::shutoff);
  ASSERT_TRUE(small.power("c-1", PowerAction::poweron));
  EXPECT_EQ(small.host_of("c-1"), "h1");
}

}  // namespace
}  // namespace nucleus::scheduler
