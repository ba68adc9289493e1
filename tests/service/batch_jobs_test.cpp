// Computesets as batch jobs of a real Slurm, beside ordinary jobs.
#include <gtest/gtest.h>

#include <ctime>

#include "tests/service/scheduler_room.hpp"
#include "tests/support/private_slurm.hpp"

namespace nucleus::tests {
namespace {

using msg::ComputesetState;
using msg::PowerAction;

/// Slurm looks at its queue every few seconds, and takes its time on a loaded machine.
bool follows(const std::function<bool()>& condition) {
  return eventually(condition, std::chrono::minutes{4});  // it only bounds a failure
}

/// All tests share one Slurm, each with jobs of its own name.
class BatchJobs : public SchedulerRoom {
 protected:
  static void SetUpTestSuite() {
    slurm_ = std::make_unique<PrivateSlurm>(std::vector<std::string>{"h1", "h2", "h3"});
  }
  static void TearDownTestSuite() { slurm_.reset(); }

  BatchJobs() {
    static int count = 0;
    start({{"scheduler.slurm_partition", "compute"},
           {"scheduler.slurm_conf", slurm_->conf()},
           {"scheduler.slurm_name", "test-" + std::to_string(++count)},
           {"scheduler.slurm_poll_ms", "100"}});
    for (auto* host : {&h1_, &h2_, &other_}) EXPECT_TRUE(host->report());
    define("c", 3);
    EXPECT_TRUE(follows([&] { return host("h2").batch_state == "idle"; }));
  }
  ~BatchJobs() override {
    service_.reset();
    slurm_->run({"scancel", "--user=root"});
    EXPECT_TRUE(follows([&] {
      return slurm_->run({"sinfo", "--noheader", "--format=%T"}) == "idle";
    }));
  }
  msg::Host host(const std::string& id) {
    const auto listed = ask(msg::ListHosts{.host_id = {id}});
    return listed && !listed->hosts.empty() ? listed->hosts[0] : msg::Host{};
  }
  msg::Computeset start_set(msg::StartComputeset request) {
    request.cluster_id = {"c"};
    request.viewer = as_operator;
    const auto started = ask(request);
    EXPECT_TRUE(started) << started.error().detail;
    return started.value_or(msg::Computeset{});
  }
  bool set_becomes(msg::ComputesetId id, ComputesetState state) {
    return follows([&] { return computeset(id).state == state; });
  }
  bool job_becomes(const std::string& job_id, const std::string& state) {
    return follows([&] { return slurm_->state_of(job_id) == state; });
  }
  /// A computeset whose job has its hosts.
  msg::Computeset start_running(std::uint32_t count) {
    const auto started = start_set({.count = count});
    EXPECT_TRUE(set_becomes(started.computeset_id, ComputesetState::running))
        << computeset(started.computeset_id).reason;
    return computeset(started.computeset_id);
  }
  /// The host reports that all nodes that it was granted are off.
  void stop_nodes(const msg::Computeset& ended) {
    for (const auto& node : ended.nodes)
      for (auto* host : {&h1_, &h2_}) {
        const auto grant = host->grant_of(node.value);
        if (!grant) continue;
        EXPECT_TRUE(host->report_domain(*grant, msg::DomainState::shutoff));
      }
  }

  static inline std::unique_ptr<PrivateSlurm> slurm_ = {};
  Host h1_{deployment_, "h1"};
  Host h2_{deployment_, "h2"};
  Host other_{deployment_, "other"};
};

TEST_F(BatchJobs, APlanSaysWhenTheJobWouldStartAndSubmitsNone) {
  const auto planned = [&](std::uint32_t count, const std::string& reservation = {}) {
    const auto plan = ask(msg::PlanStart{{.cluster_id = {"c"},
                                          .viewer = as_operator,
                                          .count = count,
                                          .walltime_mins = 10,
                                          .reservation = reservation}});
    EXPECT_TRUE(plan) << plan.error().detail;
    return plan.value_or(msg::StartPlan{});
  };
  const auto now_unix_s = std::time(nullptr);
  const auto free = planned(1);
  EXPECT_EQ(free.computeset.state, ComputesetState::submitted);
  EXPECT_NEAR(static_cast<double>(free.expected_start_unix_s), static_cast<double>(now_unix_s), 60);
  ASSERT_FALSE(slurm_
                   ->run({"sbatch", "--parsable", "--nodes=2", "--exclude=h3", "--exclusive",
                          "--time=90", "--output=/dev/null", "--wrap=sleep 600"})
                   .empty());
  ASSERT_TRUE(follows([&] { return host("h1").batch_state == "allocated"; }));
  const auto later = planned(1);
  EXPECT_NEAR(static_cast<double>(later.expected_start_unix_s),
              static_cast<double>(now_unix_s + 90 * 60), 120)
      << "when the limit of the ordinary job is over";
  const auto refused = planned(1, "none");
  EXPECT_EQ(refused.expected_start_unix_s, 0);
  EXPECT_EQ(refused.causes.front().reason,
            "the batch system would refuse its job: Requested reservation is invalid");
  EXPECT_EQ(
      slurm_->run({"squeue", "--noheader", "--format=%j", "--states=all", "--name=nucleus-1"}), "");
}

TEST_F(BatchJobs, AComputesetRunsOnTheHostsOfItsJobAndEndsIt) {
  const auto set = start_running(1);
  ASSERT_FALSE(set.batch_job.empty());
  const auto hosts = slurm_->run({"squeue", "--noheader", "--format=%N", "--jobs", set.batch_job});
  EXPECT_EQ(state_of("c", 1).host_id.value, hosts);
  EXPECT_EQ(host(hosts).batch_state, "allocated");
  EXPECT_EQ(slurm_->run({"squeue", "--noheader", "--format=%j|%l", "--jobs", set.batch_job}),
            "nucleus-1|2-00:05:00")
      << "two days of walltime, and the time to stop";
  ASSERT_TRUE(ask(msg::PowerComputeset{
      .computeset_id = set.computeset_id, .viewer = as_operator, .action = PowerAction::shutdown}));
  EXPECT_EQ(slurm_->state_of(set.batch_job), "RUNNING") << "its nodes still shut down";
  stop_nodes(set);
  EXPECT_TRUE(set_becomes(set.computeset_id, ComputesetState::completed));
  EXPECT_TRUE(job_becomes(set.batch_job, "CANCELLED"));
}

TEST_F(BatchJobs, FrontendsUseOnlyOtherHosts) {
  ASSERT_TRUE(power("c-0", PowerAction::poweron));
  EXPECT_TRUE(follows([&] { return state_of("c").host_id.value == "other"; }));
}

TEST_F(BatchJobs, OrdinaryJobsAndComputesetsWaitForEachOther) {
  const auto ordinary = slurm_->start_ordinary_job(2);
  ASSERT_TRUE(job_becomes(ordinary, "RUNNING"));
  const auto set = start_set({.count = 2});
  ASSERT_TRUE(follows([&] { return !computeset(set.computeset_id).batch_job.empty(); }));
  ASSERT_TRUE(follows([&] {
    return computeset(set.computeset_id).reason ==
           "waits for batch job " + computeset(set.computeset_id).batch_job + ": Resources";
  })) << computeset(set.computeset_id).reason;
  EXPECT_TRUE(follows([&] { return computeset(set.computeset_id).predicted_start_unix_s > 0; }))
      << "as the batch system expects it";
  slurm_->run({"scancel", ordinary});
  ASSERT_TRUE(set_becomes(set.computeset_id, ComputesetState::running));
  const auto next = slurm_->start_ordinary_job(2);
  EXPECT_TRUE(job_becomes(next, "PENDING"));
}

TEST_F(BatchJobs, ACancelledJobEndsItsComputeset) {
  const auto running = start_running(1);
  slurm_->run({"scancel", running.batch_job});
  ASSERT_TRUE(set_becomes(running.computeset_id, ComputesetState::ending));
  const auto reason = computeset(running.computeset_id).reason;
  EXPECT_TRUE(reason.starts_with("its batch job " + running.batch_job + " was ")) << reason;
  EXPECT_TRUE(follows([&] {
    const auto grant = h1_.grant_of(running.nodes[0].value);
    const auto on_other = h2_.grant_of(running.nodes[0].value);
    const auto& one = grant ? grant : on_other;
    return one && !one->is_on && !one->is_graceful;
  })) << "by force: its hosts are others' now";
  stop_nodes(running);
  EXPECT_TRUE(set_becomes(running.computeset_id, ComputesetState::completed));
}

TEST_F(BatchJobs, ACancelledWaitingJobCancelsItsComputeset) {
  const auto ordinary = slurm_->start_ordinary_job(2);
  const auto third = slurm_->start_ordinary_job(1);
  ASSERT_TRUE(job_becomes(ordinary, "RUNNING"));
  ASSERT_TRUE(job_becomes(third, "RUNNING"));
  const auto waiting = start_set({.count = 1});
  ASSERT_TRUE(follows([&] { return !computeset(waiting.computeset_id).batch_job.empty(); }));
  const auto job_id = computeset(waiting.computeset_id).batch_job;
  slurm_->run({"scancel", job_id});
  ASSERT_TRUE(set_becomes(waiting.computeset_id, ComputesetState::cancelled));
  EXPECT_EQ(computeset(waiting.computeset_id).reason, "its batch job " + job_id + " was cancelled");
}

TEST_F(BatchJobs, ARefusedJobCancelsItsComputesetWithTheReason) {
  const auto set = start_set({.count = 1, .reservation = "nothere"});
  ASSERT_TRUE(set_becomes(set.computeset_id, ComputesetState::cancelled));
  EXPECT_EQ(computeset(set.computeset_id).reason,
            "the batch system refused its job: Requested reservation is invalid");
  EXPECT_TRUE(slurm_->run({"squeue", "--noheader"}).empty());
}

TEST_F(BatchJobs, HostsThatNeverJoinedAreLeftToOthers) {
  const auto set = start_set({.count = 3});
  EXPECT_TRUE(follows([&] {
    return computeset(set.computeset_id).reason == "all hosts together are too small for its nodes";
  })) << computeset(set.computeset_id).reason;
  ASSERT_TRUE(ask(msg::PowerComputeset{
      .computeset_id = set.computeset_id, .viewer = as_operator, .action = PowerAction::poweroff}));
  const auto two = start_running(2);
  EXPECT_EQ(slurm_->run({"squeue", "--noheader", "--format=%N", "--jobs", two.batch_job}),
            "h[1-2]");
}

TEST_F(BatchJobs, AReservationOfSlurmIsUsed) {
  slurm_->run({"scontrol", "create", "reservation", "ReservationName=course", "StartTime=now",
               "Duration=60", "Users=root", "Nodes=h2"});
  const auto set = start_set({.count = 1, .reservation = "course"});
  ASSERT_TRUE(set_becomes(set.computeset_id, ComputesetState::running));
  EXPECT_TRUE(follows([&] { return state_of("c", 1).host_id.value == "h2"; }));
  service_.reset();
  slurm_->run({"scancel", "--user=root"});
  slurm_->run({"scontrol", "delete", "ReservationName=course"});
}

TEST_F(BatchJobs, WalltimeAndLimitFollowEachOther) {
  const auto set = start_running(1);
  const auto limit = [&] {
    return slurm_->run({"squeue", "--noheader", "--format=%l", "--jobs", set.batch_job});
  };
  ASSERT_TRUE(ask(msg::ChangeWalltime{
      .computeset_id = set.computeset_id, .viewer = as_operator, .walltime_mins = 55}));
  EXPECT_TRUE(follows([&] { return limit() == "1:00:00"; })) << limit();
  slurm_->run({"scontrol", "update", "JobId=" + set.batch_job, "TimeLimit=35"});
  EXPECT_TRUE(follows([&] { return computeset(set.computeset_id).walltime_mins == 30; }));
  EXPECT_EQ(limit(), "35:00");
}

TEST_F(BatchJobs, AComputesetGrowsOnlyOnHostsThatItsNodesLeft) {
  const auto set = start_running(2);
  const msg::GrowComputeset grow{
      .computeset_id = set.computeset_id, .viewer = as_operator, .count = 1};
  const auto refused = ask(grow);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::ErrorCode::no_capacity);
  EXPECT_EQ(refused.error().detail,
            "batch job " + set.batch_job +
                " has no free host for them: it has one only after a node has left");
  const auto host_id = state_of("c", 2).host_id;
  ASSERT_TRUE(ask(msg::ShrinkComputeset{.computeset_id = set.computeset_id,
                                        .viewer = as_operator,
                                        .names = {"c-2"},
                                        .action = PowerAction::poweroff}));
  auto& its_host = host_id.value == "h1" ? h1_ : h2_;
  const auto grant =
      its_host.wait_for_grant("c-2", [](const msg::Grant& one) { return !one.is_on; });
  ASSERT_TRUE(grant);
  ASSERT_TRUE(its_host.report_domain(*grant, msg::DomainState::shutoff));
  ASSERT_TRUE(eventually([&] { return computeset(set.computeset_id).nodes.size() == 1; }));
  EXPECT_EQ(slurm_->state_of(set.batch_job), "RUNNING");
  EXPECT_EQ(host(host_id.value).batch_state, "allocated") << "its job keeps the host";
  const auto grown = ask(grow);
  ASSERT_TRUE(grown) << grown.error().detail;
  EXPECT_EQ(grown->nodes.size(), 2U);
  EXPECT_EQ(state_of("c", 2).host_id, host_id);
}

TEST_F(BatchJobs, ARestartOfTheControllerChangesNothing) {
  const auto set = start_running(1);
  ASSERT_TRUE(
      follows([&] { return slurm_->has_saved(settings_["scheduler.slurm_name"] + ":1:ready"); }));
  slurm_->kill_controller();
  ASSERT_TRUE(ask(msg::ChangeWalltime{
      .computeset_id = set.computeset_id, .viewer = as_operator, .walltime_mins = 55}));
  EXPECT_TRUE(follows([&] {
    return slurm_->run({"squeue", "--noheader", "--format=%l", "--jobs", set.batch_job}) ==
           "1:00:00";
  }));
  EXPECT_EQ(computeset(set.computeset_id).state, ComputesetState::running);
  EXPECT_EQ(slurm_->state_of(set.batch_job), "RUNNING");
}

TEST_F(BatchJobs, StartsAndEndsAlthoughTheControllerIsKilledAtEachStep) {
  slurm_->kill_controller();
  const auto set = start_set({.count = 1});
  const auto has_job = [&] { return !computeset(set.computeset_id).batch_job.empty(); };
  ASSERT_TRUE(follows(has_job));
  slurm_->kill_controller();  // it may lose the job: another one is submitted
  ASSERT_TRUE(set_becomes(set.computeset_id, ComputesetState::running))
      << computeset(set.computeset_id).reason;
  const auto job_id = computeset(set.computeset_id).batch_job;
  const auto ready = settings_["scheduler.slurm_name"] + ":1:ready";
  ASSERT_TRUE(follows([&] { return slurm_->has_saved(ready); }));
  ASSERT_TRUE(ask(msg::PowerComputeset{
      .computeset_id = set.computeset_id, .viewer = as_operator, .action = PowerAction::shutdown}));
  slurm_->kill_controller();
  stop_nodes(set);
  ASSERT_TRUE(set_becomes(set.computeset_id, ComputesetState::completed));
  slurm_->kill_controller();
  EXPECT_TRUE(job_becomes(job_id, "CANCELLED"));
}

TEST_F(BatchJobs, ARestartedSchedulerKeepsItsJobs) {
  const auto set = start_running(1);
  restart();
  for (auto* host : {&h1_, &h2_, &other_}) EXPECT_TRUE(host->report());
  const auto second = start_set({.count = 1});
  ASSERT_TRUE(follows([&] { return !computeset(second.computeset_id).batch_job.empty(); }));
  EXPECT_EQ(computeset(set.computeset_id).state, ComputesetState::running);
  EXPECT_EQ(computeset(set.computeset_id).batch_job, set.batch_job);
  EXPECT_EQ(slurm_->run({"squeue", "--noheader", "--format=%j", "--name=nucleus-1"}), "nucleus-1");
}

TEST_F(BatchJobs, DrainIsFollowed) {
  ASSERT_TRUE(ask(msg::DrainHost{.host_id = {"h1"}, .is_drained = true, .reason = "a broken fan"}));
  EXPECT_TRUE(follows([&] {
    return host("h1").batch_state == "drained: nucleus drain: a broken fan";
  })) << host("h1").batch_state;
  ASSERT_TRUE(ask(msg::DrainHost{.host_id = {"h1"}, .is_drained = false}));
  EXPECT_TRUE(follows([&] { return host("h1").batch_state == "idle"; }));
  slurm_->run({"scontrol", "update", "NodeName=h1", "State=DRAIN", "Reason=by Slurm's operator"});
  EXPECT_TRUE(follows([&] { return host("h1").batch_state == "drained: by Slurm's operator"; }))
      << "and stays so: it is not ours to resume";
  slurm_->run({"scontrol", "update", "NodeName=h1", "State=RESUME"});
}

}  // namespace
}  // namespace nucleus::tests
