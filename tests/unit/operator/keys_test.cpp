// Keys for remote processes: created once, one per process, with only the rights it needs.
#include "operator/keys.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "core/bus/curve.hpp"
#include "core/config/settings.hpp"
#include "operator/services.hpp"
#include "operator/state_directory.hpp"
#include "services/bus/rights.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::operator_ {
namespace {

class Keys : public testing::Test {
 protected:
  void make(const std::vector<std::string>& hosts = {}) {
    const auto made = make_keys(folder.path(), hosts);
    ASSERT_TRUE(made) << made.error().detail;
  }
  std::string setting(const std::string& file, const std::string& key) const {
    auto settings = core::Settings::load(folder.file(file));
    return settings ? settings->text(key, "") : settings.error().detail;
  }
  core::PeerRights rights_of_process(const std::string& name) const {
    return bus::find_rights(folder.file("bus/rights"),
                            setting(name + "/settings.yaml", "bus.public_key"));
  }
  tests::TemporaryFolder folder = {};
};

TEST_F(Keys, EachProcessHasAPairAndTheBusKnowsItsRights) {
  make({"host-07"});
  for (const char* name : {"registry", "network", "image_store", "scheduler", "console", "overhead",
                           "gateway", "provisioner-host-07", "operator"}) {
    const std::string file = std::string(name) + "/settings.yaml";
    EXPECT_EQ(core::public_key_of(setting(file, "bus.secret_key")),
              setting(file, "bus.public_key"));
    EXPECT_EQ(core::public_key_of(setting("bus/settings.yaml", "bus.curve_secret")),
              setting(file, "bus.server_key"));
    EXPECT_TRUE(core::is_known(rights_of_process(name))) << name;
  }
  EXPECT_EQ(rights_of_process("registry").name, "registry");
  EXPECT_EQ(setting("provisioner-host-07/settings.yaml", "bus.name"), "provisioner/host-07");
  EXPECT_TRUE(core::may_be(rights_of_process("provisioner-host-07"), "provisioner/host-07"));
  EXPECT_TRUE(core::may_be(rights_of_process("operator"), "operator/1"));
}

TEST_F(Keys, AHostMayReportItselfAndCallNothingElse) {
  make({"host-07"});
  const auto host = rights_of_process("provisioner-host-07");
  const auto may = [&](const char* topic) {
    return core::may_call(host, "provisioner/host-07", "x", topic);
  };
  EXPECT_TRUE(may("scheduler.report-host"));
  for (const char* topic : {"registry.issue-token", "provisioner.apply-grants", "process.drain",
                            "scheduler.power-node", "image_store.remove-image"})
    EXPECT_FALSE(may(topic)) << topic;
  EXPECT_FALSE(core::may_subscribe(host, ""));
}

TEST_F(Keys, TheGatewayMayCallServicesButNoHostsAndNoProcessTopics) {
  const auto all = process_rights({});
  const auto gateway = std::ranges::find(all, "gateway", &core::PeerRights::name);
  ASSERT_NE(gateway, all.end());
  EXPECT_TRUE(core::may_call(*gateway, "gateway", "registry", "registry.check-token"));
  EXPECT_FALSE(core::may_call(*gateway, "gateway", "provisioner/h", "provisioner.apply-grants"));
  EXPECT_TRUE(core::may_call(*gateway, "gateway", "registry", "process.get-status"));
  EXPECT_FALSE(core::may_call(*gateway, "gateway", "registry", "process.get-config"));
  EXPECT_FALSE(core::may_call(*gateway, "gateway", "registry", "process.drain"));
}

TEST_F(Keys, ExistForEveryServiceOfTheList) {
  make({"host-07"});
  for (const auto& service : services) {
    if (service.name == "bus") continue;  // it has the server's key
    const std::string key_directory =
        service.is_per_host ? std::string(service.name) + "-host-07" : std::string(service.name);
    EXPECT_TRUE(core::is_known(rights_of_process(key_directory))) << key_directory;
  }
}

TEST_F(Keys, AreKeptWhenAnotherHostIsAdded) {
  make({"host-07"});
  const auto bus_before = read_file(folder.file("bus/settings.yaml"));
  const auto host_before = read_file(folder.file("provisioner-host-07/settings.yaml"));
  make({"host-08"});
  EXPECT_EQ(read_file(folder.file("bus/settings.yaml")), bus_before);
  EXPECT_EQ(read_file(folder.file("provisioner-host-07/settings.yaml")), host_before);
  EXPECT_EQ(rights_of_process("provisioner-host-07").name, "provisioner/host-07");
  EXPECT_EQ(rights_of_process("provisioner-host-08").name, "provisioner/host-08");
}

TEST_F(Keys, ANewKeyOfAProcessRevokesItsEarlierKey) {
  make({"host-07"});
  const auto earlier = setting("provisioner-host-07/settings.yaml", "bus.public_key");
  std::filesystem::remove_all(folder.file("provisioner-host-07"));
  make({"host-07"});
  EXPECT_FALSE(core::is_known(bus::find_rights(folder.file("bus/rights"), earlier)));
  EXPECT_EQ(rights_of_process("provisioner-host-07").name, "provisioner/host-07");
  EXPECT_EQ(rights_of_process("registry").name, "registry");
}

TEST_F(Keys, ARenewedKeyReplacesAllEarlierOnesWhichEndAtATime) {
  make({"host-07"});
  const auto first = setting("provisioner-host-07/settings.yaml", "bus.public_key");
  const std::string rights = folder.file("bus/rights");
  const auto second = core::new_curve_pair().public_key;
  const auto third = core::new_curve_pair().public_key;
  ASSERT_TRUE(renew_key(rights, find_keys(rights), second, host_rights("host-07"), 100));
  ASSERT_TRUE(renew_key(rights, find_keys(rights), third, host_rights("host-07"), 200));
  EXPECT_EQ(bus::find_rights(rights, first).end_unix_s, 100) << "not later than it was";
  EXPECT_EQ(bus::find_rights(rights, second).end_unix_s, 200);
  const auto newest = bus::find_rights(rights, third);
  EXPECT_EQ(newest.end_unix_s, 0);
  EXPECT_EQ(newest.name, "provisioner/host-07");
  EXPECT_TRUE(newest.replaces == first + " " + second || newest.replaces == second + " " + first)
      << newest.replaces;
  EXPECT_EQ(rights_of_process("registry").end_unix_s, 0);
}

TEST_F(Keys, FilesWithSecretsAreReadableByTheirOwnerOnly) {
  make({"host-07"});
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder.path()))
    if (file.is_regular_file()) {
      EXPECT_EQ(file.status().permissions() & std::filesystem::perms::mask,
                std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)
          << file.path();
    }
}

TEST_F(Keys, AnInvalidHostNameIsRefused) {
  const auto made = make_keys(folder.path(), {"../x"});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, core::ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace nucleus::operator_
