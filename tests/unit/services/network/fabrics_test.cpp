// What a check of a fabric applies, and what it says of the fabric.
#include "services/network/fabrics.hpp"

#include <gmock/gmock.h>

#include "tests/support/simulated_fabric.hpp"

namespace nucleus::network {
namespace {

using msg::FabricState;

constexpr PortGuid manager_port{1};
constexpr PortGuid first_port{0x11};
constexpr PortGuid second_port{0x21};

class CheckedFabric {
 public:
  CheckedFabric() {
    auto driver = std::make_unique<tests::SimulatedFabric>(
        std::vector{manager_port, first_port, second_port});
    fabric_ = driver.get();
    link_.driver = std::move(driver);
  }
  tests::SimulatedFabric* operator->() { return fabric_; }
  core::Result<FabricCheck> check(const Partitions& wanted) {
    return check_fabric(link_, {.partitions = wanted});
  }
  const FabricLink& link() const { return link_; }

 private:
  tests::SimulatedFabric* fabric_ = nullptr;
  FabricLink link_ = {};
};

TEST(FabricCheck, AppliesWhatIsWantedAndReadsItBack) {
  CheckedFabric fabric;
  const Partitions wanted{{0x101, {first_port, second_port}}};
  const auto check = fabric.check(wanted);
  ASSERT_TRUE(check);
  EXPECT_TRUE(check->faults.empty());
  EXPECT_EQ(check->overwritten, "");
  EXPECT_EQ(check->reading.manager, manager_port);
  EXPECT_THAT(check->reading.tables.at(second_port), testing::ElementsAre(0x7fff, 0x8101));
  const auto later = fabric.check({{0x102, {second_port}}});
  ASSERT_TRUE(later);
  EXPECT_TRUE(later->faults.empty() && later->corrected.empty() && later->overwritten.empty());
  EXPECT_THAT(later->reading.tables.at(first_port), testing::ElementsAre(0x7fff));
}

TEST(FabricCheck, ShowsAndCorrectsWhatAnotherProgramChanged) {
  CheckedFabric fabric;
  const Partitions wanted{{0x101, {first_port}}};
  ASSERT_TRUE(fabric.check(wanted));
  fabric->write_as_another_program();
  const auto check = fabric.check(wanted);
  ASSERT_TRUE(check);
  EXPECT_NE(check->overwritten, "");
  ASSERT_FALSE(check->corrected.empty());
  EXPECT_TRUE(check->corrected.front().is_excess);
  EXPECT_TRUE(check->faults.empty());
}

TEST(FabricCheck, WaitsForAChangeBeforeADifferenceIsAFault) {
  CheckedFabric fabric;
  ASSERT_TRUE(fabric.check({}));
  const Partitions wanted{{0x101, {first_port}}};
  fabric->set_lag(30);  // more reads than in one check
  const auto changed = fabric.check(wanted);
  ASSERT_TRUE(changed);
  EXPECT_TRUE(changed->faults.empty());
  EXPECT_THAT(changed->reading.tables.at(first_port), testing::ElementsAre(0x7fff));
  const auto settled = fabric.check(wanted);
  ASSERT_TRUE(settled);
  EXPECT_TRUE(settled->faults.empty() && settled->corrected.empty());
  EXPECT_THAT(settled->reading.tables.at(first_port), testing::ElementsAre(0x7fff, 0x8101));
  fabric->set_lag(1'000);
  ASSERT_TRUE(fabric.check({}));
  const auto later = fabric.check({});
  ASSERT_TRUE(later);
  EXPECT_FALSE(later->corrected.empty());
  EXPECT_FALSE(later->faults.empty());
}

TEST(FabricCheck, AppliesAgainAfterItsSubnetManagerWasAway) {
  CheckedFabric fabric;
  ASSERT_TRUE(fabric.check({{0x101, {first_port}}}));
  fabric->set_manager(false);
  EXPECT_FALSE(fabric.check({{0x102, {first_port}}}));
  fabric->set_manager(true);
  const auto check = fabric.check({{0x102, {first_port}}});
  ASSERT_TRUE(check);
  EXPECT_TRUE(check->faults.empty());
  EXPECT_EQ(fabric.link().applied, (Partitions{{0x102, {first_port}}}));
}

TEST(FabricState, IsUncheckedWithoutACheckInTheLastMinute) {
  const auto never = fabric_state("ib0", {.failure = "sminfo: no port"}, 5);
  EXPECT_EQ(never.state, FabricState::unchecked);
  EXPECT_EQ(never.reason, "sminfo: no port");
  FabricHistory history{.check = FabricCheck{}, .checked_ms = 1'000, .failure = "no manager"};
  EXPECT_EQ(fabric_state("ib0", history, 61'000).state, FabricState::in_sync);
  const auto old = fabric_state("ib0", history, 61'001);
  EXPECT_EQ(old.state, FabricState::unchecked);
  EXPECT_EQ(old.reason, "no complete check for over 60 s: no manager");
}

TEST(FabricState, IsBrokenWithTheFirstFaultsAndNamesUnsafeSettings) {
  FabricHistory history{.check = FabricCheck{.unsafe = {"m_key is not set"}}};
  history.check->faults.resize(200, {.guid = first_port, .reason = "is open"});
  const auto fabric = fabric_state("ib0", history, 0);
  EXPECT_EQ(fabric.state, FabricState::broken);
  EXPECT_EQ(fabric.reason, "port 0x0000000000000011 is open");
  EXPECT_EQ(fabric.faults.size(), msg::fabric_faults_max);
  EXPECT_THAT(fabric.warnings, testing::ElementsAre("m_key is not set"));
}

}  // namespace
}  // namespace nucleus::network
