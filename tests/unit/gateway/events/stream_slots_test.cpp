// How many event streams may be open at the same time, and whose.
#include "gateway/events/stream_slots.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nucleus::gateway {
namespace {

msg::Principal a_person(const std::string& name) {
  return {.person_id = {name}, .role = msg::Role::pi};
}

msg::Principal an_operator() {
  return {.person_id = {"op"}, .role = msg::Role::operator_, .rights = {msg::Right::operate}};
}

TEST(StreamSlots, GivesAPersonNoMoreThanTheirLimit) {
  StreamSlots slots{{.all = 10, .per_person = 2, .reserved = 0}};
  auto first = slots.take(a_person("ada"));
  const auto second = slots.take(a_person("ada"));
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(slots.take(a_person("ada")));
  EXPECT_TRUE(slots.take(a_person("bob")));
  first.reset();
  EXPECT_TRUE(slots.take(a_person("ada"))) << "a slot that was given back";
}

TEST(StreamSlots, ReservesTheLastForOperators) {
  StreamSlots slots{{.all = 4, .per_person = 4, .reserved = 2}};
  const std::vector taken{slots.take(a_person("ada")), slots.take(a_person("bob"))};
  EXPECT_TRUE(taken[0] && taken[1]);
  EXPECT_FALSE(slots.take(a_person("eve")));
  const std::vector reserved{slots.take(an_operator()), slots.take(an_operator())};
  EXPECT_TRUE(reserved[0] && reserved[1]);
  EXPECT_FALSE(slots.take(an_operator()));
}

TEST(StreamSlots, OutlivesItsOwner) {
  StreamSlots::Slot slot;
  {
    StreamSlots slots{{}};
    slot = slots.take(a_person("ada"));
  }
  slot.reset();
}

}  // namespace
}  // namespace nucleus::gateway
