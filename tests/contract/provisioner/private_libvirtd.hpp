// A private libvirtd below a directory of its own; it and its domains end with this object.
#pragma once

#include <signal.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/contract/provisioner/process_tree.hpp"

namespace nucleus::test {

class PrivateLibvirtd {
 public:
  /// `dir` is absolute and short; see tools/private_libvirtd. Returns before libvirtd is ready.
  explicit PrivateLibvirtd(std::string dir, std::string ovs_rundir = {})
      : dir_{std::move(dir)}, ovs_rundir_{std::move(ovs_rundir)} {
    start();
  }

  std::string uri() const { return "qemu+unix:///system?socket=" + dir_ + "/run/libvirt-sock"; }

  void start() {
    std::vector<std::string> argv{std::string(NUCLEUS_SOURCE_DIR) + "/tools/private_libvirtd",
                                  dir_};
    if (!ovs_rundir_.empty()) argv.push_back(ovs_rundir_);
    runs_.emplace_back(argv);
  }
  /// By SIGKILL; returns once it has exited. Its domains run on.
  void kill() { runs_.back().kill_root(); }
  void pause() { ::kill(runs_.back().pid(), SIGSTOP); }
  void resume() { ::kill(runs_.back().pid(), SIGCONT); }

  /// The QEMU process of a domain; 0 if there is none.
  pid_t qemu_pid(const std::string& domain) const {
    pid_t pid = 0;
    std::ifstream(dir_ + "/run/qemu/" + domain + ".pid") >> pid;
    return pid;
  }

 private:
  std::string dir_;
  std::string ovs_rundir_;
  std::vector<ProcessTree> runs_;  // the last one runs; the earlier ones own their domains
};

}  // namespace nucleus::test
