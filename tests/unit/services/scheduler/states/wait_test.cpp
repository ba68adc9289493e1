#include "services/scheduler/states/wait.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nucleus::scheduler {
namespace {

TEST(Wait, IsForPortsThenForTheVolumeThenForNothing) {
  StoredNode node;
  node.ports_reason = "no VLAN is free";
  EXPECT_EQ(missing_for(node), (Wait{.reason = WaitReason::ports, .detail = "no VLAN is free"}));
  node.ports = {{.mac = "52:54:00:00:00:01"}};
  EXPECT_EQ(missing_for(node), (Wait{.reason = WaitReason::volume}));
  node.is_volume_ready = true;
  EXPECT_EQ(missing_for(node), Wait{});
  EXPECT_FALSE(is_missing_something(node));
}

TEST(Wait, ContainsTheReasonOfTheServiceThatIsWaitedFor) {
  EXPECT_EQ(text_of({.reason = WaitReason::volume}), "waits for its volume");
  EXPECT_EQ(text_of({.reason = WaitReason::volume, .detail = "no image x"}), "no image x");
  EXPECT_EQ(text_of({.reason = WaitReason::ports, .subject = "vm-c-01"}),
            "vm-c-01 waits for its network");
  EXPECT_EQ(text_of({.reason = WaitReason::still_running, .subject = "vm-c-01"}),
            "vm-c-01 still runs");
}

TEST(Wait, HasADifferentTextForEachReason) {
  std::set<std::string> texts;
  for (std::size_t i = 0; i < msg::enum_names<WaitReason>.size(); ++i)
    texts.insert(text_of({.reason = static_cast<WaitReason>(i), .subject = "h1"}));
  EXPECT_EQ(texts.size(), msg::enum_names<WaitReason>.size());
}

}  // namespace
}  // namespace nucleus::scheduler
