#include "client/console/escape.hpp"

#include <gtest/gtest.h>

namespace nucleus::client {
namespace {

using All = std::vector<Typed>;
constexpr auto leave = Typed::Action::leave;
constexpr auto show_help = Typed::Action::help;
constexpr auto take_over = Typed::Action::take_over;

Typed text(const char* sent) {
  return {.text = sent};
}

TEST(EscapeParser, PassesOnWhatIsTyped) {
  EscapeParser parser;
  EXPECT_EQ(parser.read("ls ~/a~.b\r"), All{text("ls ~/a~.b\r")});
  EXPECT_EQ(parser.read(""), All{});
}

TEST(EscapeParser, LeavesAtTheStartOfTheFirstLineAndOfEachOther) {
  EXPECT_EQ(EscapeParser().read("~."), All{{.action = leave}});
  EXPECT_EQ(EscapeParser().read("a\r~.dropped"), (All{text("a\r"), {.action = leave}}));
  EXPECT_EQ(EscapeParser().read("a\n~."), (All{text("a\n"), {.action = leave}}));
  EXPECT_EQ(EscapeParser().read("a~."), All{text("a~.")});
}

TEST(EscapeParser, ReadsAnEscapeInPieces) {
  EscapeParser parser;
  EXPECT_EQ(parser.read("\r"), All{text("\r")});
  EXPECT_EQ(parser.read("~"), All{});
  EXPECT_EQ(parser.read("."), All{{.action = leave}});
}

TEST(EscapeParser, SendsOneTildeForTwo) {
  EscapeParser parser;
  EXPECT_EQ(parser.read("~~."), All{text("~.")});
  EXPECT_EQ(parser.read("~."), All{text("~.")});  // not at the start of the line any more
}

TEST(EscapeParser, SendsWhatIsNoEscape) {
  EXPECT_EQ(EscapeParser().read("~/bin\r~\r~."), (All{text("~/bin\r~\r"), {.action = leave}}));
}

TEST(EscapeParser, StaysAtTheStartOfTheLineAfterAnAction) {
  EXPECT_EQ(EscapeParser().read("~?~t~."),
            (All{{.action = show_help}, {.action = take_over}, {.action = leave}}));
}

}  // namespace
}  // namespace nucleus::client
