// The watch of a real Open vSwitch: it tells each change that a check of the isolation would find.
#include "services/provisioner/driver/switch_watch.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/private_switch.hpp"

namespace nucleus::tests {
namespace {

using provisioner::SwitchWatch;

class SwitchWatches : public testing::Test {
 protected:
  SwitchWatches() {
    switch_.add_tap("nuc-1", 101);
    EXPECT_TRUE(eventually([&] { return watch_.is_watching() && is_quiet(); }));
  }

  /// Whether the switch answered two requests and told of no change meanwhile.
  bool is_quiet() const {
    const auto before = watch_.changes();
    switch_.run({"ovs-ofctl", "-O", "OpenFlow13", "dump-flows", PrivateSwitch::bridge});
    switch_.run({"ovs-vsctl", "--timeout=10", "list", "interface"});
    return watch_.changes() == before;
  }
  void expect_told(const std::function<void()>& change) const {
    const auto before = watch_.changes();
    change();
    EXPECT_TRUE(eventually([&] { return watch_.changes() > before; }));
    EXPECT_TRUE(eventually([&] { return is_quiet(); }));
    EXPECT_TRUE(watch_.is_watching());
  }

  PrivateSwitch switch_ = {};
  SwitchWatch watch_{{.run_directory = switch_.folder(), .bridge = PrivateSwitch::bridge}};
};

TEST_F(SwitchWatches, TellWhenFlowsChange) {
  const std::string flow = "table=0,priority=7,dl_vlan=9,actions=drop";
  expect_told([&] { switch_.ofctl({"add-flow", PrivateSwitch::bridge, flow}); });
  expect_told([&] {
    switch_.ofctl({"mod-flows", PrivateSwitch::bridge, "dl_vlan=9,actions=normal"});
  });
  expect_told([&] {
    switch_.ofctl({"--bundle", "replace-flows", PrivateSwitch::bridge, "/dev/null"});
  });
}

TEST_F(SwitchWatches, TellWhenPortsAndBridgesChange) {
  expect_told([&] { switch_.vsctl({"set", "port", "nuc-1", "tag=102"}); });
  expect_told([&] { switch_.vsctl({"set", "port", "nuc-1", "trunks=7"}); });
  expect_told([&] { switch_.add_tap("nuc-2", 101); });
  expect_told([&] { switch_.vsctl({"del-port", "nuc-2"}); });
  expect_told([&] { switch_.vsctl({"set", "bridge", PrivateSwitch::bridge, "fail_mode=secure"}); });
}

TEST_F(SwitchWatches, SayThatNothingIsSeenWhileTheSwitchIsAway) {
  const auto before = watch_.changes();
  switch_.stop_switch();
  EXPECT_TRUE(eventually([&] { return !watch_.is_watching(); }));
  switch_.start_switch();
  EXPECT_TRUE(eventually([&] { return watch_.is_watching(); }));
  EXPECT_GT(watch_.changes(), before + 1);
}

TEST(SwitchWatch, WaitsForABridgeThatIsNotThere) {
  PrivateSwitch own;
  const SwitchWatch watch{{.run_directory = own.folder(), .bridge = "br9"}};
  EXPECT_FALSE(watch.is_watching());
  own.vsctl({"add-br", "br9", "--", "set", "bridge", "br9", "datapath_type=netdev"});
  EXPECT_TRUE(eventually([&] { return watch.is_watching(); }));
}

}  // namespace
}  // namespace nucleus::tests
