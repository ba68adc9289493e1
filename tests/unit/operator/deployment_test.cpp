// The processes of a deployment, planned without starting anything.
#include "operator/deployment.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include "operator/processes.hpp"
#include "operator/rack.hpp"
#include "operator/services.hpp"
#include "operator/tls.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::operator_ {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

std::vector<std::string> names(const std::vector<Child>& children) {
  std::vector<std::string> found;
  for (const auto& child : children) found.push_back(child.name);
  return found;
}

std::vector<Child> plan(bool is_simulated) {
  Deployment deployment;
  deployment.options.is_simulated = is_simulated;
  deployment.options.host_count = 7;
  deployment.host_id = "rack1-a";
  return plan_children(StateDirectory("/srv/nuc"), deployment, "/opt/nucleus");
}

TEST(Listen, AcceptsAnAddressAndAPort) {
  Deployment deployment;
  ASSERT_TRUE(parse_listen("0.0.0.0:8443", deployment));
  EXPECT_EQ(deployment.options.listen_address, "0.0.0.0");
  EXPECT_EQ(deployment.options.listen_port, 8443);
  EXPECT_EQ(console_address(deployment.options), "0.0.0.0");
  ASSERT_TRUE(parse_console_listen("10.0.0.1:8444", deployment));
  EXPECT_EQ(console_address(deployment.options), "10.0.0.1");
  EXPECT_EQ(deployment.ports.at("console"), 8444);
}

TEST(Listen, RefusesAnythingElse) {
  for (const char* text : {"", ":", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "host:80",
                           "127.0.0.1:65536", "127.0.0.1:80x", "1.2.3:80"}) {
    Deployment deployment;
    EXPECT_FALSE(parse_listen(text, deployment)) << text;
    EXPECT_FALSE(parse_console_listen(text, deployment)) << text;
    EXPECT_EQ(deployment.options.listen_port, 0) << text;
    EXPECT_TRUE(deployment.ports.empty()) << text;
  }
}

TEST(Children, OfSimulatedHostsNeedNoHypervisor) {
  const auto children = plan(true);
  EXPECT_THAT(names(children), Not(Contains("libvirtd")));
  EXPECT_THAT(names(children), Not(Contains("vswitchd")));
  EXPECT_EQ(children.back().bus_name, "provisioner/simulated");
  EXPECT_EQ(children.back().settings.at("provisioner.driver"), "simulated");
  EXPECT_EQ(children.back().settings.at("provisioner.simulated_hosts"), "7");
}

TEST(Children, OfARealHostUseTheDeploymentsOwnLibvirtAndSwitch) {
  const auto children = plan(false);
  EXPECT_THAT(names(children), Contains("libvirtd"));
  EXPECT_THAT(names(children), Contains("vswitchd"));
  EXPECT_EQ(children.back().bus_name, "provisioner/rack1-a");
  EXPECT_EQ(children.back().settings.at("provisioner.libvirt_uri"),
            "qemu+unix:///system?socket=/srv/nuc/libvirt/run/libvirt-sock");
}

TEST(Children, HaveAllSocketsBelowTheStateDirectory) {
  for (const auto& child : plan(true))
    for (const auto& [key, value] : child.settings) {
      if (!key.ends_with("_url") || !value.starts_with("ipc")) continue;
      EXPECT_THAT(value, HasSubstr("ipc:///srv/nuc/run/")) << child.name;
    }
}

/// A setting of a folder that is not given means one below /var/lib/nucleus, for every deployment.
TEST(Children, HaveAllFoldersBelowTheStateDirectory) {
  const std::map<std::string, std::vector<std::string>> folders = {
      {"image_store",
       {"image_store.images_directory", "image_store.uploads_directory",
        "image_store.volumes_directory"}},
      {"gateway", {"gateway.spool_directory"}},
      {"provisioner", {"provisioner.state_directory", "state.file"}}};
  const auto check = [&](const std::vector<Child>& children, const std::string& root) {
    for (const auto& child : children) {
      const auto found = folders.find(child.name);
      if (found == folders.end()) continue;
      for (const auto& key : found->second)
        EXPECT_THAT(text_of(child.settings, key), testing::StartsWith(root)) << key;
    }
  };
  for (const bool is_simulated : {true, false}) check(plan(is_simulated), "/srv/nuc/");
  for (const bool is_simulated : {true, false}) {
    HostDeployment host{.host_id = "h1", .short_id = "00aa"};
    host.is_simulated = is_simulated;
    const auto children = plan_host_children(StateDirectory("/srv/host"), host, "/opt/nucleus");
    EXPECT_EQ(children.back().name, "provisioner");
    check(children, "/srv/host/");
  }
}

TEST(Children, AreAllServicesOfTheListInTheirOrder) {
  std::vector<std::string> expected{"redis"};
  for (const auto& service : services) expected.emplace_back(service.name);
  EXPECT_EQ(names(plan(true)), expected);
}

TEST(Children, OfARackAreTheHeadsAlone) {
  Deployment deployment;
  deployment.options.rack_hosts = 2;
  const auto children = plan_children(StateDirectory("/srv/nuc"), deployment, "/opt/nucleus");
  for (const char* name : {"libvirtd", "vswitchd", "provisioner"})
    EXPECT_THAT(names(children), Not(Contains(name)));
}

TEST(Children, OfAJoinedHostReachTheHeadWithItsKeyAndNeverRedis) {
  const HostDeployment host{
      .host_id = "h7",
      .short_id = "0a1b",
      .network_namespace = "nuc-0a1b",
      .uplink = "eth1",
      .provisioner_namespace = "nuc-0a1b",
      .metrics_listen = "127.0.0.1:9400",
      .bus = {{"bus.requests_url", "tcp://10.0.0.1:5570"}, {"bus.secret_key", "secret"}}};
  const auto children = plan_host_children(StateDirectory("/srv/host"), host, "/opt/nucleus");
  EXPECT_EQ(names(children),
            (std::vector<std::string>{"ovsdb", "vswitchd", "libvirtd", "provisioner"}));
  EXPECT_THAT(children[1].argv, IsSupersetOf({"eth1", "tag=[]", "trunks=[]"}));
  const auto& provisioner = children.back();
  EXPECT_EQ(provisioner.bus_name, "provisioner/h7");
  EXPECT_THAT(provisioner.argv, Contains("nuc-0a1b"));
  EXPECT_EQ(provisioner.settings.at("bus.requests_url"), "tcp://10.0.0.1:5570");
  EXPECT_EQ(provisioner.settings.at("state.file"), "/srv/host/provisioner/state.db");
  EXPECT_FALSE(provisioner.settings.contains("redis.socket"));
}

TEST(Children, OfAHostWithAPublicUplinkKeepThatNetworkOffTheOtherUplink) {
  const HostDeployment host{
      .host_id = "h7", .short_id = "0a1b", .uplink = "eth1", .public_uplink = "eth2"};
  const auto children = plan_host_children(StateDirectory("/srv/host"), host, "/opt/nucleus");
  const auto& words = children.at(1).argv;
  const auto after = [&](const char* port) {
    return std::vector<std::string>(std::find(words.begin(), words.end(), port), words.end());
  };
  EXPECT_THAT(after("eth2"), IsSupersetOf({"tag=1", "trunks=[]"}));
  EXPECT_THAT(after("eth1"), IsSupersetOf({"tag=[]", "trunks=2-4094"}));
  EXPECT_EQ(children.back().settings.at("provisioner.public_vlan"), "1");
}

/// A deployment in a state directory of its own, with the files of its own CA.
struct OwnTls : testing::Test {
  tests::TemporaryFolder folder = {};
  StateDirectory state{folder.path()};
  Deployment deployment = {.short_id = "0a1b"};

  OwnTls() { std::filesystem::create_directory(state.file("tls")); }
  core::CertificateFacts facts(const std::string& host) {
    return (*core::Certificate::open(head_files(state)))->facts(host);
  }
};

TEST_F(OwnTls, CoversEveryAddressOfTheHeadAndIsKeptWhileItDoes) {
  deployment.options.bus_address = "10.0.0.1";
  ASSERT_TRUE(make_own_tls(state, deployment));
  for (const char* host : {"127.0.0.1", "localhost", "10.0.0.1"})
    EXPECT_TRUE(facts(host).is_for_host) << host;
  EXPECT_FALSE(facts("10.0.0.2").is_for_host);
  const auto before = facts("").fingerprint;
  ASSERT_TRUE(make_own_tls(state, deployment));
  EXPECT_EQ(facts("").fingerprint, before);
  const auto authority = read_file(authority_files(state).certificate);
  deployment.options.listen_address = "10.0.0.2";
  ASSERT_TRUE(make_own_tls(state, deployment));
  EXPECT_TRUE(facts("10.0.0.2").is_for_host);
  EXPECT_EQ(read_file(authority_files(state).certificate), authority);
}

TEST_F(OwnTls, IsUsedWhereClientsConnectFromElsewhere) {
  const std::string own = head_files(state).certificate;
  auto& options = deployment.options;
  const auto used = [&] {
    use_own_tls(state, options);
    return options.tls.certificate;
  };
  EXPECT_EQ(used(), "");
  options.listen_address = "10.0.0.1";
  EXPECT_EQ(used(), own);
  EXPECT_EQ(options.tls.ca, authority_files(state).certificate);
  options.listen_address = "127.0.0.1";
  EXPECT_EQ(used(), "");
  options.console_address = "0.0.0.0";
  EXPECT_EQ(used(), own);
  options.tls = {.is_off = true};
  EXPECT_EQ(used(), "");
  options.tls = {.certificate = "/site.pem", .key = "/site.key"};
  EXPECT_EQ(used(), "/site.pem");
}

TEST(Rack, GivesEachDeploymentAddressesOfItsOwn) {
  EXPECT_EQ(rack_head_address("0000"), "100.64.0.1");
  EXPECT_EQ(rack_head_address("0001"), "100.64.0.65");
  EXPECT_EQ(rack_head_address("ffff"), "100.127.255.193");
  EXPECT_EQ(rack_host_id(3), "rack-3");
}

TEST(Children, AreCheckedForMissingPrograms) {
  EXPECT_THAT(missing_programs(plan(true)), Contains("/opt/nucleus/nucleus-image-store"));
}

TEST(ProcessId, OfThisProcessIsAlive) {
  EXPECT_TRUE(is_alive(process_of(getpid())));
}

TEST(ProcessId, WithAnotherStartTimeIsAnotherProcess) {
  ProcessId other = process_of(getpid());
  ++other.start_ticks;
  EXPECT_FALSE(is_alive(other));
  EXPECT_FALSE(send_signal(other, 0));
  EXPECT_EQ(open_process_descriptor(other), -1);
}

}  // namespace
}  // namespace nucleus::operator_
