// The lines of the shell.
#include "client/shell/line.hpp"

#include <gtest/gtest.h>

namespace nucleus::client {
namespace {

TEST(ShellLine, DistinguishesCommentsAndShellLinesFromCommands) {
  for (const char* comment : {"# a", "// a", "/* a */", "   # a"})
    EXPECT_EQ(read_line(comment).kind, LineKind::comment) << comment;
  EXPECT_EQ(read_line("!ls -l ").text, "ls -l");
  EXPECT_EQ(read_line(" \t\r\n").kind, LineKind::empty);
  EXPECT_EQ(read_line(" echo #a ").text, "echo #a");
}

TEST(ShellLine, ReplacesVariablesAndKeepsUnknownNames) {
  const auto look_up = [](const std::string& name) -> std::optional<std::string> {
    if (name == "a") return "1";
    if (name == "os.HOME") return "/home";
    return std::nullopt;
  };
  EXPECT_EQ(with_variables("$a$a-$os.HOME. $b $", look_up), "11-/home. $b $");
}

TEST(ShellLine, IsSplitAtBlanksOutsideQuotes) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(split_words("a \"b c\"  'd e' "), (Words{"a", "b c", "d e"}));
  EXPECT_EQ(split_words("echo \"ab\"cd x='1  2'"), (Words{"echo", "abcd", "x=1  2"}));
  EXPECT_EQ(split_words("a \"\" ''b"), (Words{"a", "", "b"}));
  EXPECT_EQ(split_words("it's 5\" wide"), (Words{"it's", "5\"", "wide"}));
  EXPECT_EQ(split_words("\"it's\""), (Words{"it's"}));
  EXPECT_TRUE(split_words(" \t ").empty());
}

TEST(ShellLine, KeepsEscapedQuotesInsideDoubleQuotes) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(split_words(R"("say \"hi\"" x)"), (Words{R"(say "hi")", "x"}));
  EXPECT_EQ(split_words(R"("a\\" b)"), (Words{R"(a\)", "b"})) << "an escaped backslash";
  EXPECT_EQ(split_words(R"("a\n\'b")"), (Words{R"(a\n\'b)"})) << "no other escapes";
  EXPECT_EQ(split_words(R"('a\' b\"c)"), (Words{R"(a\)", R"(b\"c)"})) << "nor elsewhere";
  EXPECT_EQ(split_words(R"("a\" b)"), (Words{R"("a\")", "b"})) << "a quote without a partner";
  EXPECT_EQ(split_words(R"(""\)"), (Words{R"(\)"}));
}

TEST(ShellLine, ReplacesNoVariablesInsideSingleQuotes) {
  using Words = std::vector<std::string>;
  const auto look_up = [](const std::string& name) -> std::optional<std::string> {
    if (name == "a") return "1 '$b' \"";
    if (name == "b") return "two";
    return std::nullopt;
  };
  EXPECT_EQ(split_words("$b '$b' \"$b\" x$b'$b'$b", look_up),
            (Words{"two", "$b", "two", "xtwo$btwo"}));
  EXPECT_EQ(split_words("$a \"$a\"", look_up), (Words{"1 '$b' \"", "1 '$b' \""}))
      << "a value is not read again";
  EXPECT_EQ(split_words("$b\"c\" it's $b", look_up), (Words{"twoc", "it's", "two"}));
}

}  // namespace
}  // namespace nucleus::client
