#include "core/files/files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "tests/support/temporary_folder.hpp"

namespace nucleus::core {
namespace {

class ReplaceFile : public testing::Test {
 protected:
  ~ReplaceFile() override { umask(umask_); }
  mode_t mode() const {
    struct stat status {};
    EXPECT_EQ(stat(path_.c_str(), &status), 0);
    return status.st_mode & 07777;
  }
  std::string content() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  tests::TemporaryFolder folder_ = {};
  std::string path_ = folder_.file("text");
  mode_t umask_ = umask(0077);  // as the supervisor's
};

TEST_F(ReplaceFile, HasTheModeThatIsAskedForWhateverTheUmaskIs) {
  ASSERT_TRUE(replace_file(path_, "first", {.mode = 0644}));
  EXPECT_EQ(mode(), 0644U);
  ASSERT_TRUE(replace_file(path_, "second"));
  EXPECT_EQ(mode(), 0600U);
  EXPECT_EQ(content(), "second");
}

TEST_F(ReplaceFile, RefusesAFolderThatDoesNotExist) {
  const auto refused = replace_file(folder_.file("missing/text"), "text");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::internal);
}

}  // namespace
}  // namespace nucleus::core
