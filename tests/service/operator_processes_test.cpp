// Processes by pid and start time, with real processes: one that reuses a pid is never ours.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "operator/processes.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::operator_ {
namespace {

/// A process that waits until it is killed.
class Sleeper {
 public:
  Sleeper() : pid_{fork()} {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "a) b (c");  // the hardest name to parse in /proc
    while (true) pause();
  }
  ~Sleeper() {
    kill(pid_, SIGKILL);
    wait();
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  pid_t pid() const { return pid_; }
  void wait() const { waitpid(pid_, nullptr, 0); }

 private:
  pid_t pid_;
};

StateDirectory a_state(const tests::TemporaryFolder& folder) {
  auto state = StateDirectory(folder.path());
  std::filesystem::create_directories(state.file("run"));
  return state;
}

TEST(Processes, AreIdentifiedByPidAndStart) {
  const Sleeper sleeper;
  const auto process = process_of(sleeper.pid());
  EXPECT_EQ(process.pid, sleeper.pid());
  EXPECT_GT(process.start_ticks, 0U);
  EXPECT_TRUE(is_alive(process));
  auto stranger = process;
  ++stranger.start_ticks;
  EXPECT_FALSE(is_alive(stranger)) << "another process has the pid now";
  EXPECT_FALSE(send_signal(stranger, SIGKILL));
  EXPECT_LT(open_process_descriptor(stranger), 0);
  EXPECT_TRUE(is_alive(process));
}

TEST(Processes, DoNotExistForInvalidPids) {
  for (const pid_t none : {0, -1}) {
    EXPECT_EQ(process_of(none).pid, 0);
    EXPECT_FALSE(send_signal({.pid = none, .start_ticks = 1}, SIGKILL));
  }
  EXPECT_FALSE(is_alive({}));
}

TEST(Processes, EndOnASignalAndTheDescriptorReportsIt) {
  const Sleeper sleeper;
  const auto process = process_of(sleeper.pid());
  const int descriptor = open_process_descriptor(process);
  ASSERT_GE(descriptor, 0);
  EXPECT_TRUE(send_signal(process, SIGKILL));
  pollfd ended{descriptor, POLLIN, 0};
  EXPECT_EQ(poll(&ended, 1, 20'000), 1);
  EXPECT_FALSE(is_alive(process)) << "a zombie is not alive";
  close(descriptor);
}

TEST(Processes, AreStoredInATableThatOutlivesItsWriter) {
  const tests::TemporaryFolder folder;
  const auto state = a_state(folder);
  EXPECT_TRUE(load_processes(state).empty());
  const ProcessTable table = {{"bus",
                               {.process = {.pid = 7, .start_ticks = 99},
                                .started_unix_ms = 1'700'000'000'000,
                                .restarts = 2,
                                .last_end = core::signalled(9),
                                .is_infrastructure = true}},
                              {"registry", {.process = {.pid = 8, .start_ticks = 100}}}};
  ASSERT_TRUE(save_processes(state, table));
  const auto loaded = load_processes(state);
  ASSERT_EQ(loaded.size(), 2U);
  EXPECT_EQ(loaded.at("bus").process.pid, 7);
  EXPECT_EQ(loaded.at("bus").process.start_ticks, 99U);
  EXPECT_EQ(loaded.at("bus").restarts, 2U);
  EXPECT_EQ(loaded.at("bus").last_end, core::signalled(9));
  EXPECT_EQ(loaded.at("registry").last_end, std::nullopt);
  EXPECT_TRUE(loaded.at("bus").is_infrastructure);
  EXPECT_FALSE(loaded.at("registry").is_infrastructure);
}

TEST(Processes, AreForgottenIfTheTableIsDamaged) {
  const tests::TemporaryFolder folder;
  const auto state = a_state(folder);
  for (const char* damaged :
       {"", "{", "[]", "null", "{\"bus\": 7}", "{\"bus\": {\"pid\": \"x\"}}"}) {
    std::ofstream(state.file("run/processes.json")) << damaged;
    EXPECT_TRUE(load_processes(state).empty()) << damaged;
  }
}

}  // namespace
}  // namespace nucleus::operator_
