// docs/states.md, "Domain" and "Grant": every case goes through the table and through the code.
#include <gtest/gtest.h>

#include <algorithm>

#include "services/provisioner/plan_step.hpp"
#include "tests/support/markdown_table.hpp"

namespace nucleus::provisioner {
namespace {

using tests::TableRow;

constexpr std::uint64_t own_epoch = 5;
constexpr std::int64_t now_ms = 1'000'000;

struct Case {
  bool is_revoked = false;
  bool is_fenced = false;
  std::string desired = {};
  GrantPhase phase = GrantPhase::pending;
  std::string domain = {};
};

bool names(const std::string& cell, std::string_view value) {
  const auto words = tests::split(cell, ',');
  return cell == "any" ||
         std::ranges::any_of(words, [&](const std::string& word) { return word == value; });
}

bool fits(const TableRow& row, const Case& one) {
  return names(row[0], one.is_revoked ? "yes" : "no") &&
         names(row[1], one.is_fenced ? "over" : "held") && names(row[2], one.desired) &&
         names(row[3], msg::name_of(one.phase)) && names(row[4], one.domain);
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const bool is_revoked : {false, true})
    for (const bool is_fenced : {false, true})
      for (const char* desired :
           {"on", "reset", "reboot", "resume", "off", "shutdown", "shutdown sent", "save", "saved"})
        for (const auto phase : {GrantPhase::pending, GrantPhase::running, GrantPhase::ended})
          for (const char* domain : {"none", "being created", "own", "other epoch"})
            cases.push_back({is_revoked, is_fenced, desired, phase, domain});
  return cases;
}

Step planned(const Case& one) {
  StoredGrant stored{.phase = one.phase, .is_revoked = one.is_revoked};
  stored.grant.epoch = own_epoch;
  stored.grant.resets = one.desired == "reset";
  stored.grant.reboots = one.desired == "reboot";
  const bool is_saved = one.desired.starts_with("save");
  stored.grant.is_graceful = one.desired.starts_with("shutdown") || is_saved;
  if (is_saved || one.desired == "resume") stored.grant.hibernation_id = "46-5";
  if (one.desired == "saved") stored.hibernation = msg::HibernationOutcome::saved;
  stored.grant.is_on = one.desired != "off" && !stored.grant.is_graceful;
  stored.grant.stop_by_unix_ms = now_ms + 1;
  DomainView view{.is_fenced = one.is_fenced,
                  .is_being_created = one.domain == "being created",
                  .is_shutdown_sent = one.desired == "shutdown sent",
                  .now_unix_ms = now_ms};
  if (one.domain == "own") view.epoch = own_epoch;
  if (one.domain == "other epoch") view.epoch = own_epoch + 1;
  return plan_step(stored, view);
}

TEST(StatesPage, HasTheStepThatThePlanTakesAtEachDomain) {
  const auto table = tests::read_table("docs/states.md", "## Domain");
  std::vector<int> used(table.size(), 0);
  for (const auto& one : all_cases()) {
    const auto row = std::ranges::find_if(table, [&](const auto& each) { return fits(each, one); });
    ASSERT_NE(row, table.end()) << "no row for " << one.desired << ", " << one.domain;
    EXPECT_EQ((*row)[5], msg::name_of(planned(one)))
        << "row " << row - table.begin() + 1 << ", " << one.desired << ", "
        << msg::name_of(one.phase) << ", " << one.domain;
    ++used[static_cast<std::size_t>(row - table.begin())];
  }
  for (std::size_t i = 0; i < used.size(); ++i) EXPECT_GT(used[i], 0) << "row " << i + 1;
}

TEST(StatesPage, HasEveryTransitionOfAGrant) {
  const auto table = tests::read_table("docs/states.md", "### Grant");
  constexpr std::array phases{GrantPhase::pending, GrantPhase::running, GrantPhase::ended};
  for (const auto from : phases)
    for (const auto to : phases) {
      const bool is_listed = std::ranges::any_of(table, [&](const TableRow& row) {
        return row[0] == msg::name_of(from) && row[1] == msg::name_of(to);
      });
      EXPECT_EQ(may_advance(from, to), is_listed)
          << msg::name_of(from) << " to " << msg::name_of(to);
    }
}

}  // namespace
}  // namespace nucleus::provisioner
