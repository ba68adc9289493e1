#include "core/chunks/chunk.hpp"

#include <gtest/gtest.h>

#include "messages/chunks.hpp"

namespace nucleus::core {
namespace {

const std::string text = [] {
  std::string made;
  for (int i = 0; made.size() < 1 << 20; ++i) made += "line " + std::to_string(i) + "\n";
  made.resize(1 << 20);
  return made;
}();

TEST(Chunk, UnpacksToWhatWasPacked) {
  for (const auto& plain : {text, std::string("x"), text.substr(0, 12345)}) {
    const auto packed = pack_chunk(plain);
    ASSERT_TRUE(packed);
    EXPECT_LE(packed->size(), packed_chunk_bytes_max);
    EXPECT_EQ(unpack_chunk(*packed, plain.size(), sha256(plain)).value_or("fault"), plain);
  }
  EXPECT_LT(pack_chunk(text)->size(), text.size() / 3);
}

TEST(Chunk, RefusesWhatIsNotTheChunk) {
  const auto packed = *pack_chunk(text);
  const auto digest = sha256(text);
  const auto detail = [&](std::string_view bytes, std::size_t size, const Sha256& expected) {
    const auto plain = unpack_chunk(bytes, size, expected);
    return plain ? "" : plain.error().detail;
  };
  EXPECT_EQ(detail(packed, text.size(), sha256("another")), "the chunk has another digest");
  EXPECT_EQ(detail(packed, text.size() - 1, digest), "the chunk cannot be unpacked");
  EXPECT_EQ(detail(packed, (1 << 20) + 1, digest), "the chunk is too large");
  EXPECT_EQ(detail(*pack_chunk("short"), text.size(), digest), "the chunk cannot be unpacked");
  EXPECT_EQ(detail(text, text.size(), digest), "the chunk cannot be unpacked");
  EXPECT_EQ(detail("", text.size(), digest), "the chunk cannot be unpacked");
  EXPECT_EQ(detail(std::string(packed_chunk_bytes_max + 1, 'x'), text.size(), digest),
            "the chunk is too large");
  for (std::size_t end = 0; end < packed.size(); end += 997)
    EXPECT_NE(detail(packed.substr(0, end), text.size(), digest), "") << end;
  for (std::size_t at = 0; at < packed.size(); at += 997) {
    auto damaged = packed;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    const auto plain = unpack_chunk(damaged, text.size(), digest);
    EXPECT_TRUE(!plain || *plain == text) << at;
  }
}

TEST(Chunk, IsAllZeroOnlyIfEveryByteIs) {
  std::string bytes(4096, '\0');
  EXPECT_TRUE(is_all_zero(bytes));
  EXPECT_TRUE(is_all_zero(""));
  for (const std::size_t at : {0, 1, 2048, 4095}) {
    auto other = bytes;
    other[at] = 1;
    EXPECT_FALSE(is_all_zero(other)) << at;
  }
}

TEST(Chunk, HasAnUnambiguousName) {
  const auto hex = sha256_hex("x");
  ASSERT_TRUE(parse_chunk_name("17/" + hex));
  EXPECT_EQ(parse_chunk_name("17/" + hex)->index, 17U);
  EXPECT_EQ(to_text(*parse_chunk_name("17/" + hex)), "17/" + hex);
  auto upper = hex;
  upper[hex.find_first_of("abcdef")] -= 'a' - 'A';
  for (const auto& wrong :
       {"/" + hex, hex, "+1/" + hex, "-1/" + hex, " 1/" + hex, "1x/" + hex, "1/" + upper,
        "1/" + hex + "0", "1/" + hex.substr(1), "1/" + hex.substr(1) + "g", "1/../" + hex,
        "18446744073709551616/" + hex, std::string()})
    EXPECT_FALSE(parse_chunk_name(wrong)) << wrong;
}

TEST(ChunkTicket, OpensOneContentAtOneHostUntilItsEnd) {
  const auto ticket = make_chunk_ticket("key", "content", 1000);
  EXPECT_TRUE(is_chunk_ticket(ticket, "key", "content", 999));
  EXPECT_FALSE(is_chunk_ticket(ticket, "key", "content", 1000)) << "it has ended";
  EXPECT_FALSE(is_chunk_ticket(ticket, "key", "other", 999));
  EXPECT_FALSE(is_chunk_ticket(ticket, "other", "content", 999));
  EXPECT_FALSE(is_chunk_ticket(ticket, "", "content", 999)) << "a host without a key serves none";
  EXPECT_FALSE(is_chunk_ticket(make_chunk_ticket("", "content", 1000), "", "content", 999));
  EXPECT_FALSE(is_chunk_ticket("2000" + ticket.substr(4), "key", "content", 999)) << "prolonged";
  for (std::size_t i = 0; i < ticket.size(); ++i)
    EXPECT_FALSE(is_chunk_ticket(ticket.substr(0, i), "key", "content", 999)) << i;
  EXPECT_FALSE(is_chunk_ticket(ticket + "0", "key", "content", 999));
}

}  // namespace
}  // namespace nucleus::core
