// Which domains are idle, by what the host counts of them.
#include "services/provisioner/activity.hpp"

#include <gtest/gtest.h>

namespace nucleus::provisioner {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;

/// Looks every ten seconds at one domain of two CPUs, which is idle below 10 % and 1000 bytes/s.
struct ActivityOfOne : testing::Test {
  void look() {
    now_ms += 10'000;
    activity.take({usage}, now_ms);
  }
  std::optional<std::int64_t> idle_since_s() const {
    const auto since_ms = activity.idle_since_ms("u");
    return since_ms ? std::optional{*since_ms / 1000} : std::nullopt;
  }
  Activity activity{{.cpu_share = 0.1, .bytes_per_s = 1'000}};
  DomainUsage usage{.uuid = "u", .cpus = 2};
  std::int64_t now_ms = 0;
};

TEST_F(ActivityOfOne, IsIdleFromTheFirstLookOnUntilItDoesSomething) {
  EXPECT_FALSE(idle_since_s()) << "it was never seen";
  look();
  look();
  EXPECT_EQ(idle_since_s(), 10);
  usage.cpu_ns += 2 * second_ns;
  look();
  EXPECT_FALSE(idle_since_s()) << "10 % of 20 CPU seconds";
  look();
  EXPECT_EQ(idle_since_s(), 30) << "since the look that found it busy";
}

TEST_F(ActivityOfOne, IsIdleAlthoughItDoesALittle) {
  look();
  usage.cpu_ns += 2 * second_ns - 1;
  usage.received_bytes += 9'999;
  look();
  EXPECT_EQ(idle_since_s(), 10);
}

TEST_F(ActivityOfOne, IsBusyWithDisksAndPortsAlone) {
  for (auto* counter :
       {&usage.read_bytes, &usage.written_bytes, &usage.received_bytes, &usage.sent_bytes}) {
    look();
    ASSERT_TRUE(idle_since_s());
    *counter += 10'000;
    look();
    EXPECT_FALSE(idle_since_s());
  }
}

TEST_F(ActivityOfOne, IsNewAfterItStartedAgain) {
  usage.cpu_ns = 100 * second_ns;
  look();
  look();
  usage.cpu_ns = second_ns;
  look();
  EXPECT_EQ(idle_since_s(), 30);
}

TEST_F(ActivityOfOne, IsNotKnownAtALookThatMissedIt) {
  look();
  activity.take({}, now_ms += 10'000);
  EXPECT_FALSE(idle_since_s());
  look();
  EXPECT_EQ(idle_since_s(), 10) << "what it did meanwhile is counted";
  activity.take({}, now_ms += 700'000);
  look();
  EXPECT_EQ(idle_since_s(), now_ms / 1000) << "it was forgotten";
}

TEST_F(ActivityOfOne, IsCountedOnceAtOneTime) {
  look();
  activity.take({usage}, now_ms);
  EXPECT_EQ(idle_since_s(), 10);
}

}  // namespace
}  // namespace nucleus::provisioner
