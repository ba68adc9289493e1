#include "services/console/driver/segment.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "tests/support/temporary_folder.hpp"

namespace nucleus::console {
namespace {

using msg::RecordingState;
using std::chrono::milliseconds;

class RecordingSegment : public testing::Test {
 protected:
  Segment begin(std::uint64_t offset = 0) {
    return {folder_.path(), msg::Recording{.recording_id = "id",
                                           .state = RecordingState::recording,
                                           .project_id = {"lab"},
                                           .node_id = {"n1"},
                                           .node_name = "vc",
                                           .log_id = "log",
                                           .begin_offset = offset,
                                           .end_offset = offset,
                                           .begin_unix_ms = 1000}};
  }
  std::string read(const char* name) const {
    std::ifstream file(folder_.file(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool exists(const char* name) const { return std::filesystem::exists(folder_.file(name)); }

  tests::TemporaryFolder folder_ = {};
};

TEST_F(RecordingSegment, IsSealedWithItsEnd) {
  auto segment = begin(5);
  ASSERT_TRUE(segment.append(milliseconds(10), 5, "hello"));
  EXPECT_TRUE(exists("id.part"));
  ASSERT_TRUE(segment.seal(milliseconds(20), 10, 1020));
  EXPECT_FALSE(exists("id.part"));
  const auto sealed = read_sealed(folder_.file("id.cast"));
  ASSERT_TRUE(sealed);
  EXPECT_EQ(*sealed, segment.recording());
  EXPECT_EQ(sealed->state, RecordingState::sealed);
  EXPECT_EQ(sealed->end_offset, 10U);
  EXPECT_EQ(sealed->end_unix_ms, 1020);
  EXPECT_EQ(sealed->lost_bytes, 0U);
  EXPECT_FALSE(sealed->is_end_inferred);
  EXPECT_EQ(sealed->size_bytes, read("id.cast").size());
}

TEST_F(RecordingSegment, OfACrashEndsWithItsLastWholeLine) {
  auto segment = begin(5);
  ASSERT_TRUE(segment.append(milliseconds(10), 5, "hello"));
  ASSERT_TRUE(segment.append(milliseconds(20), 20, " world"));
  const auto whole = read("id.part");
  for (const char* torn : {"", "[0.030, \"o\", \"to", "[0.030, \"o\", \"no newline\"]"}) {
    std::ofstream(folder_.file("id.part")) << whole << torn;
    const auto recovered = recover(folder_.path(), "id");
    ASSERT_TRUE(recovered) << recovered.error().detail;
    EXPECT_TRUE(recovered->is_end_inferred);
    EXPECT_EQ(recovered->end_offset, 26U);
    EXPECT_EQ(recovered->lost_bytes, 10U);
    EXPECT_EQ(recovered->end_unix_ms, 1020);
    EXPECT_EQ(read("id.cast").size(), whole.size());
    EXPECT_EQ(read_sealed(folder_.file("id.cast")), *recovered);
  }
}

TEST_F(RecordingSegment, OfACrashWithoutAHeaderIsRemoved) {
  std::ofstream(folder_.file("id.part")) << "{\"version\":2,";
  EXPECT_EQ(recover(folder_.path(), "id").error().code, core::ErrorCode::not_found);
  EXPECT_FALSE(exists("id.part"));
}

TEST_F(RecordingSegment, ThatIsAnotherFileIsLeftAsItIs) {
  std::ofstream(folder_.file("id.part")) << "{\"version\":2}\n";
  EXPECT_EQ(recover(folder_.path(), "id").error().code, core::ErrorCode::internal);
  EXPECT_TRUE(exists("id.part"));
  std::filesystem::rename(folder_.file("id.part"), folder_.file("id.cast"));
  EXPECT_FALSE(read_sealed(folder_.file("id.cast")));
}

/// No file of this process may be larger, as on a full disk.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_before_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  rlimit before_ = {};
  void (*signal_before_)(int) = std::signal(SIGXFSZ, SIG_IGN);
};

TEST_F(RecordingSegment, GoesOnAfterTheDiskWasFull) {
  auto segment = begin();
  ASSERT_TRUE(segment.append(milliseconds(10), 0, "before"));
  const auto whole = read("id.part");
  {
    const FileLimit full(whole.size() + 10);  // takes a part of the line
    EXPECT_FALSE(segment.append(milliseconds(20), 6, std::string(100, 'x')));
    EXPECT_EQ(read("id.part"), whole);
  }
  ASSERT_TRUE(segment.append(milliseconds(30), 106, "after"));
  ASSERT_TRUE(segment.seal(milliseconds(40), 111, 1040));
  EXPECT_EQ(segment.recording().lost_bytes, 100U);
  EXPECT_NE(read("id.cast").find("\"gap 6-106\""), std::string::npos);
}

TEST_F(RecordingSegment, OfWhichNothingWasWrittenIsMissing) {
  auto segment = begin(5);
  {
    const FileLimit full(0);
    EXPECT_FALSE(segment.append(milliseconds(10), 5, "hello"));
    ASSERT_TRUE(segment.seal(milliseconds(20), 10, 1020));
  }
  EXPECT_EQ(segment.recording().state, RecordingState::missing);
  EXPECT_EQ(segment.recording().lost_bytes, 5U);
  EXPECT_FALSE(exists("id.part") || exists("id.cast"));
}

}  // namespace
}  // namespace nucleus::console
