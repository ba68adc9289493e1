// docs/states.md shows the scheduler's tables of states; here both are compared, row by row.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "services/image_store/volume_plan.hpp"
#include "services/network/number_pool.hpp"
#include "services/scheduler/states/computeset_state.hpp"
#include "services/scheduler/states/host_state.hpp"
#include "services/scheduler/states/node_state.hpp"
#include "services/scheduler/states/reservation_state.hpp"
#include "tests/support/markdown_table.hpp"

namespace nucleus::scheduler {
namespace {

using msg::DomainState;
using msg::HostState;
using tests::TableRow;

struct Case {
  bool is_placed = false;
  HostState host = HostState::unknown;
  bool is_to_run = false;
  DomainState observed = DomainState::unknown;
};

bool names(const std::string& cell, std::string_view value) {
  const auto words = tests::split(cell, ',');
  return cell == "any" || cell == "–" ||
         std::ranges::any_of(words, [&](const std::string& word) { return word == value; });
}

bool fits(const TableRow& row, const Case& one) {
  return names(row[0], one.is_placed ? "yes" : "no") &&
         names(row[1], one.is_placed ? msg::name_of(one.host) : "–") &&
         names(row[2], one.is_to_run ? "yes" : "no") && names(row[3], msg::name_of(one.observed));
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const bool is_placed : {false, true})
    for (const bool is_to_run : {false, true})
      for (const auto host : {HostState::up, HostState::unreachable, HostState::lost})
        for (std::size_t i = 0; i < msg::enum_names<DomainState>.size(); ++i)
          cases.push_back({is_placed, host, is_to_run, static_cast<DomainState>(i)});
  return cases;
}

std::string reported(const Case& one) {
  StoredNode node;
  node.is_desired_on = one.is_to_run;
  node.is_grant_on = one.is_placed && one.is_to_run;
  node.observed = one.observed;
  if (one.is_placed) node.host_id = {"h"};
  const StoredHost host{.host_id = {"h"}, .state = one.host};
  return std::string(msg::name_of(reported_state(node, one.is_placed ? &host : nullptr).state));
}

TEST(StatesPage, GivesEachNodeTheStateThatTheSchedulerReports) {
  const auto table = tests::read_table("docs/states.md", "## Node");
  ASSERT_EQ(table.size(), node_state_rules().size());
  std::vector<int> used(table.size(), 0);
  for (const auto& one : all_cases()) {
    const auto row = std::ranges::find_if(table, [&](const auto& each) { return fits(each, one); });
    ASSERT_NE(row, table.end()) << "no row for " << msg::name_of(one.observed);
    EXPECT_EQ((*row)[4], reported(one))
        << "row " << row - table.begin() + 1 << ", " << msg::name_of(one.host) << " "
        << msg::name_of(one.observed);
    ++used[static_cast<std::size_t>(row - table.begin())];
  }
  for (std::size_t i = 0; i < used.size(); ++i) EXPECT_GT(used[i], 0) << "row " << i + 1;
}

using Rows = std::set<std::array<std::string, 3>>;  // from, to, event

Rows rows_of_page(const std::string& after) {
  Rows rows;
  for (const auto& row : tests::read_table("docs/states.md", after))
    EXPECT_TRUE(rows.insert({row[0], row[1], row[2]}).second) << row[0] << " to " << row[1];
  return rows;
}

template <class Transitions>
Rows rows_of_code(const Transitions& transitions) {
  Rows rows;
  for (const auto& one : transitions) {
    const auto from = std::string(msg::name_of(one.from));
    rows.insert({from == "unknown" ? "(none)" : from, std::string(msg::name_of(one.to)),
                 std::string(msg::name_of(one.event))});
  }
  return rows;
}

TEST(StatesPage, HasTheTransitionsOfComputesetsAndNoOther) {
  EXPECT_EQ(rows_of_page("## Computeset"), rows_of_code(computeset_transitions));
}

TEST(StatesPage, HasTheTransitionsOfReservationsAndNoOther) {
  EXPECT_EQ(rows_of_page("## Reservation"), rows_of_code(reservation_transitions));
}

TEST(StatesPage, HasTheTransitionsOfHostsAndNoOther) {
  EXPECT_EQ(rows_of_page("**A host's right"), rows_of_code(host_transitions));
}

TEST(States, FollowTheirTable) {
  for (const auto& one : computeset_transitions) EXPECT_EQ(next_state(one.from, one.event), one.to);
  for (const auto& one : reservation_transitions)
    EXPECT_EQ(next_state(one.from, one.event), one.to);
  for (const auto& one : host_transitions) EXPECT_EQ(next_state(one.from, one.event), one.to);
}

TEST(StatesDeathTest, EndTheProcessAtATransitionThatTheTableDoesNotHave) {
  EXPECT_DEATH((void)next_state(msg::ComputesetState::completed, ComputesetEvent::ended),
               "assertion failed");
  EXPECT_DEATH((void)next_state(HostState::up, HostEvent::lease_end), "assertion failed");
}

/// Every state that a computeset or a host can be reported in is in its table, except `drained` and
/// those that only old clients know.
TEST(StatesPage, HasEveryStateOfComputesetsAndHosts) {
  const auto words_of = [](const std::string& after) {
    std::set<std::string> words;
    for (const auto& row : tests::read_table("docs/states.md", after)) {
      words.insert(row[0]);
      words.insert(row[1]);
    }
    words.erase("(none)");
    return words;
  };
  auto computeset_words = words_of("## Computeset");
  computeset_words.merge(std::set<std::string>{"unknown", "created", "failed"});
  const auto& computeset_states = msg::enum_names<msg::ComputesetState>;
  EXPECT_EQ(computeset_words,
            std::set<std::string>(computeset_states.begin(), computeset_states.end()));
  auto host_words = words_of("**A host's right");
  host_words.merge(std::set<std::string>{"unknown", "drained"});
  const auto& host_states = msg::enum_names<HostState>;
  EXPECT_EQ(host_words, std::set<std::string>(host_states.begin(), host_states.end()));
}

using Transitions = std::set<std::pair<std::string, std::string>>;

Transitions documented_transitions(const std::string& after) {
  Transitions rows;
  for (const auto& row : tests::read_table("docs/states.md", after)) rows.insert({row[0], row[1]});
  return rows;
}

/// `unknown` stands for no record.
template <class Table>
Transitions allowed_transitions(const Table& table) {
  Transitions allowed;
  const auto name = [](auto state) {
    return state == decltype(state){} ? std::string("(none)") : std::string(msg::name_of(state));
  };
  for (const auto& [from, to] : table) allowed.insert({name(from), name(to)});
  return allowed;
}

TEST(StatesPage, HasTheTransitionsOfVlansAndVolumesThatTheCodeAllows) {
  EXPECT_EQ(documented_transitions("**A cluster's VLAN**"),
            allowed_transitions(network::number_transitions));
  EXPECT_EQ(documented_transitions("## Volume"),
            allowed_transitions(image_store::volume_transitions));
}

}  // namespace
}  // namespace nucleus::scheduler
