// The rows of `nucleus host list`.
#include "operator/tables.hpp"

#include <gtest/gtest.h>

namespace nucleus::operator_ {
namespace {

constexpr std::int64_t now_unix_ms = 1'800'000'000'000;

TEST(HostTable, ShowsTheAgeOfTheLastHeartbeat) {
  EXPECT_EQ(shown_age(now_unix_ms - 400, now_unix_ms), "0.4 s ago");
  EXPECT_EQ(shown_age(now_unix_ms - 59'900, now_unix_ms), "59.9 s ago");
  EXPECT_EQ(shown_age(now_unix_ms - 60'000, now_unix_ms), "1 min ago");
  EXPECT_EQ(shown_age(now_unix_ms - 7'200'000, now_unix_ms), "2 h ago");
  EXPECT_EQ(shown_age(now_unix_ms + 300, now_unix_ms), "0.0 s ago") << "another clock";
  EXPECT_EQ(shown_age(0, now_unix_ms), "never");
}

TEST(HostTable, PlacesEachValueBelowItsHeading) {
  const auto heading = host_heading();
  const auto row = host_row({.host_id = {"h1"},
                             .state = msg::HostState::up,
                             .last_heartbeat_unix_ms = now_unix_ms - 400,
                             .clock_skew_ms = -1'500},
                            now_unix_ms);
  const auto end_of = [](const std::string& line, const std::string& word) {
    const auto at = line.find(word);
    return at == std::string::npos ? at : at + word.size();
  };
  EXPECT_EQ(end_of(row, "0.4 s ago"), end_of(heading, "heartbeat"));
  EXPECT_EQ(end_of(row, "-1.5s"), end_of(heading, "clock"));
}

TEST(HostTable, ShowsAProfileAndWhatTheHostLacksForIt) {
  msg::Host host{.host_id = {"h1"}, .accelerator = "kvm", .profile = "standard"};
  EXPECT_EQ(shown_accelerator(host), "kvm");
  host.profile = "hpc";
  host.profile_reason = "profile hpc: the host has no hugepages";
  EXPECT_EQ(shown_accelerator(host), "kvm, hpc");
  EXPECT_EQ(host_remark(host), host.profile_reason);
  host.reason = "no answer for longer than its lease";
  EXPECT_EQ(host_remark(host), host.reason);
}

}  // namespace
}  // namespace nucleus::operator_
