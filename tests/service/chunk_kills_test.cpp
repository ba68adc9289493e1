// Processes that are killed while they write chunks or lists of chunks: what has its name is whole.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "core/chunks/chunk.hpp"
#include "messages/chunks.hpp"
#include "services/image_store/driver/chunk_lists.hpp"
#include "services/provisioner/driver/chunk_cache.hpp"
#include "tests/support/killed.hpp"
#include "tests/support/temporary_folder.hpp"

namespace nucleus::tests {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t chunk_size = 1 << 20;

class ChunkKills : public testing::Test {
 protected:
  ChunkKills() {
    std::mt19937 random{1};
    for (auto& byte : content_) byte = static_cast<char>(random());
    std::ofstream(folder_.file("x"), std::ios::binary) << content_;
  }
  std::string content_ = std::string(2 * chunk_size, '\0');
  TemporaryFolder folder_ = {};
};

TEST_F(ChunkKills, LeavesNoHalfChunkWhenItIsKilledAtAnyStep) {
  prometheus::Registry registry;
  provisioner::ChunkMetrics metrics(registry);
  const auto at = [&](std::size_t i) { return content_.substr(i * chunk_size, chunk_size); };
  const auto directory = folder_.file("chunks");
  int steps = 0;
  for (bool is_killed = true; is_killed; ++steps) {
    fs::remove_all(directory);
    is_killed = run_and_kill(steps + 1, [&] {
      provisioner::ChunkCache cache(directory, 3 * chunk_size / 2, metrics);  // one is evicted
      for (const std::size_t i : {0, 1})
        if (!cache.keep(core::sha256(at(i)), chunk_size, *core::pack_chunk(at(i)))) _exit(1);
    });
    provisioner::ChunkCache cache(directory, 1ULL << 30, metrics);
    std::ptrdiff_t whole = 0;
    for (const std::size_t i : {0, 1}) {
      const auto found = cache.find(core::sha256(at(i)), chunk_size);
      EXPECT_TRUE(!found || found->plain == at(i));
      whole += found.has_value();
    }
    EXPECT_EQ(whole, std::distance(fs::directory_iterator(directory), {})) << steps;
    EXPECT_EQ(metrics.damaged.Value(), 0) << steps;
  }
  EXPECT_GE(steps, 6);
}

TEST_F(ChunkKills, LeavesNoHalfListWhenItIsKilledAtAnyStep) {
  const auto path = folder_.file("x");
  int steps = 0;
  for (bool is_killed = true; is_killed; ++steps) {
    fs::remove(path + ".chunks.0");
    is_killed = run_and_kill(steps + 1, [&] {
      if (!image_store::make_chunk_list(path)) _exit(1);
    });
    const auto before = fs::exists(path + ".chunks.0");
    image_store::ChunkLists lists;
    const auto page = lists.page(path, 0);
    ASSERT_TRUE(page);
    EXPECT_FALSE(msg::check(msg::decode<msg::ChunkPage>(*page), 0));
    if (before) {
      EXPECT_EQ(fs::file_size(path + ".chunks.0"), page->size()) << steps;
    }
  }
  EXPECT_GE(steps, 3);
}

}  // namespace
}  // namespace nucleus::tests
