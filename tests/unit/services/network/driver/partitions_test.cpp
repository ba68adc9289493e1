// The partitions file of OpenSM, and how ports differ from it.
#include "services/network/driver/partitions.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

namespace nucleus::network {
namespace {

constexpr PortGuid first{0x0002c90300000011};
constexpr PortGuid second{0x0002c90300000021};
constexpr PortGuid third{0x0002c90300000031};

std::vector<std::string> shown_differences(const Partitions& wanted, const FabricReading& reading) {
  std::vector<std::string> all;
  for (const auto& fault : differences(wanted, reading)) all.push_back(shown(fault));
  return all;
}

TEST(Partitions, AreWrittenWithEveryPortLimitedInTheDefaultOne) {
  const auto text = partitions_text({{0x101, {first, second}}, {0x102, {third}}, {0x103, {}}});
  ASSERT_TRUE(text);
  EXPECT_EQ(*text,
            "# Written by the Nucleus network service, which replaces every other content.\n"
            "Default=0x7fff, ipoib : ALL=limited, SELF=full;\n"
            "pkey-0101=0x0101 : 0x0002c90300000011=full, 0x0002c90300000021=full;\n"
            "pkey-0102=0x0102 : 0x0002c90300000031=full;\n");
}

TEST(Partitions, AreReadBackAsTheyWereWritten) {
  std::mt19937_64 random(64);
  for (int round = 0; round < 200; ++round) {
    Partitions partitions;
    for (auto pkeys = random() % 5; pkeys > 0; --pkeys) {
      auto& members = partitions[static_cast<std::uint32_t>(1 + random() % 0x7ffe)];
      for (auto count = 1 + random() % 50; count > 0; --count) members.insert({random() | 1});
    }
    const auto text = partitions_text(partitions);
    ASSERT_TRUE(text);
    const auto parsed = parse_partitions(*text);
    ASSERT_TRUE(parsed) << parsed.error().detail;
    EXPECT_EQ(*parsed, partitions);
  }
}

TEST(Partitions, HaveNoLineThatOpenSmWouldReadInTwoPieces) {
  Partitions partitions;
  for (std::uint64_t i = 1; i <= 5'000; ++i) partitions[0x7ffe].insert({~i});
  const auto text = partitions_text(partitions);
  ASSERT_TRUE(text);
  std::size_t longest = 0;
  for (std::size_t from = 0; from < text->size();) {
    const auto end = text->find('\n', from);
    longest = std::max(longest, end - from);
    from = end + 1;
  }
  EXPECT_LT(longest, 1'024u);
}

TEST(Partitions, AreRefusedWithAPkeyOutOfRange) {
  for (const auto pkey : {0u, 0x7fffu, 0x8001u, 0xffffu})
    EXPECT_FALSE(partitions_text({{pkey, {first}}})) << pkey;
  EXPECT_FALSE(partitions_text({{0x101, {PortGuid{0}}}}));
}

TEST(Partitions, AreNotReadFromAnyOtherText) {
  const auto text = *partitions_text({{0x101, {first, second}}});
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 0x20);
    const auto parsed = parse_partitions(changed);
    EXPECT_TRUE(!parsed || *parsed != (Partitions{{0x101, {first, second}}})) << "byte " << i;
    const auto cut = parse_partitions(std::string_view(text).substr(0, i));
    EXPECT_TRUE(!cut || cut->empty()) << "cut at " << i;
  }
  EXPECT_FALSE(parse_partitions(""));
  EXPECT_FALSE(parse_partitions("Default=0x7fff : ALL=full;\n"));
}

TEST(PartitionDifferences, AreNoneIfEveryPortHasItsOwnAlone) {
  EXPECT_THAT(
      shown_differences(
          {{0x101, {first, second}}},
          {.manager = third,
           .tables = {{first, {0x7fff, 0x8101}}, {second, {0x7fff, 0x8101}}, {third, {0xffff}}}}),
      testing::IsEmpty());
}

TEST(PartitionDifferences, NameWhatAPortReachesAndMustNot) {
  EXPECT_THAT(shown_differences({{0x101, {first}}}, {.manager = third,
                                                     .tables = {{first, {0xffff, 0x8101}},
                                                                {second, {0x7fff, 0x0101, 0x8102}},
                                                                {third, {0xffff}}}}),
              testing::ElementsAre(
                  "port 0x0002c90300000011 is a full member of the default partition",
                  "port 0x0002c90300000011 is not in partition 0x7fff",
                  "port 0x0002c90300000021 is in partition 0x0101, which it was not given",
                  "port 0x0002c90300000021 is in partition 0x0102, which it was not given"));
}

TEST(PartitionDifferences, NameWhatAPortLacks) {
  const auto faults =
      differences({{0x101, {first}}}, {.manager = third, .tables = {{first, {0x7fff, 0x0101}}}});
  ASSERT_EQ(faults.size(), 2u);  // a limited member reaches no other limited member
  EXPECT_TRUE(faults[0].is_excess);
  EXPECT_FALSE(faults[1].is_excess);
  EXPECT_EQ(faults[1].reason, "is not in partition 0x0101");
}

TEST(PartitionDifferences, LeaveOutMembersThatAreNotOnTheFabric) {
  EXPECT_THAT(differences({{0x101, {first}}}, {.manager = third, .tables = {{third, {0xffff}}}}),
              testing::IsEmpty());
}

TEST(PortGuid, IsReadWithOneToSixteenHexDigits) {
  EXPECT_EQ(parse_guid("0x2c90300000011"), first);
  EXPECT_EQ(parse_guid(guid_text(first)), first);
  for (const auto* text : {"", "0x", "0x0", "2c9", "0x2c9g", "0x00002c90300000011", "0x-1"})
    EXPECT_FALSE(parse_guid(text)) << text;
}

}  // namespace
}  // namespace nucleus::network
