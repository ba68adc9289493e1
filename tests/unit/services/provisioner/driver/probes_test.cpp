// What a probe runs in a guest, and what is parsed from its output.
#include "services/provisioner/driver/probes.hpp"

#include <gmock/gmock.h>

#include "tests/support/fake_hypervisor.hpp"

namespace nucleus::provisioner {
namespace {

using core::ErrorCode;
using testing::ElementsAre;

constexpr const char* domain_name = "c.vm-c-00";

class Probes : public testing::Test {
 protected:
  Probes() {
    EXPECT_TRUE(hypervisor_.create({.name = domain_name,
                                    .uuid = "00000000-0000-4000-8000-000000000001",
                                    .epoch = 1,
                                    .memory_mb = 64,
                                    .runtime_dir = "/run/nucleus"}));
    hypervisor_.answer_in_guest([this](const std::string&, const GuestCommand& command) {
      ran_ = command.argv;
      return core::Result<GuestOutput>(answer_);
    });
  }

  FakeHypervisor hypervisor_{HostCapacity{}};
  std::vector<std::string> ran_ = {};
  GuestOutput answer_ = {};
};

TEST_F(Probes, EndInTheGuestAtTheirDeadline) {
  answer_.output = R"({"hosts":["a","b"],"latency_us":4.5,"bandwidth_mb_s":80})";
  const auto result = run_node_probe(hypervisor_, domain_name, msg::Probe::mpi_pingpong,
                                     {{.name = "a"}, {.name = "b"}}, std::chrono::seconds{90});
  ASSERT_TRUE(result) << result.error().detail;
  EXPECT_THAT(result->hosts, ElementsAre("a", "b"));
  EXPECT_EQ(result->latency_us, 4.5);
  EXPECT_EQ(result->bandwidth_mb_s, 80);
  ASSERT_GT(ran_.size(), 4U);
  EXPECT_THAT(std::vector(ran_.begin(), ran_.begin() + 4),
              ElementsAre("/usr/bin/timeout", "--kill-after=2", "90", "/usr/bin/mpirun"));
  EXPECT_THAT(ran_, testing::IsSupersetOf({"-H", "a,b"}));
}

TEST_F(Probes, RefuseNodesThatAreNotNamesBeforeAnythingRuns) {
  const auto result =
      run_node_probe(hypervisor_, domain_name, msg::Probe::mpi_pingpong,
                     {{.name = "a"}, {.name = "b; reboot"}}, std::chrono::seconds{90});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(ran_.empty());
}

TEST_F(Probes, ReportAFailedCommandWithItsErrors) {
  answer_ = {.end = core::exited(124), .errors = "terminated"};
  const auto result = run_node_probe(hypervisor_, domain_name, msg::Probe::fio_random_read, {},
                                     std::chrono::seconds{90});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().detail, testing::HasSubstr("124"));
  EXPECT_THAT(result.error().detail, testing::HasSubstr("terminated"));
}

TEST_F(Probes, RefuseOutputWithoutFigures) {
  for (const char* printed : {"", "{", "{}", R"({"hosts":"a","latency_us":1,"bandwidth_mb_s":1})",
                              R"({"hosts":[],"latency_us":"1","bandwidth_mb_s":1})",
                              R"({"hosts":[],"latency_us":-1,"bandwidth_mb_s":1})",
                              R"({"hosts":[],"latency_us":1e999,"bandwidth_mb_s":1})"})
    EXPECT_FALSE(parse_pingpong(printed)) << printed;
  for (const char* printed :
       {"", "[]", R"({"jobs":[]})", R"({"jobs":[1]})", R"({"jobs":[null]})", R"({"jobs":{}})",
        R"({"jobs":[{"read":1}]})", R"({"jobs":[{"read":{"iops":"x"}}]})"})
    EXPECT_FALSE(parse_fio(printed)) << printed;
}

TEST_F(Probes, RefuseFiguresOutOfTheirRange) {
  for (const char* figure :
       {"1e308", "-1e308", "1.1e9", "-1e-9", "1e999", "nan", "NaN", "inf", "Infinity", "null",
        "true", "\"1\"", "[1]", "99999999999999999999999999999999999999", "-1"}) {
    const std::string text = figure;
    EXPECT_FALSE(parse_pingpong(R"({"hosts":[],"bandwidth_mb_s":1,"latency_us":)" + text + "}"))
        << text;
    EXPECT_FALSE(parse_pingpong(R"({"hosts":[],"latency_us":1,"bandwidth_mb_s":)" + text + "}"))
        << text;
    EXPECT_FALSE(parse_fio(R"({"jobs":[{"read":{"iops":)" + text + "}}]}")) << text;
  }
  EXPECT_FALSE(parse_fio(R"({"jobs":[{"read":{"iops":1,"bw_bytes":1e308}}]})"));
  EXPECT_FALSE(parse_fio(R"({"jobs":[{"read":{"iops":1,"bw_bytes":-1}}]})"));
}

TEST_F(Probes, TakeTheFiguresOfFastHardware) {
  const auto mpi = parse_pingpong(R"({"hosts":[],"latency_us":0,"bandwidth_mb_s":1e9})");
  ASSERT_TRUE(mpi);
  EXPECT_EQ(mpi->bandwidth_mb_s, 1e9);
  const auto fio = parse_fio(R"({"jobs":[{"read":{"iops":1e9,"bw_bytes":7000000000}}]})");
  ASSERT_TRUE(fio);
  EXPECT_EQ(fio->operations_per_s, 1e9);
  EXPECT_EQ(fio->bandwidth_mb_s, 7000) << "more than 1e9 bytes a second";
}

TEST_F(Probes, IgnoreFieldsOfTheWrongType) {
  const auto result = parse_fio(R"({"jobs":[{"read":{"iops":5,"bw_bytes":"all"}}]})");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->operations_per_s, 5);
  EXPECT_EQ(result->bandwidth_mb_s, 0);
}

TEST_F(Probes, KeepNoMoreHostNamesThanRanks) {
  std::string names = "1";
  for (int i = 0; i < 1000; ++i) names += R"(,"h")";
  const auto result =
      parse_pingpong(R"({"latency_us":1,"bandwidth_mb_s":1,"hosts":[)" + names + "]}");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->hosts.size(), 2U);
}

TEST_F(Probes, SurviveDeeplyNestedOutput) {
  const std::string nested = R"({"jobs":)" + std::string(100'000, '[');
  EXPECT_FALSE(parse_fio(nested));
  EXPECT_FALSE(parse_fio(nested + std::string(100'000, ']') + "}"));
}

}  // namespace
}  // namespace nucleus::provisioner
