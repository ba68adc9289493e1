// A real Open vSwitch of the test's own, in a network namespace of its own, with the userspace
// datapath (tools/private_ovs). Needs root. It ends with this object, or with the test program.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/runtime/child_process.hpp"
#include "tests/support/rooms.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::tests {

class PrivateSwitch {
 public:
  static constexpr const char* bridge = "br0";

  /// Returns when the bridge is there.
  PrivateSwitch() {
    setenv("OVS_RUNDIR", folder_.path().c_str(), 1);
    run({"ip", "netns", "add", network_namespace_});
    database_ = start({"db", folder_.path()});
    start_switch();
  }
  ~PrivateSwitch() {
    for (const auto& [name, descriptor] : taps_) close(descriptor);
    for (const auto pid : {switch_, database_}) stop(pid);
    run({"ip", "netns", "del", network_namespace_});
    unsetenv("OVS_RUNDIR");
  }
  PrivateSwitch(const PrivateSwitch&) = delete;
  PrivateSwitch& operator=(const PrivateSwitch&) = delete;

  /// Returns when the bridge is there. The database has kept its ports, and no flows.
  void start_switch() {
    switch_ = start({"switch", folder_.path(), bridge, network_namespace_, "set", "bridge", bridge,
                     "datapath_type=netdev"});
    EXPECT_TRUE(eventually([&] {
      const auto shown = core::run_child({.argv = {"ovs-ofctl", "show", bridge}});
      return shown && core::is_success(shown->end);
    }));
  }
  void stop_switch() { stop(std::exchange(switch_, -1)); }

  const std::string& network_namespace() const { return network_namespace_; }
  std::string folder() const { return folder_.path(); }
  std::string file(const std::string& name) const { return folder_.file(name); }

  /// The output of a program, which must succeed.
  std::string run(std::vector<std::string> argv) const {
    const auto output = core::must_run_child({.argv = argv});
    EXPECT_TRUE(output) << argv.front() << ": " << output.error().detail;
    return output.value_or("");
  }
  void vsctl(std::vector<std::string> words) const {
    words.insert(words.begin(), {"ovs-vsctl", "--timeout=10"});
    run(std::move(words));
  }
  void ofctl(std::vector<std::string> words) const {
    words.insert(words.begin(), {"ovs-ofctl", "-O", "OpenFlow13"});
    run(std::move(words));
  }

  /// A tap whose other end this object has, as QEMU has it, in a VLAN of the bridge.
  void add_tap(const std::string& name, int vlan) {
    int descriptor = -1;
    // Only this thread is in the namespace.
    std::thread([&] {
      const int inside = ::open(("/run/netns/" + network_namespace_).c_str(), O_RDONLY | O_CLOEXEC);
      ASSERT_EQ(setns(inside, CLONE_NEWNET), 0);
      close(inside);
      descriptor = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
      ifreq request{};
      request.ifr_flags = IFF_TAP | IFF_NO_PI;
      std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
      ASSERT_EQ(ioctl(descriptor, TUNSETIFF, &request), 0);
    }).join();
    taps_[name] = descriptor;
    set_up(name);
    vsctl({"add-port", bridge, name, "tag=" + std::to_string(vlan)});
  }
  /// A trunk to nowhere.
  void add_uplink(const std::string& name) {
    run({"ip", "-n", network_namespace_, "link", "add", name, "type", "veth", "peer", "name",
         name + "-peer"});
    for (const auto& end : {name, name + "-peer"}) set_up(end);
    vsctl({"add-port", bridge, name});
  }

  /// As a guest sends and receives.
  void send(const std::string& tap, const std::string& frame) const {
    EXPECT_EQ(write(taps_.at(tap), frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
  }
  /// The next frame that contains `part`; empty if none has come within `wait_ms`.
  std::string receive(const std::string& tap, const std::string& part, int wait_ms) const {
    std::string frame(2048, '\0');
    pollfd readable{.fd = taps_.at(tap), .events = POLLIN, .revents = 0};
    while (poll(&readable, 1, wait_ms) > 0) {
      const auto size = read(taps_.at(tap), frame.data(), frame.size());
      if (size <= 0) return {};
      const auto whole = frame.substr(0, static_cast<std::size_t>(size));
      if (whole.find(part) != whole.npos) return whole;
    }
    return {};
  }

 private:
  /// Without IPv6 of the kernel: a link that is up has an address already.
  void set_up(const std::string& name) {
    run({"ip", "-n", network_namespace_, "link", "set", name, "addrgenmode", "none"});
    run({"ip", "-n", network_namespace_, "link", "set", name, "up"});
  }
  static void stop(pid_t pid) {
    if (pid <= 0) return;
    ::kill(pid, SIGTERM);
    waitpid(pid, nullptr, 0);
  }
  static pid_t start(std::vector<std::string> words) {
    words.insert(words.begin(), {"setpriv", "--pdeathsig", "TERM",
                                 std::string(NUCLEUS_SOURCE_DIR) + "/tools/private_ovs"});
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    EXPECT_EQ(posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ), 0);
    return pid;
  }

  TemporaryFolder folder_ = {};
  const std::string network_namespace_ = "nuc-test-" + std::to_string(getpid());
  pid_t database_ = -1;
  pid_t switch_ = -1;
  std::map<std::string, int> taps_ = {};
};

}  // namespace nucleus::tests
