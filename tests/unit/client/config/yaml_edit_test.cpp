// Values are set in the text of a yaml file.
#include "client/config/yaml_edit.hpp"

#include <gtest/gtest.h>

namespace nucleus::client {
namespace {

TEST(YamlEdit, ReplacesAValueAndKeepsCommentsOrderAndLayout) {
  const std::string text =
      "# my endpoints, äöü\n"
      "cloudmesh:\n"
      "    comet:   # of the demo\n"
      "        username: ada\n"
      "        active: one   # the nearest\n"
      "\n"
      "        endpoints: {one: {token: t}}\n";
  std::string wanted = text;
  wanted.replace(wanted.find("one   #"), 3, "two");
  EXPECT_EQ(with_changes(text, {{{"cloudmesh", "comet", "active"}, "two"}}), wanted);
}

TEST(YamlEdit, ReplacesQuotedValuesAndThoseOfFlowMaps) {
  EXPECT_EQ(with_changes("{a: \"x # \\\" y\", 'b': 'it''s'}\n", {{{"a"}, "z"}}),
            "{a: z, 'b': 'it''s'}\n");
  EXPECT_EQ(with_changes("{a: one, b: 2}  # end\n", {{{"a"}, "http://h:1/x"}}),
            "{a: \"http://h:1/x\", b: 2}  # end\n");
}

TEST(YamlEdit, AddsAValueToAMapAndItsMissingParents) {
  EXPECT_EQ(with_changes("# top\na:\n  b: c  # why\n", {{{"a", "x", "y"}, "new"}}),
            "# top\na:\n  x:\n    y: new\n  b: c  # why\n");
  EXPECT_EQ(with_changes("{a: {}} # end\n", {{{"a", "x", "y"}, "new"}}),
            "{a: {x: {y: new}}} # end\n");
}

TEST(YamlEdit, WritesWhatItCannotEditAnew) {
  EXPECT_EQ(with_changes("", {{{"a", "b"}, "c"}}), "a:\n  b: c\n");
  EXPECT_EQ(with_changes("a: |\n  many\n  lines\n", {{{"a"}, "one"}}), "a: one\n");
  EXPECT_EQ(with_changes("a: text\n", {{{"b"}, "3"}, {{"b"}, "4"}}), "b: \"4\"\na: text\n");
}

TEST(YamlEdit, QuotesAValueThatIsNotAPlainText) {
  for (const std::string value : {"", "a: b", "# c", "it's", "\"q\"", "line\nbreak", "- x", "null"})
    EXPECT_NE(with_changes("a: x\n", {{{"a"}, value}}), "a: x\n") << value;
}

TEST(YamlEdit, MergesAFileAndKeepsComments) {
  const std::string text =
      "# mine\n"
      "a:   # first\n"
      "  x: 1  # old\n"
      "  list: [1, 2]\n"
      "  y: {p: q}  # kept\n"
      "z: end\n";
  EXPECT_EQ(merged(text, "a: {x: 2, list: [1, 2], y: {n: 3, m: '4'}, s: [1, two]}\nb: {c: {}}\n"),
            "# mine\n"
            "b:\n"
            "  c: {}\n"
            "a:   # first\n"
            "  s: [1, two]\n"
            "  x: 2  # old\n"
            "  list: [1, 2]\n"
            "  y: {n: 3, m: \"4\", p: q}  # kept\n"
            "z: end\n");
  EXPECT_EQ(merged(text, text), text);
  EXPECT_EQ(merged(text, ""), text);
  EXPECT_EQ(merged("a: 1  # one\n", "a: {b: c}\n"), "a: {b: c}  # one\n");
}

TEST(YamlEdit, AddsMergedEntriesInTheirOrder) {
  EXPECT_EQ(merged("# top\nm:\n  k: v\n", "m:\n  one: {a: 1, b: 2}\n  two: c\n"),
            "# top\nm:\n  one:\n    a: 1\n    b: 2\n  two: c\n  k: v\n");
}

TEST(YamlEdit, RefusesToMergeAnEndlessMap) {
  EXPECT_ANY_THROW(merged("a: b\n", "&x {c: *x}"));
}

}  // namespace
}  // namespace nucleus::client
