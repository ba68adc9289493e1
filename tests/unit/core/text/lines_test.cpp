// Lines, fields and words of the output of programs.
#include "core/text/lines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nucleus::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Lines, AreTakenUntilTheTextIsEmpty) {
  std::string_view text = "one\n\ntwo";
  EXPECT_EQ(take_until(text, '\n'), "one");
  EXPECT_EQ(take_until(text, '\n'), "");
  EXPECT_EQ(take_until(text, '\n'), "two");
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(take_until(text, '\n'), "");
}

TEST(Lines, HaveWordsUpToABound) {
  EXPECT_THAT(words_of("  a\tbc \r", 9), ElementsAre("a", "bc"));
  EXPECT_THAT(words_of("a b c", 2), ElementsAre("a", "b"));
  EXPECT_THAT(words_of(" \t\r", 9), IsEmpty());
}

}  // namespace
}  // namespace nucleus::core
