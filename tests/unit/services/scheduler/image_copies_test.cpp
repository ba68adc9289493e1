// How far images are copied to hosts, as heartbeats say.
#include <gtest/gtest.h>

#include "services/scheduler/heartbeats.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

TEST(ImageCopies, AreThoseOfTheHostsLastHeartbeat) {
  Heartbeats heartbeats{small_config()};
  msg::ReportHost report{.host_id = {"h1"},
                         .image_copies = {{.node_id = {"n"}, .copied_bytes = 1, .total_bytes = 4}}};
  EXPECT_EQ(heartbeats.begun_copies(report), std::vector<msg::NodeId>{{"n"}});
  heartbeats.take(report, 0, 0);
  ASSERT_TRUE(heartbeats.image_copy({"h1"}, {"n"}));
  EXPECT_EQ(heartbeats.image_copy({"h1"}, {"n"})->copied_bytes, 1U);
  EXPECT_FALSE(heartbeats.image_copy({"h2"}, {"n"})) << "another host";
  EXPECT_FALSE(heartbeats.image_copy({"h1"}, {"m"})) << "another node";

  report.image_copies.front().copied_bytes = 2;
  EXPECT_TRUE(heartbeats.begun_copies(report).empty()) << "it goes on";
  report.image_copies.clear();
  heartbeats.take(report, 1, 1);
  EXPECT_FALSE(heartbeats.image_copy({"h1"}, {"n"})) << "it is complete";
}

}  // namespace
}  // namespace nucleus::scheduler
