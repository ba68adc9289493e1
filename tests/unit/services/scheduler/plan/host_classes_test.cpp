// Classes of hosts: who runs where, and at which price.
#include "services/scheduler/plan/host_classes.hpp"

#include <gmock/gmock.h>

#include "services/scheduler/plan/budgets.hpp"
#include "services/scheduler/plan/explain.hpp"
#include "services/scheduler/plan/walltime.hpp"
#include "services/scheduler/usage.hpp"
#include "tests/unit/services/scheduler/resizing.hpp"

namespace nucleus::scheduler {
namespace {

using core::ErrorCode;
using testing::ElementsAre;

constexpr msg::Price gpu_price{.core_milli_su = 2'500, .gib_milli_su = 500};

/// `Resize`, with one more host of class gpu.
struct HostClasses : Resize {
  HostClasses() {
    small.add_host("g1", 4);
    define("gpu", gpu_price);
    EXPECT_TRUE(classify({.host_id = {"g1"}, .host_class = "gpu"}));
  }
  void define(const std::string& name, const msg::Price& price) {
    small.apply(*plan_host_class(small.view, {.name = name, .price = price}, small.now_unix_ms));
  }
  core::Result<Shown> classify(const msg::ClassifyHost& request) {
    auto plan = plan_classify_host(small.view, request, small.now_unix_ms);
    if (!plan) return std::unexpected(plan.error());
    return small.apply(std::move(*plan));
  }
  core::Result<Plan> remove(const std::string& name) {
    return plan_remove_host_class(small.view, {.name = name}, small.now_unix_ms);
  }
  msg::ComputesetId start_on_gpu(std::uint32_t count) {
    const auto id = small.start(
        {.cluster_id = {"c"}, .count = count, .walltime_mins = 60, .host_class = "gpu"});
    EXPECT_TRUE(id) << id.error().detail;
    return id.value_or(0);
  }
};

TEST_F(HostClasses, AreUsedOnlyByThoseThatAskForThem) {
  const auto on_default = start(2);
  EXPECT_THAT((std::vector{small.host_of("c-1"), small.host_of("c-2")}), ElementsAre("h1", "h2"));
  EXPECT_EQ(small.computeset(on_default).computeset.host_class, "default");
  start_on_gpu(1);
  EXPECT_EQ(small.host_of("c-3"), "g1");
}

TEST_F(HostClasses, HaveQueuesOfTheirOwn) {
  start_on_gpu(4);
  const auto waits = start_on_gpu(2);
  EXPECT_EQ(small.computeset(waits).computeset.reason,
            "waits for hosts of class gpu with room for all its nodes");
  EXPECT_GT(small.computeset(waits).computeset.predicted_start_unix_s, 0);
  const auto first = small.submit(8, 1, 60);
  const auto second = small.submit(1, 1, 600);
  EXPECT_EQ(small.computeset(first).computeset.state, msg::ComputesetState::running)
      << "what waits for class gpu does not hold it up";
  EXPECT_EQ(small.computeset(second).computeset.predicted_start_unix_s,
            small.now_unix_s() + 60 * minute_s);
}

TEST_F(HostClasses, SayWhatIsWrongWithTheirHosts) {
  small.drain("g1");
  const auto reason = [&](msg::ComputesetId id) { return small.computeset(id).computeset.reason; };
  const auto waits = start_on_gpu(1);
  EXPECT_EQ(reason(waits), "all hosts of class gpu that are up are drained");
  small.lose("g1");
  small.pass();
  EXPECT_EQ(reason(waits), "no host of class gpu is up");
  small.end(waits);
  small.add_host("g1", 4);
  small.drain("g1", false);
  EXPECT_EQ(reason(start_on_gpu(5)), "all hosts of class gpu together are too small for its nodes");
}

TEST_F(HostClasses, AreChargedByTheirPrice) {
  const auto id = start_on_gpu(2);
  const std::int64_t milli_su = 2 * (2'500 + 500 / 2);  // a core and half a GiB each
  const auto planned = small.computeset(id).price;
  EXPECT_EQ(planned, gpu_price);
  small.pass_time_s(100);
  const auto usage = usage_of(small.view, small.computeset(id), {}, small.now_unix_s());
  EXPECT_EQ(usage.used_core_s, milli_su * 100 / 1000);
  EXPECT_EQ(usage.host_class, "gpu");
  define("gpu", {.core_milli_su = 1});
  small.pass_time_s(100);
  small.end(id);
  small.end_stopping();
  EXPECT_EQ(used_core_s(), milli_su * 200 / 1000) << "the price is that of its acceptance";
  UsageSums sums{msg::UsageGroup::project, {}, small.now_unix_s()};
  sums.add_all(small.view, {.viewer = as_operator, .is_charged = true});
  EXPECT_TRUE(sums.take_unread(1).empty()) << "a summary is enough";
}

TEST_F(HostClasses, ArePlannedAtTheirPriceAndPaidByTheAllocation) {
  const msg::StartComputeset request{.cluster_id = {"c"},
                                     .viewer = as_operator,
                                     .count = 1,
                                     .walltime_mins = 60,
                                     .host_class = "gpu"};
  const auto plan = explain_start(small.view, small.backend, request, small.now_unix_ms);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->core_s_max, 2'750 * 3'600 / 1'000);
  EXPECT_EQ(plan->price, gpu_price);
  limit(plan->core_s_max - 1);
  EXPECT_EQ(small.start(request).error().field, "allocation_id");
  limit(plan->core_s_max);
  const auto id = small.start(request);
  ASSERT_TRUE(id);
  const auto longer = plan_change_walltime(
      small.view, {.computeset_id = *id, .viewer = as_operator, .walltime_mins = 61},
      small.now_unix_ms);
  EXPECT_EQ(longer.error().field, "allocation_id");
  EXPECT_EQ(allocation_shown(small.view, *small.view.allocation({"a"}), small.now_unix_s())
                .forecast_end_unix_s,
            small.now_unix_s() + 3'600);
  small.pass_time_s(3'600);
  small.sweep();
  small.end_stopping();
  EXPECT_EQ(used_core_s(), plan->core_s_max) << "what was planned is charged";
}

TEST_F(HostClasses, KeepTheirPriceWhenAComputesetGrowsAndShrinks) {
  const auto id = start_on_gpu(1);
  small.pass_time_s(100);
  const auto plan = plan_growth({.computeset_id = id, .names = {"vm-c-3"}});
  ASSERT_TRUE(plan) << plan.error().detail;
  EXPECT_EQ(plan->core_s_max, 2'750 * 3'500 / 1'000);
  ASSERT_TRUE(grow(id, {"vm-c-3"}));
  EXPECT_EQ(small.host_of("c-3"), "g1");
  small.pass_time_s(100);
  ASSERT_TRUE(shrink(id, {"vm-c-1"}, msg::PowerAction::poweroff));
  small.observe("c-1", msg::DomainState::shutoff);
  small.pass_time_s(100);
  small.end(id);
  small.end_stopping();
  EXPECT_EQ(used_core_s(), 2'750 * (100 + 2 * 100 + 100) / 1'000);
}

TEST_F(HostClasses, AreRefusedToStartsThatCannotBe) {
  const auto start_with = [&](const std::string& host_class, const std::string& host) {
    return small.start({.cluster_id = {"c"},
                        .names = {"vm-c-1"},
                        .hosts = {{host}},
                        .walltime_mins = 60,
                        .host_class = host_class});
  };
  EXPECT_REFUSED(start_with("tpu", "h1"), ErrorCode::invalid_argument, "host_class",
                 "no such host class: tpu");
  EXPECT_REFUSED(start_with("", "g1"), ErrorCode::invalid_argument, "hosts",
                 "host g1 is of class gpu, the computeset is for default");
  EXPECT_REFUSED(start_with("gpu", "h1"), ErrorCode::invalid_argument, "hosts",
                 "host h1 is of class default, the computeset is for gpu");
  EXPECT_TRUE(start_with("gpu", "g1"));
}

TEST_F(HostClasses, AreRefusedToANodeWhoseDiskIsOnAHostOfAnother) {
  small.add_host_with_volumes("v1", 4);
  ASSERT_TRUE(classify({.host_id = {"v1"}, .host_class = "gpu"}));
  small.drain("g1");
  small.give_disk({"c-1"});
  const auto id = start_on_gpu(1);
  ASSERT_EQ(small.host_of("c-1"), "v1");
  small.observe("c-1", msg::DomainState::running);
  small.end(id);
  small.end_stopping();
  EXPECT_REFUSED(small.start({.cluster_id = {"c"}, .names = {"vm-c-1"}, .walltime_mins = 60}),
                 ErrorCode::wrong_state, "host_class",
                 "the disk of vm-c-1 is on host v1, which is of class gpu");
}

TEST_F(HostClasses, OfAHostStayWhileItRunsNodesForThem) {
  start_on_gpu(1);
  EXPECT_REFUSED(classify({.host_id = {"g1"}, .host_class = "default"}), ErrorCode::wrong_state,
                 "host_class", "host g1 runs nodes of computeset 1, which is for class gpu");
  ASSERT_TRUE(classify({.host_id = {"g1"}, .rack = "r1"})) << "its rack may change";
  EXPECT_EQ(small.view.host({"g1"})->host_class, "gpu") << "what is not given is kept";
  EXPECT_EQ(small.view.host({"g1"})->rack, "r1");
}

TEST_F(HostClasses, AreKeptWhenTheHostReportsItself) {
  small.add_host("g1", 8);
  EXPECT_EQ(small.view.host({"g1"})->host_class, "gpu");
}

TEST_F(HostClasses, AreRefusedIfTheyDoNotExistAndRemovedOnlyUnused) {
  EXPECT_EQ(classify({.host_id = {"h9"}, .rack = "r"}).error().code, ErrorCode::not_found);
  EXPECT_EQ(classify({.host_id = {"h1"}, .host_class = "tpu"}).error().field, "host_class");
  EXPECT_EQ(classify({.host_id = {"h1"}, .rack = "two words"}).error().field, "rack");
  EXPECT_EQ(remove("default").error().code, ErrorCode::wrong_state);
  EXPECT_EQ(remove("tpu").error().code, ErrorCode::not_found);
  EXPECT_EQ(remove("gpu").error().detail, "host class gpu is used by host g1");
  const auto id = start_on_gpu(5);
  ASSERT_TRUE(classify({.host_id = {"g1"}, .host_class = "default"}));
  EXPECT_EQ(remove("gpu").error().detail,
            "host class gpu is used by computeset " + std::to_string(id));
  small.end(id);
  ASSERT_TRUE(remove("gpu"));
  small.apply(*remove("gpu"));
  EXPECT_FALSE(small.view.has_host_class("gpu"));
}

TEST_F(HostClasses, HavePricesWithinBounds) {
  for (const msg::Price& price :
       {msg::Price{.core_milli_su = -1}, msg::Price{.gib_milli_su = -1},
        msg::Price{.core_milli_su = 100'001}, msg::Price{.gib_milli_su = 100'001}})
    EXPECT_FALSE(plan_host_class(small.view, {.name = "gpu", .price = price}, small.now_unix_ms));
  EXPECT_EQ(plan_host_class(small.view, {.name = "a b"}, small.now_unix_ms).error().field, "name");
}

TEST_F(HostClasses, OfDefaultMayHaveAnotherPrice) {
  define("default", {.core_milli_su = 0});
  const auto id = start(2);
  small.pass_time_s(100);
  small.end(id);
  small.end_stopping();
  EXPECT_EQ(used_core_s(), 0) << "it is free";
}

}  // namespace
}  // namespace nucleus::scheduler
