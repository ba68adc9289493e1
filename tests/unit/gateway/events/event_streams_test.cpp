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

TEST(EventRights, ShowNobodyTheTicketOfAVolume) {
  const msg::Principal op{.person_id = {"op"},
                          .role = msg::Role::operator_,
                          .rights = {msg::Right::operate, msg::Right::read}};
  EXPECT_TRUE(may_see(op, an_event("lab", msg::VolumeChanged::topic)));
  EXPECT_FALSE(may_see(op, an_event("_", msg::VolumePlaced::topic)));
}

}  // namespace
}  // namespace nucleus::gateway
