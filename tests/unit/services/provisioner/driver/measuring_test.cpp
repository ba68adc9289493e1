// What a measurement runs in a guest and on the host, and how its result says how it was made.
#include "services/provisioner/driver/measuring.hpp"

#include <gmock/gmock.h>

#include "tests/support/fake_hypervisor.hpp"

namespace nucleus::provisioner {
namespace {

using core::ErrorCode;
using testing::ElementsAre;
using testing::IsSupersetOf;

constexpr const char* measured_domain = "c.vm-c-00";
constexpr const char* memory_output =
    R"({"program":"nucleus-pingpong 2","ranks":[],"triad_mb_s":26916.1})";

class Measuring : public testing::Test {
 protected:
  Measuring() {
    EXPECT_TRUE(hypervisor_.create({.name = measured_domain,
                                    .uuid = "00000000-0000-4000-8000-000000000001",
                                    .epoch = 1,
                                    .memory_mb = 64,
                                    .runtime_dir = "/run/nucleus"}));
    hypervisor_.answer_in_guest([this](const std::string&, const GuestCommand& command) {
      ran_.push_back(command.argv);
      if (command.argv.front() == "/bin/cat")
        return core::Result<GuestOutput>(GuestOutput{.output = "6.1.0-40-cloud\n0cc7f8aa\n"});
      return core::Result<GuestOutput>(answer_);
    });
  }
  core::Result<msg::MeasurementRun> measure(const std::string& tool,
                                            std::vector<std::string> peers = {}) {
    return measure_in_node(
        hypervisor_, {.domain = measured_domain, .accelerator = Accel::tcg, .cpus = 2},
        {.node_id = {"n"}, .tool = tool, .peers = std::move(peers)}, std::chrono::seconds{90});
  }

  FakeHypervisor hypervisor_{HostCapacity{}};
  std::vector<std::vector<std::string>> ran_ = {};
  GuestOutput answer_ = {};
};

TEST_F(Measuring, SaysHowARunWasMade) {
  answer_.output = memory_output;
  const auto run = measure("memory");
  ASSERT_TRUE(run) << run.error().detail;
  EXPECT_EQ(run->conditions.accelerator, "tcg");
  EXPECT_EQ(run->conditions.network, "virtio");
  EXPECT_EQ(run->conditions.cpus, 2U);
  EXPECT_EQ(run->conditions.kernel, "6.1.0-40-cloud");
  EXPECT_EQ(run->conditions.program, "nucleus-pingpong 2");
  EXPECT_EQ(run->boot_id, "0cc7f8aa");
  EXPECT_EQ(run->samples.at(0).value, 26916.1);
}

TEST_F(Measuring, EndsInTheGuestBeforeItsDeadlineAndWaitsForTheLock) {
  answer_.output = memory_output;
  ASSERT_TRUE(measure("memory"));
  const auto& argv = ran_.front();
  EXPECT_THAT(std::vector(argv.begin() + 2, argv.end()),
              ElementsAre("timeout", "--kill-after=2", "85", "flock", "/run/nucleus-measure.lock",
                          "/usr/local/bin/nucleus-pingpong", "memory"));
}

TEST_F(Measuring, PutsOneRankOnEachOfTwoNodes) {
  (void)measure("mpi", {"vm-c-00", "vm-c-01"});
  EXPECT_THAT(ran_.at(0),
              IsSupersetOf({"-np", "2", "--host", "vm-c-00,vm-c-01", "--map-by", "node"}));
}

TEST_F(Measuring, OfLinksPutsOneRankOnEachNode) {
  answer_.output =
      R"({"program":"nucleus-pingpong 3","ranks":[{"host":"a","boot_id":"1"},)"
      R"({"host":"b","boot_id":"2"}],"link_latency_us":[31.5],"link_bandwidth_mb_s":[212.25]})";
  const MeasuredNode node{.domain = measured_domain, .accelerator = Accel::tcg, .cpus = 2};
  const auto run = measure_links(hypervisor_, node, {"a", "b"}, std::chrono::seconds{90});
  ASSERT_TRUE(run) << run.error().detail;
  EXPECT_EQ(run->latencies_us, std::vector{31.5});
  EXPECT_EQ(run->conditions.accelerator, "tcg");
  EXPECT_EQ(run->boot_id, "0cc7f8aa");
  const auto argv = plan_links({"a", "b", "c"}, {.program = "/bin/p"}, std::chrono::seconds{90});
  ASSERT_TRUE(argv);
  EXPECT_THAT(*argv, IsSupersetOf({"-np", "3", "--host", "a,b,c", "/bin/p", "links"}));
  EXPECT_EQ(argv->back(), "links");
}

TEST_F(Measuring, OfLinksTakesTwoToSixtyFourNames) {
  const std::vector<std::string> most(64, "a");
  EXPECT_TRUE(plan_links(most, {}, std::chrono::seconds{90}));
  for (const auto& peers : {std::vector<std::string>(65, "a"), {"a"}, {}, {"a", "--mca"}})
    EXPECT_EQ(plan_links(peers, {}, std::chrono::seconds{90}).error().code,
              ErrorCode::invalid_argument);
}

TEST_F(Measuring, RefusesWhatIsNoToolOrNoNameBeforeAnythingRuns) {
  EXPECT_EQ(measure("rm").error().code, ErrorCode::invalid_argument);
  for (const auto& peers : {std::vector<std::string>{"a"},
                            {"a", "b", "c"},
                            {"a", "b; reboot"},
                            {"a", "--mca"},
                            {"a", ""},
                            {"a", "b,c"}})
    EXPECT_EQ(measure("mpi", peers).error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(ran_.empty());
}

TEST_F(Measuring, ReportsAToolThatFailed) {
  answer_ = {.end = core::exited(124), .errors = "terminated"};
  const auto run = measure("storage");
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, ErrorCode::internal);
  EXPECT_THAT(run.error().detail, testing::HasSubstr("storage failed in the guest"));
}

TEST_F(Measuring, OfAHostNeedsItsProgram) {
  EXPECT_EQ(measure_on_host({}, {.tool = "memory"}, std::chrono::seconds{10}).error().detail,
            "provisioner.pingpong_program is not set");
}

TEST_F(Measuring, OfAHostPutsBothRanksThereIfItHasNoPeers) {
  const auto argv = plan_tool({.tool = "mpi"}, {.program = "/bin/p"}, std::chrono::seconds{10});
  ASSERT_TRUE(argv);
  EXPECT_THAT(*argv, IsSupersetOf({"--host", "localhost:2", "/bin/p"}));
}

TEST_F(Measuring, OfAnApplicationStartsARankOnEachPeer) {
  const auto argv =
      plan_tool({.tool = "silicon", .peers = {"a", "b"}}, {}, std::chrono::seconds{10});
  ASSERT_TRUE(argv);
  EXPECT_THAT(*argv, IsSupersetOf({"unshare", "--mount", "mpirun", "-np", "2", "a,b"}));
  for (const auto& word : *argv) EXPECT_FALSE(word.starts_with('{')) << word;
}

}  // namespace
}  // namespace nucleus::provisioner
