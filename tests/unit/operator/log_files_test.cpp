#include "operator/log_files.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/temporary_folder.hpp"

namespace nucleus::operator_ {
namespace {

class LogFiles : public testing::Test {
 protected:
  std::string content(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_.file(name)).rdbuf();
    return text.str();
  }

  tests::TemporaryFolder folder_ = {};
};

TEST_F(LogFiles, AreMovedOverTheirLimitWhileTheirProcessAppends) {
  std::ofstream bus(folder_.file("bus.log"), std::ios::app);
  bus << "0123456789" << std::flush;
  std::ofstream(folder_.file("other.log")) << "0123";
  std::ofstream(folder_.file("notes.txt")) << "0123456789";
  limit_logs(folder_.path(), 9);
  bus << "next" << std::flush;
  EXPECT_EQ(content("bus.log.1"), "0123456789");
  EXPECT_EQ(content("bus.log"), "next");
  EXPECT_EQ(content("other.log"), "0123");
  EXPECT_EQ(content("notes.txt"), "0123456789");
  bus << " and more" << std::flush;
  limit_logs(folder_.path(), 9);
  EXPECT_EQ(content("bus.log.1"), "next and more") << "the older part is gone";
}

TEST_F(LogFiles, AreLeftAloneUpToTheirLimit) {
  std::ofstream(folder_.file("bus.log")) << "0123456789";
  limit_logs(folder_.path(), 10);
  EXPECT_EQ(content("bus.log"), "0123456789");
  EXPECT_FALSE(std::filesystem::exists(folder_.file("bus.log.1")));
}

TEST_F(LogFiles, KeepTheirContentIfItCannotBeCopied) {
  std::ofstream(folder_.file("bus.log")) << "0123456789";
  std::filesystem::create_directories(folder_.file("bus.log.1/kept"));
  limit_logs(folder_.path(), 9);
  EXPECT_EQ(content("bus.log"), "0123456789");
  EXPECT_FALSE(std::filesystem::exists(folder_.file("bus.log.1.new")));
}

}  // namespace
}  // namespace nucleus::operator_
