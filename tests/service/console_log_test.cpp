// The logs of serial consoles on a real file system, with a writer that appends as QEMU does.
#include "services/provisioner/driver/console_log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/support/temporary_folder.hpp"

namespace nucleus::provisioner {
namespace {

constexpr std::int64_t bytes_max = 4096;

class ConsoleLogFile : public ::testing::Test {
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

TEST_F(ConsoleLogFile, KeepsALogWithinItsLimit) {
  append(path_, std::string(static_cast<std::size_t>(bytes_max), 'x'));
  shorten_console_logs(folder_.path(), bytes_max);
  EXPECT_EQ(content(path_), std::string(static_cast<std::size_t>(bytes_max), 'x'));
}

TEST_F(ConsoleLogFile, FreesItsOldestBytesAndKeepsTheOffsetsOfTheOthers) {
  const int writer = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ASSERT_GE(writer, 0);
  std::string printed;
  ConsoleLog reader(path_, bytes_max);
  for (int round = 0; round < 50; ++round) {
    const std::string text = "round " + std::to_string(round) + std::string(1000, '.') + "\n";
    ASSERT_EQ(write(writer, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    printed += text;
    shorten_console_logs(folder_.path(), bytes_max);
    for (const std::int64_t asked : {std::int64_t{0}, reader.end() - 100, reader.end()}) {
      const auto part = reader.read(asked, printed.size());
      EXPECT_EQ(part.offset, std::max(asked, reader.begin()));
      EXPECT_EQ(part.bytes, printed.substr(static_cast<std::size_t>(part.offset)));
      EXPECT_EQ(ConsoleLog(path_, bytes_max).id(), reader.id());
    }
  }
  close(writer);
  EXPECT_GE(reader.end() - reader.begin(), bytes_max);
  struct stat entry {};
  ASSERT_EQ(stat(path_.c_str(), &entry), 0);
  EXPECT_LE(entry.st_blocks * 512, 4 * bytes_max) << "the rest is freed";
}

TEST_F(ConsoleLogFile, KeepsWhatAHigherLimitFindsFreed) {
  append(path_, std::string(static_cast<std::size_t>(10 * bytes_max), 'x'));
  shorten_console_logs(folder_.path(), bytes_max);
  const ConsoleLog reader(path_, 100 * bytes_max);
  EXPECT_EQ(reader.begin(), 9 * bytes_max);
  EXPECT_EQ(reader.read(0, static_cast<std::size_t>(10 * bytes_max)).bytes,
            std::string(static_cast<std::size_t>(bytes_max), 'x'));
}

TEST_F(ConsoleLogFile, HasAnotherIdAsAnotherFile) {
  append(path_, "one");
  const auto one = ConsoleLog(path_, bytes_max).id();
  const int held = open(path_.c_str(), O_RDONLY | O_CLOEXEC);  // so that its inode stays in use
  std::filesystem::remove(path_);
  append(path_, "two");
  EXPECT_NE(ConsoleLog(path_, bytes_max).id(), one);
  close(held);
  EXPECT_EQ(ConsoleLog(folder_.file("none.log"), bytes_max).id(), "");
}

TEST_F(ConsoleLogFile, FollowsNoLinkAndTouchesNoOtherFile) {
  const std::string other = folder_.file("volume");
  append(other, std::string(2 * bytes_max, 'x'));
  std::filesystem::create_symlink(other, path_);
  shorten_console_logs(folder_.path(), bytes_max);
  EXPECT_EQ(content(other).size(), static_cast<std::size_t>(2 * bytes_max));
  shorten_console_logs(folder_.file("none"), bytes_max);
}

TEST_F(ConsoleLogFile, GoesWithItsDomain) {
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
