// The rules of hostlists.
#include "core/hostlist/hostlist.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace nucleus::core::hostlist {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> names_of(std::string_view text) {
  auto names = expand(text);
  EXPECT_TRUE(names) << (names ? "" : names.error().detail);
  return names.value_or(std::vector<std::string>{});
}

std::string fault_of(std::string_view text, std::size_t max = names_max) {
  const auto names = expand(text, max);
  if (names) return "no fault";
  EXPECT_EQ(names.error().code, ErrorCode::invalid_argument);
  EXPECT_LE(names.error().detail.size(), 80U);
  return names.error().detail;
}

std::string collected(std::vector<std::string> names) {
  return collect(names);
}

TEST(HostlistExpand, KeepsTheOrderOfPlainNames) {
  EXPECT_THAT(names_of("c,a,b"), ElementsAre("c", "a", "b"));
}

TEST(HostlistExpand, CombinesSeveralRangesWithTheLeftmostSlowest) {
  EXPECT_THAT(names_of("a[0-1,7]x[1-2],b"),
              ElementsAre("a0x1", "a0x2", "a1x1", "a1x2", "a7x1", "a7x2", "b"));
}

TEST(HostlistExpand, PadsToTheWidthOfTheLowerBound) {
  EXPECT_THAT(names_of("n[08-11]"), ElementsAre("n08", "n09", "n10", "n11"));
  EXPECT_THAT(names_of("n[8-11]"), ElementsAre("n8", "n9", "n10", "n11"));
  EXPECT_THAT(names_of("n[099-0101]"), ElementsAre("n099", "n100", "n101"));
}

TEST(HostlistExpand, KeepsASingleNumberAsWritten) {
  EXPECT_THAT(names_of("n[007]-x"), ElementsAre("n007-x"));
}

TEST(HostlistExpand, RemovesDuplicatesAndKeepsTheFirst) {
  EXPECT_THAT(names_of("b,a[1-2],b,a[2-3]"), ElementsAre("b", "a1", "a2", "a3"));
}

TEST(HostlistExpand, SkipsEmptyParts) {
  EXPECT_THAT(names_of(""), IsEmpty());
  EXPECT_THAT(names_of(",a,,b,"), ElementsAre("a", "b"));
}

TEST(HostlistExpand, AcceptsTextAfterAndBetweenRanges) {
  EXPECT_THAT(names_of("r[1-2]n[1]-ib"), ElementsAre("r1n1-ib", "r2n1-ib"));
  EXPECT_THAT(names_of("[1-2]"), ElementsAre("1", "2"));
}

TEST(HostlistExpand, RefusesNestedBrackets) {
  EXPECT_THAT(fault_of("a[1-[2]]"), HasSubstr("nested brackets"));
}

TEST(HostlistExpand, RefusesUnbalancedBrackets) {
  for (std::string_view text : {"a[1-2", "a]", "a[1]]", "a[1-2,b"})
    EXPECT_THAT(fault_of(text), HasSubstr("unbalanced brackets")) << text;
}

TEST(HostlistExpand, RefusesAReversedRange) {
  EXPECT_THAT(fault_of("a[3-1]"), HasSubstr("start > stop in '3-1'"));
}

TEST(HostlistExpand, RefusesAnInvalidRange) {
  for (std::string_view text : {"a[]", "a[1,]", "a[x]", "a[1-]", "a[-1]", "a[1-2-3]", "a[1 -2]",
                                "a[0x1-2]", "a[1-9999999999999999999999]"})
    EXPECT_THAT(fault_of(text), HasSubstr("bad range")) << text;
}

TEST(HostlistExpand, AllowsExactlyTheLargestNumberOfNames) {
  EXPECT_EQ(names_of("n[1-100000]").size(), 100'000U);
  EXPECT_EQ(names_of("n[0-99]x[0-999]").size(), 100'000U);
  EXPECT_THAT(fault_of("n[0-100000]"), HasSubstr("more than 100000 names"));
  EXPECT_THAT(fault_of("n[0-100]x[0-999]"), HasSubstr("more than 100000 names"));
  EXPECT_THAT(fault_of("n[1-100000],b"), HasSubstr("more than 100000 names"));
}

TEST(HostlistExpand, AcceptsASmallerLimit) {
  EXPECT_TRUE(expand("n[1-4]", 4));
  EXPECT_THAT(fault_of("n[1-5]", 4), HasSubstr("more than 4 names"));
  EXPECT_THAT(fault_of("a,b,c,d,e", 4), HasSubstr("more than 4 names"));
}

TEST(HostlistExpand, ChecksTheCountBeforeExpanding) {
  // Were any of these expanded first, this test would not end.
  std::string product = "n";
  for (int i = 0; i < 12; ++i) product += "[1-5]";
  for (std::string_view text :
       {std::string_view("n[0-999999999]"), std::string_view("n[0-999999999999999999]"),
        std::string_view(product)})
    EXPECT_THAT(fault_of(text), HasSubstr("more than 100000 names")) << text;
}

TEST(HostlistExpand, RefusesNamesAndTextsTooLong) {
  EXPECT_THAT(fault_of(std::string(250, 'a') + "[0-999999]"), HasSubstr("more than"));
  EXPECT_THAT(fault_of(std::string(250, 'a') + "[1-2]x[100000-100001]"),
              HasSubstr("a name is over 255 characters"));
  EXPECT_THAT(fault_of(std::string(text_bytes_max + 1, ',')), HasSubstr("bytes"));
}

TEST(HostlistExpand, ShowsNoControlCharactersInItsErrors) {
  EXPECT_EQ(fault_of("a[\x1b\n<]").find_first_of("\x1b\n<"), std::string::npos);
}

TEST(HostlistCollect, FoldsConsecutiveNumbersAndSorts) {
  EXPECT_EQ(collected({"n3", "n1", "n2", "n7", "b"}), "b,n[1-3,7]");
}

TEST(HostlistCollect, WritesASingleNumberWithoutBrackets) {
  EXPECT_EQ(collected({"n07"}), "n07");
  EXPECT_EQ(collected({"frontend"}), "frontend");
  EXPECT_EQ(collected({}), "");
}

TEST(HostlistCollect, KeepsPadding) {
  EXPECT_EQ(collected({"n08", "n09", "n10"}), "n[08-10]");
  EXPECT_EQ(collected({"n8", "n9", "n10"}), "n[8-10]");
  EXPECT_EQ(collected({"n9", "n09", "n10"}), "n[9-10,09]");
}

TEST(HostlistCollect, GroupsFromTheRightmostNumber) {
  EXPECT_EQ(collected({"r1n1", "r1n2", "r2n1", "r2n2"}), "r[1-2]n[1-2]");
  EXPECT_EQ(collected({"r1n1-ib", "r1n2-ib", "r2n3-ib"}), "r1n[1-2]-ib,r2n3-ib");
}

TEST(HostlistCollect, RemovesDuplicates) {
  EXPECT_EQ(collected({"a1", "a1", "a2"}), "a[1-2]");
}

TEST(HostlistCollect, LeavesNumbersTooLongAsText) {
  EXPECT_EQ(collected({"n12345678901234567890", "n12345678901234567891"}),
            "n12345678901234567890,n12345678901234567891");
}

TEST(HostlistCollect, IsUndoneByExpand) {
  for (std::string_view text : {"vm-demo-[00-15]", "a[1-3,5,09-11],b,c", "r[1-3]n[001-032]-ib"}) {
    auto names = names_of(text);
    auto again = names_of(collect(names));
    std::ranges::sort(names);
    std::ranges::sort(again);
    EXPECT_EQ(names, again) << text;
  }
}

}  // namespace
}  // namespace nucleus::core::hostlist
