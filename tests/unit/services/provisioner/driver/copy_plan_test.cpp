// Which chunks of an image are copied, in which order, and how fast.
#include "services/provisioner/driver/copy_plan.hpp"

#include <gmock/gmock.h>

namespace nucleus::provisioner {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

constexpr std::uint64_t mebibyte = 1 << 20;

core::Sha256 digest_of(std::uint64_t chunk) {
  return core::sha256(std::to_string(chunk));
}

/// Of a content in which every third chunk is of zeros.
msg::ChunkPage a_page(std::uint64_t size_bytes, std::uint64_t number) {
  msg::ChunkPage page{
      .version = msg::chunk_list_version, .size_bytes = size_bytes, .page = number, .digests = {}};
  for (std::uint64_t i = 0; i < msg::chunks_in_page(size_bytes, number); ++i) {
    const auto index = number * msg::chunks_of_page + i;
    const auto digest = index % 3 == 2 ? core::Sha256{} : digest_of(index);
    page.digests.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  }
  return page;
}

TEST(CopyPlan, HasWhatIsNeitherZeroNorHere) {
  CopyPlan plan;
  add_page(plan, a_page(6 * mebibyte + 7, 0),
           [](const core::Sha256& digest) { return digest == digest_of(1); });
  EXPECT_EQ(plan.total_bytes, 4 * mebibyte + 7) << "the last chunk has 7 bytes";
  EXPECT_EQ(plan.copied_bytes, mebibyte);
  EXPECT_THAT(plan.missing, ElementsAre(0, 3, 4, 6));
  EXPECT_EQ(plan.chunks.size(), 5U);
}

TEST(CopyPlan, CountsOnOverPages) {
  CopyPlan plan;
  const auto size = msg::chunks_of_page * mebibyte + 2 * mebibyte;
  for (const std::uint64_t number : {0, 1})
    add_page(plan, a_page(size, number), [](const core::Sha256&) { return false; });
  EXPECT_EQ(plan.missing.back(), msg::chunks_of_page);
  EXPECT_EQ(plan.missing.size() * mebibyte, plan.total_bytes);
}

TEST(CopyPlan, BeginsWithWhatNodesReadAtTheirStart) {
  CopyPlan plan;
  add_page(plan, a_page(9 * mebibyte, 0),
           [](const core::Sha256& digest) { return digest == digest_of(7); });
  put_first(plan, {6, 7, 2, 1, 6});
  EXPECT_THAT(plan.missing, ElementsAre(6, 1, 0, 3, 4))
      << "in its order, without what is here, zero or named twice";
  EXPECT_EQ(plan.first_count, 2U);
}

TEST(CopyPace, KeepsToItsRateAndMakesUpForNothing) {
  CopyPace pace{2 * mebibyte};
  const CopyPace::Clock::time_point start{seconds{100}};
  EXPECT_LE(pace.next(), start);
  pace.take(mebibyte, start);
  EXPECT_EQ(pace.next(), start + milliseconds{500});
  pace.take(mebibyte, start + milliseconds{500});
  EXPECT_EQ(pace.next(), start + seconds{1});
  pace.take(mebibyte, start + seconds{60});
  EXPECT_EQ(pace.next(), start + milliseconds{60'500}) << "no burst after a pause";
  EXPECT_TRUE(pace.may_copy());
  EXPECT_FALSE(CopyPace{0}.may_copy());
}

TEST(CopySpeed, IsThatOfTheLastSeconds) {
  CopySpeed speed;
  const CopyPace::Clock::time_point start{seconds{100}};
  EXPECT_EQ(speed.bytes_per_s(start), 0U);
  for (int i = 0; i < 40; ++i)
    speed.add(mebibyte, start + milliseconds{i * 500}, start + milliseconds{(i + 1) * 500});
  EXPECT_NEAR(static_cast<double>(speed.bytes_per_s(start + seconds{20})), 2.0 * mebibyte,
              0.1 * mebibyte);
  EXPECT_NEAR(static_cast<double>(speed.bytes_per_s(start + seconds{25})), 1.0 * mebibyte,
              0.2 * mebibyte)
      << "nothing for 5 s";
  EXPECT_EQ(speed.bytes_per_s(start + seconds{31}), 0U);
}

}  // namespace
}  // namespace nucleus::provisioner
