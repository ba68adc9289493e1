#include "core/text/utf8.hpp"

#include <gtest/gtest.h>

namespace nucleus::core {
namespace {

TEST(Utf8, FindsTheUnfinishedCharacterAtTheEnd) {
  EXPECT_EQ(utf8_unfinished(""), 0U);
  EXPECT_EQ(utf8_unfinished("abc"), 0U);
  EXPECT_EQ(utf8_unfinished("a\xc3"), 1U);
  EXPECT_EQ(utf8_unfinished("a\xf0\x9f\x90"), 3U);
  EXPECT_EQ(utf8_unfinished("\xf0\x9f\x90\xa7"), 0U);
  EXPECT_EQ(utf8_unfinished("a\x80\x80"), 0U);           // no character begins so
  EXPECT_EQ(utf8_length("\xed\xa0\x80"), std::nullopt);  // a surrogate
  EXPECT_EQ(utf8_length("\xf4\x90\x80\x80"), std::nullopt);
}

}  // namespace
}  // namespace nucleus::core
