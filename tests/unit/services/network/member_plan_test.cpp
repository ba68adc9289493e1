// Which ports become members of partitions, and when they have joined or left, decided on a view
// without a store.
#include "services/network/member_plan.hpp"

#include <gmock/gmock.h>

#include "services/network/lease_plan.hpp"

namespace nucleus::network {
namespace {

constexpr const char* port_text = "0x0002c90300000011";
constexpr const char* other_port_text = "0x0002c90300000021";
constexpr PortGuid leased_port{0x0002c90300000011};
constexpr PortGuid other_port{0x0002c90300000021};
constexpr std::uint16_t member_of_a = 0x8100;

msg::LeasedAdapter leased_adapter(const std::string& fabric, const std::string& guid,
                                  std::uint32_t pkey) {
  return {.adapter = {.pci_address = "0000:81:00.1", .fabric = fabric, .port_guid = guid},
          .pkey = pkey};
}

/// Two clusters with InfiniBand: `a` has pkey 0x100, `b` 0x101, of ib0 and 0x200, 0x201 of ib1.
class Members : public testing::Test {
 protected:
  Members() : view_{config()} {
    for (const char* name : {"a", "b"})
      apply(plan_network(view_, {.cluster = {.cluster_id = {name}, .has_infiniband = true}},
                         ++event_id_));
    for (const char* fabric : {"ib0", "ib1"}) seen_[fabric].reading = &readings_[fabric];
  }

  static Config config() {
    Config config;
    config.fabrics["ib0"].pkeys = {.first = 0x100, .last = 0x101};
    config.fabrics["ib1"].pkeys = {.first = 0x200, .last = 0x201};
    return config;
  }
  void apply(const Plan& plan) {
    view_.apply(plan);
    view_.check();
  }
  /// Returns the reason why they are refused.
  std::string lease(const std::string& node, const std::string& cluster,
                    std::vector<msg::LeasedAdapter> adapters, std::uint64_t epoch = 1) {
    const auto plan = plan_members(view_, {.node_id = {node},
                                           .cluster_id = {cluster},
                                           .epoch = epoch,
                                           .adapters = std::move(adapters)});
    apply(plan);
    return plan.members.front().reason;
  }
  void release(const std::string& node, std::uint64_t epoch = 1) {
    apply(plan_members_release(view_, {{node}, epoch}));
  }
  /// A check that knows all changes so far, and found these tables.
  void check(const std::string& fabric, std::map<PortGuid, std::set<std::uint16_t>> tables) {
    readings_[fabric].tables = std::move(tables);
    seen_[fabric].reading = &readings_[fabric];
    seen_[fabric].changes = view_.member_changes();
  }
  void fail_check(const std::string& fabric) {
    seen_[fabric] = {.changes = view_.member_changes()};
  }
  /// What is recorded of the node: `joined`, `left`, a reason, or nothing.
  std::string settle(const std::string& node, std::uint64_t epoch = 1) {
    const auto plan = plan_settled(view_, {{node}, epoch}, seen_);
    if (!plan) return "";
    apply(*plan);
    if (!plan->members_left.empty()) return "left";
    return plan->members.front().is_joined ? "joined" : plan->members.front().reason;
  }

  View view_;
  std::map<std::string, FabricReading> readings_ = {};
  SeenFabrics seen_ = {};
  std::uint64_t event_id_ = 0;
};

TEST_F(Members, AreWantedFromTheirLeaseToTheirRelease) {
  EXPECT_EQ(lease("n", "a", {leased_adapter("ib0", port_text, 0x100)}), "");
  EXPECT_EQ(lease("m", "b", {leased_adapter("ib0", other_port_text, 0x101)}), "");
  EXPECT_EQ(wanted_partitions(view_, "ib0"),
            (Partitions{{0x100, {leased_port}}, {0x101, {other_port}}}));
  EXPECT_TRUE(wanted_partitions(view_, "ib1").empty());
  EXPECT_THAT(unsettled_ports(view_, "ib0"), testing::ElementsAre(leased_port, other_port));
  release("n");
  EXPECT_EQ(wanted_partitions(view_, "ib0"), (Partitions{{0x101, {other_port}}}));
  EXPECT_EQ(count_members(view_).joining, 1u);
  EXPECT_EQ(count_members(view_).leaving, 1u);
}

TEST_F(Members, AreRefusedWithoutALeaseOfThePartition) {
  EXPECT_EQ(lease("n", "a", {leased_adapter("ib0", port_text, 0x101)}),
            "fabric ib0: the cluster is not leased partition 0x0101");
  EXPECT_EQ(lease("n", "a", {leased_adapter("ib1", port_text, 0x100)}, 2),
            "fabric ib1: the cluster is not leased partition 0x0100");
  EXPECT_EQ(lease("n", "gone", {leased_adapter("ib0", port_text, 0x100)}, 3),
            "fabric ib0: the cluster is not leased partition 0x0100");
  EXPECT_EQ(lease("n", "a", {leased_adapter("ib0", "0x0002C90300000011", 0x100)}, 4),
            "a port_guid must be 0x and 16 hex digits");
  EXPECT_EQ(lease("n", "a", {}, 5), "no adapter is leased");
  EXPECT_TRUE(wanted_partitions(view_, "ib0").empty());
  EXPECT_EQ(settle("n"), "") << "it was answered";
  release("n");
  EXPECT_EQ(settle("n"), "left");
}

TEST_F(Members, AreRefusedWhileAnotherClusterHasThePort) {
  lease("n", "a", {leased_adapter("ib0", port_text, 0x100)});
  const auto refused = "fabric ib0: port 0x0002c90300000011 has not left another partition";
  EXPECT_EQ(lease("m", "b", {leased_adapter("ib0", port_text, 0x101)}), refused);
  release("n");
  EXPECT_EQ(lease("m", "b", {leased_adapter("ib0", port_text, 0x101)}, 2), refused);
  check("ib0", {{leased_port, {default_limited}}});
  EXPECT_EQ(settle("n"), "left");
  EXPECT_EQ(lease("m", "b", {leased_adapter("ib0", port_text, 0x101)}, 3), "");
}

TEST_F(Members, HaveJoinedOnceEveryPortWasReadWithItsPkey) {
  lease("n", "a",
        {leased_adapter("ib0", port_text, 0x100), leased_adapter("ib1", other_port_text, 0x200)});
  check("ib0", {});
  EXPECT_EQ(settle("n"), "fabric ib0: port 0x0002c90300000011 is not on the fabric");
  EXPECT_EQ(settle("n"), "") << "the reason has not changed";
  check("ib0", {{leased_port, {default_limited, 0x0100}}});
  EXPECT_EQ(settle("n"), "fabric ib0: port 0x0002c90300000011 is not in partition 0x0100");
  fail_check("ib0");
  EXPECT_EQ(settle("n"), "fabric ib0: its subnet manager or a port does not answer");
  check("ib0", {{leased_port, {default_limited, member_of_a}}});
  EXPECT_EQ(settle("n"), "") << "ib1 was not read yet";
  check("ib1", {{other_port, {default_limited, 0x8200}}});
  EXPECT_EQ(settle("n"), "joined");
  EXPECT_EQ(count_members(view_).joined, 1u);
  check("ib0", {});
  EXPECT_EQ(settle("n"), "") << "a fault of the fabric, and not of the placement";
}

TEST_F(Members, AreNotJoinedByAReadingOfBefore) {
  check("ib0", {{leased_port, {default_limited, member_of_a}}});
  lease("n", "a", {leased_adapter("ib0", port_text, 0x100)});
  EXPECT_EQ(settle("n"), "");
  check("ib0", {{leased_port, {default_limited, member_of_a}}});
  EXPECT_EQ(settle("n"), "joined");
  release("n");
  EXPECT_EQ(settle("n"), "");
}

TEST_F(Members, HaveLeftOnceNoPortHasThePkey) {
  lease("n", "a",
        {leased_adapter("ib0", port_text, 0x100), leased_adapter("ib1", other_port_text, 0x200)});
  release("n");
  check("ib1", {});
  fail_check("ib0");
  EXPECT_EQ(settle("n"), "") << "ib0 cannot be read";
  check("ib0", {{leased_port, {default_limited, member_of_a}}});
  EXPECT_EQ(settle("n"), "");
  check("ib0", {{leased_port, {default_limited, 0x0100}}});
  EXPECT_EQ(settle("n"), "") << "a limited member is one, too";
  check("ib0", {{leased_port, {default_limited}}});
  EXPECT_EQ(settle("n"), "left");
  EXPECT_TRUE(view_.members().empty());
}

TEST_F(Members, HaveLeftAtOnceIfAnotherPlacementOfTheClusterHasThePort) {
  lease("n", "a", {leased_adapter("ib0", port_text, 0x100)});
  release("n");
  EXPECT_EQ(lease("n", "a", {leased_adapter("ib0", port_text, 0x100)}, 2), "");
  EXPECT_EQ(settle("n"), "left");
  EXPECT_EQ(wanted_partitions(view_, "ib0"), (Partitions{{0x100, {leased_port}}}));
  EXPECT_THAT(view_.members_with(port_text), testing::ElementsAre(MembersId{{"n"}, 2}));
}

TEST_F(Members, OfVfsAreInTheTableOfTheirPf) {
  const auto vf = [](const std::string& guid, std::uint32_t pkey) {
    auto leased = leased_adapter("ib0", guid, pkey);
    leased.adapter.is_virtual = true;
    leased.adapter.pf_port_guid = port_text;
    return leased;
  };
  EXPECT_EQ(lease("n", "a", {vf("0x00000000000000a1", 0x100)}), "");
  EXPECT_EQ(lease("m", "b", {vf("0x00000000000000a2", 0x101)}), "") << "another VF";
  EXPECT_EQ(wanted_partitions(view_, "ib0"),
            (Partitions{{0x100, {leased_port}}, {0x101, {leased_port}}}));
  check("ib0", {{leased_port, {default_limited, member_of_a}}});
  EXPECT_EQ(settle("n"), "joined");
  EXPECT_EQ(lease("o", "b", {vf("0x00000000000000a1", 0x101)}),
            "fabric ib0: port 0x00000000000000a1 has not left another partition");
  EXPECT_EQ(lease("p", "a", {vf("0x00000000000000a3", 0x100)}), "");
  release("n");
  EXPECT_EQ(settle("n"), "left") << "its partition is in the table for another VF";
}

TEST_F(Members, JoinAndLeaveAtOnceIfNoSubnetManagerIsTold) {
  seen_["ib0"] = {.is_managed = false};
  lease("n", "a", {leased_adapter("ib0", port_text, 0x100)});
  EXPECT_EQ(settle("n"), "joined");
  release("n");
  EXPECT_EQ(settle("n"), "left");
}

TEST_F(Members, OfAFabricThatIsNotInTheSettingsDoNotJoin) {
  seen_.erase("ib0");
  lease("n", "a", {leased_adapter("ib0", port_text, 0x100)});
  EXPECT_EQ(settle("n"), "fabric ib0 is not in network.fabrics");
  release("n");
  EXPECT_EQ(settle("n"), "left");
}

TEST_F(Members, KeepThePkeyOfARemovedClusterInQuarantineUntilTheyLeft) {
  lease("n", "a", {leased_adapter("ib0", port_text, 0x100)});
  apply(plan_cluster_removal(view_, {"a"}, 10));
  EXPECT_TRUE(view_.members({{"n"}, 1})->stored.is_released);
  EXPECT_TRUE(wanted_partitions(view_, "ib0").empty());
  apply(*plan_quarantine_ends(view_, 10));
  EXPECT_EQ(view_.pkeys().at("ib0").state(0x100), NumberState::quarantined);
  EXPECT_EQ(view_.pkeys().at("ib1").state(0x200), NumberState::free) << "it has no members";
  EXPECT_FALSE(plan_quarantine_ends(view_, 20));
  check("ib0", {{leased_port, {default_limited}}});
  EXPECT_EQ(settle("n"), "left");
  apply(*plan_quarantine_ends(view_, 20));
  EXPECT_EQ(view_.pkeys().at("ib0").state(0x100), NumberState::free);
}

TEST_F(Members, OfARemovedClusterOfTheSameNameMustLeaveBefore) {
  lease("n", "a", {leased_adapter("ib1", port_text, 0x200)});
  apply(plan_cluster_removal(view_, {"a"}, 10));
  apply(plan_cluster_removal(view_, {"b"}, 10));
  apply(*plan_quarantine_ends(view_, 10));
  apply(plan_network(view_, {.cluster = {.cluster_id = {"a"}, .has_infiniband = true}}, 9));
  EXPECT_EQ(lease("m", "a", {leased_adapter("ib1", port_text, 0x201)}),
            "fabric ib1: port 0x0002c90300000011 has not left another partition");
}

TEST_F(Members, AreUnsettledAgainAfterALoad) {
  lease("n", "a", {leased_adapter("ib0", port_text, 0x100)});
  check("ib0", {{leased_port, {default_limited, member_of_a}}});
  Plan records;
  for (const auto& [id, cluster] : view_.clusters()) records.networks.push_back(cluster.stored);
  for (const auto& [id, members] : view_.members()) records.members.push_back(members.stored);
  const auto changes = view_.member_changes();
  view_ = View(config());
  view_.load(records, changes);
  view_.check();
  EXPECT_EQ(settle("n"), "") << "the check does not know the loaded records";
  check("ib0", {{leased_port, {default_limited, member_of_a}}});
  EXPECT_EQ(settle("n"), "joined");
}

}  // namespace
}  // namespace nucleus::network
