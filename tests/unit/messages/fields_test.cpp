// The msgpack codec: round trips, lenient decoding, and limits that apply before allocation.
#include "messages/fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/common.hpp"

namespace nucleus::msg {

NUCLEUS_ENUM(Colour, red, blue)

struct Part {
  std::string name = {};
  std::int32_t count = 0;
  NUCLEUS_FIELDS(name, count);
};

struct Whole {
  NodeId node_id = {};
  Colour colour = Colour::unknown;
  std::vector<Part> parts = {};
  std::optional<Part> spare = {};
  std::map<std::string, std::uint64_t> totals = {};
  std::uint8_t small = 7;
  bool is_on = false;
  double ratio = 0;
  NUCLEUS_FIELDS(node_id, colour, parts, spare, totals, small, is_on, ratio);
};

struct WiderWhole {
  std::uint8_t small = 0;
  std::string later = {};
  std::vector<Part> more = {};
  NUCLEUS_FIELDS(small, later, more);
};

struct TextSmall {
  std::string small = {};
  NUCLEUS_FIELDS(small);
};

struct NumberSmall {
  std::int64_t small = 0;
  NUCLEUS_FIELDS(small);
};

struct TextColour {
  std::string colour = {};
  NUCLEUS_FIELDS(colour);
};

template <class T>
std::string refusal(std::string_view bytes) {
  try {
    decode<T>(bytes);
  } catch (const DecodeError& error) {
    return error.what();
  }
  return "";
}

TEST(Fields, SurviveARoundTrip) {
  const Whole sent{.node_id = {"n-1"},
                   .colour = Colour::blue,
                   .parts = {{"bolt", -3}, {"nut", 4}},
                   .spare = Part{"pin", 1},
                   .totals = {{"bytes", 1ULL << 63}},
                   .small = 255,
                   .is_on = true,
                   .ratio = 0.25};
  EXPECT_EQ(decode<Whole>(encode(sent)), sent);
}

TEST(Fields, OmitAnEmptyOptional) {
  const Whole sent{};
  EXPECT_EQ(encode(sent).find("spare"), std::string::npos);
  EXPECT_FALSE(decode<Whole>(encode(sent)).spare.has_value());
}

TEST(Fields, SkipUnknownKeys) {
  const WiderWhole newer{.small = 9, .later = "from a newer release", .more = {{"a", 1}}};
  EXPECT_EQ(decode<Whole>(encode(newer)).small, 9);
}

TEST(Fields, KeepTheDefaultOfAMissingKey) {
  EXPECT_EQ(decode<Whole>(encode(TextColour{})).small, 7);
}

TEST(Fields, NameTheFieldOfTheWrongType) {
  EXPECT_EQ(refusal<Whole>(encode(TextSmall{"nine"})), "small: must be an integer");
}

TEST(Fields, NameTheFieldWhoseNumberIsOutOfRange) {
  EXPECT_EQ(refusal<Whole>(encode(NumberSmall{256})), "small: is too large");
  EXPECT_EQ(refusal<Whole>(encode(NumberSmall{-1})), "small: is too small");
}

TEST(Fields, RefuseNil) {
  EXPECT_EQ(refusal<Whole>("\x81\xa5small\xc0"), "small: must be an integer");
}

TEST(Fields, RefuseAFalseLengthBeforeAllocation) {
  EXPECT_NE(refusal<Whole>(std::string("\xdd\xff\x00\x00\x00", 5)), "");
  EXPECT_NE(refusal<Whole>(std::string("\xdf\xff\xff\xff\xff", 5)), "");
}

TEST(Fields, RefuseADepthBomb) {
  const std::string prefix =
      "\x81\xa4later";  // an unknown key is skipped, but its depth is limited too
  EXPECT_NE(refusal<Whole>(prefix + std::string(depth_max + 1, '\x91') + "\xc0"), "");
  EXPECT_NE(refusal<Whole>(std::string(500'000, '\x91') + "\xc0"), "");
}

TEST(Fields, RefuseMoreThanOneMebibyte) {
  EXPECT_THAT(refusal<Whole>(encode(TextColour{std::string(body_bytes_max, 'x')})),
              testing::HasSubstr("1 MiB"));
}

TEST(Fields, RefuseBytesAfterTheMapAndATruncatedMap) {
  const auto bytes = encode(Whole{});
  EXPECT_NE(refusal<Whole>(bytes + "\xc0"), "");
  EXPECT_NE(refusal<Whole>(bytes.substr(0, bytes.size() - 1)), "");
  EXPECT_NE(refusal<Whole>(""), "");
}

TEST(Fields, EncodeAnEnumByName) {
  EXPECT_EQ(decode<TextColour>(encode(Whole{.colour = Colour::blue})).colour, "blue");
}

TEST(Fields, DecodeAnUnknownEnumNameAsUnknown) {
  EXPECT_EQ(decode<Whole>(encode(TextColour{"ultraviolet"})).colour, Colour::unknown);
}

TEST(Names, AreSafeInKeysTopicsFilesAndXml) {
  EXPECT_TRUE(is_name("vm-demo-00"));
  for (const auto* bad : {"", "-x", ".x", "a/b", "a b", "a\"b", "a<b", "a\nb", "\xc3\xa4"})
    EXPECT_FALSE(is_name(bad)) << bad;
  EXPECT_TRUE(is_name(std::string(64, 'a')));
  EXPECT_FALSE(is_name(std::string(65, 'a')));
}

TEST(Names, AreShownTruncatedAndWithoutControlCharacters) {
  EXPECT_EQ(shown("a\033[2Jb\"<c>"), "a??2Jb??c?");
  EXPECT_EQ(shown(std::string(100, 'a')).size(), 64U);
}

}  // namespace nucleus::msg
