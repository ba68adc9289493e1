// A real Slurm of the test's own (tools/private_slurm): its daemons and jobs end with this object,
// or with the test program.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/runtime/child_process.hpp"
#include "tests/support/free_port.hpp"
#include "tests/support/rooms.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::tests {

class PrivateSlurm {
 public:
  /// Returns when all nodes are idle.
  explicit PrivateSlurm(const std::vector<std::string>& nodes, const std::string& settings = {}) {
    std::ofstream(folder_.file("extra.conf")) << settings;
    std::vector<std::string> argv{
        "setpriv",      "--pdeathsig",
        "TERM",         std::string(NUCLEUS_SOURCE_DIR) + "/tools/private_slurm",
        folder_.path(), std::to_string(free_port())};
    for (const auto& node : nodes) argv.push_back(node + ":" + std::to_string(free_port()));
    std::vector<char*> words;
    for (auto& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    EXPECT_EQ(posix_spawnp(&pid_, words[0], nullptr, nullptr, words.data(), environ), 0);
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(folder_.file("ready")); },
                           std::chrono::minutes{1}));
  }
  ~PrivateSlurm() {
    ::kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  PrivateSlurm(const PrivateSlurm&) = delete;
  PrivateSlurm& operator=(const PrivateSlurm&) = delete;

  std::string conf() const { return folder_.file("slurm.conf"); }
  std::string file(const std::string& name) const { return folder_.file(name); }

  /// The output of one of its commands, which must succeed, without the last line's end.
  std::string run(const std::vector<std::string>& argv) const {
    const auto output =
        core::must_run_child({.argv = argv, .environment = {"SLURM_CONF=" + conf()}});
    EXPECT_TRUE(output) << argv.front() << ": " << output.error().detail;
    auto text = output.value_or("");
    while (text.ends_with('\n')) text.pop_back();
    return text;
  }
  /// `%T` of a job, as squeue shows it.
  std::string state_of(const std::string& job_id) const {
    return run({"squeue", "--noheader", "--states=all", "--format=%T", "--jobs=" + job_id});
  }
  /// An ordinary job of whole nodes, which ends when it is cancelled.
  std::string start_ordinary_job(int node_count) const {
    const auto count = std::to_string(node_count);
    return run({"sbatch", "--parsable", "--nodes=" + count + "-" + count, "--time=10",
                "--output=/dev/null", "--chdir=/", "--wrap=exec sleep infinity"});
  }
  /// The controller saved its state with this comment of a job in it. It saves within seconds after
  /// a change; what it has not saved, it loses when it is killed.
  bool has_saved(const std::string& comment_end) const {
    std::ifstream file(folder_.file("state/job_state"), std::ios::binary);
    const std::string state{std::istreambuf_iterator<char>(file), {}};
    // The job's command line, which is saved too, goes on behind the same words.
    return state.find(comment_end + '\0') != std::string::npos;
  }
  /// By SIGKILL; it is started again.
  void kill_controller() const {
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::string name;
      std::string environment;
      std::getline(std::ifstream(entry.path() / "comm"), name);
      std::getline(std::ifstream(entry.path() / "environ"), environment);
      if (name == "slurmctld" && environment.find("SLURM_CONF=" + conf()) != std::string::npos)
        ::kill(std::stoi(entry.path().filename()), SIGKILL);
    }
  }

 private:
  TemporaryFolder folder_ = {};
  pid_t pid_ = 0;
};

}  // namespace nucleus::tests
