// What computesets were charged, and its sums.
#include "services/scheduler/usage.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::ComputesetState;
using msg::UsageGroup;
using testing::ElementsAre;
using testing::IsEmpty;
using Totals = std::map<std::string, std::pair<std::uint64_t, std::int64_t>>;

constexpr std::int64_t now_unix_s = 1'000;

/// Of 2 cores, from `start` to `end`, or still running if that is 0.
StoredComputeset a_computeset(msg::ComputesetId id, std::int64_t start, std::int64_t end,
                              const std::string& person, const std::string& on_behalf_of = {}) {
  return {.computeset = {.computeset_id = id,
                         .cluster_id = {"c"},
                         .project_id = {"p"},
                         .state = end == 0 ? ComputesetState::running : ComputesetState::completed,
                         .allocation_id = {"a"},
                         .walltime_mins = 10,
                         .created_unix_s = start,
                         .start_unix_s = start,
                         .end_unix_s = end,
                         .person_id = {person},
                         .on_behalf_of = on_behalf_of},
          .cores = 2,
          .rates = {{.from_unix_s = start, .cores = 2}}};
}

/// The third was resized while it ran.
struct UsageTest : testing::Test {
  UsageTest() {
    all = {a_computeset(1, 100, 200, "ada"), a_computeset(2, 150, 250, "gateway", "eve"),
           a_computeset(3, 300, 400, "ada"), a_computeset(4, 900, 0, "gateway")};
    all[2].rates.push_back({.from_unix_s = 350, .cores = 4});
    Changes records;
    for (const auto& one : all) records.computesets[one.computeset.computeset_id] = one;
    view.load(std::move(records));
  }
  Totals sums(UsageGroup by, ComputesetFilter filter = {}) {
    filter.viewer = as_operator;
    filter.is_charged = true;
    UsageSums made{by, filter.period, now_unix_s};
    made.add_all(view, filter);
    unread = made.take_unread(10);
    for (const auto id : unread) made.add(all[static_cast<std::size_t>(id - 1)]);
    EXPECT_THAT(made.take_unread(10), IsEmpty());
    Totals totals;
    for (const auto& [name, total] : made.totals()) {
      EXPECT_EQ(name, total.name);
      totals[name] = {total.computeset_count, total.used_core_s};
    }
    return totals;
  }
  std::vector<StoredComputeset> all = {};
  std::vector<msg::ComputesetId> unread = {};
  View view{small_config()};
};

TEST_F(UsageTest, IsSummedByEachGroup) {
  EXPECT_EQ(sums(UsageGroup::person), (Totals{{"ada", {2, 500}}, {"gateway", {2, 400}}}));
  EXPECT_THAT(unread, ElementsAre(3)) << "only its record has its rates";
  EXPECT_EQ(sums(UsageGroup::on_behalf_of), (Totals{{"", {3, 700}}, {"eve", {1, 200}}}));
  EXPECT_EQ(sums(UsageGroup::project), (Totals{{"p", {4, 900}}}));
  EXPECT_EQ(sums(UsageGroup::cluster), (Totals{{"c", {4, 900}}}));
  EXPECT_EQ(sums(UsageGroup::allocation), (Totals{{"a", {4, 900}}}));
}

TEST_F(UsageTest, IsSummedWithinAPeriod) {
  EXPECT_EQ(sums(UsageGroup::person, {.period = {.from_unix_s = 160, .to_unix_s = 360}}),
            (Totals{{"ada", {2, 2 * 40 + 2 * 50 + 4 * 10}}, {"gateway", {1, 2 * 90}}}));
  EXPECT_EQ(sums(UsageGroup::person, {.period = {.to_unix_s = 100}}), Totals{});
}

TEST_F(UsageTest, IsSummedOfWhatTheFilterNames) {
  EXPECT_EQ(sums(UsageGroup::person, {.person_id = {"ada"}}), (Totals{{"ada", {2, 500}}}));
  EXPECT_EQ(sums(UsageGroup::person, {.on_behalf_of = "eve"}), (Totals{{"gateway", {1, 200}}}));
  EXPECT_EQ(sums(UsageGroup::person, {.project_id = {"q"}}), Totals{});
}

/// The sums and the list must agree.
TEST_F(UsageTest, IsTheSumOfItsEntries) {
  const Period period{.from_unix_s = 120, .to_unix_s = 950};
  std::int64_t core_s = 0;
  for (const auto& one : all) core_s += usage_of(view, one, period, now_unix_s).used_core_s;
  EXPECT_EQ(sums(UsageGroup::project, {.period = period}), (Totals{{"p", {4, core_s}}}));
}

TEST_F(UsageTest, IsNotChargedBeyondTheWalltime) {
  auto late = a_computeset(5, 2'000, 9'000, "ada");
  Changes records;
  records.computesets[5] = late;
  view.load(std::move(records));
  EXPECT_EQ(sums(UsageGroup::person), (Totals{{"ada", {1, 2 * 600}}}));
}

TEST(Usage, ShowsTheSizeAndTheNamesOfTheNodes) {
  SmallDeployment small;
  small.add_host("h1", 64);
  small.add_cluster("c", 3, 2);
  const auto id = small.start("c", 3);
  small.pass_time_s(90);
  const auto running = usage_of(small.view, small.computeset(id), {}, small.now_unix_s());
  EXPECT_EQ(running.node_list, "vm-c-[1-3]");
  EXPECT_EQ(running.memory_mb, 3U * 512);
  EXPECT_EQ(running.elapsed_s, 90);
  EXPECT_EQ(running.used_core_s, 6 * 90);
  EXPECT_EQ(running.state, ComputesetState::running);
}

TEST(Usage, KeepsTheNamesOfTheNodesWhenTheComputesetHasEnded) {
  SmallDeployment small;
  small.add_host("h1", 64);
  small.add_cluster("c", 2);
  const auto id = small.start("c", 2);
  small.end(id);
  small.observe("c-1", msg::DomainState::shutoff);
  const auto last = plan_domain_report(
      small.view, small.a_report({{"c-2", msg::DomainState::shutoff}}), small.now_unix_ms);
  EXPECT_EQ(last.changes.computesets.at(id)->node_list, "vm-c-[1-2]");
}

}  // namespace
}  // namespace nucleus::scheduler
