// A process of a test and all its descendants: orphans are adopted, reaped, and killed at the end,
// even if the test program itself is killed.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace nucleus::test {

class ProcessTree {
 public:
  ProcessTree() = default;
  /// Starts argv[0], a path, with stdin closed.
  explicit ProcessTree(const std::vector<std::string>& argv);
  /// Kills every process of the tree and waits for them.
  ~ProcessTree();
  ProcessTree(ProcessTree&& other) noexcept { swap(other); }
  ProcessTree& operator=(ProcessTree&& other) noexcept {
    swap(other);
    return *this;
  }

  /// The process that was started; its own children outlive it.
  pid_t pid() const { return pid_; }
  /// Kills that one process by SIGKILL and waits until it has exited.
  void kill_root() const;

 private:
  void swap(ProcessTree& other) {
    std::swap(keeper_, other.keeper_);
    std::swap(pid_, other.pid_);
    std::swap(line_, other.line_);
  }

  pid_t keeper_ = 0;  // our child, which adopts all orphans
  pid_t pid_ = 0;
  int line_ = -1;  // the keeper kills the tree when this closes
};

}  // namespace nucleus::test
