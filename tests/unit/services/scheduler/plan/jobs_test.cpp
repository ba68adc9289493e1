// Batch jobs of computesets: what follows from what the batch system shows.
#include "services/scheduler/plan/jobs.hpp"

#include <gtest/gtest.h>

#include "services/scheduler/batch_backend.hpp"
#include "services/scheduler/plan/resize.hpp"
#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::ComputesetState;

Config config_with_slurm() {
  Config config = small_config();
  config.slurm.partition = "compute";
  return config;
}

/// Three hosts of the batch system with four CPUs, and cluster `c` with four nodes.
struct Jobs : testing::Test {
  Jobs() {
    batch.is_known = true;
    for (const auto* name : {"h1", "h2", "h3"}) {
      small.add_host(name, 4);
      batch.nodes[{name}] = {.host_id = {name}, .state = "idle"};
    }
    small.add_cluster("c", 4);
    look();
  }

  /// The scheduler looks at the batch system, and asks for what it wants.
  std::vector<JobAction> look() {
    small.apply(plan_jobs(small.view, batch, small.now_unix_ms));
    small.apply(plan_pass(small.view, backend, small.now_unix_ms));
    return job_actions(small.view, batch);
  }
  template <class Action>
  std::vector<Action> look_for() {
    std::vector<Action> found;
    for (const auto& action : look())
      if (const auto* one = std::get_if<Action>(&action)) found.push_back(*one);
    return found;
  }
  msg::ComputesetId start(std::uint32_t count) {
    auto plan = plan_start(
        small.view, backend,
        {.cluster_id = {"c"}, .viewer = as_operator, .count = count, .walltime_mins = 60},
        small.now_unix_ms);
    EXPECT_TRUE(plan) << plan.error().detail;
    small.apply(std::move(*plan));
    return small.view.computeset_count();
  }
  /// Its job is submitted, as the scheduler asks.
  void submit(const std::string& job_id) {
    const auto submits = look_for<SubmitJob>();
    ASSERT_EQ(submits.size(), 1U);
    small.apply(plan_job_submitted(small.view, submits[0].request, job_id, small.now_unix_ms));
    batch.jobs.push_back({.job_id = job_id,
                          .computeset_id = submits[0].request.computeset_id,
                          .state = JobState::pending,
                          .limit_mins = submits[0].request.limit_mins});
  }
  /// A computeset that runs on the hosts of its job.
  msg::ComputesetId run(const std::string& job_id, std::vector<msg::HostId> hosts) {
    const auto id = start(static_cast<std::uint32_t>(hosts.size()));
    submit(job_id);
    batch.jobs.back().state = JobState::ready;
    batch.jobs.back().hosts = std::move(hosts);
    look();
    EXPECT_EQ(state(id), ComputesetState::running) << reason(id);
    return id;
  }
  ComputesetState state(msg::ComputesetId id) const {
    const auto* stored = small.view.computeset(id);
    return stored ? stored->computeset.state : small.view.finished().find(id)->state;
  }
  std::string reason(msg::ComputesetId id) const {
    const auto* stored = small.view.computeset(id);
    return stored ? stored->computeset.reason : "finished";
  }
  std::string job_of(msg::ComputesetId id) const {
    return small.view.computeset(id)->computeset.batch_job;
  }

  SmallDeployment small{.view = View{config_with_slurm()}};
  BatchSnapshot batch = {};
  BatchBackend backend{batch};
};

TEST_F(Jobs, AskForAHostForEachNodeAndTimeToStop) {
  start(2);
  const auto submits = look_for<SubmitJob>();
  ASSERT_EQ(submits.size(), 1U);
  const auto& request = submits[0].request;
  EXPECT_EQ(request.computeset_id, 1);
  EXPECT_EQ(request.host_count_min, 2U);
  EXPECT_EQ(request.host_count_max, 2U);
  EXPECT_EQ(request.cpus_per_host, 1);
  EXPECT_EQ(request.limit_mins, 65);
  EXPECT_TRUE(request.hosts.empty());
  EXPECT_TRUE(request.excluded.empty());
}

TEST_F(Jobs, AskForTheFewestHostsThatTheComputesetStartsWith) {
  auto plan = plan_start(small.view, backend,
                         {.cluster_id = {"c"},
                          .viewer = as_operator,
                          .count = 4,
                          .walltime_mins = 60,
                          .node_count_min = 2},
                         small.now_unix_ms);
  ASSERT_TRUE(plan) << plan.error().detail;
  small.apply(std::move(*plan));
  const auto submits = look_for<SubmitJob>();
  ASSERT_EQ(submits.size(), 1U) << "there are three hosts";
  EXPECT_EQ(submits[0].request.host_count_min, 2U);
  EXPECT_EQ(submits[0].request.host_count_max, 4U);
}

TEST_F(Jobs, AreNotSubmittedBeforeTheNodesHaveWhatTheyNeed) {
  small.give_volume({"c-1"}, false);
  const auto id = start(1);
  EXPECT_TRUE(look_for<SubmitJob>().empty());
  EXPECT_EQ(reason(id), "vm-c-1 waits for its volume");
  small.give_volume({"c-1"});
  EXPECT_EQ(look_for<SubmitJob>().size(), 1U);
}

TEST_F(Jobs, OfASubmissionWhoseReplyWasLostAreAdopted) {
  const auto id = start(1);
  look();
  batch.jobs.push_back({.job_id = "7", .computeset_id = id, .state = JobState::pending});
  EXPECT_TRUE(look_for<SubmitJob>().empty());
  EXPECT_EQ(job_of(id), "7");
}

TEST_F(Jobs, OfNoComputesetAreCancelled) {
  const auto id = run("7", {{"h1"}});
  batch.jobs.push_back({.job_id = "8", .computeset_id = id, .state = JobState::pending});
  batch.jobs.push_back({.job_id = "9", .computeset_id = 99, .state = JobState::ready});
  batch.jobs.push_back({.job_id = "10", .computeset_id = 99, .state = JobState::ended});
  const auto cancels = look_for<CancelJob>();
  ASSERT_EQ(cancels.size(), 2U);
  EXPECT_EQ(cancels[0].job_id, "8");
  EXPECT_EQ(cancels[1].job_id, "9");
}

TEST_F(Jobs, ThatFailBeforeTheirHostsAreReadyAreReplacedAFewTimes) {
  const auto id = start(1);
  for (const std::string job_id : {"1", "2"}) {
    submit(job_id);
    batch.jobs.back().state = JobState::ended;
    batch.jobs.back().reason = "NODE_FAIL";
    look();
    EXPECT_EQ(reason(id), "waits for a batch job: its batch job " + job_id + " ended: NODE_FAIL");
  }
  submit("3");
  batch.jobs.clear();
  look();
  EXPECT_EQ(state(id), ComputesetState::cancelled) << "three is the most";
}

TEST_F(Jobs, OneThatCompletesBeforeItsHostsAreReadyIsWaitedFor) {
  const auto id = start(1);
  submit("7");
  batch.jobs[0].state = JobState::completing;
  EXPECT_TRUE(look().empty());
  EXPECT_EQ(job_of(id), "7");
  batch.jobs[0].state = JobState::cancelled;
  look();
  EXPECT_EQ(state(id), ComputesetState::cancelled) << "and not submitted again";
}

TEST_F(Jobs, TheEndOfOneEndsItsComputesetByForce) {
  const auto id = run("7", {{"h1"}, {"h2"}});
  batch.jobs[0].state = JobState::ended;
  batch.jobs[0].reason = "TIMEOUT";
  look();
  EXPECT_EQ(state(id), ComputesetState::ending);
  EXPECT_EQ(reason(id), "its batch job 7 ended: TIMEOUT");
  for (const auto& node_id : {msg::NodeId{"c-1"}, msg::NodeId{"c-2"}}) {
    EXPECT_FALSE(small.view.node(node_id)->is_grant_on);
    EXPECT_FALSE(small.view.node(node_id)->is_graceful);
  }
}

TEST_F(Jobs, AGracefulEndBecomesOneByForceWhenTheJobEnds) {
  const auto id = run("7", {{"h1"}});
  small.apply(*plan_power_computeset(
      small.view,
      {.computeset_id = id, .viewer = as_operator, .action = msg::PowerAction::shutdown},
      small.now_unix_ms));
  EXPECT_TRUE(small.view.node({"c-1"})->is_graceful);
  EXPECT_TRUE(look_for<CancelJob>().empty()) << "its node still shuts down";
  batch.jobs.clear();
  look();
  EXPECT_FALSE(small.view.node({"c-1"})->is_graceful);
}

TEST_F(Jobs, OnePutBackIntoTheQueueEndsItsComputesetAndIsCancelled) {
  const auto id = run("7", {{"h1"}});
  batch.jobs[0].state = JobState::pending;
  look();
  EXPECT_EQ(reason(id), "its batch job 7 was put back into the queue");
  small.end_stopping();
  ASSERT_EQ(look_for<CancelJob>().size(), 1U);
}

TEST_F(Jobs, OneWhoseMarkWasLostKeepsItsHosts) {
  const auto id = run("7", {{"h1"}});
  batch.jobs[0].state = JobState::preparing;
  look();
  EXPECT_EQ(state(id), ComputesetState::running);
  EXPECT_EQ(small.view.host({"h1"})->job_computeset_id, id);
}

TEST_F(Jobs, NothingChangesWhileTheBatchSystemDoesNotAnswer) {
  const auto id = run("7", {{"h1"}});
  const auto waiting = start(1);
  submit("8");
  batch.jobs.clear();
  batch.nodes.clear();
  batch.fault = "no route";
  EXPECT_TRUE(look().empty());
  EXPECT_EQ(state(id), ComputesetState::running);
  EXPECT_EQ(reason(waiting), "waits for batch job 8: the batch system does not answer: no route");
  EXPECT_EQ(small.view.host({"h1"})->job_computeset_id, id);
}

TEST_F(Jobs, AStateThatThisReleaseDoesNotKnowChangesNothing) {
  const auto id = run("7", {{"h1"}});
  batch.jobs[0].state = JobState::unknown;
  look();
  EXPECT_EQ(state(id), ComputesetState::running);
}

TEST_F(Jobs, ANodeIsPoweredOnAgainOnAHostOfItsOwnJobOnly) {
  const auto id = run("7", {{"h1"}, {"h2"}});
  run("8", {{"h3"}});
  ASSERT_TRUE(small.power("c-1", msg::PowerAction::poweroff));
  small.end_stopping();
  ASSERT_TRUE(small.power("c-1", msg::PowerAction::poweron));
  const auto& host_id = small.view.node({"c-1"})->host_id;
  EXPECT_EQ(small.view.host(host_id)->job_computeset_id, id);
}

TEST_F(Jobs, AComputesetGrowsOnHostsOfItsJobThatItsNodesLeft) {
  const auto id = run("7", {{"h1"}, {"h2"}});
  const auto grow = [&] {
    return plan_grow(small.view, backend,
                     {.computeset_id = id, .viewer = as_operator, .names = {"vm-c-3"}},
                     small.now_unix_ms);
  };
  const auto refused = grow();
  ASSERT_FALSE(refused) << "although h1 has CPUs free";
  EXPECT_EQ(refused.error().code, core::ErrorCode::no_capacity);
  EXPECT_EQ(refused.error().detail,
            "batch job 7 has no free host for them: it has one only after a node has left");
  const auto host_id = small.host_of("c-2");
  small.apply(*plan_shrink(small.view,
                           {.computeset_id = id,
                            .viewer = as_operator,
                            .names = {"vm-c-2"},
                            .action = msg::PowerAction::poweroff},
                           small.now_unix_ms));
  small.observe("c-2", msg::DomainState::shutoff);
  EXPECT_TRUE(look_for<CancelJob>().empty()) << "the job keeps its hosts";
  small.apply(*grow());
  EXPECT_EQ(small.host_of("c-3"), host_id);
}

TEST_F(Jobs, FrontendsUseNoHostOfTheBatchSystem) {
  const auto refused = small.power("c-0", msg::PowerAction::poweron);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "only batch jobs use the hosts that have room");
  batch.nodes.erase({"h3"});
  look();
  ASSERT_TRUE(small.power("c-0", msg::PowerAction::poweron));
  EXPECT_EQ(small.view.node({"c-0"})->host_id.value, "h3");
}

TEST_F(Jobs, ALimitThatAnOperatorChangedIsTheWalltime) {
  const auto id = run("7", {{"h1"}});
  batch.jobs[0].limit_mins = 95;
  EXPECT_TRUE(look_for<ChangeJobLimit>().empty());
  EXPECT_EQ(small.view.computeset(id)->computeset.walltime_mins, 90);
}

}  // namespace
}  // namespace nucleus::scheduler
