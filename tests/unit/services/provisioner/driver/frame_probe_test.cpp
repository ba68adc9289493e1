// Probes of a port: their frames, and what follows from where they were seen.
#include "services/provisioner/driver/frame_probe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>

namespace nucleus::provisioner {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

/// Two nodes of cluster 101, one of 102, an uplink, and a port that is not known.
class FrameProbes : public testing::Test {
 protected:
  FrameProbes() {
    for (const auto& [number, name, tag] :
         {std::tuple{"1", "nuc-1", "101"}, std::tuple{"2", "nuc-2", "101"},
          std::tuple{"3", "nuc-3", "102"}, std::tuple{"4", "eth1", ""}})
      ports_.push_back({.number = number, .name = name, .is_listed = true, .tag = tag});
    for (const auto& [device, vlan] :
         {std::pair{"nuc-1", 101}, std::pair{"nuc-2", 101}, std::pair{"nuc-3", 102}})
      specs_.push_back(
          {.mac = "52:54:00:00:00:01", .vlan = static_cast<std::uint16_t>(vlan), .device = device});
    probes_ = plan_probes(ports_[0], specs_[0], 102, run_);
  }

  std::uint64_t nonce_of(ProbeKind kind) const {
    return std::ranges::find(probes_, kind, &FrameProbe::kind)->nonce;
  }
  /// What a switch that isolates shows.
  std::vector<Sighting> right() const {
    return {{nonce_of(ProbeKind::own), "nuc-2", 0},
            {nonce_of(ProbeKind::own), "eth1", 101},
            {nonce_of(ProbeKind::own), "nucleus0", 101},
            {nonce_of(ProbeKind::own), "peer0", 101},
            {nonce_of(ProbeKind::marker), "nuc-1", 0}};
  }
  ProbeJudgement judge(std::vector<Sighting> sightings) const {
    return judge_sightings(probes_, sightings, ports_, specs_, layout_);
  }
  ProbeJudgement judge_also(const Sighting& sighting) const {
    auto sightings = right();
    sightings.push_back(sighting);
    return judge(std::move(sightings));
  }

  ProbeRun run_{.id = 0x01020304};
  std::vector<SwitchPort> ports_ = {};
  std::vector<PortSpec> specs_ = {};
  std::vector<FrameProbe> probes_ = {};
  const BridgeLayout layout_{.bridge = "nucleus0", .tap_prefix = "nuc-"};
};

TEST_F(FrameProbes, AreReadBackFromTheirFrames) {
  for (const auto& probe : probes_) {
    const auto seen = parse_sighting(bytes_of(probe.frame), 0);
    ASSERT_TRUE(seen) << msg::name_of(probe.kind);
    EXPECT_EQ(seen->nonce, probe.nonce);
    EXPECT_EQ(seen->vlan, probe.kind == ProbeKind::foreign_tag ? 102 : 0);
    EXPECT_EQ(probe.frame.substr(0, 12), "024e01020304") << "the MAC of this run";
    EXPECT_GE(probe.frame.size(), 120U);
  }
  EXPECT_EQ(parse_sighting(bytes_of(probes_[0].frame.substr(0, 40)), 0), std::nullopt);
  EXPECT_EQ(parse_sighting("", 0), std::nullopt);
}

TEST_F(FrameProbes, OfAPublicPortAreIpPacketsOfItsOwnAddress) {
  ProbeRun run{.id = 7};
  const auto probes = plan_probes(
      ports_[0], {.mac = "52:54:00:00:00:01", .vlan = 1, .guarded_ip = "172.30.0.2"}, 0, run);
  const auto own = std::ranges::find(probes, ProbeKind::own, &FrameProbe::kind);
  EXPECT_EQ(own->frame.substr(24, 4), "0800");
  EXPECT_EQ(own->frame.substr(28 + 24, 8), "ac1e0002") << "the source";
  const auto tagged = std::ranges::find(probes, ProbeKind::foreign_tag, &FrameProbe::kind);
  EXPECT_EQ(tagged->frame.substr(24, 8), "81000002") << "another VLAN than its own";
}

TEST_F(FrameProbes, AreSentFromTheirPortAndTheMarkerAtTheEnd) {
  const auto bundle = plan_bundle(probes_);
  EXPECT_EQ(std::ranges::count(bundle, '\n'), 5);
  EXPECT_TRUE(bundle.starts_with("packet-out in_port=1,packet=024e01020304"));
  EXPECT_TRUE(bundle.ends_with("actions=output:1\n"));
}

TEST_F(FrameProbes, FindNoFaultInASwitchThatIsolates) {
  const auto judgement = judge(right());
  EXPECT_THAT(judgement.faults, IsEmpty());
  EXPECT_THAT(judgement.probed, ElementsAre("nuc-1"));
}

TEST_F(FrameProbes, ShowNothingIfTheMarkerDidNotArrive) {
  const auto judgement = judge({});
  EXPECT_THAT(judgement.faults, IsEmpty());
  EXPECT_THAT(judgement.probed, IsEmpty());
}

TEST_F(FrameProbes, CloseThePortWhoseForbiddenFramesWereForwarded) {
  for (const auto kind :
       {ProbeKind::foreign_tag, ProbeKind::priority_tag, ProbeKind::foreign_mac}) {
    const auto faults = judge_also({nonce_of(kind), "nuc-2", 0}).faults;
    ASSERT_EQ(faults.size(), 1U) << msg::name_of(kind);
    EXPECT_EQ(faults[0].port, "nuc-1");
    EXPECT_TRUE(faults[0].is_quarantined);
  }
}

TEST_F(FrameProbes, CloseThePortThatReceivesFramesOfAnotherVlan) {
  for (const auto& [interface, tag] : {std::pair{"nuc-3", 0}, std::pair{"nuc-2", 101}}) {
    const auto faults =
        judge_also({nonce_of(ProbeKind::own), interface, static_cast<std::uint16_t>(tag)}).faults;
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].port, interface);
    EXPECT_TRUE(faults[0].is_quarantined);
  }
}

TEST_F(FrameProbes, CloseTheSenderIfAnUplinkReceivesItsFramesInAnotherVlan) {
  const auto faults = judge_also({nonce_of(ProbeKind::own), "eth1", 0}).faults;
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].port, "nuc-1");
}

TEST_F(FrameProbes, DoNotCloseAPortWhoseFramesDoNotArrive) {
  const auto faults = judge({{nonce_of(ProbeKind::marker), "nuc-1", 0}}).faults;
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].reason, "its frames do not reach nuc-2");
  EXPECT_FALSE(faults[0].is_quarantined);
  EXPECT_TRUE(faults[0].may_pass);
}

}  // namespace
}  // namespace nucleus::provisioner
