#include "services/provisioner/driver/memory_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temporary_folder.hpp"

namespace nucleus::provisioner {
namespace {

TEST(MemoryFiles, AreNotBegunWithoutRoomForTheWholeMemory) {
  const tests::TemporaryFolder folder;
  const auto path = folder.file("memory/n1.h1.memory");
  EXPECT_TRUE(begin_memory(path, 1 << 20));
  const auto free = std::filesystem::space(folder.path()).available;
  const auto refused = begin_memory(path, free);
  ASSERT_FALSE(refused) << "other files need room as well";
  EXPECT_EQ(refused.error().code, core::ErrorCode::unavailable) << "it is tried again";
  EXPECT_THAT(refused.error().detail, testing::MatchesRegex("its memory may need [0-9]+ MiB, and "
                                                            "[0-9]+ MiB are free on its host"));
}

}  // namespace
}  // namespace nucleus::provisioner
