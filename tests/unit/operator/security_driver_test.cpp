// Which security driver confines QEMU: by what a machine, here a folder, offers.
#include "operator/security_driver.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temporary_folder.hpp"

namespace nucleus::operator_ {
namespace {

namespace fs = std::filesystem;

constexpr const char* kernel = "/sys/module/apparmor/parameters/enabled";
constexpr const char* profiles = "/sys/kernel/security/apparmor/profiles";
constexpr const char* rules = "/etc/apparmor.d/local/abstractions/libvirt-qemu";

class SecurityDriverOf : public testing::Test {
 protected:
  /// A machine whose AppArmor lets QEMU use /var/lib/nucleus.
  SecurityDriverOf() {
    write(kernel, "Y\n");
    for (const char* program : {"/usr/sbin/apparmor_parser", "/usr/lib/libvirt/virt-aa-helper",
                                "/etc/apparmor.d/libvirt/TEMPLATE.qemu"})
      write(program, "");
    write(profiles, "virt-aa-helper (enforce)\nlibvirtd (enforce)\n");
    write(rules, "# of this machine\n  /var/lib/nucleus/provisioner/** rwk,\n");
  }

  void write(const char* path, const std::string& text) {
    const auto file = folder_.path() + path;
    fs::create_directories(fs::path(file).parent_path());
    std::ofstream(file) << text;
  }
  SecurityDriver find(const std::string& state = "/var/lib/nucleus") const {
    return find_security_driver(folder_.path(), state);
  }
  void expect_none(const std::string& reason) const {
    const auto found = find();
    EXPECT_EQ(found.name, "none");
    EXPECT_NE(found.reason.find(reason), std::string::npos) << found.reason;
    EXPECT_FALSE(found.solution.empty());
  }

  tests::TemporaryFolder folder_ = {};
};

TEST_F(SecurityDriverOf, AMachineWithAppArmorAndARuleForTheStateDirectoryIsAppArmor) {
  EXPECT_EQ(find().name, "apparmor");
  EXPECT_EQ(find().reason, "");
  write(profiles, "/usr/sbin/libvirtd (enforce)\n");
  EXPECT_EQ(find().name, "apparmor");
}

TEST_F(SecurityDriverOf, AKernelWithoutAppArmorIsNone) {
  write(kernel, "N\n");
  expect_none("not enabled in this kernel");
  fs::remove(folder_.path() + kernel);
  expect_none("not enabled in this kernel");
}

TEST_F(SecurityDriverOf, AMachineWithoutLibvirtsProfilesIsNone) {
  for (const char* program : {"/usr/sbin/apparmor_parser", "/usr/lib/libvirt/virt-aa-helper",
                              "/etc/apparmor.d/libvirt/TEMPLATE.qemu"}) {
    fs::remove(folder_.path() + program);
    expect_none(program);
    write(program, "");
  }
}

TEST_F(SecurityDriverOf, AProfileOfLibvirtdThatOnlyComplainsIsNone) {
  write(profiles, "libvirtd (complain)\nvirt-aa-helper (enforce)\n");
  expect_none("profile of libvirtd is not in force");
}

TEST_F(SecurityDriverOf, AMachineWhoseRulesWouldKeepNodesFromStartingIsNone) {
  EXPECT_EQ(find("/var/lib/other").name, "none");
  EXPECT_NE(find("/var/lib/other").reason.find("no rule for /var/lib/other"), std::string::npos);
  write(rules, "# /var/lib/nucleus/provisioner/** rwk,\n");
  expect_none("no rule for /var/lib/nucleus");
  fs::remove(folder_.path() + rules);
  expect_none("no rule for /var/lib/nucleus");
}

}  // namespace
}  // namespace nucleus::operator_
