#include <gtest/gtest.h>

#include "client/commands/commands.hpp"
#include "client/output/views.hpp"

namespace nucleus::client {
namespace {

constexpr std::int64_t expected_unix_s = 1'795'968'000;

/// What `start --plan` prints of a start that would have to wait.
std::string shown_plan(std::int64_t expected, std::int64_t earliest, std::int64_t latest) {
  const auto plan = Json::object({{"computeset", Json::object({{"allocation_id", "a"}})},
                                  {"names", Json::list({"vm-c-01", "vm-c-02"})},
                                  {"hosts", Json::list()},
                                  {"core_s_max", 7'200},
                                  {"causes", Json::list()},
                                  {"expected_start_unix_s", expected},
                                  {"earliest_start_unix_s", earliest},
                                  {"latest_start_unix_s", latest}});
  testing::internal::CaptureStdout();
  print_start_plan(plan);
  return testing::internal::GetCapturedStdout();
}

bool has_line(const std::string& shown, const std::string& line) {
  return shown.find("\n" + line + "\n") != std::string::npos;
}

TEST(ExplainCommand, ShowsTheIntervalOfAStartIfItIsKnown) {
  const auto shown = shown_plan(expected_unix_s, expected_unix_s - 7'200, expected_unix_s - 600);
  EXPECT_TRUE(has_line(shown, "Expected start: " + shown_time(expected_unix_s) +
                                  "; 8 of 10 start between " + shown_time(expected_unix_s - 7'200) +
                                  " and " + shown_time(expected_unix_s - 600)))
      << shown;
}

TEST(ExplainCommand, ShowsNoIntervalIfFewWaitsAreKnown) {
  const auto shown = shown_plan(expected_unix_s, 0, 0);
  EXPECT_TRUE(has_line(shown, "Expected start: " + shown_time(expected_unix_s))) << shown;
}

TEST(ExplainCommand, SaysIfTheStartIsNotKnown) {
  const auto shown = shown_plan(0, 0, 0);
  EXPECT_TRUE(has_line(shown, "Expected start: not known")) << shown;
}

}  // namespace
}  // namespace nucleus::client
