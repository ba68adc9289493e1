// JobSpecs as computesets, and computesets as jobs.
#include "gateway/iri/job.hpp"

#include <gtest/gtest.h>

#include <set>

namespace nucleus::gateway {
namespace {

using State = msg::ComputesetState;

std::string refused_field(const Json& body) {
  const auto spec = read_job_spec(body);
  return spec ? "" : spec.error().field;
}

TEST(IriJob, EveryStateOfAComputesetIsAStateOfAJob) {
  const std::map<State, std::string_view> expected = {
      {State::created, "new"},        {State::submitted, "queued"},    {State::running, "active"},
      {State::ending, "active"},      {State::completed, "completed"}, {State::failed, "failed"},
      {State::cancelled, "canceled"}, {State::hibernating, "active"},  {State::hibernated, "held"}};
  EXPECT_EQ(expected.size() + 1, msg::enum_names<State>.size());
  for (const auto& [state, name] : expected) {
    EXPECT_EQ(msg::name_of(job_state(state)), name);
    const auto states = computeset_states(job_state(state));
    EXPECT_EQ(std::set<State>(states.begin(), states.end()).count(state), 1u) << name;
  }
}

TEST(IriJob, AJobSpecStartsAComputeset) {
  const auto spec = read_job_spec(Json::parse(R"({
    "name": "run", "inherit_environment": false,
    "resources": {"node_count": 3, "exclusive_node_use": true},
    "attributes": {"duration": 3601, "account": "grant", "reservation_id": "course",
                   "custom_attributes": {"on_behalf_of": "ada", "node_count_min": "2"}}})"));
  ASSERT_TRUE(spec) << spec.error().detail;
  const auto start = start_of(*spec);
  EXPECT_EQ(start.count, 3u);
  EXPECT_EQ(start.walltime_mins, 61) << "a started minute is a whole one";
  EXPECT_EQ(start.allocation_id.value, "grant");
  EXPECT_EQ(start.reservation, "course");
  EXPECT_EQ(start.on_behalf_of, "ada");
  EXPECT_EQ(start.node_count_min, 2u);
}

TEST(IriJob, AnEmptyJobSpecStartsOneNode) {
  const auto spec = read_job_spec(Json::object());
  ASSERT_TRUE(spec);
  EXPECT_EQ(start_of(*spec).count, 1u);
  EXPECT_EQ(start_of(*spec).walltime_mins, 0) << "the scheduler's default";
}

TEST(IriJob, AFieldThatAComputesetCannotHaveIsRefusedUnlessItIsEmpty) {
  for (const char* name :
       {"executable", "container", "arguments", "directory", "environment", "stdin_path",
        "stdout_path", "stderr_path", "pre_launch", "post_launch", "launcher"}) {
    EXPECT_EQ(refused_field({{name, "x"}}), name);
    for (const Json& empty : {Json(), Json(""), Json::array(), Json::object()})
      EXPECT_EQ(refused_field({{name, empty}}), "") << name;
  }
  for (const char* name : {"process_count", "processes_per_node", "cpu_cores_per_process",
                           "gpu_cores_per_process", "memory", "nonsense"}) {
    EXPECT_EQ(refused_field({{"resources", {{name, 1}}}}), "resources." + std::string(name));
  }
  EXPECT_EQ(refused_field({{"attributes", {{"queue_name", "debug"}}}}), "attributes.queue_name");
  EXPECT_EQ(refused_field({{"attributes", {{"custom_attributes", {{"qos", "x"}}}}}}),
            "attributes.custom_attributes.qos");
  EXPECT_EQ(refused_field({{"nonsense", Json()}}), "nonsense");
}

TEST(IriJob, AWrongValueIsRefusedWithItsField) {
  const auto resource = [](const Json& value) {
    return refused_field({{"resources", {{"node_count", value}}}});
  };
  for (const Json& wrong : {Json(0), Json(-1), Json(4097), Json(1.5), Json("2"), Json(true)})
    EXPECT_EQ(resource(wrong), "resources.node_count") << wrong.dump();
  EXPECT_EQ(resource(4096), "");
  const auto duration = [](const Json& value) {
    return refused_field({{"attributes", {{"duration", value}}}});
  };
  EXPECT_EQ(duration(31'536'000), "");
  EXPECT_EQ(duration(31'536'001), "attributes.duration");
  EXPECT_EQ(refused_field({{"resources", 1}}), "resources");
  EXPECT_EQ(refused_field({{"attributes", {{"account", ""}}}}), "attributes.account");
  EXPECT_EQ(refused_field({{"name", "two\nlines"}}), "name");
  EXPECT_EQ(refused_field({{"inherit_environment", "yes"}}), "inherit_environment");
  EXPECT_EQ(refused_field({{"attributes", {{"custom_attributes", {{"node_count_min", "x"}}}}}}),
            "attributes.custom_attributes.node_count_min");
}

msg::Computeset a_computeset() {
  return {.computeset_id = 7,
          .cluster_id = {"c"},
          .nodes = {{"n-1"}, {"n-2"}},
          .state = State::running,
          .allocation_id = {"grant"},
          .reservation = "course",
          .walltime_mins = 60,
          .created_unix_s = 100,
          .start_unix_s = 200,
          .node_count_min = 2};
}

TEST(IriJob, OfAJobOnlyTheDurationCanBeChanged) {
  const auto set = a_computeset();
  auto spec = *read_job_spec(job_json(set, true).at("job_spec"));
  ASSERT_TRUE(change_of(spec, set)) << "what was read can be sent again";
  spec.duration_s = 7200;
  EXPECT_EQ(change_of(spec, set)->walltime_mins, 120);
  EXPECT_EQ(change_of(spec, set)->computeset_id, 7);
  spec.node_count = 3;
  EXPECT_EQ(change_of(spec, set).error().field, "resources.node_count");
  EXPECT_EQ(change_of({.duration_s = 60, .account = "other"}, set).error().field,
            "attributes.account");
  EXPECT_EQ(change_of({}, set).error().field, "attributes.duration");
}

TEST(IriJob, TheTimeOfAJobIsThatOfItsState) {
  auto set = a_computeset();
  EXPECT_EQ(job_json(set, false)["status"]["time"], 200);
  EXPECT_FALSE(job_json(set, false).contains("job_spec"));
  set.end_unix_s = 300;
  EXPECT_EQ(job_json(set, false)["status"]["time"], 300);
  set.end_unix_s = set.start_unix_s = 0;
  set.reason = "it waits";
  EXPECT_EQ(job_json(set, false)["status"]["time"], 100);
  EXPECT_EQ(job_json(set, false)["status"]["message"], "it waits");
}

TEST(IriJob, AFilterSelectsStatesOfComputesets) {
  EXPECT_FALSE(read_job_filter("", true)->states) << "of any state";
  EXPECT_EQ(read_job_filter("null", false)->states->size(), 6u) << "those that have not ended";
  EXPECT_EQ(*read_job_filter(R"({"state": "active"})", false)->states,
            (std::vector{State::running, State::ending, State::hibernating}));
  EXPECT_EQ(*read_job_filter(R"({"state": "held"})", false)->states,
            std::vector{State::hibernated});
  EXPECT_TRUE(read_job_filter(R"({"state": "completed"})", false)->states->empty());
  EXPECT_EQ(read_job_filter(R"({"account": "grant"})", true)->account, "grant");
  for (const auto& [body, field] : {std::pair{R"({"state": 1})", "state"},
                                    {R"({"account": 1})", "account"},
                                    {R"({"user": "x"})", "user"},
                                    {"[]", "body"}})
    EXPECT_EQ(read_job_filter(body, true).error().field, field);
}

}  // namespace
}  // namespace nucleus::gateway
