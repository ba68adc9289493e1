// Whom the gateway shows which events.
#include "gateway/events/event_streams.hpp"

#include <gtest/gtest.h>

#include "messages/image_store.hpp"

namespace nucleus::gateway {
namespace {

core::StoredEvent an_event(const std::string& project, std::string_view type) {
  return {.topic = project + "/_/" + std::string(type)};
}

TEST(EventRights, AreThoseOfTheEventsProject) {
  const msg::Principal ada{.person_id = {"ada"}, .projects = {{"lab"}}};
  EXPECT_TRUE(may_see(ada, an_event("lab", msg::VolumeChanged::topic)));
  EXPECT_TRUE(may_see(ada, an_event("public", msg::ImagePublished::topic)));
  EXPECT_FALSE(may_see(ada, an_event("other", msg::VolumeChanged::topic)));
  EXPECT_FALSE(may_see(ada, an_event("_", msg::VolumeChanged::topic)));
}

TEST(EventJson, HasNoTicketOfAVolume) {
  auto event = an_event("_", msg::VolumePlaced::topic);
  event.body = msg::encode(
      msg::VolumePlaced{.volume = {.node_id = {"n1"}, .ticket = "secret"}, .is_ready = true});
  const auto shown = json_of(event)["body"];
  EXPECT_EQ(shown["volume"]["node_id"], "n1");
  EXPECT_FALSE(shown["volume"].contains("ticket"));
}

}  // namespace
}  // namespace nucleus::gateway
