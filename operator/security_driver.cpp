#include "operator/security_driver.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>

#include "operator/state_directory.hpp"

namespace nucleus::operator_ {

namespace {

constexpr const char* own_rules = "/etc/apparmor.d/local/abstractions/libvirt-qemu";
/// libvirt makes a profile for each domain by these, from this template.
constexpr std::array programs_and_template{"/usr/sbin/apparmor_parser",
                                           "/usr/lib/libvirt/virt-aa-helper",
                                           "/etc/apparmor.d/libvirt/TEMPLATE.qemu"};

SecurityDriver none(std::string reason, std::string solution) {
  return {.reason = std::move(reason), .solution = std::move(solution)};
}

/// A line of the file, without leading blanks, begins with one of `beginnings`.
bool has_line(const std::string& path, std::initializer_list<std::string> beginnings) {
  std::istringstream lines(read_file(path).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    line.erase(0, line.find_first_not_of(" \t"));
    if (std::ranges::any_of(beginnings, [&](const auto& text) { return line.starts_with(text); }))
      return true;
  }
  return false;
}

}  // namespace

SecurityDriver find_security_driver(const std::string& root, const std::string& state) {
  if (!has_line(root + "/sys/module/apparmor/parameters/enabled", {"Y"}))
    return none("AppArmor is not enabled in this kernel",
                "start a kernel that has it with apparmor=1 security=apparmor");
  for (const char* file : programs_and_template) {
    std::error_code fault;
    if (!std::filesystem::exists(root + file, fault))
      return none(std::string(file) + " is not installed",
                  "apt-get install -y --no-install-recommends apparmor libvirt-daemon-system");
  }
  if (!has_line(root + "/sys/kernel/security/apparmor/profiles",
                {"libvirtd (enforce)", "/usr/sbin/libvirtd (enforce)"}))
    return none("the AppArmor profile of libvirtd is not in force",
                "apparmor_parser -r /etc/apparmor.d/usr.sbin.libvirtd");
  const auto rule = state + "/provisioner/**";
  if (!has_line(root + own_rules, {rule, '"' + rule + '"'}))
    return none(std::string(own_rules) + " has no rule for " + state,
                "echo '" + rule + " rwk,' >> " + own_rules + ", then start the host again");
  return {.name = "apparmor"};
}

}  // namespace nucleus::operator_
