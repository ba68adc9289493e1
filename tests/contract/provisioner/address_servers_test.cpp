// What a node's DHCP and DNS client gets from the real dnsmasq through a real switch, and what is
// left of it when it was killed, or is not needed any more. Needs root.
#include "services/provisioner/driver/address_servers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "services/provisioner/driver/address_process.hpp"
#include "services/provisioner/driver/switch_check.hpp"
#include "tests/support/private_switch.hpp"

namespace nucleus::tests {
namespace {

using provisioner::AddressService;
using testing::HasSubstr;
using testing::Not;

/// Prints what the client was given. Its own is a line `KEY=VALUE` each.
constexpr const char* client_script = "#!/bin/sh\n[ \"$1\" = bound ] && set\nexit 0\n";

class AddressServersWorld : public testing::Test {
 protected:
  AddressServersWorld() {
    std::ofstream(switch_.file("client")) << client_script;
    std::filesystem::permissions(switch_.file("client"), std::filesystem::perms{0755});
    switch_.run({"ip", "netns", "add", client_});
    add_client("nuc-000002", "52:54:00:00:00:02");
  }
  ~AddressServersWorld() override {
    (void)servers_.serve({}, servers_.begin_serve(), true);
    switch_.run({"ip", "netns", "del", client_});
  }

  /// A node's card: in a namespace in place of a guest.
  void add_client(const std::string& name, const std::string& mac) {
    switch_.vsctl({"add-port", PrivateSwitch::bridge, name, "tag=101", "--", "set", "interface",
                   name, "type=internal"});
    switch_.run({"ip", "-n", switch_.network_namespace(), "link", "set", name, "netns", client_});
    switch_.run({"ip", "-n", client_, "link", "set", name, "address", mac, "addrgenmode", "none"});
    switch_.run({"ip", "-n", client_, "link", "set", name, "up"});
    job_.ports.push_back({.mac = mac, .vlan = 101, .device = name, .name_server = "10.0.0.254"});
  }

  static msg::Grant grant() {
    return {.node_id = {"n-2"},
            .cluster_id = {"tiny"},
            .node_name = "vm-tiny-00",
            .revision = 1,
            .ports = {{.mac = "52:54:00:00:00:02",
                       .ip = "10.0.0.2",
                       .prefix_length = 24,
                       .vlan = 101,
                       .name_server = "10.0.0.254"}},
            .peers = {{"tiny", "10.0.0.1"}, {"vm-tiny-[00-01]", "10.0.0.2"}}};
  }
  static AddressService service_of(const msg::Grant& grant) {
    const auto service = provisioner::plan_address_service({grant}, "nuc");
    EXPECT_TRUE(service);
    return service.value_or(AddressService{});
  }
  void prepare(const AddressService& service) {
    const auto done = servers_.prepare(service);
    ASSERT_TRUE(done) << done.error().detail;
    guard();
  }
  void guard() {
    job_.now_ms += 2'000;
    const auto checked = guard_.check(job_);
    ASSERT_TRUE(checked) << checked.error().detail;
    for (const auto& fault : checked->faults) ADD_FAILURE() << fault.port << ": " << fault.reason;
  }
  bool serve(const std::vector<AddressService>& wanted) {
    return servers_.serve(wanted, servers_.begin_serve(), true);
  }
  /// What the client prints: of DHCP what it was given; nothing if that fails.
  std::string run_in_client(std::vector<std::string> words) const {
    words.insert(words.begin(), {"ip", "netns", "exec", client_, "busybox"});
    const auto ran = core::run_child({.argv = words});
    return ran ? ran->output + ran->errors : ran.error().detail;
  }
  std::string lease(const std::string& card = "nuc-000002") const {
    return run_in_client({"udhcpc", "-i", card, "-n", "-q", "-f", "-t", "3", "-T", "1", "-s",
                          switch_.file("client")});
  }
  void set_address() const {
    switch_.run({"ip", "-n", client_, "address", "add", "10.0.0.2/24", "dev", "nuc-000002"});
  }
  std::string look_up(const std::string& name) const {
    return run_in_client({"nslookup", name, "10.0.0.254"});
  }
  pid_t pid() const { return provisioner::find_address_process(directory()); }
  std::string directory() const { return switch_.file("addresses") + "/101"; }
  std::string ports() const {
    return switch_.run({"ovs-vsctl", "--timeout=10", "list-ports", PrivateSwitch::bridge});
  }
  provisioner::AddressServers::Options options() const {
    return {.directory = switch_.file("addresses"),
            .bridge = PrivateSwitch::bridge,
            .network_namespace = switch_.network_namespace(),
            .tap_prefix = "nuc-"};
  }

  PrivateSwitch switch_ = {};
  const std::string client_ = "nuc-test-" + std::to_string(getpid()) + "-c";
  provisioner::AddressServers servers_{options()};
  provisioner::SwitchGuard guard_{{.layout = {.bridge = PrivateSwitch::bridge,
                                              .tap_prefix = "nuc-",
                                              .uplinks = std::set<std::string>{}},
                                   .flows_file = switch_.file("flows"),
                                   .network_namespace = switch_.network_namespace()}};
  provisioner::SwitchGuard::Job job_{.is_complete = true, .now_ms = 1'000'000, .random = 7};
};

TEST_F(AddressServersWorld, GiveANodeItsAddressItsNameAndTheNamesOfItsPeers) {
  prepare(service_of(grant()));
  const auto leased = lease();
  EXPECT_THAT(leased, HasSubstr("ip='10.0.0.2'"));
  EXPECT_THAT(leased, HasSubstr("mask='24'"));
  EXPECT_THAT(leased, HasSubstr("dns='10.0.0.254'"));
  EXPECT_THAT(leased, HasSubstr("hostname='vm-tiny-00'"));
  EXPECT_THAT(leased, HasSubstr("domain='tiny'"));
  EXPECT_THAT(leased, Not(HasSubstr("router="))) << "there is none";
  EXPECT_THAT(leased, Not(HasSubstr("boot_file="))) << "nor a file to boot";
  set_address();
  for (const char* name : {"vm-tiny-01", "vm-tiny-01.tiny"})
    EXPECT_THAT(look_up(name), HasSubstr("Address: 10.0.0.3")) << name;
  EXPECT_THAT(look_up("10.0.0.1"), HasSubstr("name = tiny.tiny"));
  EXPECT_THAT(look_up("vm-tiny-99.tiny"), HasSubstr("NXDOMAIN"));
  EXPECT_THAT(look_up("example.org"), HasSubstr("REFUSED")) << "it asks no other server";
}

TEST_F(AddressServersWorld, GiveNothingToACardThatIsNotGranted) {
  prepare(service_of(grant()));
  add_client("nuc-000003", "52:54:00:00:00:03");
  guard();
  EXPECT_THAT(lease("nuc-000003"), Not(HasSubstr("ip=")));
  EXPECT_THAT(lease(), HasSubstr("ip='10.0.0.2'"));
}

TEST_F(AddressServersWorld, LearnOfNodesThatAreAddedWithoutANewProcess) {
  prepare(service_of(grant()));
  const auto first = pid();
  ASSERT_NE(first, 0);
  EXPECT_FALSE(serve({service_of(grant())})) << "nothing has changed";
  auto changed = grant();
  changed.peers.push_back({"vm-tiny-02", "10.0.0.9"});
  EXPECT_FALSE(serve({service_of(changed)}));
  EXPECT_EQ(pid(), first);
  set_address();
  EXPECT_TRUE(eventually(
      [&] { return look_up("vm-tiny-02").find("Address: 10.0.0.9") != std::string::npos; }));
}

TEST_F(AddressServersWorld, LetDnsmasqReadFilesThatItsStarterDidNotReachToSay) {
  prepare(service_of(grant()));
  const auto first = pid();
  auto changed = service_of(grant());
  changed.names += "10.0.0.9 late\n";
  // As a provisioner that was killed before it sent the signal.
  std::ofstream(directory() + "/reload") << "";
  std::ofstream(directory() + "/names", std::ios::trunc) << changed.names;
  provisioner::AddressServers next(options());
  EXPECT_FALSE(next.serve({changed}, next.begin_serve(), true));
  EXPECT_EQ(pid(), first);
  set_address();
  EXPECT_TRUE(
      eventually([&] { return look_up("late").find("Address: 10.0.0.9") != std::string::npos; }));
  EXPECT_FALSE(std::filesystem::exists(directory() + "/reload"));
}

TEST_F(AddressServersWorld, StartAProcessThatWasKilledAgain) {
  prepare(service_of(grant()));
  const auto first = pid();
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  EXPECT_TRUE(eventually([&] { return pid() == 0; }));
  EXPECT_TRUE(serve({service_of(grant())}));
  EXPECT_NE(pid(), 0);
  EXPECT_NE(pid(), first);
  guard();
  EXPECT_THAT(lease(), HasSubstr("ip='10.0.0.2'"));
}

TEST_F(AddressServersWorld, MakeAPortAgainThatIsGone) {
  prepare(service_of(grant()));
  switch_.vsctl({"del-port", PrivateSwitch::bridge, "nuc-s101"});
  EXPECT_TRUE(serve({service_of(grant())}));
  guard();
  EXPECT_THAT(lease(), HasSubstr("ip='10.0.0.2'"));
}

TEST_F(AddressServersWorld, KnowTheProcessOfAnEarlierProvisioner) {
  prepare(service_of(grant()));
  const auto first = pid();
  provisioner::AddressServers next(options());
  EXPECT_FALSE(next.serve({service_of(grant())}, next.begin_serve(), true));
  EXPECT_EQ(pid(), first);
}

TEST_F(AddressServersWorld, StartANewProcessForAWiderSubnet) {
  prepare(service_of(grant()));
  const auto first = pid();
  auto wider = grant();
  wider.ports[0].prefix_length = 20;
  EXPECT_TRUE(serve({service_of(wider)}));
  EXPECT_NE(pid(), first);
  guard();
  EXPECT_THAT(lease(), HasSubstr("mask='20'"));
}

TEST_F(AddressServersWorld, LeaveNothingWhenTheyAreNotNeeded) {
  prepare(service_of(grant()));
  const auto first = pid();
  EXPECT_THAT(ports(), HasSubstr("nuc-s101"));
  EXPECT_FALSE(servers_.serve({}, servers_.begin_serve(), false)) << "not all grants are known";
  EXPECT_EQ(pid(), first);
  const auto begun = servers_.begin_serve();
  prepare(service_of(grant()));
  EXPECT_FALSE(servers_.serve({}, begun, true)) << "it was prepared meanwhile";
  EXPECT_EQ(pid(), first);
  EXPECT_TRUE(serve({}));
  EXPECT_TRUE(eventually([&] { return ::kill(first, 0) != 0; }));
  EXPECT_THAT(ports(), Not(HasSubstr("nuc-s101")));
  EXPECT_TRUE(std::filesystem::is_empty(switch_.file("addresses")));
}

TEST_F(AddressServersWorld, DropPrivilegesAndSeeNoFilesButTheirOwn) {
  prepare(service_of(grant()));
  std::ifstream status("/proc/" + std::to_string(pid()) + "/status");
  std::string uids;
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Uid:")) uids = line;
  EXPECT_THAT(uids, HasSubstr("65534\t65534\t65534\t65534"));
  const auto shown = switch_.run({"nsenter", "-m", "-t", std::to_string(pid()), "ls", "/run"});
  EXPECT_EQ(shown, "hosts\nlog\nnames\noptions\npid\n");
}

TEST_F(AddressServersWorld, DoNotBeginIfDnsmasqRefusesItsOptions) {
  auto service = service_of(grant());
  service.options += "no-such-option\n";
  const auto refused = servers_.prepare(service);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("dnsmasq does not begin"));
  EXPECT_THAT(ports(), Not(HasSubstr("nuc-s101"))) << "nothing is left of it";
}

}  // namespace
}  // namespace nucleus::tests
