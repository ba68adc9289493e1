// The logs of serial consoles on a real file system, with a writer that appends as QEMU does.
#include "services/provisioner/driver/console_log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/temporary_folder.hpp"

namespace nucleus::provisioner {
namespace {

constexpr std::int64_t bytes_max = 4096;

class ConsoleLog : public ::testing::Test {
 protected:
  static void append(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::app) << text;
  }
  static std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  tests::TemporaryFolder folder_ = {};
  std::string path_ = folder_.file("c.n1.log");
};

TEST_F(ConsoleLog, KeepsALogWithinItsLimit) {
  append(path_, std::string(bytes_max, 'x'));
  shorten_console_logs(folder_.path(), bytes_max);
  EXPECT_EQ(content(path_).size(), static_cast<std::size_t>(bytes_max));
}

TEST_F(ConsoleLog, CutsALogToItsLastWholeLines) {
  for (int i = 0; i < 1000; ++i) append(path_, "line " + std::to_string(i) + "\n");
  shorten_console_logs(folder_.path(), bytes_max);
  const std::string kept = content(path_);
  EXPECT_LE(kept.size(), static_cast<std::size_t>(bytes_max / 4));
  EXPECT_TRUE(kept.starts_with("line ")) << kept.substr(0, 20);
  EXPECT_TRUE(kept.ends_with("line 999\n"));
}

TEST_F(ConsoleLog, LetsAnAppendingWriterGoOnAtTheNewEnd) {
  const int writer = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ASSERT_GE(writer, 0);
  const std::string flood(3 * bytes_max, 'x');
  ASSERT_EQ(write(writer, flood.data(), flood.size()), static_cast<ssize_t>(flood.size()));
  shorten_console_logs(folder_.path(), bytes_max);
  ASSERT_EQ(write(writer, "end\n", 4), 4);
  close(writer);
  EXPECT_EQ(content(path_).size(), static_cast<std::size_t>(bytes_max / 4 + 4));
  EXPECT_TRUE(content(path_).ends_with("xend\n"));
}

TEST_F(ConsoleLog, FollowsNoLinkAndTouchesNoOtherFile) {
  const std::string other = folder_.file("volume");
  append(other, std::string(2 * bytes_max, 'x'));
  std::filesystem::create_symlink(other, path_);
  shorten_console_logs(folder_.path(), bytes_max);
  EXPECT_EQ(content(other).size(), static_cast<std::size_t>(2 * bytes_max));
  shorten_console_logs(folder_.file("none"), bytes_max);
}

TEST_F(ConsoleLog, GoesWithItsDomain) {
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::minutes{2};
  for (const char* name : {"n-1.log", "n-2.log", "n-2.serial", "n-3.log"}) {
    append(folder_.file(name), "login: ");
    if (std::string(name) != "n-3.log") std::filesystem::last_write_time(folder_.file(name), old);
  }
  remove_console_logs(folder_.path(), {"n-1"});
  EXPECT_EQ(content(folder_.file("n-1.log")), "login: ");
  EXPECT_FALSE(std::filesystem::exists(folder_.file("n-2.log")));
  EXPECT_TRUE(std::filesystem::exists(folder_.file("n-2.serial")));
  EXPECT_TRUE(std::filesystem::exists(folder_.file("n-3.log")));  // it was written to just now
}

}  // namespace
}  // namespace nucleus::provisioner
