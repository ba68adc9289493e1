#include "messages/chunks.hpp"

#include <gtest/gtest.h>

namespace nucleus::msg {
namespace {

ChunkPage a_page(std::uint64_t size, std::uint64_t page) {
  return {.version = chunk_list_version,
          .size_bytes = size,
          .page = page,
          .digests = std::string(chunks_in_page(size, page) * chunk_digest_bytes, 'd')};
}

TEST(ChunkPage, CountsChunksAndPages) {
  EXPECT_EQ(chunk_count(0), 0U);
  EXPECT_EQ(page_count(0), 0U);
  EXPECT_EQ(chunk_count(1), 1U);
  EXPECT_EQ(chunk_count(chunk_bytes), 1U);
  EXPECT_EQ(chunk_count(chunk_bytes + 1), 2U);
  EXPECT_EQ(bytes_of_chunk(chunk_bytes + 7, 0), chunk_bytes);
  EXPECT_EQ(bytes_of_chunk(chunk_bytes + 7, 1), 7U);
  const auto size = 1025 * chunk_bytes + 1;
  EXPECT_EQ(page_count(size), 2U);
  EXPECT_EQ(chunks_in_page(size, 0), 1024U);
  EXPECT_EQ(chunks_in_page(size, 1), 2U);
  EXPECT_EQ(chunks_in_page(size, 2), 0U);
  EXPECT_EQ(chunks_in_page(size, ~0ULL), 0U);
}

TEST(ChunkPage, IsTheRequestedOneWithItsDigests) {
  const auto size = 1025 * chunk_bytes + 1;
  EXPECT_FALSE(check(a_page(size, 1), 1));
  EXPECT_FALSE(check(a_page(0, 0), 0));
  const auto field = [](const ChunkPage& page, std::uint64_t number) {
    const auto broken = check(page, number);
    return broken ? broken->field : "";
  };
  EXPECT_EQ(field(a_page(size, 1), 0), "page");
  auto page = a_page(size, 1);
  page.version = 2;
  EXPECT_EQ(field(page, 1), "version");
  for (const auto change : {-64, -32, -1, 1, 32}) {
    page = a_page(size, 1);
    page.digests.resize(static_cast<std::size_t>(64 + change));
    EXPECT_EQ(field(page, 1), "digests") << change;
  }
  page = a_page(size, 1);
  page.size_bytes = content_bytes_max + 1;
  EXPECT_EQ(field(page, 1), "size_bytes");
  page.size_bytes = ~0ULL;
  EXPECT_EQ(field(page, 1), "size_bytes");
  page = a_page(size, 2);
  EXPECT_EQ(field(page, 2), "") << "beyond the end it is empty, and names no chunk";
}

TEST(ChunkPage, IsNotDecodedFromTruncatedOrForeignBytes) {
  const auto bytes = encode(a_page(3 * chunk_bytes, 0));
  EXPECT_EQ(decode<ChunkPage>(bytes).digests.size(), 96U);
  for (std::size_t end = 0; end < bytes.size(); ++end)
    EXPECT_THROW(decode<ChunkPage>(bytes.substr(0, end)), DecodeError) << end;
  EXPECT_THROW(decode<ChunkPage>(bytes + "x"), DecodeError);
  EXPECT_THROW(decode<ChunkPage>("\x81\xa7"
                                 "digests\x93\x01\x02\x03"),
               DecodeError)
      << "a list in place of bytes";
  EXPECT_THROW(decode<ChunkPage>("\x81\xa7"
                                 "digests\xc6\xff\xff\xff\xff"),
               DecodeError)
      << "a false length";
}

TEST(FanOutPlan, NamesOnlyPeersThatItHas) {
  FanOutPlan plan{.peers = {{.endpoint = "a"}}};
  const auto field = [&] {
    const auto broken = check(plan);
    return broken ? broken->field : "";
  };
  EXPECT_EQ(field(), "stripes") << "none";
  plan.stripes.resize(fan_out_stripes, {0});
  EXPECT_EQ(field(), "");
  plan.stripes[3] = {1};
  EXPECT_EQ(field(), "stripes");
  plan.stripes[3] = {0, 0, 0};
  EXPECT_EQ(field(), "stripes");
  plan.stripes[3] = {};
  plan.peers.resize(fan_out_peers_max + 1);
  EXPECT_EQ(field(), "peers");
}

TEST(WorkingSet, NamesChunksOfTheContentOnce) {
  constexpr std::uint64_t three_chunks = 2 * chunk_bytes + 1;
  WorkingSet set{.version = chunk_list_version};
  const auto field = [&] { return check(set, three_chunks).value_or(Error{}).field; };
  EXPECT_EQ(field(), "indexes") << "none";
  set.indexes = {2, 0};
  EXPECT_EQ(field(), "");
  set.indexes = {2, 0, 2};
  EXPECT_EQ(field(), "indexes") << "twice";
  set.indexes = {3};
  EXPECT_EQ(field(), "indexes") << "beyond the end";
  set = {.version = chunk_list_version + 1, .indexes = {0}};
  EXPECT_EQ(field(), "version");
  set.version = chunk_list_version;
  set.indexes.clear();
  for (std::uint32_t i = 0; i <= working_set_max; ++i) set.indexes.push_back(i);
  EXPECT_EQ(check(set, content_bytes_max)->field, "indexes") << "too many";
}

TEST(JoinFanOut, HasAKeyAndAnAuthorityWithAnEndpoint) {
  JoinFanOut request;
  EXPECT_FALSE(check(request)) << "it only asks";
  request.endpoint = "10.0.0.1:9410";
  EXPECT_EQ(check(request)->field, "authority");
  request.authority = "PEM";
  EXPECT_EQ(check(request)->field, "key");
  request.key = std::string(64, 'k');
  EXPECT_FALSE(check(request));
  request.joined_unix_s = -1;
  EXPECT_EQ(check(request)->field, "joined_unix_s");
  request.authority = std::string(authority_bytes_max + 1, 'x');
  EXPECT_EQ(check(request)->field, "authority");
}

}  // namespace
}  // namespace nucleus::msg
