#include "client/console/plain_filter.hpp"

#include <gtest/gtest.h>

namespace nucleus::client {
namespace {

struct Filtered {
  std::string printed = {};
  std::string shown = {};
};

const Filtered filtered[] = {
    {"a\tb\r\nc", "a\tb\r\nc"},
    {"\x1b[1;31mred\x1b[0m", "red"},
    {"a\x1b[?1049hb\x1b[2Jc\x1b[6nd", "abcd"},
    {"a\x1b]0;title\x07"
     "b",
     "ab"},
    {"a\x1b]52;c;cm0=\x1b\\b", "ab"},
    {"a\x1bPq#0\x1b\\b\x1b_x\x1b\\c\x1b^y\x1b\\d", "abcd"},
    {"a\x1b(Bb\x1b#8c\x1b"
     "7d\x1b"
     "cx",
     "abcdx"},
    {"a\x1b[12\x1b[31mb", "ab"},  // a sequence within a sequence
    {"a\x1b[12\x18"
     "b\x1a"
     "c",
     "abc"},  // cancelled
    {"\x07\x08\x0e\x7f\x05ok", "ok"},
    {std::string("nul\0!", 5), "nul!"},
    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7",
     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7"},
    {"a\xc2\x9b"
     "31mb\xc2\x9d"
     "0;t\xc2\x9c"
     "c",
     "abc"},  // C1 controls
    {"a\x9b"
     "b",
     "a\xef\xbf\xbd"
     "b"},  // alone it is not UTF-8
    {"a\xc0\x9b"
     "b",
     "a\xef\xbf\xbd\xef\xbf\xbd"
     "b"},
    {"a\x1b]0;never ends\r\nb", "a\r\nb"},
};

TEST(PlainFilter, KeepsTextAndRemovesWhatControlsATerminal) {
  for (const auto& [printed, shown] : filtered)
    EXPECT_EQ(PlainFilter().read(printed), shown) << testing::PrintToString(printed);
}

TEST(PlainFilter, ReadsSequencesInPieces) {
  for (const auto& [printed, shown] : filtered) {
    PlainFilter filter;
    std::string bytewise;
    for (const char c : printed) bytewise += filter.read({&c, 1});
    EXPECT_EQ(bytewise, shown) << testing::PrintToString(printed);
    for (std::size_t cut = 0; cut <= printed.size(); ++cut) {
      PlainFilter halves;
      const auto first = halves.read(printed.substr(0, cut));
      EXPECT_EQ(first + halves.read(printed.substr(cut)), shown)
          << testing::PrintToString(printed) << " cut at " << cut;
    }
  }
}

TEST(PlainFilter, LetsNoControlCharacterThrough) {
  std::string every;
  for (int first = 0; first < 256; ++first)
    for (int second = 0; second < 256; ++second) {
      every += static_cast<char>(first);
      every += static_cast<char>(second);
    }
  for (const char c : PlainFilter().read(every)) {
    const auto byte = static_cast<unsigned char>(c);
    EXPECT_TRUE(byte >= ' ' || c == '\n' || c == '\r' || c == '\t') << int{byte};
    EXPECT_NE(byte, 0x7f);
  }
}

}  // namespace
}  // namespace nucleus::client
