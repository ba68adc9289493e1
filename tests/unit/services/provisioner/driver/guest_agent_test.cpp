// A guest decides what its agent answers: no answer may cause an exception or exceed its limits.
#include "services/provisioner/driver/guest_agent.hpp"

#include <gtest/gtest.h>

namespace nucleus::provisioner {
namespace {

TEST(GuestAgent, RefusesAnswersThatAreNotAReturnObject) {
  for (const char* answer : {"", "{", "null", "[]", "7", R"({"error":{}})", R"({"return":7})",
                             R"({"return":[]})", "{\"return\":\xff}"})
    EXPECT_FALSE(agent_return(answer)) << answer;
  EXPECT_EQ(*agent_return(R"({"return":{"pid":7}})"), R"({"pid":7})");
}

TEST(GuestAgent, RefusesAnswersThatAreNestedDeeply) {
  constexpr std::size_t depth = 1'000'000;
  const std::string nested = std::string(depth, '[') + std::string(depth, ']');
  EXPECT_FALSE(agent_return(R"({"return":{"pid":)" + nested + "}}"));
  EXPECT_FALSE(command_output(R"({"exited":true,"out-data":)" + nested + "}"));
}

TEST(GuestAgent, WaitsWhileTheCommandHasNotExited) {
  for (const char* status : {"", "{}", "[]", R"({"exited":false})", R"({"exited":"yes"})",
                             R"({"exited":1,"exitcode":0})"})
    EXPECT_FALSE(command_output(status)) << status;
}

TEST(GuestAgent, DecodesWhatACommandPrinted) {
  const auto output =
      command_output(R"({"exited":true,"exitcode":3,"out-data":"aGVsbG8=","err-data":"b29wcw=="})");
  ASSERT_TRUE(output);
  EXPECT_EQ(output->end, core::exited(3));
  EXPECT_EQ(output->output, "hello");
  EXPECT_EQ(output->errors, "oops");
  EXPECT_EQ(command_output(R"({"exited":true,"signal":9})")->end, core::signalled(9));
}

TEST(GuestAgent, TakesFieldsOfTheWrongTypeAsAbsent) {
  const auto output =
      command_output(R"({"exited":true,"exitcode":"0","signal":[],"out-data":7,"err-data":"%%%"})");
  ASSERT_TRUE(output);
  EXPECT_EQ(output->end, core::exited(0));
  EXPECT_EQ(output->output, "");
  EXPECT_EQ(output->errors, "");
  EXPECT_EQ(command_output(R"({"exited":true,"signal":99999999999})")->end, core::signalled(127));
}

TEST(GuestAgent, KeepsNoMoreOutputThanItsLimit) {
  const std::string data(4 * guest_output_bytes_max, 'A');
  const auto output = command_output(R"({"exited":true,"out-data":")" + data + R"("})");
  ASSERT_TRUE(output);
  EXPECT_LE(output->output.size(), guest_output_bytes_max);
}

}  // namespace
}  // namespace nucleus::provisioner
