// Which computesets a list shows, finished or not.
#include "services/scheduler/computeset_filter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/scheduler/small_deployment.hpp"

namespace nucleus::scheduler {
namespace {

using msg::ComputesetState;
using testing::ElementsAre;
using testing::IsEmpty;

StoredComputeset a_computeset(msg::ComputesetId id, ComputesetState state, std::int64_t start,
                              std::int64_t end, const std::string& cluster = "c") {
  return {.computeset = {.computeset_id = id,
                         .cluster_id = {cluster},
                         .project_id = {"p-" + cluster},
                         .state = state,
                         .allocation_id = {"a-" + cluster},
                         .created_unix_s = start == 0 ? end : start,
                         .start_unix_s = start,
                         .end_unix_s = end,
                         .person_id = {"someone-" + cluster},
                         .on_behalf_of = "user of " + cluster}};
}

/// Finished ones with odd ids between unfinished ones.
struct Filter : testing::Test {
  Filter() {
    Changes records;
    for (const auto& one : {a_computeset(1, ComputesetState::completed, 100, 200),
                            a_computeset(2, ComputesetState::running, 150, 0),
                            a_computeset(3, ComputesetState::cancelled, 0, 250, "d"),
                            a_computeset(4, ComputesetState::submitted, 0, 0, "d"),
                            a_computeset(5, ComputesetState::completed, 300, 400, "d")})
      records.computesets[one.computeset.computeset_id] = one;
    view.load(std::move(records));
  }
  std::vector<msg::ComputesetId> find(const ComputesetFilter& filter, msg::ComputesetId after = 0,
                                      std::size_t limit = 100) const {
    return find_computesets(view, filter, after, limit);
  }
  View view{small_config()};
};

TEST_F(Filter, ShowsFinishedAndUnfinishedOnesInOneOrder) {
  EXPECT_THAT(find({.viewer = as_operator}), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(find({.viewer = as_operator}, 2), ElementsAre(3, 4, 5));
  EXPECT_THAT(find({.viewer = as_operator}, 1, 2), ElementsAre(2, 3));
  EXPECT_THAT(find({.viewer = as_operator}, 5), IsEmpty());
}

TEST_F(Filter, ShowsOnlyWhatTheViewerSees) {
  EXPECT_THAT(find({}), IsEmpty());
  EXPECT_THAT(find({.viewer = {.projects = {{"p-c"}}}}), ElementsAre(1, 2));
  EXPECT_THAT(find({.viewer = {.projects = {{"nobody"}, {"p-d"}}}}), ElementsAre(3, 4, 5));
}

TEST_F(Filter, ShowsOnlyTheNamedStateClusterAndAllocation) {
  EXPECT_THAT(find({.viewer = as_operator, .states = {ComputesetState::completed}}),
              ElementsAre(1, 5));
  EXPECT_THAT(find({.viewer = as_operator,
                    .states = {ComputesetState::submitted, ComputesetState::cancelled}}),
              ElementsAre(3, 4));
  EXPECT_THAT(find({.viewer = as_operator, .cluster_id = {"c"}}), ElementsAre(1, 2));
  EXPECT_THAT(find({.viewer = as_operator, .cluster_id = {"e"}}), IsEmpty());
  EXPECT_THAT(find({.viewer = as_operator, .allocation_id = {"a-d"}}), ElementsAre(3, 4, 5));
}

TEST_F(Filter, ShowsOnlyTheNamedProjectPersonAndUserOfAGateway) {
  EXPECT_THAT(find({.viewer = as_operator, .project_id = {"p-c"}}), ElementsAre(1, 2));
  EXPECT_THAT(find({.viewer = as_operator, .person_id = {"someone-d"}}), ElementsAre(3, 4, 5));
  EXPECT_THAT(find({.viewer = as_operator, .on_behalf_of = "user of c"}), ElementsAre(1, 2));
  EXPECT_THAT(
      find({.viewer = as_operator, .person_id = {"someone-d"}, .on_behalf_of = "user of c"}),
      IsEmpty());
  EXPECT_THAT(find({.viewer = {.projects = {{"p-c"}}}, .person_id = {"someone-d"}}), IsEmpty());
}

TEST_F(Filter, VisitsEachOnce) {
  std::vector<msg::ComputesetId> finished;
  std::vector<msg::ComputesetId> unfinished;
  visit_computesets(
      view, {.viewer = as_operator, .allocation_id = {"a-d"}},
      [&](const FinishedComputesets::Summary& one) { finished.push_back(one.id); },
      [&](const StoredComputeset& one) { unfinished.push_back(one.computeset.computeset_id); });
  EXPECT_THAT(finished, ElementsAre(3, 5));
  EXPECT_THAT(unfinished, ElementsAre(4));
}

TEST_F(Filter, ShowsWhatRanWithinAPeriodIfWhatWasChargedIsListed) {
  const auto charged = [&](const Period& period) {
    return find({.viewer = as_operator, .period = period, .is_charged = true});
  };
  EXPECT_THAT(charged({}), ElementsAre(1, 2, 5));
  EXPECT_THAT(charged({.from_unix_s = 200}), ElementsAre(2, 5)) << "the first ended at 200";
  EXPECT_THAT(charged({.from_unix_s = 199}), ElementsAre(1, 2, 5));
  EXPECT_THAT(charged({.to_unix_s = 150}), ElementsAre(1));
  EXPECT_THAT(charged({.from_unix_s = 400, .to_unix_s = 500}), ElementsAre(2));
}

TEST_F(Filter, ShowsWhatExistedWithinAPeriodOtherwise) {
  EXPECT_THAT(find({.viewer = as_operator, .period = {.from_unix_s = 250}}),
              ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(find({.viewer = as_operator, .period = {.to_unix_s = 250}}), ElementsAre(1, 2, 4));
}

}  // namespace
}  // namespace nucleus::scheduler
