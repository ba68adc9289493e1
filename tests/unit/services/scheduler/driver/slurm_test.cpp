// What Slurm's commands print.
#include "services/scheduler/driver/slurm.hpp"

#include <gtest/gtest.h>

namespace nucleus::scheduler {
namespace {

TEST(SlurmText, AJobHasItsComputesetHostsAndLimit) {
  const auto job =
      parse_job("17|RUNNING|nucleus:site:46:ready|1795968465|1-00:05:00|h[1-2],x7|None", "site");
  ASSERT_TRUE(job);
  EXPECT_EQ(job->job_id, "17");
  EXPECT_EQ(job->computeset_id, 46);
  EXPECT_EQ(job->state, JobState::ready);
  EXPECT_EQ(job->reason, "");
  EXPECT_EQ(job->hosts, (std::vector<msg::HostId>{{"h1"}, {"h2"}, {"x7"}}));
  EXPECT_EQ(job->limit_mins, 1445);
  EXPECT_EQ(job->expected_start_unix_s, 0);
}

TEST(SlurmText, ARunningJobIsPreparingUntilItsHostsAreChecked) {
  const auto job = parse_job("17|RUNNING|nucleus:site:46|1795968465|5:00|h1|None", "site");
  ASSERT_TRUE(job);
  EXPECT_EQ(job->state, JobState::preparing);
}

TEST(SlurmText, AJobKeepsItsHostsWhileARestartedControllerFindsThem) {
  const auto state_of = [](const std::string& comment) {
    return parse_job("17|CONFIGURING|" + comment + "|1|5:00|h1|None", "site")->state;
  };
  EXPECT_EQ(state_of("nucleus:site:46:ready"), JobState::ready);
  EXPECT_EQ(state_of("nucleus:site:46"), JobState::preparing);
}

TEST(SlurmText, AWaitingJobHasAReasonAndAnExpectedStart) {
  const auto job =
      parse_job("17|PENDING|nucleus:site:46|1795968465|5:00||Nodes a|b are down", "site");
  ASSERT_TRUE(job);
  EXPECT_EQ(job->state, JobState::pending);
  EXPECT_EQ(job->reason, "Nodes a|b are down");
  EXPECT_EQ(job->expected_start_unix_s, 1'795'968'465);
  EXPECT_EQ(parse_job("17|PENDING|nucleus:site:46|N/A|5:00||None", "site")->expected_start_unix_s,
            0);
}

TEST(SlurmText, EndedJobsSayHow) {
  const auto state = [](const std::string& name) {
    return parse_job("17|" + name + "|nucleus:site:46:ready|1|5:00|h1|None", "site");
  };
  EXPECT_EQ(state("TIMEOUT")->state, JobState::ended);
  EXPECT_EQ(state("TIMEOUT")->reason, "TIMEOUT");
  EXPECT_EQ(state("COMPLETING")->state, JobState::completing);
  EXPECT_EQ(state("CANCELLED")->state, JobState::cancelled);
  EXPECT_EQ(state("SUSPENDED")->state, JobState::ready);
  EXPECT_EQ(state("LATER_RELEASE")->state, JobState::unknown);
}

TEST(SlurmText, JobsOfOthersAreNotOurs) {
  for (const std::string comment :
       {"(null)", "nucleus:other:46", "nucleus:site-2:46", "nucleus:site:", "nucleus:site:x", ""})
    EXPECT_FALSE(parse_job("17|RUNNING|" + comment + "|1|5:00|h1|None", "site")) << comment;
  EXPECT_FALSE(parse_job("slurm_load_jobs error", "site"));
}

TEST(SlurmText, TimesAreRoundedUpToMinutes) {
  EXPECT_EQ(minutes_of("5:00"), 5);
  EXPECT_EQ(minutes_of("5:01"), 6);
  EXPECT_EQ(minutes_of("0:30"), 1);
  EXPECT_EQ(minutes_of("48:05:00"), 2885);
  EXPECT_EQ(minutes_of("2-00:05:00"), 2885);
  EXPECT_EQ(minutes_of("UNLIMITED"), 0);
  EXPECT_EQ(minutes_of("N/A"), 0);
}

TEST(SlurmText, ANodeIsDrainedWithItsReason) {
  const auto node = parse_node("h1|draining|a disk | and a fan");
  ASSERT_TRUE(node);
  EXPECT_EQ(*node, (BatchNode{.host_id = {"h1"},
                              .state = "draining",
                              .reason = "a disk | and a fan",
                              .is_drained = true}));
  EXPECT_FALSE(parse_node("h1|idle|none")->is_drained);
  EXPECT_EQ(parse_node("h1|idle|none")->reason, "");
  EXPECT_FALSE(parse_node("sinfo: error"));
}

TEST(SlurmText, ReadsWhenAJobWouldStart) {
  EXPECT_EQ(parse_expected_start("sbatch: Job 2 to start at 1795968465 using 2 processors on nodes "
                                 "n1 in partition compute\n"),
            1'795'968'465);
  EXPECT_EQ(parse_expected_start("sbatch: Job 2 to start at soon"), 0);
  EXPECT_EQ(parse_expected_start(""), 0);
}

}  // namespace
}  // namespace nucleus::scheduler
