// A real OpenSM on a simulated fabric (ibsim) of the test's own: one switch, and a host with one
// port for each name. Its processes end with this object.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/runtime/child_process.hpp"
#include "tests/support/rooms.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::tests {

class PrivateFabric {
 public:
  /// The first host is the one of the subnet manager.
  explicit PrivateFabric(std::size_t host_count) {
    std::ofstream net(file("net"));
    net << "Switch\t" << host_count + 1 << " \"switch\"\n";
    for (std::size_t i = 0; i < host_count; ++i) net << "[" << i + 1 << "]\t\"h" << i << "\"[1]\n";
    for (std::size_t i = 0; i < host_count; ++i)
      net << "\ncaguid=" << guid(i, 0) << "\nHca\t1 \"h" << i << "\"\n[1](" << guid(i)
          << ")\t\"switch\"[" << i + 1 << "]\n";
    net.close();
    std::filesystem::create_directories(file("ib0"));
    std::ofstream(file("ib0/opensm.conf")) << "force_log_flush TRUE\n";
    for (const auto* tool : {"ibnetdiscover", "smpquery", "sminfo", "saquery"}) {
      const auto path = file(std::string("tools/") + tool);
      std::filesystem::create_directories(file("tools"));
      std::ofstream(path) << "#!/bin/sh\nexport SIM_HOST=${SIM_HOST:-h0} IBSIM_SOCKNAME=" << name()
                          << "\nexec ibsim-run " << tool << " \"$@\"\n";
      std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    }
    simulator_ = start({"ibsim", "-s", file("net")}, true);
    EXPECT_TRUE(eventually([&] { return says("ibsim.out", "sim> "); })) << "ibsim";
    start_manager();
  }
  ~PrivateFabric() {
    stop_manager();
    stop(simulator_);
    if (console_ >= 0) close(console_);
  }
  PrivateFabric(const PrivateFabric&) = delete;
  PrivateFabric& operator=(const PrivateFabric&) = delete;

  static std::string guid(std::size_t host, int port = 1) {
    std::array<char, 19> text{};
    std::snprintf(text.data(), text.size(), "0x%016zx",
                  0x0002c90300000000 + host * 16 + static_cast<std::size_t>(port));
    return text.data();
  }
  std::string file(const std::string& name) const { return folder_.file(name); }
  /// Has `ib0`, the directory of the subnet manager.
  std::string directory() const { return folder_.path(); }
  std::string tools() const { return file("tools"); }

  /// Returns when the subnet is up.
  void start_manager() {
    std::filesystem::remove(file("osm.log"));
    manager_ = start({"ibsim-run", "opensm", "-F", file("ib0/opensm.conf"), "-P",
                      file("ib0/partitions.conf"), "-f", file("osm.log"), "-D", "0x03", "--console",
                      "off"});
    std::ofstream(file("ib0/opensm.pid")) << manager_ << "\n";
    EXPECT_TRUE(eventually([&] { return says("osm.log", "SUBNET UP"); }, std::chrono::seconds{60}))
        << "opensm";
  }
  void stop_manager() { stop(manager_); }
  void hang_up_manager() const { ::kill(manager_, SIGHUP); }
  bool says(const std::string& name, const std::string& text) const {
    std::ifstream log(file(name));
    const std::string content{std::istreambuf_iterator<char>(log), {}};
    return content.find(text) != std::string::npos;
  }
  /// A command of ibsim's console: `Unlink "h1"`, `ReLink "h1"`.
  void tell_simulator(const std::string& command) const {
    const auto line = command + "\n";
    EXPECT_EQ(write(console_, line.data(), line.size()), std::ssize(line));
  }
  /// The path records between two hosts, as host `asking` is answered; empty = none.
  std::string paths(std::size_t from, std::size_t to, std::size_t asking = 0) const {
    const auto output =
        core::run_child({.argv = {file("tools/saquery"), "-p", "--sgid-to-dgid",
                                  "fe80::" + gid_end(from) + "-fe80::" + gid_end(to)},
                         .environment = {"SIM_HOST=h" + std::to_string(asking)}});
    return output ? output->output : output.error().detail;
  }

 private:
  static std::string name() { return "nucleus-" + std::to_string(getpid()); }
  static std::string gid_end(std::size_t host) {
    const auto text = guid(host).substr(2);
    return text.substr(0, 4) + ":" + text.substr(4, 4) + ":" + text.substr(8, 4) + ":" +
           text.substr(12, 4);
  }

  pid_t start(std::vector<std::string> argv, bool has_console = false) {
    const auto program = argv.front() == "ibsim-run" ? argv[1] : argv.front();
    argv.insert(argv.begin(),
                {"setpriv", "--pdeathsig", "TERM", "env", "SIM_HOST=h0", "IBSIM_SOCKNAME=" + name(),
                 "OSM_TMP_DIR=" + directory(), "OSM_CACHE_DIR=" + directory()});
    std::vector<char*> words;
    for (auto& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    std::array<int, 2> pipe_ends{-1, -1};
    if (has_console) {
      EXPECT_EQ(pipe2(pipe_ends.data(), O_CLOEXEC), 0);
      console_ = pipe_ends[1];
      posix_spawn_file_actions_adddup2(&actions, pipe_ends[0], 0);
    } else {
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    }
    const auto output = file(program + ".out");
    posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                     0644);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t pid = -1;
    EXPECT_EQ(posix_spawnp(&pid, words[0], &actions, nullptr, words.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    if (pipe_ends[0] >= 0) close(pipe_ends[0]);
    return pid;
  }
  static void stop(pid_t& pid) {
    if (pid <= 0) return;
    ::kill(pid, SIGTERM);
    if (!eventually([&] { return waitpid(pid, nullptr, WNOHANG) == pid; })) {
      ::kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    pid = -1;
  }

  TemporaryFolder folder_ = {};
  pid_t simulator_ = -1;
  pid_t manager_ = -1;
  int console_ = -1;  // of the simulator
};

}  // namespace nucleus::tests
