// Times, windows and filters of the IRI API, and what its status pages show.
#include "gateway/iri/query.hpp"

#include <gtest/gtest.h>

#include "gateway/config.hpp"
#include "gateway/iri/incidents.hpp"
#include "gateway/iri/resources.hpp"

namespace nucleus::gateway {
namespace {

core::Result<IriQuery> query_of(const std::string& target) {
  core::http::Request request;
  EXPECT_TRUE(core::http::parse_target(target, request));
  return read_iri_query(request, {"limit", "offset", "modified_since", "status", "name",
                                  "description", "historical"});
}

TEST(IriQuery, TimesAreReadWithTheirOffset) {
  EXPECT_EQ(iso_time(1'771'675'200), "2026-02-21T12:00:00Z");
  for (const char* same : {"2026-02-21T12:00:00Z", "2026-02-21T12:00:00.123Z",
                           "2026-02-21T13:00:00+01:00", "2026-02-21T07:30:00-0430"})
    EXPECT_EQ(unix_s_of(same), 1'771'675'200) << same;
  for (const char* wrong :
       {"", "2026-02-21", "2026-02-21T12:00:00", "2026-02-21T12:00:00.Z", "2026-02-21T12:00:00Zx",
        "2026-02-21T12:00:00 +01:00", "yesterday", "2026-02-21T12:00:00GMT", "2026-02-30T12:00:00Z",
        "2025-02-29T12:00:00Z"})
    EXPECT_FALSE(unix_s_of(wrong)) << wrong;
}

TEST(IriQuery, AParameterThatIsWrongIsNamed) {
  EXPECT_EQ(query_of("/x?limit=0&offset=5")->limit, 0u);
  for (const char* wrong : {"limit=1001", "limit=-1", "limit=", "offset=x", "status=on",
                            "modified_since=now", "name=", "historical=1"}) {
    const auto query = query_of("/x?" + std::string(wrong));
    ASSERT_FALSE(query) << wrong;
    EXPECT_TRUE(std::string_view(wrong).starts_with(query.error().field)) << wrong;
  }
  EXPECT_EQ(query_of("/x?page=2").error().field, "page");
  EXPECT_EQ(query_of("/x?name=a&name=b").error().field, "name");
}

TEST(IriQuery, AnEntryFitsIfEveryFilterDoes) {
  const Json entry{{"name", "mine"},
                   {"description", "a small cluster"},
                   {"last_modified", "2026-02-21T12:00:00Z"}};
  EXPECT_TRUE(fits(*query_of("/x?name=mine&description=small"), entry));
  EXPECT_FALSE(fits(*query_of("/x?name=min"), entry));
  EXPECT_FALSE(fits(*query_of("/x?status=up"), entry)) << "it has no such field";
  EXPECT_TRUE(fits(*query_of("/x?modified_since=2026-02-21T12:00:00Z"), entry));
  EXPECT_FALSE(fits(*query_of("/x?modified_since=2026-02-21T12:00:01Z"), entry));
}

TEST(IriFacility, ItsSupportIsAUri) {
  for (const auto& [uri, is_accepted] : {std::pair{"https://support.example.org/", true},
                                         {"mailto:help@example.org", true},
                                         {"", true},
                                         {"support.example.org", false}}) {
    core::Settings settings{{{"gateway.facility_support_uri", uri}}};
    EXPECT_EQ(Config::from(settings).has_value(), is_accepted) << uri;
  }
}

TEST(IriStatus, TheCentreIsAsItsHosts) {
  EXPECT_EQ(centre_status({.has_up = true}), IriStatus::up);
  EXPECT_EQ(centre_status({.has_up = true, .has_missing = true}), IriStatus::degraded);
  EXPECT_EQ(centre_status({.has_missing = true}), IriStatus::down);
  EXPECT_EQ(centre_status({}), IriStatus::down);
}

TEST(IriStatus, AClusterIsDegradedIfANodeFailed) {
  const msg::NodeStatus off{.state = msg::NodeState::shutoff};
  const msg::NodeStatus crashed{.state = msg::NodeState::crashed};
  const std::vector<const msg::NodeStatus*> fine{&off}, failed{&off, &crashed};
  EXPECT_EQ(cluster_status(IriStatus::degraded, fine), IriStatus::up)
      << "its nodes run, and others start on the hosts that are left";
  EXPECT_EQ(cluster_status(IriStatus::up, failed), IriStatus::degraded);
  EXPECT_EQ(cluster_status(IriStatus::down, fine), IriStatus::down);
}

TEST(IriIncidents, AWindowBeginsAndEnds) {
  msg::Reservation window{.reservation_id = 3,
                          .name = "fans",
                          .start_unix_s = 100,
                          .end_unix_s = 200,
                          .reason = "new fans",
                          .state = msg::ReservationState::planned};
  const auto seen = [&] { return incident_of(window, {.is_person = true}); };
  EXPECT_EQ(seen().resolution, "pending");
  EXPECT_TRUE(events_of(seen()).empty());
  window.state = msg::ReservationState::active;
  EXPECT_EQ(seen().status, "degraded");
  ASSERT_EQ(events_of(seen()).size(), 1u);
  EXPECT_EQ(events_of(seen())[0].unix_s, 100);
  window.state = msg::ReservationState::ended;
  EXPECT_EQ(seen().resolution, "completed");
  EXPECT_EQ(events_of(seen())[1].status, "up");
}

TEST(IriIncidents, NamesAreForPeopleAndHostsForOperators) {
  const msg::Reservation window{.reservation_id = 3, .name = "fans", .reason = "new fans"};
  const auto anyone = incident_of(window, {});
  EXPECT_EQ(anyone.id, incident_of(window, {.is_person = true}).id);
  EXPECT_EQ(anyone.name + anyone.description, "maintenance");
  const msg::Host host{.host_id = {"h07"}, .reason = "no heartbeat", .last_heartbeat_unix_ms = 9};
  const auto person = incident_of(host, {.is_person = true});
  const auto known = incident_of(host, {.is_person = true, .is_operator = true});
  EXPECT_EQ(person.id, known.id);
  EXPECT_EQ(person.name + person.description, "a host is lost");
  EXPECT_EQ(known.name, "host h07 is lost");
}

}  // namespace
}  // namespace nucleus::gateway
